"""All files that explain a study, in the folder they have as MLflow artifacts."""

import json
from pathlib import Path
from typing import Any

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.records import EXAMPLE_KINDS, Explanation, Spectrum, StudyRecord
from fakeface_bench.report.explanation.evidence import write_evidence
from fakeface_bench.report.explanation.reliability import write_reliability
from fakeface_bench.report.explanation.spectra import write_spectra

#: Of a study's artifacts.
EXPLAIN_FOLDER = "explain"
_METHOD = (
    "HiResCAM (arXiv:2011.08891) at the maps that the head reads, in logits: the mean over a "
    "picture is its logit, positive speaks for fake. head_dependence is the rank correlation of "
    "evidence with and without the head's weights shuffled (arXiv:1810.03292): 1 would mean that "
    "the head does not matter."
)


def write_explanation(record: StudyRecord, explanation: Explanation, folder: Path) -> None:
    """Write the folder `explain`: five pictures and `explanation.json`.

    A test image that is gone from disk costs its tile, nothing else.
    """
    target = folder / EXPLAIN_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for kind in EXAMPLE_KINDS:
        write_evidence(record, explanation, kind, target / f"evidence_{kind}.png")
    write_reliability(record, target / "reliability_diagram.png")
    write_spectra(record, explanation, target / "frequency_spectrum.png")
    shown = json.dumps(_content(record, explanation), indent=2, allow_nan=False)
    (target / "explanation.json").write_text(f"{shown}\n", encoding="utf-8")


def _content(record: StudyRecord, explanation: Explanation) -> dict[str, Any]:
    return {
        "method": _METHOD,
        "head_dependence": explanation.head_dependence,
        "threshold": record.test.threshold,
        "examples": {
            kind: [_example(record, explanation, position) for position in positions]
            for kind, positions in explanation.examples.items()
        },
        "spectra": {group: _profile(s) for group, s in explanation.spectra.items()},
    }


def _example(record: StudyRecord, explanation: Explanation, position: int) -> dict[str, Any]:
    test = record.test
    return {
        "source": test.sources[position],
        "path": test.paths[position],
        "true": CLASS_NAMES[int(test.y_true[position])],
        "score": float(test.y_score[position]),
        "readable": position in explanation.images,
    }


def _profile(spectrum: Spectrum | None) -> dict[str, Any]:
    """Return a group's profile, rounded to what its images could tell."""
    if spectrum is None:
        return {"images": 0}
    profiles = {
        "cycles_per_pixel": spectrum.frequencies,
        "log10_power": spectrum.profile,
        "log10_power_low_95": spectrum.profile_low,
        "log10_power_high_95": spectrum.profile_high,
        "log10_power_standard_error": spectrum.profile_error,
    }
    rounded = {key: [round(float(v), 5) for v in values] for key, values in profiles.items()}
    return {"images": spectrum.images, **rounded}

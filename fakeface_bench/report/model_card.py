"""The model card: what a detector has seen, what it can do, and where it is not to be trusted.

It follows Mitchell et al. (2019), "Model cards for model reporting", arXiv:1810.03993, and is
short enough for the description of a version in a registry.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from fakeface_bench.analysis.curves import confusion_counts
from fakeface_bench.analysis.results import Results
from fakeface_bench.config import CLASS_NAMES, DIGEST_DIGITS, FAKE, REAL
from fakeface_bench.evaluation.intervals import wilson
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.study import ModelOrigin, StudyRecord
from fakeface_bench.report.format import (
    escaped,
    floor_with_interval,
    format_band,
    format_weights,
    generators_seen,
    held_out,
    search_effort,
    threshold_reason,
    with_interval,
)

CARD_FILE = "model_card.md"
#: Begin the lines that say how it did on other datasets, and that nobody knows.
_ELSEWHERE = "**Tested elsewhere:**"
_NOWHERE = "**Not tested elsewhere:**"
_SPLITS = ("train", "valid", "test")
_UNKNOWN_KIND = "not stated: a folder of yours"
_FITS = {
    "crop": "its centre at native resolution, scaled only where it is smaller or over 1.5 times "
    "larger",
    "resize": "the whole picture scaled",
}
#: Versions that the metrics depend on.
_VERSIONS = ("python", "tensorflow", "keras", "mlflow", "pillow", "fakeface_bench")


def model_card(record: StudyRecord, results: Results, ledger: Ledger, origin: ModelOrigin) -> str:
    """Return the card of a study's model, in Markdown; names from outside are escaped."""
    parts = [
        f"# Model card: {escaped(record.model)}, a detector of generated faces",
        *([f"**{escaped(record.weights.warning)}**"] if record.weights.warning else []),
        _what_it_does(record, origin),
        "## What it has seen",
        _data(record, origin),
        "## How well it does",
        "On the test split, with 95 % intervals:",
        _listed(
            f"{escaped(name)}: {escaped(figure)}" for name, figure in _metrics(record, results)
        ),
        _floor(record),
        "## Threshold and calibration",
        _threshold(record, origin),
        "## Known failures",
        _failures(record, results),
        "## What it cost",
        _cost(record, ledger),
        "## Make it again",
        _again(record, origin),
    ]
    return "\n\n".join(parts) + "\n"


def with_elsewhere(card: str, found: Sequence[str]) -> str:
    """Return a card, or what a version of it says, that tells how the model did elsewhere.

    Args:
        card: As `model_card` returns it, whatever was added behind.
        found: What each other dataset showed, a text each; none leaves the card as it is.
    """
    if not found:
        return card
    lines = [f"- {_ELSEWHERE} {escaped(text)}" for text in found]
    rest = [line for line in card.splitlines() if not line.startswith(f"- {_ELSEWHERE}")]
    place = next((n for n, line in enumerate(rest) if line.startswith(f"- {_NOWHERE}")), None)
    if place is not None:
        rest.pop(place)
    else:  # where the lines of an earlier evaluation stood
        earlier = (
            n for n, line in enumerate(card.splitlines()) if line.startswith(f"- {_ELSEWHERE}")
        )
        place = next(earlier, len(rest))
    return "\n".join([*rest[:place], *lines, *rest[place:]]) + "\n"


def _what_it_does(record: StudyRecord, origin: ModelOrigin) -> str:
    how = f", {record.trained}" if record.trained else ", frozen, with a trained head"
    return (
        f"Says of a picture of one face whether it is {CLASS_NAMES[REAL]} or {CLASS_NAMES[FAKE]}, "
        f"with a probability. {escaped(record.model)} from "
        f"{escaped(format_weights(record.weights.label))}{how}; it sees {_FITS[origin.fit]}, "
        f"{origin.image_size_px} × {origin.image_size_px} pixels. One verdict is a hint, no proof: "
        "do not act on it alone."
    )


def _data(record: StudyRecord, origin: ModelOrigin) -> str:
    kinds = "; ".join(_kind(source, origin.kinds) for source in record.data_folders)
    counts = "; ".join(f"{split} {_counts(record, split)}" for split in _SPLITS)
    folds = ""
    if record.folds:
        folds = (
            f" Options were chosen by cross-validation in {record.folds} folds of train and valid "
            "together, and the model was fitted on both."
        )
    return (
        f"Dataset {escaped(record.data)}, digest `{origin.digest[:DIGEST_DIGITS]}` (test split "
        f"`{origin.test_digest[:DIGEST_DIGITS]}`). Images: {counts}. How its fakes were made: "
        f"{kinds}.{_generators(origin)}{folds}"
    )


def _generators(origin: ModelOrigin) -> str:
    if not origin.generators:
        return ""
    seen = escaped(generators_seen(origin.generators))
    return f" Generators that it has seen, with their fakes in train and valid: {seen}."


def _kind(source: str, kinds: Mapping[str, str]) -> str:
    return f"{escaped(source)}: {escaped(kinds.get(source, _UNKNOWN_KIND))}"


def _counts(record: StudyRecord, split: str) -> str:
    images = [record.facts.get(f"data/{split}_{label}_images", 0) for label in CLASS_NAMES]
    return " and ".join(f"{n:,.0f} {label}" for n, label in zip(images, CLASS_NAMES, strict=True))


def _metrics(record: StudyRecord, results: Results) -> list[tuple[str, str]]:
    test = record.test
    counts = confusion_counts(test)
    rows = [
        ("accuracy", with_interval(results.estimates["accuracy"])),
        ("ROC AUC", with_interval(results.estimates["roc_auc"])),
        ("fakes found (recall)", _share(counts[FAKE, FAKE], counts[FAKE].sum())),
        ("false alarms, of real pictures", _share(counts[REAL, FAKE], counts[REAL].sum())),
        ("F1 of fakes", f"{test.metrics['f1_fake']:.3f}"),
    ]
    return [*rows, *_unsure(record, results), *_baseline(record, results), *_parts(results)]


def _unsure(record: StudyRecord, results: Results) -> list[tuple[str, str]]:
    """Return how often it is unsure, and how often it is wrong where it is sure."""
    band, found = record.test.unsure, results.unsure
    if band is None or found is None:
        return []
    return [
        (
            f"unsure ({format_band(band)}, chosen on {held_out(record.folds)})",
            with_interval(found.share),
        ),
        ("wrong where it is sure", with_interval(found.error)),
    ]


def _baseline(record: StudyRecord, results: Results) -> list[tuple[str, str]]:
    """Return what the search is held against, and what it gained."""
    if record.baseline is None:
        return []
    scored = f"{record.baseline.test.metrics['roc_auc']:.3f}"
    gained = with_interval(results.search_gain)
    return [
        (f"ROC AUC of {record.baseline.title}", scored),
        (f"ROC AUC gained over it by {search_effort(record.search)}", gained),
    ]


def _parts(results: Results) -> list[tuple[str, str]]:
    """Return each source and tier alone, by what it has: ROC AUC, else the recall of its fakes."""
    rows = []
    for name, part in results.parts.items():
        key, found = (
            ("recall", part.recall_fake) if part.roc_auc is None else ("ROC AUC", part.roc_auc)
        )
        shown = "-" if found is None else with_interval(found)
        rows.append((f"{name}, n = {part.images:,}", f"{key} {shown}"))
    return rows


def _floor(record: StudyRecord) -> str:
    if record.floor is None:
        return "Shortcut floor: not measured; there were too few pictures for it."
    return (
        f"Shortcut floor: the files' metadata alone, without a pixel, score ROC AUC "
        f"{floor_with_interval(record.floor)}. Read the ROC AUC above against it."
    )


def _threshold(record: StudyRecord, origin: ModelOrigin) -> str:
    figures = record.test.metrics
    scale, offset = (record.facts.get(f"calibration/{key}", 0.0) for key in ("scale", "offset"))
    how = "are its own"
    if origin.calibrated:
        how = f"were calibrated on {held_out(record.folds)} (log-odds × {scale:.3g} {offset:+.3g})"
    return (
        f"Predicted {CLASS_NAMES[FAKE]} from probability {record.test.threshold:.4g} on, "
        f"{threshold_reason(record.test.threshold, record.folds)} "
        f"(n = {len(record.valid.y_true):,}); test was not looked at. "
        f"Its probabilities {how}; on test, expected calibration error "
        f"{figures['ece']:.3f}, Brier score {figures['brier']:.3f}."
    )


def _failures(record: StudyRecord, results: Results) -> str:
    counts = confusion_counts(record.test)
    lines = [
        f"Of {counts[REAL].sum():,} real test pictures it takes {counts[REAL, FAKE]:,} for fake; "
        f"of {counts[FAKE].sum():,} fakes it misses {counts[FAKE, REAL]:,}. The surest mistakes: "
        "test/gallery_wrong.png and explain/evidence_wrong.png of the run.",
        *_near_chance(results),
        f"{_NOWHERE} only on the test split of {escaped(record.data)}. Detectors "
        "often fail on fakes that another generator made, and on pictures that were compressed, "
        "scaled or filtered in other ways: test it on yours first.",
    ]
    return _listed(lines)


def _listed(lines: Iterable[str]) -> str:
    """Lay lines out as a list: the registry's page leaves the columns of a table no room."""
    return "\n".join(f"- {line}" for line in lines)


def _near_chance(results: Results) -> list[str]:
    """Name the test split, or the sources in it, on which it may tell nothing."""
    if results.estimates["roc_auc"].low <= 0.5:
        return ["It is **not shown to be better than chance** on its own test split."]
    return [
        f"On {escaped(name)} it is **not shown to be better than chance**: ROC AUC "
        f"{with_interval(part.roc_auc)}, n = {part.images:,}."
        for name, part in results.parts.items()
        if part.roc_auc is not None and part.roc_auc.low <= 0.5
    ]


def _cost(record: StudyRecord, ledger: Ledger) -> str:
    figures = ledger.other
    numbers = [
        f"{ledger.total_cold_seconds:,.0f} s from a cold start to search and train "
        f"({escaped(record.machine) or 'machine not known'})"
    ]
    for key, words, scale in (
        ("parameters", "million parameters", 1e-6),
        ("mmacs_per_image", "million multiply-adds a picture", 1.0),
        ("predict_images_per_second", "pictures a second", 1.0),
        ("energy_kwh", "kWh", 1.0),
    ):
        if key in figures:
            numbers.append(f"{figures[key] * scale:,.3g} {words}")
    return "; ".join(numbers) + "."


def _again(record: StudyRecord, origin: ModelOrigin) -> str:
    versions = [f"{name} {origin.versions[name]}" for name in _VERSIONS if name in origin.versions]
    return (
        f"```sh\n{origin.command}\n```\n\nStudy {escaped(record.study)}, seed {record.seed}, "
        f"MLflow run `{origin.run_id}`; {', '.join(versions)}."
    )


def _share(count: np.int64, of: np.int64) -> str:
    return with_interval(wilson(int(count), int(of)))

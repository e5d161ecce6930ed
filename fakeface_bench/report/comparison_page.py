"""The page of a comparison: everything of it within a single HTML file, and the files beside it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fakeface_bench.analysis.comparison import Comparison, accuracy_curve
from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.report import comparison_tables
from fakeface_bench.report.comparison_pictures import (
    draw_agreement,
    draw_confusions,
    draw_curves,
    draw_front,
)
from fakeface_bench.report.comparison_plots import (
    CURVE_VIEWS,
    FRONT_VIEWS,
    STAGE_COLOURS,
    STAGE_NAMES,
    TIME_VIEWS,
    all_plots,
    mark,
    plotly_script,
    stages_shown,
)
from fakeface_bench.report.comparison_tables import pairs_table
from fakeface_bench.report.comparison_text import leaderboard_markdown, verdict_of, warnings_of
from fakeface_bench.report.format import (
    cost,
    counted,
    listed,
    percent_right,
    prose,
    with_interval,
)
from fakeface_bench.report.page import page_environment
from fakeface_bench.report.study_plots import MOST_IMAGES, thumbnail
from fakeface_bench.report.table import Table, left_out_table, write_csv
from fakeface_bench.support.text import elided

#: What each word means, on the page.
TERMS = (
    ("Cold cost", "Seconds of a study as if nothing had been cached and its search had run in one "
     "go: what earlier runs spent on it is charged too, and trials that failed or were killed are "
     "charged too. All comparisons use this one."),
    ("Warm cost", "Wall clock of the run itself, which found some of its work done."),
    ("This run", "Energy and peak memory are of the last run itself, as it ran: what it found "
     "done is not in them, so they are no cold cost."),
    ("Amortised", "The part of the cold cost that earlier runs spent."),
    ("95 % interval", "The middle 95 % of 1,000 stratified bootstrap resamples of the test images, "
     "the same for all models; of a study with several seeds, the seeds are drawn anew too. "
     "Accuracy of one seed has the Wilson interval, as in the study's own table. It covers neither "
     "another dataset nor, of a study with one seed, another training run. Where every resample "
     "agrees, as where all calls are right, other figures shrink to a point: that is the method's "
     "limit, not certainty."),
    ("Validation accuracy", "In the curves it is at threshold 0.5, epoch by epoch; in the tables "
     "every accuracy is at the study's own threshold, chosen on validation."),
    ("Difference", "Of two models on the same resamples, so that images hard for both do not "
     "count as a difference. One point is one per cent of the test images."),
    ("McNemar's test", "Exact and two-sided, on the images that one of two kept models alone "
     "called rightly: could both be equally accurate?"),
    ("Holm's adjustment", "Raises the p values of tests made together, here of all pairs of "
     "both tables, so that chance alone calls one or more of them shown on at most 5 % of such "
     "pages. Below 0.05 the difference is shown; where either study has several seeds, only if "
     "the interval of the difference of their means lies above 0 as well."),
    ("Not shown", "These images do not tell the two apart well enough. It is not proof that they "
     "are equal; the interval says how far apart they may be. A tie is said only where it "
     "includes 0."),
    ("Front", "The studies that no other beats in cost and accuracy at once."),
    ("Time to ROC AUC", "Cold seconds until it was first reached on validation; ∞ where it "
     "never was."),
)  # fmt: skip


def key_metrics(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Return (figure, what it is, what to add) of the four figures to look at first."""
    best, chosen = comparison.best, comparison.recommended
    reals, fakes = ((best.study.y_true == label).sum() for label in range(2))
    front = sum(entry.on_front for entry in comparison.entries)
    count = len(comparison.entries)
    return [
        (percent_right(best.accuracy.value), "best test accuracy", best.label),
        (
            cost(chosen.study.ledger, chosen.cold_seconds, short=True),
            "cold cost of the one to take" if count > 1 else "cold cost",
            f"{chosen.label}, ROC AUC {with_interval(chosen.roc_auc)}",
        ),
        (
            f"{front} of {count}",
            "studies on the front",
            f"{len(comparison.left_out)} left out",
        ),
        (
            f"{comparison.images:,}",
            "test images",
            f"{reals:,} {CLASS_NAMES[0]}, {fakes:,} {CLASS_NAMES[1]}; "
            f"{len(comparison.agreement.wrong_by_all):,} wrong by all",
        ),
    ]


_LONGEST_DATA = 60
_FRONT = (
    "Each study's test figure against its cold cost; whiskers are 95 % intervals. The dotted line "
    "is the front; what another study beats in both is pale."
)
_CURVES = (
    "Of the fit that was tested, at threshold 0.5; the tables' accuracy is at each study's own "
    "threshold. Epochs count from 1. Elapsed time counts from a cold start and holds preparation, "
    "extraction and epochs, not the search."
)
_HOLLOW = " Hollow marks are epochs that trained the head alone, before layers were trained too."
_ZOOM = (
    "Press a name to hide or show it; with a mouse, drag to zoom and double-click to see all again."
)


@dataclass(frozen=True, slots=True)
class WrongTile:
    """An image that all got wrong: RGB pixels, or None where its file is gone; 1 for fake."""

    picture: npt.NDArray[np.uint8] | None
    label: int
    words: str
    name: str


def write_pages(comparison: Comparison, folder: Path, files: list[str]) -> None:
    """Write `report.html` and `front.html`; neither needs another file or a network.

    Args:
        comparison: What to show.
        folder: To write to.
        files: What lies beside the page, for its last line.
    """
    shared = _shared(comparison)
    plots = all_plots(comparison)
    environment = page_environment()
    front = environment.get_template("front.html")
    report = environment.get_template("comparison.html")
    page = front.render(**shared, plots={"front": plots["front"]})
    (folder / "front.html").write_text(page, encoding="utf-8")
    page = report.render(**shared, plots=plots, files=files, **_content(comparison))
    (folder / "report.html").write_text(page, encoding="utf-8")


def _shared(comparison: Comparison) -> dict[str, Any]:
    names = sorted({elided(study.identity.data, _LONGEST_DATA) for study in comparison.studies})
    return {
        "title": listed(names),
        "standings": comparison.entries,
        "marks": {entry.label: mark(entry.rank) for entry in comparison.entries},
        "front_views": FRONT_VIEWS,
        "front_words": _FRONT,
        "how_to_zoom": _ZOOM,
        "plotly": plotly_script(),
    }


def _content(comparison: Comparison) -> dict[str, Any]:
    warned = warnings_of(comparison).items()
    hollow = any(accuracy_curve(study).is_head_alone.any() for study in comparison.studies)
    return {
        "verdict": verdict_of(comparison),
        "warnings": [f"{listed(labels)}: {prose(words, 400)}" for words, labels in warned],
        "key_metrics": key_metrics(comparison),
        "quality": comparison_tables.quality(comparison),
        "costs": comparison_tables.costs(comparison),
        **_steps(comparison),
        "curve_views": CURVE_VIEWS,
        "curve_words": _CURVES + _HOLLOW * hollow,
        "time_views": TIME_VIEWS,
        "stages": [
            (STAGE_NAMES.get(stage, stage), STAGE_COLOURS[stage])
            for stage in stages_shown(comparison)
        ],
        "has_amortised": any(
            stage.amortised_seconds for study in comparison.studies for stage in study.ledger.stages
        ),
        "class_names": CLASS_NAMES,
        "matrices": _matrices(comparison),
        "alike": _alike(comparison),
        **_wrong(comparison),
        "left_out": left_out_table(comparison.left_out, "Left out", "No study was left out."),
        "terms": TERMS,
        "runs": comparison_tables.runs(comparison),
    }


def _steps(comparison: Comparison) -> dict[str, Any]:
    alone = "One study stands on the front: there is no step to take."
    against = "Every cheaper study against the most accurate"
    return {
        "steps": pairs_table(comparison.along_front, "Neighbours on the front", alone),
        "rivals": pairs_table(comparison.to_best, against),
    }


def _matrices(comparison: Comparison) -> Iterator[tuple[Any, list[list[tuple[int, float]]]]]:
    for entry, counts in zip(comparison.entries, comparison.agreement.confusions, strict=True):
        rows = [[(int(n), float(n / row.sum())) for n in row] for row in counts]
        yield entry, rows


def _alike(comparison: Comparison) -> Iterator[tuple[Any, list[tuple[float, float]]]]:
    """Yield each study with its shares, and how deep to colour them."""
    shares = comparison.agreement.same_calls
    low = min(0.95, float(shares.min()))
    depths = 0.1 + 0.9 * (shares - low) / (1 - low)
    for entry, row, depth in zip(comparison.entries, shares, depths, strict=True):
        yield entry, [(float(s), float(d)) for s, d in zip(row, depth, strict=True)]


def _wrong(comparison: Comparison) -> dict[str, Any]:
    positions = comparison.agreement.wrong_by_all
    many = len(comparison.entries) > 1
    shown = min(len(positions), MOST_IMAGES)
    what = f"{counted(len(positions), 'image')} of {comparison.images:,}"
    words = (
        f"{what}; the {shown} most surely wrong are shown, wrong_by_all.csv names every one."
        if shown < len(positions)
        else f"{what}, the most surely wrong first; wrong_by_all.csv has every score."
    )
    if not len(positions):
        words = "Not one test image."
    return {
        "wrong_title": "Images that all got wrong" if many else "Images called wrongly",
        "wrong_words": words,
        "wrong": [_tile(comparison, int(position)) for position in positions[:shown]],
    }


def _tile(comparison: Comparison, position: int) -> WrongTile:
    study = comparison.studies[0]
    folder = study.data_folders.get(study.sources[position])
    scores = [float(s.kept.y_score[position]) for s in comparison.studies]
    low, high = f"{min(scores):.2f}", f"{max(scores):.2f}"
    path = study.paths[position]
    return WrongTile(
        picture=thumbnail(Path(folder) / path) if folder else None,
        label=int(study.y_true[position]),
        words=f"score {low}" if low == high else f"scores {low} to {high}",
        name=path.rpartition("/")[2],
    )


_TABLES: Mapping[str, Callable[[Comparison], Table | pd.DataFrame]] = {
    "leaderboard.csv": comparison_tables.leaderboard_table,
    "steps.csv": comparison_tables.all_pairs,
    "agreement.csv": comparison_tables.agreement_table,
    "wrong_by_all.csv": comparison_tables.wrong_by_all_table,
}
_PICTURES = {
    "front.png": draw_front,
    "validation_accuracy.png": draw_curves,
    "confusion_matrices.png": draw_confusions,
    "agreement.png": draw_agreement,
}


def write_comparison_report(comparison: Comparison, folder: Path) -> None:
    """Write `report.html`, `front.html`, `leaderboard.md`, the CSV tables and the pictures.

    Files of an earlier report in the same folder are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, table_of in _TABLES.items():
        write_csv(table_of(comparison), folder / name)
    text = leaderboard_markdown(comparison)
    (folder / "leaderboard.md").write_text(text, encoding="utf-8")
    for name, draw in _PICTURES.items():
        draw(comparison, folder / name)
    files = sorted([*_TABLES, *_PICTURES, "front.html", "leaderboard.md"])
    write_pages(comparison, folder, files)

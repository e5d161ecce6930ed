"""The one page of a comparison: everything of it within a single HTML file, without a network."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from plotly.offline import get_plotlyjs

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.report.comparison import page_tables as tables
from fakeface_bench.report.comparison.comparison import Comparison
from fakeface_bench.report.comparison.curves import accuracy_curve
from fakeface_bench.report.comparison.palette import STAGE_COLOURS, mark
from fakeface_bench.report.comparison.plots import (
    CURVE_VIEWS,
    FRONT_VIEWS,
    TIME_VIEWS,
    all_plots,
)
from fakeface_bench.report.comparison.time_plot import STAGE_NAMES, stages_shown
from fakeface_bench.report.comparison.units import listed
from fakeface_bench.report.comparison.verdict import verdict_of, warnings_of
from fakeface_bench.report.gallery import MOST_IMAGES, thumbnail
from fakeface_bench.report.page import page_environment
from fakeface_bench.report.wording import counted, prose
from fakeface_bench.visible import elided

_PACKAGE = "fakeface_bench.report.comparison"
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
    environment = page_environment(_PACKAGE)
    front = environment.get_template("front.html")
    report = environment.get_template("report.html")
    page = front.render(**shared, plots={"front": plots["front"]})
    (folder / "front.html").write_text(page, encoding="utf-8")
    page = report.render(**shared, plots=plots, files=files, **_content(comparison))
    (folder / "report.html").write_text(page, encoding="utf-8")


def _shared(comparison: Comparison) -> dict[str, Any]:
    names = sorted({elided(study.identity.data, _LONGEST_DATA) for study in comparison.studies})
    return {
        "title": listed(names),
        "standings": comparison.standings,
        "marks": {standing.label: mark(standing.rank) for standing in comparison.standings},
        "front_views": FRONT_VIEWS,
        "front_words": _FRONT,
        "how_to_zoom": _ZOOM,
        "plotly": get_plotlyjs(),
    }


def _content(comparison: Comparison) -> dict[str, Any]:
    warned = warnings_of(comparison).items()
    hollow = any(accuracy_curve(study).is_head_alone.any() for study in comparison.studies)
    return {
        "verdict": verdict_of(comparison),
        "warnings": [(prose(words, 400), listed(labels)) for words, labels in warned],
        "figures": tables.key_figures(comparison),
        "quality": tables.quality_table(comparison),
        "costs": tables.cost_table(comparison),
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
        "left_out": tables.left_out_table(comparison),
        "terms": tables.TERMS,
        "runs": tables.runs_table(comparison),
    }


def _steps(comparison: Comparison) -> dict[str, Any]:
    alone = "One study stands on the front: there is no step to take."
    against = "Every cheaper study against the most accurate"
    return {
        "steps": tables.steps_table("Neighbours on the front", comparison.steps, alone),
        "rivals": tables.steps_table(against, comparison.rivals, ""),
    }


def _matrices(comparison: Comparison) -> Iterator[tuple[Any, list[list[tuple[int, float]]]]]:
    for standing, counts in zip(comparison.standings, comparison.agreement.confusions, strict=True):
        rows = [[(int(n), float(n / row.sum())) for n in row] for row in counts]
        yield standing, rows


def _alike(comparison: Comparison) -> Iterator[tuple[Any, list[tuple[float, float]]]]:
    """Yield each study with its shares, and how deep to colour them."""
    shares = comparison.agreement.same_calls
    low = min(0.95, float(shares.min()))
    depths = 0.1 + 0.9 * (shares - low) / (1 - low)
    for standing, row, depth in zip(comparison.standings, shares, depths, strict=True):
        yield standing, [(float(s), float(d)) for s, d in zip(row, depth, strict=True)]


def _wrong(comparison: Comparison) -> dict[str, Any]:
    positions = comparison.agreement.wrong_by_all
    many = len(comparison.standings) > 1
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

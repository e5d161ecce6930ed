"""All files of a matrix, its text for MLflow, and its page."""

from collections.abc import Sequence
from pathlib import Path

from fakeface_bench.records import Generalisation, SetScores
from fakeface_bench.report.audit.tables import write_table
from fakeface_bench.report.comparison.units import listed
from fakeface_bench.report.transfer import rows
from fakeface_bench.report.transfer.effect_rows import hold_out_rows, mixture_rows
from fakeface_bench.report.transfer.heat_maps import draw_recall, draw_roc_auc
from fakeface_bench.report.transfer.markdown_text import description
from fakeface_bench.report.transfer.matrix_cells import panels, recall_square, roc_auc_square
from fakeface_bench.report.transfer.page_parts import (
    failed_table,
    images_figure,
    overlap_table,
    page_table,
    render,
)
from fakeface_bench.report.transfer.rules import is_above_chance
from fakeface_bench.report.transfer.sentences import (
    failed_sentences,
    generalisation_sentences,
    hold_out_sentences,
    home_sentences,
    mixture_sentence,
    ordered_cells,
    overlap_sentences,
    transfer_sentences,
    unscored_sentences,
)
from fakeface_bench.report.transfer.tables import hold_outs_table, matrix_table, mixtures_table
from fakeface_bench.report.transfer.told import named
from fakeface_bench.report.transfer.verdict import elsewhere, matrix_verdict
from fakeface_bench.report.wording import counted

__all__ = [
    "generalisation_markdown",
    "generalisation_rows",
    "generalisation_sentences",
    "write_generalisation_report",
]

_MAPS = {
    "ROC AUC": (
        roc_auc_square,
        "ranking",
        "Below each its 95 % interval and number of images. Blue is better than chance, orange "
        "worse, white is 0.5. Hatched: “not > chance”, the interval reaches 0.5; “reversed”, it "
        "lies below 0.5, so the classes are ranked the wrong way round.",
    ),
    "Fakes found at the model's own threshold": (
        recall_square,
        "found",
        "Below each its 95 % interval and the false alarms: the share of real images called fake. "
        "Hatched, “threshold off”: the ranking is better than the calls tell.",
    ),
}
_MARKED = (
    "A thick frame marks held-out images of the training set, a dashed one those of a part of it. "
    "A grey square holds one class only, or is blank and says why."
)


def write_generalisation_report(record: Generalisation, folder: Path) -> None:
    """Write `report.html`, `generalisation.md`, the heat maps and the CSV tables.

    `mixtures.csv` and `hold_outs.csv` are written where there are any. Files of an earlier report
    in the same folder are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"matrix.csv": matrix_table(record)}
    if record.mixtures:
        tables["mixtures.csv"] = mixtures_table(record.mixtures)
    if record.hold_outs:
        tables["hold_outs.csv"] = hold_outs_table(record.hold_outs)
    for name, table in tables.items():
        write_table(table, folder / name)
    draw_roc_auc(record, folder / "heat_map.png")
    draw_recall(record, folder / "recall_map.png")
    text = generalisation_markdown(record)
    (folder / "generalisation.md").write_text(text, encoding="utf-8")
    files = sorted([*tables, "heat_map.png", "recall_map.png", "generalisation.md"])
    (folder / "report.html").write_text(_page(record, files), encoding="utf-8")


def generalisation_markdown(record: Generalisation) -> str:
    """Return the verdict, the matrix and what stands out, under 5,000 characters, names escaped."""
    several = len(record.models) > 1
    return description(
        matrix_verdict(record),
        {
            "Matrix": rows.matrix_rows(record),
        },
        {
            "Left out": _left_out(record, record.cells),
            "Mixtures": [mixture_sentence(effect, several) for effect in record.mixtures],
            "Left out of training": hold_out_sentences(record.hold_outs),
            "Transfers": transfer_sentences(record),
        },
        "matrix.csv",
    )


def generalisation_rows(record: Generalisation) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the header and a row a training set, as text for a terminal."""
    return rows.square_rows(record)


def _left_out(record: Generalisation, cells: Sequence[SetScores]) -> list[str]:
    """Return which images, rows and cells are missing, and why."""
    return [
        *overlap_sentences(cells),
        *failed_sentences(record.left_out),
        *unscored_sentences(record.unscored),
    ]


def _page(record: Generalisation, files: list[str]) -> str:
    cells, several = ordered_cells(record), len(record.models) > 1
    return render(
        "generalisation.html",
        title=listed([named(name) for name in record.models]),
        verdict=matrix_verdict(record),
        warnings=_left_out(record, cells),
        figures=_key_figures(record, cells),
        maps=[
            (title, look, words, panels(record, square_of))
            for title, (square_of, look, words) in _MAPS.items()
        ],
        marked=_MARKED,
        trained=[named(name) for name in record.trained],
        tested=[named(name) for name in record.tested],
        transfers=transfer_sentences(record),
        homes=home_sentences(record),
        matrix=page_table("", rows.matrix_rows(record)),
        mixtures=page_table("", mixture_rows(record.mixtures)),
        mixture_sentences=[mixture_sentence(effect, several) for effect in record.mixtures],
        hold_outs=page_table("", hold_out_rows(record.hold_outs)),
        hold_out_sentences=hold_out_sentences(record.hold_outs),
        parts=page_table("", rows.parts_rows(cells)),
        overlaps=overlap_table(cells),
        failed=failed_table(record.left_out),
        files=files,
    )


def _key_figures(record: Generalisation, cells: list[SetScores]) -> list[tuple[str, str, str]]:
    """Return (figure, what it is, what to add) of the four figures to look at first."""
    away = [cell for cell in elsewhere(cells) if "roc_auc" in cell.figures]
    above = sum(map(is_above_chance, away))
    asked = len(record.models) * len(record.trained) * len(record.tested)
    sizes = counted(len(record.models), "architecture")
    failed = "1 study failed" if len(record.left_out) == 1 else f"{len(record.left_out)} failed"
    return [
        (f"{above} of {len(away)}", "transfers shown to be better than chance", "other datasets"),
        (f"{len(cells)} of {asked}", "cells scored", failed),
        (f"{len(record.trained)} × {len(record.tested)}", "trained on × tested on", sizes),
        images_figure(cells),
    ]

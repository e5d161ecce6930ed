"""All files of one model's evaluation on several sets, its text for MLflow, and its page."""

from collections.abc import Sequence
from pathlib import Path

from fakeface_bench.records import SetScores
from fakeface_bench.report.audit.tables import write_table
from fakeface_bench.report.comparison.units import UNKNOWN, listed
from fakeface_bench.report.page import PagePicture, page_picture
from fakeface_bench.report.transfer import rows
from fakeface_bench.report.transfer.cell_sentences import cell_sentence
from fakeface_bench.report.transfer.markdown_text import description
from fakeface_bench.report.transfer.page_parts import (
    images_figure,
    overlap_table,
    page_table,
    render,
)
from fakeface_bench.report.transfer.rules import home_of, is_above_chance
from fakeface_bench.report.transfer.sentences import overlap_sentences
from fakeface_bench.report.transfer.set_pictures import draw_reliability, draw_sets
from fakeface_bench.report.transfer.tables import sets_table
from fakeface_bench.report.transfer.told import named
from fakeface_bench.report.transfer.verdict import set_verdict
from fakeface_bench.visible import visible

#: What each picture shows, for those who cannot see it.
_PICTURES = {
    "roc_auc_by_set.png": "ROC AUC of each set with its interval, and what metadata alone score",
    "reliability.png": "Share of fakes at each score, for each set, against perfect calibration",
}


def write_evaluation_report(scores: Sequence[SetScores], folder: Path) -> None:
    """Write `report.html`, `evaluation.md`, `evaluation.csv` and the pictures.

    Files of an earlier report in the same folder are replaced.

    Args:
        scores: Of one model, at least one set.
        folder: To write to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_table(sets_table(scores), folder / "evaluation.csv")
    draw_sets(scores, folder / "roc_auc_by_set.png")
    draw_reliability(scores, folder / "reliability.png")
    (folder / "evaluation.md").write_text(evaluation_markdown(scores), encoding="utf-8")
    pictures = [page_picture(folder / name, alt) for name, alt in _PICTURES.items()]
    page = _page(scores, pictures, sorted([*_PICTURES, "evaluation.csv", "evaluation.md"]))
    (folder / "report.html").write_text(page, encoding="utf-8")


def evaluation_markdown(scores: Sequence[SetScores]) -> str:
    """Return the verdict, the figures of each set and what they mean, under 5,000 characters."""
    return description(
        set_verdict(scores),
        {
            "Whatever the threshold": rows.ranking_rows(scores),
            "At the model's own threshold": rows.threshold_rows(scores),
        },
        {"Left out": overlap_sentences(scores), "Set by set": evaluation_sentences(scores)},
        "evaluation.csv",
    )


def evaluation_rows(scores: Sequence[SetScores]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the header and a row a set, as text for a terminal."""
    header, of_sets = rows.ranking_rows(scores)
    called = rows.threshold_rows(scores)[1]
    heads = (*header[:4], "recall of fakes", "false alarms")
    return heads, [(*row[:4], *at[3:5]) for row, at in zip(of_sets, called, strict=True)]


def evaluation_sentences(scores: Sequence[SetScores]) -> list[str]:
    """Return what follows from each set's figures, a text each."""
    return [cell_sentence(cell, home_of(cell, scores)) for cell in scores]


def _page(scores: Sequence[SetScores], pictures: list[PagePicture], files: list[str]) -> str:
    parts = rows.parts_rows(scores)
    return render(
        "evaluation.html",
        title=named(scores[0].model.label),
        verdict=set_verdict(scores),
        warnings=overlap_sentences(scores),
        figures=_key_figures(scores),
        about=_about(scores),
        sentences=evaluation_sentences(scores),
        sets_picture=pictures[0],
        reliability_picture=pictures[1],
        ranking=page_table("", rows.ranking_rows(scores)),
        calls=page_table("", rows.threshold_rows(scores)),
        calibration=page_table("", rows.calibration_rows(scores)),
        parts=page_table("", parts),
        overlaps=overlap_table(scores),
        files=files,
    )


def _key_figures(scores: Sequence[SetScores]) -> list[tuple[str, str, str]]:
    """Return (figure, what it is, what to add) of the figures to look at first."""
    ranked = sorted(
        (cell for cell in scores if "roc_auc" in cell.figures),
        key=lambda cell: cell.figures["roc_auc"].value,
    )
    above = sum(map(is_above_chance, ranked))
    ends = [
        (f"{cell.figures['roc_auc'].value:.3f}", f"{which} ROC AUC", named(cell.data))
        for cell, which in zip(
            ranked[:: max(1, len(ranked) - 1)], ("lowest", "highest"), strict=False
        )
    ]
    single = [(figure, "ROC AUC", where) for figure, _, where in ends[:1]]
    return [
        *(ends if len(ranked) > 1 else single),
        (f"{above} of {len(ranked)}", "sets with a ROC AUC above chance", "shown at 95 %"),
        images_figure(scores),
    ]


def _about(scores: Sequence[SetScores]) -> list[tuple[str, str]]:
    model = scores[0].model
    kinds = [f"{named(name)}: {named(kind) or 'not known'}" for name, kind in model.kinds.items()]
    return [
        ("Model", visible(model.address) or UNKNOWN),
        ("Trained on", named(model.data) or UNKNOWN),
        ("Its fakes", listed(kinds) if kinds else UNKNOWN),
        ("Threshold", f"{model.threshold:.4f}, chosen on its own validation images"),
        ("Images seen", f"{model.images_seen:,} in training and validation"),
        ("MLflow run", visible(model.run_id) or UNKNOWN),
    ]

"""The pages of models tested elsewhere: one model on several sets, and a whole matrix."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fakeface_bench.analysis.transfer import home_of, is_above_chance
from fakeface_bench.records.transfer import Generalisation, SetScores
from fakeface_bench.report import transfer_tables
from fakeface_bench.report.comparison_text import Verdict
from fakeface_bench.report.format import (
    UNKNOWN,
    counted,
    escaped,
    listed,
    named,
)
from fakeface_bench.report.page import PagePicture, page_environment, page_picture
from fakeface_bench.report.table import Table, fitting, left_out_table, more, write_csv
from fakeface_bench.report.transfer_plots import (
    draw_recall,
    draw_reliability,
    draw_roc_auc,
    draw_sets,
    panels,
    recall_square,
    roc_auc_square,
)
from fakeface_bench.report.transfer_tables import sets_table
from fakeface_bench.report.transfer_text import (
    cell_sentence,
    elsewhere,
    failed_sentences,
    hold_out_sentences,
    home_sentences,
    matrix_verdict,
    mixture_sentence,
    ordered_cells,
    overlap_sentences,
    set_verdict,
    transfer_sentences,
    unscored_sentences,
)
from fakeface_bench.support.text import visible

_TERMS = (
    ("95 % interval", "Of accuracy, recall and false alarms the Wilson interval; of the rest the "
     "middle 95 % of 1,000 stratified bootstrap resamples of the test images. It covers the draw "
     "of images alone: neither another training run nor another dataset. Where every resample "
     "agrees, as where no pair is misordered, it shrinks to a point: that is the method's limit, "
     "not certainty."),
    ("ROC AUC", "How often a fake scores higher than a real image, whatever the threshold: 0.5 is "
     "chance, below it the classes are ranked the wrong way round."),
    ("Not shown", "These images do not tell the two apart well enough. It is not proof that they "
     "are equal; the interval says how far apart they may be."),
    ("Own threshold", "The score from which the model calls an image fake, chosen on validation "
     "images of what it was trained on. Nothing is chosen on a test set."),
    ("Threshold off", "The ranking is better than chance, yet the threshold does not suit the set: "
     "calls are not shown to beat chance, or recall or false alarms are far (shown, and 0.1 or "
     "more) from those on the model's own test split, while another threshold would tell the "
     "classes apart better by 0.1 or more in recall less false alarms."),
    ("False alarms", "Share of the real images that are called fake."),
    ("Found at 1 % (5 %)", "Share of fakes found at the lowest threshold with at most 1 % (5 %) "
     "false alarms; also TPR at FPR. It hangs on no model's threshold. With fewer than 100 (20) "
     "real images no false alarm at all is allowed."),
    ("Metadata alone", "The shortcut floor: cross-validated ROC AUC of a small classifier that "
     "sees file sizes, dimensions and formats of the test set and not one pixel. A model that is "
     "not shown to be above it may owe its score to such traces."),
    ("Kind", "How fakes were made, as the catalogue of datasets states. Another kind is context: "
     "it does not prove why a figure is low, for a set's real images differ too."),
    ("Left out", "Test images that the model saw in training or validation, or copies of them: "
     "identical files, and pictures that look the same re-encoded, scaled or mirrored."),
)  # fmt: skip


def render(template: str, **content: Any) -> str:
    """Fill a template of this package."""
    return page_environment().get_template(template).render(terms=_TERMS, **content)


def images_figure(cells: Sequence[SetScores]) -> tuple[str, str, str]:
    """Return the key figure of images scored, and of those left out."""
    seen = sum(cell.overlap.images for cell in cells)
    scored = sum(cell.images for cell in cells)
    return f"{scored:,}", "images scored, over all sets", f"{counted(seen, 'image')} left out"


#: How many rows and sentences each list may have, tried in turn until the text is short enough.
_CUTS = (64, 40, 25, 16, 10, 7, 5, 3, 2, 1)


def description(
    verdict: Verdict,
    tables: Mapping[str, Table],
    sentences: Mapping[str, Sequence[str]],
    file: str,
) -> str:
    """Return headline, paragraph, tables and lists of sentences, under 5,000 characters.

    Args:
        verdict: Comes first.
        tables: By title.
        sentences: By title; empty lists are left out.
        file: Holds every row.
    """

    def cut(most: int) -> str:
        parts = [f"**{escaped(verdict.headline)}.**", escaped(verdict.paragraph)]
        for title, table in tables.items():
            parts += [f"### {title}", *table.cut(most, file)]
        for title, lines in sentences.items():
            if lines:
                page_text = "\n".join(f"- {escaped(line)}" for line in lines[:most])
                parts += [f"### {title}", page_text, *more(len(lines) - most, "report.html")]
        return "\n\n".join(parts) + "\n"

    return fitting(cut, _CUTS, verdict.paragraph)


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
    write_csv(sets_table(scores), folder / "evaluation.csv")
    draw_sets(scores, folder / "roc_auc_by_set.png")
    draw_reliability(scores, folder / "reliability.png")
    (folder / "evaluation.md").write_text(evaluation_markdown(scores), encoding="utf-8")
    pictures = [page_picture(folder / name, alt) for name, alt in _PICTURES.items()]
    page = _evaluation_page(
        scores, pictures, sorted([*_PICTURES, "evaluation.csv", "evaluation.md"])
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def evaluation_markdown(scores: Sequence[SetScores]) -> str:
    """Return the verdict, the figures of each set and what they mean, under 5,000 characters."""
    return description(
        set_verdict(scores),
        {
            "Whatever the threshold": transfer_tables.ranking(scores),
            "At the model's own threshold": transfer_tables.at_threshold(scores),
        },
        {"Left out": overlap_sentences(scores), "Set by set": evaluation_sentences(scores)},
        "evaluation.csv",
    )


def evaluation_sentences(scores: Sequence[SetScores]) -> list[str]:
    """Return what follows from each set's figures, a text each."""
    return [cell_sentence(cell, home_of(cell, scores)) for cell in scores]


def _evaluation_page(
    scores: Sequence[SetScores], pictures: list[PagePicture], files: list[str]
) -> str:
    return render(
        "evaluation.html",
        title=named(scores[0].model.label),
        verdict=set_verdict(scores),
        warnings=overlap_sentences(scores),
        key_metrics=_evaluation_key_metrics(scores),
        about=_about(scores),
        sentences=evaluation_sentences(scores),
        sets_picture=pictures[0],
        reliability_picture=pictures[1],
        ranking=transfer_tables.ranking(scores),
        calls=transfer_tables.at_threshold(scores),
        calibration=transfer_tables.calibration(scores),
        parts=transfer_tables.parts(scores),
        overlaps=transfer_tables.overlaps(scores),
        files=files,
    )


def _evaluation_key_metrics(scores: Sequence[SetScores]) -> list[tuple[str, str, str]]:
    """Return (figure, what it is, what to add) of the figures to look at first."""
    ranked = sorted(
        (cell for cell in scores if "roc_auc" in cell.estimates),
        key=lambda cell: cell.estimates["roc_auc"].value,
    )
    above = sum(map(is_above_chance, ranked))
    ends = [
        (f"{cell.estimates['roc_auc'].value:.3f}", f"{which} ROC AUC", named(cell.data))
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
    tables = {"matrix.csv": sets_table(ordered_cells(record))}
    if record.mixtures:
        tables["mixtures.csv"] = transfer_tables.mixtures(record.mixtures)
    if record.hold_outs:
        tables["hold_outs.csv"] = transfer_tables.hold_outs(record.hold_outs)
    for name, rows in tables.items():
        write_csv(rows, folder / name)
    draw_roc_auc(record, folder / "heat_map.png")
    draw_recall(record, folder / "recall_map.png")
    text = generalisation_markdown(record)
    (folder / "generalisation.md").write_text(text, encoding="utf-8")
    files = sorted([*tables, "heat_map.png", "recall_map.png", "generalisation.md"])
    (folder / "report.html").write_text(_generalisation_page(record, files), encoding="utf-8")


def generalisation_markdown(record: Generalisation) -> str:
    """Return the verdict, the matrix and what stands out, under 5,000 characters, names escaped."""
    several = len(record.models) > 1
    return description(
        matrix_verdict(record),
        {
            "Matrix": transfer_tables.matrix(record),
        },
        {
            "Left out": _left_out(record, record.cells),
            "Mixtures": [mixture_sentence(effect, several) for effect in record.mixtures],
            "Left out of training": hold_out_sentences(record.hold_outs),
            "Transfers": transfer_sentences(record),
        },
        "matrix.csv",
    )


def _left_out(record: Generalisation, cells: Sequence[SetScores]) -> list[str]:
    """Return which images, rows and cells are missing, and why."""
    return [
        *overlap_sentences(cells),
        *failed_sentences(record.left_out),
        *unscored_sentences(record.unscored),
    ]


def _generalisation_page(record: Generalisation, files: list[str]) -> str:
    cells, several = ordered_cells(record), len(record.models) > 1
    return render(
        "generalisation.html",
        title=listed([named(name) for name in record.models]),
        verdict=matrix_verdict(record),
        warnings=_left_out(record, cells),
        key_metrics=_generalisation_key_metrics(record, cells),
        maps=[
            (title, look, words, panels(record, square_of))
            for title, (square_of, look, words) in _MAPS.items()
        ],
        marked=_MARKED,
        trained=[named(name) for name in record.trained],
        tested=[named(name) for name in record.tested],
        transfers=transfer_sentences(record),
        homes=home_sentences(record),
        matrix=transfer_tables.matrix(record),
        mixtures=transfer_tables.mixtures(record.mixtures),
        mixture_sentences=[mixture_sentence(effect, several) for effect in record.mixtures],
        hold_outs=transfer_tables.hold_outs_text(record.hold_outs),
        hold_out_sentences=hold_out_sentences(record.hold_outs),
        parts=transfer_tables.parts(cells),
        overlaps=transfer_tables.overlaps(cells),
        failed=left_out_table(record.left_out, "Studies that failed", written=named),
        files=files,
    )


def _generalisation_key_metrics(
    record: Generalisation, cells: list[SetScores]
) -> list[tuple[str, str, str]]:
    """Return (figure, what it is, what to add) of the four figures to look at first."""
    away = [cell for cell in elsewhere(cells) if "roc_auc" in cell.estimates]
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

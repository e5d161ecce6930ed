"""Tables of sets and their parts as text, for a terminal, markdown and pages."""

from collections.abc import Sequence

from fakeface_bench.records import (
    TIER_PART,
    Generalisation,
    SetScores,
)
from fakeface_bench.report.transfer.rules import home_of, threshold_fails
from fakeface_bench.report.transfer.sentences import ordered_cells
from fakeface_bench.report.transfer.told import (
    floor_told,
    images_told,
    named,
    part_counts,
    told,
)

Rows = list[tuple[str, ...]]
Table = tuple[tuple[str, ...], Rows]


def matrix_rows(record: Generalisation) -> Table:
    """Return a row a cell; the model is named where there are several."""
    header: tuple[str, ...] = (
        "trained on",
        "tested on",
        "ROC AUC",
        "metadata alone",
        "recall of fakes",
    )
    header += ("false alarms", "images", "left out")
    cells = ordered_cells(record)
    rows = [
        (named(cell.model.data), _tested_on(cell), *_transfer_cells(cell, cells)) for cell in cells
    ]
    if len(record.models) == 1:
        return header, rows
    models = [named(cell.model.label) for cell in cells]
    return ("model", *header), [(m, *row) for m, row in zip(models, rows, strict=True)]


def square_rows(record: Generalisation) -> Table:
    """Return a row a training set and a column a test set: ROC AUC, or what there is of it."""
    several = len(record.models) > 1
    rows: Rows = []
    for model in record.models:
        for trained in record.trained:
            name = f"{model}, {trained}" if several else trained
            cells = (record.cell(model, trained, tested) for tested in record.tested)
            rows.append((named(name), *map(_square, cells)))
    return ("trained on ↓, tested on →", *map(named, record.tested)), rows


def _square(cell: SetScores | None) -> str:
    if cell is None:
        return "not scored"
    names = {"roc_auc": "", "recall_fake": "recall ", "false_alarm_rate": "false alarms "}
    key = next(key for key in names if key in cell.figures)
    return names[key] + told(cell.figures[key])


def _transfer_cells(cell: SetScores, cells: Sequence[SetScores]) -> tuple[str, ...]:
    recall = told(cell.figures.get("recall_fake"))
    return (
        told(cell.figures.get("roc_auc")),
        floor_told(cell.floor),
        f"{recall}, threshold off" if threshold_fails(cell, home_of(cell, cells)) else recall,
        told(cell.figures.get("false_alarm_rate")),
        images_told(cell).removeprefix("n = "),
        f"{cell.overlap.images:,}",
    )


def threshold_rows(cells: Sequence[SetScores]) -> Table:
    """Return the figures of calls at the model's own threshold."""
    keys: tuple[str, ...] = (
        "accuracy",
        "balanced_accuracy",
        "recall_fake",
        "false_alarm_rate",
        "precision_fake",
    )
    keys += ("f1_fake", "f1_real")
    heads: tuple[str, ...] = (
        "accuracy",
        "balanced accuracy",
        "recall of fakes",
        "false alarms",
        "precision",
    )
    heads += ("F1 of fake", "F1 of real")
    return _of_sets(cells, heads, keys)


def ranking_rows(cells: Sequence[SetScores]) -> Table:
    """Return the figures that no threshold moves, the shortcut floor beside ROC AUC."""
    keys: tuple[str, ...] = ("average_precision", "recall_at_1pct_fpr", "recall_at_5pct_fpr")
    header: tuple[str, ...] = (
        "tested on",
        "images",
        "ROC AUC",
        "metadata alone",
        "average precision",
    )
    header += ("found at 1 % false alarms", "found at 5 % false alarms")
    rows = [
        (
            _tested_on(cell),
            images_told(cell).removeprefix("n = "),
            told(cell.figures.get("roc_auc")),
            floor_told(cell.floor),
            *(told(cell.figures.get(key)) for key in keys),
        )
        for cell in cells
    ]
    return header, rows


def calibration_rows(cells: Sequence[SetScores]) -> Table:
    """Return how far probabilities are from labels; lower is better."""
    heads: tuple[str, ...] = ("calibration error", "Brier score", "log loss")
    return _of_sets(cells, heads, ("ece", "brier", "log_loss"))


def parts_rows(cells: Sequence[SetScores]) -> Table:
    """Return the figures of each source and tier of each set."""
    header: tuple[str, ...] = (
        "tested on",
        "part",
        "images",
        "ROC AUC",
        "metadata alone",
        "recall of fakes",
    )
    header += ("false alarms",)
    rows: Rows = [
        (named(cell.data), _part_name(part), *_part_cells(cell, part))
        for cell in cells
        for part in cell.parts
    ]
    return header, rows


def _part_name(part: str) -> str:
    is_tier = part.startswith(TIER_PART)
    return f"tier {named(part.removeprefix(TIER_PART))}" if is_tier else named(part)


def _part_cells(cell: SetScores, part: str) -> tuple[str, ...]:
    figures = cell.parts[part]
    reals, fakes = part_counts(cell, part)
    return (
        f"{reals:,} real, {fakes:,} fake",
        told(figures.get("roc_auc")),
        floor_told(cell.source_floors.get(part)),
        told(figures.get("recall_fake")),
        told(figures.get("false_alarm_rate")),
    )


def _of_sets(cells: Sequence[SetScores], heads: tuple[str, ...], keys: tuple[str, ...]) -> Table:
    rows = [(_tested_on(cell), *(told(cell.figures.get(key)) for key in keys)) for cell in cells]
    return ("tested on", *heads), rows


def _tested_on(cell: SetScores) -> str:
    return f"{named(cell.data)} (its own)" if cell.is_own else named(cell.data)

"""What each square of a heat map says, whether it is drawn or written on a page."""

from collections.abc import Callable
from dataclasses import dataclass

from fakeface_bench.records import Estimate, Generalisation, SetScores
from fakeface_bench.report.transfer.rules import (
    home_of,
    is_above_chance,
    is_reversed,
    threshold_fails,
)

NOT_ABOVE = "not > chance"
REVERSED = "reversed"
THRESHOLD = "threshold off"
FAILED = "failed"
NOT_SCORED = "not scored"


@dataclass(frozen=True, slots=True)
class Square:
    """One square of a heat map.

    Attributes:
        big: The figure.
        small: Below it, a line each.
        mark: What a reader must not miss, in a word or two; empty where nothing.
        value: By which it is coloured, within 0 and 1; None for no colour.
        is_own: Whether it is the held-out split of the training set.
        is_part: Whether it is held-out images of a part of the training set.
        is_hatched: Whether it is marked beside its words.
    """

    big: str
    small: tuple[str, ...] = ()
    mark: str = ""
    value: float | None = None
    is_own: bool = False
    is_part: bool = False
    is_hatched: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """The squares of one architecture: rows trained on, columns tested on."""

    model: str
    rows: tuple[tuple[Square, ...], ...]


#: Makes a square of a cell and the same model's own test split.
SquareOf = Callable[[SetScores, SetScores | None], Square]


def panels(record: Generalisation, square_of: SquareOf) -> list[Panel]:
    """Return the squares of each architecture; a blank one says why."""
    return [
        Panel(
            model,
            tuple(
                tuple(
                    _square(record, (model, trained, tested), square_of) for tested in record.tested
                )
                for trained in record.trained
            ),
        )
        for model in record.models
    ]


def _square(record: Generalisation, place: tuple[str, str, str], square_of: SquareOf) -> Square:
    cell = record.cell(*place)
    if cell is not None:
        return square_of(cell, home_of(cell, record.cells))
    finished = {(other.model.label, other.model.data) for other in record.cells}
    return Square(NOT_SCORED if place[:2] in finished else FAILED)


def roc_auc_square(cell: SetScores, home: SetScores | None) -> Square:
    """Show ROC AUC; of one class the figure there is, without a colour."""
    count = f"n {cell.images:,}"
    auc = cell.figures.get("roc_auc")
    if auc is None:
        key, name = (
            ("recall_fake", "recall only")
            if "recall_fake" in cell.figures
            else ("false_alarm_rate", "f. alarms only")
        )
        only = cell.figures[key]
        return Square(
            _short(only), (_range(only), count), name, is_own=cell.is_own, is_part=cell.is_part
        )
    mark = "" if is_above_chance(cell) else REVERSED if is_reversed(cell) else NOT_ABOVE
    small = (_range(auc), count)
    return Square(_short(auc), small, mark, auc.value, cell.is_own, cell.is_part, bool(mark))


def recall_square(cell: SetScores, home: SetScores | None) -> Square:
    """Show the fakes found at the model's own threshold, and its false alarms."""
    recall, rate = (cell.figures.get(key) for key in ("recall_fake", "false_alarm_rate"))
    alarms = "no real image" if rate is None else f"f. alarms {_short(rate)}"
    if recall is None:
        return Square("–", ("no fake", alarms), is_own=cell.is_own, is_part=cell.is_part)
    mark = THRESHOLD if threshold_fails(cell, home) else ""
    small = (_range(recall), alarms)
    return Square(_short(recall), small, mark, recall.value, cell.is_own, cell.is_part, bool(mark))


def _short(estimate: Estimate) -> str:
    return f"{estimate.value:.2f}"


def _range(estimate: Estimate) -> str:
    return f"{estimate.low:.2f}–{estimate.high:.2f}"

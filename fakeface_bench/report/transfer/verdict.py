"""What a matrix, or one model on several sets, comes to: a headline and a paragraph, by rule."""

from collections.abc import Callable, Sequence

from fakeface_bench.records import Generalisation, SetScores
from fakeface_bench.report.comparison.verdict import Verdict
from fakeface_bench.report.transfer.rules import (
    home_of,
    is_above_chance,
    is_reversed,
    is_shown_lower_than_home,
    is_within_floor,
    threshold_fails,
)
from fakeface_bench.report.transfer.sentences import ordered_cells, spread_told
from fakeface_bench.report.wording import counted

_CAUTION = (
    "Intervals cover the draw of test images alone: another training run, and another dataset, "
    "can lie outside them."
)


def matrix_verdict(record: Generalisation) -> Verdict:
    """Say whether models carry over to datasets that they were not trained on."""
    return set_verdict(ordered_cells(record), len(record.left_out))


def set_verdict(cells: Sequence[SetScores], failed: int = 0) -> Verdict:
    """Say whether the models of these cells carry over to sets they were not trained on.

    Args:
        cells: In the order that they were asked for.
        failed: Number of studies whose cells are blank.
    """
    away = [cell for cell in elsewhere(cells) if "roc_auc" in cell.figures]
    homes = [cell for cell in cells if cell.is_own and "roc_auc" in cell.figures]
    sentences = []
    if homes:
        sentences.append(f"ROC AUC on held-out images of its own dataset: {spread_told(homes)}.")
    if away:
        sentences.append(f"On other datasets: {spread_told(away)}.")
    sentences += _counts(away, cells)
    seen = sum(cell.overlap.images for cell in cells)
    if seen:
        sentences.append(
            f"Beware: {counted(seen, 'test image')} {_were(seen)} left out, because the model had "
            "seen them or copies of them in training."
        )
    if failed:
        studies = "1 study" if failed == 1 else f"{failed:,} studies"
        sentences.append(f"Beware: {studies} failed and left cells blank.")
    weight = _weight(away, cells)
    weight = "care" if failed and weight in ("good", "note") else weight
    return Verdict(_headline(away, cells), " ".join([*sentences, _CAUTION]), weight)


def elsewhere(cells: Sequence[SetScores]) -> list[SetScores]:
    """Return the cells whose test set holds a source that the model was not trained on."""
    return [cell for cell in cells if not cell.is_own and not cell.is_part]


def _headline(away: Sequence[SetScores], cells: Sequence[SetScores]) -> str:
    if not away:
        one_class = " that holds both classes" if elsewhere(cells) else ""
        return f"Nothing was tested on another dataset{one_class}"
    near = sum(not is_above_chance(cell) for cell in away)
    lower = sum(is_shown_lower_than_home(cell, home_of(cell, cells)) for cell in away)
    if near == len(away):
        return f"{_of(near, away)} shown to be better than chance on another dataset"
    if near:
        return f"{near} of {_transfers(away)} {_be(near)} not shown to be better than chance"
    if lower:
        return (
            f"Better than chance on every other dataset, and worse than at home in {lower} of "
            f"{_transfers(away)}"
        )
    homes = [home_of(cell, cells) for cell in away]
    known = ", and not shown to be worse than at home" if all(homes) else ""
    return f"Better than chance on every other dataset{known}"


def _of(count: int, away: Sequence[SetScores]) -> str:
    return "Not" if count == 1 and len(away) == 1 else f"None of {_transfers(away)} is"


def _transfers(away: Sequence[SetScores]) -> str:
    return counted(len(away), "transfer")


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _counts(away: Sequence[SetScores], cells: Sequence[SetScores]) -> list[str]:
    """Count the transfers that each rule names; rules that name none are left out."""
    rules: dict[str, Callable[[SetScores], bool]] = {
        "not shown to be better than chance": lambda cell: not is_above_chance(cell),
        "ranking the classes the wrong way round": is_reversed,
        "shown to be worse than on the model's own test split": lambda cell: (
            is_shown_lower_than_home(cell, home_of(cell, cells))
        ),
        "with a threshold that does not carry over": lambda cell: threshold_fails(
            cell, home_of(cell, cells)
        ),
        "not shown to be above what metadata alone score": is_within_floor,
    }
    counts = {words: sum(map(rule, away)) for words, rule in rules.items()}
    told = [f"{count} {words}" for words, count in counts.items() if count]
    return [f"Of {_transfers(away)}: {', '.join(told)}."] if told else []


def _weight(away: Sequence[SetScores], cells: Sequence[SetScores]) -> str:
    if not away:
        return "note"
    near = sum(not is_above_chance(cell) for cell in away)
    if near == len(away):
        return "bad"
    is_lower = any(is_shown_lower_than_home(cell, home_of(cell, cells)) for cell in away)
    return "care" if near or is_lower or any(map(is_within_floor, away)) else "good"

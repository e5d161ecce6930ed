"""The test figures of each dataset among several, and of each tier, with their intervals."""

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import FAKE
from fakeface_bench.evaluation.intervals import Interval, roc_auc_interval, wilson_interval
from fakeface_bench.records import ScoredSplit, ShortcutFloor, StudyRecord

PARTS_HEADER = ("part", "images", "ROC AUC", "accuracy", "recall of fakes", "metadata alone")
_NONE = "-"


def part_rows(record: StudyRecord) -> list[tuple[str, ...]]:
    """Return `PARTS_HEADER` of each part of the test split as text; none where it has no parts.

    The last column is the ROC AUC of a classifier that sees the source's files but no picture.
    """
    return [
        (*_row(record.test, part), _floor(record.source_floors.get(part)))
        for part in record.test.parts
    ]


def _floor(floor: ShortcutFloor | None) -> str:
    if floor is None:
        return _NONE
    return _with_interval(floor.roc_auc, Interval(floor.low_95, floor.high_95))


def _row(split: ScoredSplit, part: str) -> tuple[str, ...]:
    figures, of = split.parts[part], _members(split, part)
    right = ((split.y_score >= split.threshold) == split.y_true)[of]
    fakes = split.y_true[of] == FAKE
    recall = accuracy = roc_auc = _NONE
    if fakes.any():
        recall = _with_interval(right[fakes].mean(), _wilson(right[fakes]))
    if "accuracy" in figures:
        accuracy = _with_interval(figures["accuracy"], _wilson(right))
    if "roc_auc" in figures:
        interval = roc_auc_interval(split.y_true[of], split.y_score[of])
        roc_auc = _with_interval(figures["roc_auc"], interval)
    return part, f"{len(right):,}", roc_auc, accuracy, recall


def _members(split: ScoredSplit, part: str) -> npt.NDArray[np.bool_]:
    tiers = np.array([f"tier/{tier}" for tier in split.tiers], dtype=object)
    of_tier = (tiers == part) & (split.y_true == FAKE)
    members: npt.NDArray[np.bool_] = of_tier | (np.array(split.sources, dtype=object) == part)
    return members


def _wilson(right: npt.NDArray[np.bool_]) -> Interval:
    return wilson_interval(int(right.sum()), len(right))


def _with_interval(figure: float, interval: Interval) -> str:
    return f"{figure:.3f} ({interval.low:.3f} to {interval.high:.3f})"

"""The test figures of each dataset among several, and of each tier, with their intervals."""

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import FAKE
from fakeface_bench.evaluation.intervals import Interval, roc_auc_interval, wilson_interval
from fakeface_bench.records import ScoredSplit, StudyRecord, part_members
from fakeface_bench.report.results import floor_told, with_interval

PARTS_HEADER = ("part", "images", "ROC AUC", "accuracy", "recall of fakes", "metadata alone")
_NONE = "-"


def part_rows(record: StudyRecord) -> list[tuple[str, ...]]:
    """Return `PARTS_HEADER` of each part of the test split as text; none where it has no parts.

    The last column is the ROC AUC of a classifier that sees the source's files but no picture.
    """
    test, floors = record.test, record.source_floors
    members = part_members(test.y_true, test.sources, test.tiers)
    return [
        (
            part,
            *_cells(test, part, members[part]),
            floor_told(floors[part]) if part in floors else _NONE,
        )
        for part in test.parts
    ]


def _cells(split: ScoredSplit, part: str, of: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    figures = split.parts[part]
    right = ((split.y_score >= split.threshold) == split.y_true)[of]
    fakes = split.y_true[of] == FAKE
    recall = accuracy = roc_auc = _NONE
    if fakes.any():
        recall = with_interval(f"{right[fakes].mean():.3f}", _wilson(right[fakes]))
    if "accuracy" in figures:
        accuracy = with_interval(f"{figures['accuracy']:.3f}", _wilson(right))
    if "roc_auc" in figures:
        interval = roc_auc_interval(split.y_true[of], split.y_score[of])
        roc_auc = with_interval(f"{figures['roc_auc']:.3f}", interval)
    return f"{len(right):,}", roc_auc, accuracy, recall


def _wilson(right: npt.NDArray[np.bool_]) -> Interval:
    return wilson_interval(int(right.sum()), len(right))

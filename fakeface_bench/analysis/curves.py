"""Counts and curves over all thresholds, in plain numpy: `report` needs no scikit-learn.

Every function needs images of both classes; a score at or above the threshold means fake.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeface_bench.records.study import FloatArray, LabelArray, ScoredSplit


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, x rising, both of shape (k,), and the area under it."""

    x: FloatArray
    y: FloatArray
    area: float


def confusions(y_true: LabelArray, predicted_fake: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Count images by true class (rows) and predicted class (columns), shape (2, 2)."""
    cells = 2 * y_true.astype(np.int64) + predicted_fake
    return np.bincount(cells, minlength=4).reshape(2, 2).astype(np.int64)


def confusion_counts(split: ScoredSplit) -> npt.NDArray[np.int64]:
    """Return `confusions` at the split's threshold."""
    return confusions(split.y_true, split.y_score >= split.threshold)


def roc_curve(y_true: LabelArray, y_score: FloatArray) -> Curve:
    """Return true against false positive rate from (0, 0) to (1, 1), with its ROC AUC."""
    true, false = _counts_from_the_top(y_true, y_score)
    x = np.concatenate([[0.0], false / false[-1]])
    y = np.concatenate([[0.0], true / true[-1]])
    return Curve(x, y, float(np.trapezoid(y, x)))


def precision_recall_curve(y_true: LabelArray, y_score: FloatArray) -> Curve:
    """Return precision against recall, with its average precision.

    The area is a sum of steps, for no threshold reaches what lies between two points (Davis &
    Goadrich 2006, "The relationship between precision-recall and ROC curves").
    """
    true, false = _counts_from_the_top(y_true, y_score)
    precision = true / (true + false)
    recall = true / true[-1]
    area = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return Curve(np.append(0.0, recall), np.append(precision[0], precision), area)


def _counts_from_the_top(
    y_true: LabelArray, y_score: FloatArray
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count fake and real images at or above each distinct score, from the highest down."""
    order = np.argsort(-y_score, kind="stable")
    fakes = np.cumsum(y_true[order], dtype=np.int64)
    last_of_score = np.append(np.flatnonzero(np.diff(y_score[order])), len(order) - 1)
    true = fakes[last_of_score]
    return true, last_of_score + 1 - true

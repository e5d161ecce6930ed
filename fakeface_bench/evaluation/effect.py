"""How two models differ on the same images, with 95 % intervals.

Intervals cover the draw of images alone: neither another training run nor another dataset.
"""

import numpy as np

from fakeface_bench.config import FAKE
from fakeface_bench.evaluation.intervals import percentile_interval
from fakeface_bench.evaluation.weighted import Calls, Ranks, joined, stratified_resamples
from fakeface_bench.records import Estimate, FloatArray, LabelArray, SeedScores


def paired_effect(
    y_true: LabelArray, first: SeedScores, second: SeedScores, seed: int = 0
) -> dict[str, Estimate]:
    """Return ROC AUC, recall of fakes and accuracy of `first` less those of `second`, paired.

    Each model calls at its own threshold. Both are scored on the same resamples, so what is hard
    for both is no difference. What is not defined where one class is missing is left out.

    Args:
        y_true: 1 for fake, shape (n,).
        first: Scores and threshold of one model on these images.
        second: Those of the other.
        seed: Of the resamples.
    """
    models = _Compared(y_true, first), _Compared(y_true, second)
    portions = [
        _less(*models, resamples.counts) for resamples in stratified_resamples(y_true, seed)
    ]
    resampled = joined(portions)
    found = {}
    for key, value in _less(*models, np.ones((len(y_true), 1))).items():
        interval = percentile_interval(resampled[key])
        found[key] = Estimate(float(value[0]), interval.low, interval.high)
    return found


class _Compared:
    """What two models are compared by, of those figures that these classes define."""

    def __init__(self, y_true: LabelArray, scores: SeedScores) -> None:
        labels = set(y_true.tolist())
        self._calls = Calls(y_true, scores.y_score, scores.threshold)
        self._ranks = Ranks(y_true, scores.y_score) if len(labels) == 2 else None
        self._keys = ("recall_fake", "accuracy") if FAKE in labels else ("accuracy",)

    def figures(self, counts: FloatArray) -> dict[str, FloatArray]:
        called = self._calls.figures(counts)
        ranked = {} if self._ranks is None else {"roc_auc": self._ranks.roc_auc(counts)}
        return ranked | {key: called[key] for key in self._keys}


def _less(first: _Compared, second: _Compared, counts: FloatArray) -> dict[str, FloatArray]:
    others = second.figures(counts)
    return {key: values - others[key] for key, values in first.figures(counts).items()}

"""Models compared on the same images: paired tests, and resamples that all of them share.

Intervals cover the draw of images alone: neither another training run nor another dataset.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from fakeface_bench.config import FAKE
from fakeface_bench.evaluation.bootstrap import (
    RESAMPLES,
    Calls,
    Ranks,
    joined,
    stratified_resamples,
)
from fakeface_bench.evaluation.intervals import percentile
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import FloatArray, LabelArray, SeedScores

#: What is resampled, by its key in `METRICS`.
RESAMPLED = ("accuracy", "f1_real", "f1_fake", "roc_auc")

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class McNemar:
    """Two models' calls on the same images.

    Attributes:
        only_first: Images that the first alone predicted correctly.
        only_second: Images that the second alone predicted correctly.
        p: Two-sided, exact.
    """

    only_first: int
    only_second: int
    p: float


def mcnemar(first_right: BoolArray, second_right: BoolArray) -> McNemar:
    """Test whether two models are equally often right: McNemar's test, exact and two-sided.

    Of the images that one alone predicted correctly, each model has half where they are equal:
    the p value is binomial, and 1 where there is no such image. Source: McNemar (1947), "Note
    on the sampling error of the difference between correlated proportions or percentages";
    exact as in Fagerland, Lydersen & Laake (2013), "The McNemar test for binary matched-pairs
    data".

    Args:
        first_right: Which images the first predicted correctly, shape (n,).
        second_right: Likewise of the second.
    """
    only_first = int(np.sum(first_right & ~second_right))
    only_second = int(np.sum(second_right & ~first_right))
    n = only_first + only_second
    p = float(binomtest(only_first, n).pvalue) if n else 1.0
    return McNemar(only_first, only_second, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p values of one family of tests, in their order.

    Called significant below 0.05, they make one false claim or more in at most 5 % of families.
    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def metrics_of(y_true: LabelArray, scores: SeedScores) -> dict[str, float]:
    """Return each of `RESAMPLED` on the images as they are."""
    once = np.ones((len(y_true), 1))
    fit = _Fit(y_true, scores)
    return {key: float(values[0]) for key, values in fit.metrics(once).items()}


def resampled_metrics(
    y_true: LabelArray, models: Sequence[Sequence[SeedScores]], seed: int = 0
) -> list[dict[str, FloatArray]]:
    """Return each of `RESAMPLED` in 1000 stratified bootstrap resamples, for every model.

    A resample draws the same images for all models, each class at its size, so what is hard for
    all is no difference. A model with several seeds counts with their mean: these seeds, as they
    are (`evaluation.over_seeds` has other seeds too). Source: Efron & Tibshirani (1993), "An
    introduction to the bootstrap", chapters 8 and 13.

    Args:
        y_true: 1 for fake, both classes present, shape (n,).
        models: Of each model the scores of its seeds on these images.

    Returns:
        For each model, by key, shape (1000,).
    """
    fits = [[_Fit(y_true, scores) for scores in seeds] for seeds in models]
    values = [{key: np.zeros(RESAMPLES) for key in RESAMPLED} for _ in models]
    for resamples in stratified_resamples(y_true, seed):
        for place, seeds in enumerate(fits):
            for fit in seeds:
                for key, figure in fit.metrics(resamples.counts).items():
                    values[place][key][resamples.rows] += figure / len(seeds)
    return values


class _Fit:
    """One model's calls and ranks, sorted once for all resamples."""

    def __init__(self, y_true: LabelArray, scores: SeedScores) -> None:
        self._calls = Calls(y_true, scores.y_score, scores.threshold)
        self._ranks = Ranks(y_true, scores.y_score)

    def metrics(self, counts: FloatArray) -> dict[str, FloatArray]:
        """Return each of `RESAMPLED` in each column of counts of images, shape (n, columns)."""
        of_all = {**self._calls.metrics(counts), "roc_auc": self._ranks.roc_auc(counts)}
        return {key: of_all[key] for key in RESAMPLED}


def paired_effect(
    y_true: LabelArray, first: SeedScores, second: SeedScores, seed: int = 0
) -> dict[str, Estimate]:
    """Return ROC AUC, recall of fakes and accuracy of `first` less those of `second`, paired.

    Each model calls at its own threshold. Both are scored on the same resamples, so what is hard
    for both is no difference. What is not defined where one class is missing is left out.

    Args:
        y_true: 1 for fake, shape (n,).
        first: Scores and threshold of one model on these images.
    """
    models = _Compared(y_true, first), _Compared(y_true, second)
    portions = [
        _less(*models, resamples.counts) for resamples in stratified_resamples(y_true, seed)
    ]
    resampled = joined(portions)
    as_is = _less(*models, np.ones((len(y_true), 1)))
    return {key: percentile(float(value[0]), resampled[key]) for key, value in as_is.items()}


def paired_roc_auc(
    y_true: LabelArray, first: FloatArray, second: FloatArray, seed: int = 0
) -> Estimate:
    """Return ROC AUC of some scores less that of others, as `paired_effect` does, at half the time.

    Args:
        y_true: 1 for fake, both classes present, shape (n,).
        first: Any monotone scores of one model, shape (n,).
        second: Of the other.
    """
    ranks = Ranks(y_true, first), Ranks(y_true, second)

    def less(counts: FloatArray) -> FloatArray:
        ours, theirs = (each.roc_auc(counts) for each in ranks)
        return np.asarray(ours - theirs)

    drawn = [less(resamples.counts) for resamples in stratified_resamples(y_true, seed)]
    return percentile(float(less(np.ones((len(y_true), 1)))[0]), np.concatenate(drawn))


class _Compared:
    """What two models are compared by, of those figures that these classes define."""

    def __init__(self, y_true: LabelArray, scores: SeedScores) -> None:
        labels = set(y_true.tolist())
        self._calls = Calls(y_true, scores.y_score, scores.threshold)
        self._ranks = Ranks(y_true, scores.y_score) if len(labels) == 2 else None
        self._keys = ("recall_fake", "accuracy") if FAKE in labels else ("accuracy",)

    def metrics(self, counts: FloatArray) -> dict[str, FloatArray]:
        called = self._calls.metrics(counts)
        ranked = {} if self._ranks is None else {"roc_auc": self._ranks.roc_auc(counts)}
        return ranked | {key: called[key] for key in self._keys}


def _less(first: _Compared, second: _Compared, counts: FloatArray) -> dict[str, FloatArray]:
    others = second.metrics(counts)
    return {key: values - others[key] for key, values in first.metrics(counts).items()}

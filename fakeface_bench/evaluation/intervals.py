"""How far a metric could lie from the truth: its 95 % interval over the draw of images.

Intervals cover the draw of images alone: neither another training run nor another dataset.
`benchmarks/coverage.py` measures how often each holds what it is to hold.
"""

from math import exp, hypot, log, sqrt

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import binom, binomtest
from scipy.stats import t as student_t

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import FloatArray, LabelArray

#: Two-sided 95 % point of the normal distribution.
Z_95 = 1.959963984540054


def wilson(successes: int, n: int) -> Estimate:
    """Return a share with its Wilson score interval, sound near 0 and 1 where the normal is not.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical
    inference"; recommended by Brown, Cai & DasGupta (2001), "Interval estimation for a
    binomial proportion".

    Args:
        successes: From 0 to `n`.
        n: At least 1.
    """
    found = binomtest(successes, n).proportion_ci(method="wilson")
    return Estimate(successes / n, float(found.low), float(found.high))


def share_estimate(hits: npt.NDArray[np.bool_]) -> Estimate:
    """Return the share of what holds, with its Wilson interval.

    Args:
        hits: Whether it holds of each image, at least one, shape (n,).
    """
    return wilson(int(hits.sum()), len(hits))


def cross_validated(scores: FloatArray, folds: int) -> Estimate:
    """Return the mean over repeated cross-validation with its corrected resampled t interval.

    Folds share their training images, so their scores vary together: the variance of the mean is
    (1/k + 1/(folds - 1)) times theirs, k scores in all. Source: Nadeau & Bengio (2003), "Inference
    for the generalization error", equation 9.

    Args:
        scores: Of each fold of each repeat, shape (k,).
    """
    spread = float(np.std(scores, ddof=1)) * sqrt(1 / len(scores) + 1 / (folds - 1))
    half = float(student_t.ppf(0.975, len(scores) - 1)) * spread
    middle = float(np.mean(scores))
    return Estimate(middle, middle - half, middle + half)


def percentile(value: float, resampled: FloatArray) -> Estimate:
    """Return a value with what holds the middle 95 % of it in resamples, shape (resamples,).

    Source: Efron & Tibshirani (1993), "An introduction to the bootstrap", chapter 13.
    """
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Estimate(value, float(low), float(high))


def recall_at_estimate(y_true: LabelArray, y_score: FloatArray, most: float) -> Estimate:
    """Return the share of fakes found at a rate of false alarms, with its 95 % interval.

    Two things are uncertain: how many real images pass the threshold whose true rate is `most`,
    which is binomial whatever their scores, and the share of fakes above it, of which Wilson's is
    the interval. Both half-widths add as squares (Zou & Donner (2008), "Construction of confidence
    limits about effect measures: a general approach"). Where as few false alarms as none are no
    surprise (below 368 real images at 1 %, below 73 at 5 %), nothing bounds the threshold from
    above, and the interval begins near 0.

    Args:
        y_true: 1 for fake, both classes present, shape (n,).
        y_score: Any monotone score, shape (n,).
        most: Share of the real images that may be predicted fake, above 0 and below 1.
    """
    reals, fakes = -np.sort(-y_score[y_true == REAL]), y_score[y_true == FAKE]

    def found(false_alarms: int) -> int:
        """Count fakes at the lowest threshold with so many false alarms."""
        if false_alarms < 0:
            return 0
        if false_alarms >= len(reals):
            return len(fakes)
        return int(np.sum(fakes > reals[false_alarms]))

    n = len(reals)
    share = wilson(found(int(most * n + _ROUNDING)), len(fakes))
    fewest, highest = (int(binom.ppf(level, n, most)) for level in (0.025, 0.975))
    least, largest = (found(count) / len(fakes) for count in (fewest - 1, highest))
    low = share.value - hypot(share.value - share.low, share.value - least)
    high = share.value + hypot(share.high - share.value, largest - share.value)
    return Estimate(share.value, max(0.0, low), min(1.0, high))


#: A whole number of images that a product of floats misses by less is meant.
_ROUNDING = 1e-9


def roc_auc_estimate(y_true: LabelArray, y_score: FloatArray) -> Estimate:
    """Return ROC AUC with the wider, at each end, of two 95 % intervals.

    One estimates its variance from the images (`_by_delong`): right where many pairs are out of
    order, too narrow where few are. The other takes the variance of a ROC AUC of that size
    (`_by_newcombe`): right near 1, too narrow for classes of unequal spread. Where no pair is
    misordered the ends are also as far apart as `_by_disjoint_pairs` has them.

    Args:
        y_true: 1 for fake, both classes present, shape (n,).
        y_score: Any monotone score, shape (n,).
    """
    twice = _pairs_in_order(y_true, y_score)
    reals, fakes = (int(np.sum(y_true == label)) for label in (REAL, FAKE))
    value = float(twice[y_true == FAKE].sum() / (2 * reals * fakes))
    spans = [_by_newcombe(value, reals, fakes)]
    if value in (0.0, 1.0):
        spans.append(_by_disjoint_pairs(value, min(reals, fakes)))
    elif min(reals, fakes) > 1:
        of_fakes = np.var(twice[y_true == FAKE] / (2 * reals), ddof=1) / fakes
        of_reals = np.var(twice[y_true == REAL] / (2 * fakes), ddof=1) / reals
        spans.append(_by_delong(value, float(of_fakes + of_reals)))
    lows, highs = zip(*spans, strict=True)
    return Estimate(value, min(value, *lows), max(value, *highs))


def placements(y_true: LabelArray, y_score: FloatArray) -> FloatArray:
    """Return of each image the share of the other class that it is on the right side of.

    Ties count half. The mean over either class is the ROC AUC.

    Args:
        y_true: 1 for fake, both classes present, shape (n,).
        y_score: Any monotone score, shape (n,).
    """
    fakes = int(np.sum(y_true == FAKE))
    others = np.where(y_true == FAKE, len(y_true) - fakes, fakes)
    return np.asarray(_pairs_in_order(y_true, y_score) / (2 * others))


def _pairs_in_order(y_true: LabelArray, y_score: FloatArray) -> npt.NDArray[np.int64]:
    """Return of each image twice its pairs with the other class that are in order, ties once."""
    twice = np.empty(len(y_true), dtype=np.int64)
    for label, other, sign in ((FAKE, REAL, 1), (REAL, FAKE, -1)):
        ordered = np.sort(sign * y_score[y_true == other])
        scores = sign * y_score[y_true == label]
        below = np.searchsorted(ordered, scores, side="left")
        twice[y_true == label] = below + np.searchsorted(ordered, scores, side="right")
    return twice


def _by_delong(value: float, variance: float) -> tuple[float, float]:
    """Return an interval on the logit's scale, which no end leaves.

    Sources: DeLong, DeLong & Clarke-Pearson (1988), "Comparing the areas under two or more
    correlated receiver operating characteristic curves"; Pepe (2003), "The statistical evaluation
    of medical tests for classification and prediction", section 5.2.
    """
    logit, half = log(value / (1 - value)), Z_95 * sqrt(variance) / (value * (1 - value))
    return 1 / (1 + exp(half - logit)), 1 / (1 + exp(-half - logit))


def _by_newcombe(value: float, reals: int, fakes: int) -> tuple[float, float]:
    """Return the ROC AUCs that are 1.96 of their own standard errors away from the value.

    Source: Newcombe (2006), "Confidence intervals for an effect size measure based on the
    Mann-Whitney statistic. Part 2", method 5, after Hanley & McNeil (1982), "The meaning and use
    of the area under a receiver operating characteristic (ROC) curve".
    """
    others = (reals + fakes) / 2 - 1

    def beyond(true: float) -> float:
        spread = (1 - true) / (2 - true) + true / (1 + true)
        variance = true * (1 - true) * (1 + others * spread) / (reals * fakes)
        return (value - true) ** 2 - Z_95**2 * variance

    low = brentq(beyond, 0.0, value) if value > 0 else 0.0
    high = brentq(beyond, value, 1.0) if value < 1 else 1.0
    return float(low), float(high)


def _by_disjoint_pairs(value: float, pairs: int) -> tuple[float, float]:
    """Return what all pairs in order, or none, leaves open.

    Images make `pairs` pairs that share none, each in order with the probability that ROC AUC is:
    all are with at most that power of it. So Clopper & Pearson (1934), "The use of confidence or
    fiducial limits illustrated in the case of the binomial".
    """
    end = 0.025 ** (1 / pairs)
    return (end, 1.0) if value == 1 else (0.0, 1 - end)

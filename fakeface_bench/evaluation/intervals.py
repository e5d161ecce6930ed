"""How far figures could lie from the truth: 95 % intervals over images.

They cover the draw of images alone: neither another training run nor another dataset.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student_t

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.records import FloatArray, LabelArray

RESAMPLES = 1000
#: Two-sided 95 % point of the normal distribution.
Z_95 = 1.959963984540054
#: Array elements held at once while resampling, some 100 MB in all.
ELEMENTS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval."""

    low: float
    high: float


def wilson_interval(successes: int, n: int) -> Interval:
    """Return the Wilson score interval of a share, sound near 0 and 1 where the normal is not.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical
    inference"; recommended by Brown, Cai & DasGupta (2001), "Interval estimation for a
    binomial proportion".
    """
    share = successes / n
    scale = 1 + Z_95**2 / n
    centre = (share + Z_95**2 / (2 * n)) / scale
    half = Z_95 / scale * sqrt(share * (1 - share) / n + Z_95**2 / (4 * n**2))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def cross_validated_interval(scores: FloatArray, folds: int) -> Interval:
    """Return the corrected resampled t interval of a mean over repeated cross-validation.

    Folds share their training images, so their scores vary together: the variance of the mean is
    (1/k + 1/(folds - 1)) times theirs, k scores in all. Source: Nadeau & Bengio (2003), "Inference
    for the generalization error", equation 9.

    Args:
        scores: Of each fold of each repeat, shape (k,).
        folds: Of one repeat.
    """
    spread = float(np.std(scores, ddof=1)) * sqrt(1 / len(scores) + 1 / (folds - 1))
    half = float(student_t.ppf(0.975, len(scores) - 1)) * spread
    middle = float(np.mean(scores))
    return Interval(middle - half, middle + half)


def roc_auc_interval(y_true: LabelArray, y_score: FloatArray, seed: int = 0) -> Interval:
    """Return the percentile interval of ROC AUC over 1000 stratified bootstrap resamples.

    Real and fake images are drawn anew separately, with replacement, each class at its size.
    Where no pair is misordered every resample agrees, and the interval shrinks to (1, 1): that
    is the method's limit, not certainty. Source: Efron & Tibshirani (1993), "An introduction
    to the bootstrap", chapter 13.
    """
    return percentile_interval(resampled_roc_auc(y_true, y_score, seed))


def percentile_interval(values: FloatArray) -> Interval:
    """Return what holds the middle 95 % of resampled values, shape (resamples,)."""
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(float(low), float(high))


def resampled_roc_auc(y_true: LabelArray, y_score: FloatArray, seed: int) -> FloatArray:
    """Return the ROC AUC of each resample, shape (1000,).

    ROC AUC is the share of (fake, real) pairs in order, ties counting half. With the real
    images sorted once, the pairs that a fake image wins in a resample are read off
    cumulated draws, so that no resample is sorted.
    """
    real = np.sort(y_score[y_true == REAL])
    fake = y_score[y_true == FAKE]
    below = np.searchsorted(real, fake, side="left")
    up_to = np.searchsorted(real, fake, side="right")
    rng = np.random.default_rng(seed)
    values = np.empty(RESAMPLES)
    at_once = max(1, ELEMENTS_AT_ONCE // len(y_true))
    for start in range(0, RESAMPLES, at_once):
        rows = np.arange(min(at_once, RESAMPLES - start))[:, None]
        cumulated = _cumulated_draws(rng, len(rows), len(real))
        drawn = rng.integers(len(fake), size=(len(rows), len(fake)))
        doubled = cumulated[rows, below[drawn]] + cumulated[rows, up_to[drawn]]
        values[start : start + len(rows)] = doubled.mean(axis=1) / (2 * len(real))
    return values


def _cumulated_draws(rng: np.random.Generator, rows: int, n: int) -> npt.NDArray[np.int64]:
    """Draw n of n items in each row, and count the draws among the first 0, 1, ... n items."""
    drawn = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
    return np.pad(np.cumsum(counts, axis=1), ((0, 0), (1, 0)))

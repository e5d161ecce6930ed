"""The mean of ROC AUC over several sets of fakes that share their real images."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from scipy.special import expit, logit

from fakeface_bench.config import REAL
from fakeface_bench.evaluation.intervals import Z_95, placements, roc_auc_estimate
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import FloatArray, LabelArray

#: Labels, scores and names of the images of one set, each of length n.
Scored = tuple[LabelArray, FloatArray, Sequence[str]]


def mean_roc_auc(sets: Sequence[Scored]) -> Estimate:
    """Return the plain mean of some ROC AUCs with its 95 % interval over the draw of images.

    Each counts the same, however many fakes it has. Their variances are those behind the intervals
    of `roc_auc_estimate`; real images that several sets share let these vary together, by what
    DeLong, DeLong & Clarke-Pearson (1988) have for correlated curves, whether one model scored them
    all or each set has its own. The interval is symmetric on the logit's scale, which no end
    leaves. It says nothing of other sets of fakes.

    Args:
        sets: At least one, each with both classes.
    """
    estimates = [roc_auc_estimate(y_true, y_score) for y_true, y_score, _ in sets]
    mean = float(np.mean([estimate.value for estimate in estimates]))
    spread = [(estimate.high - estimate.low) / (2 * Z_95) for estimate in estimates]
    reals = [_of_reals(*one) for one in sets]
    together = sum(
        _covariance(first, second)
        for place, first in enumerate(reals)
        for second in reals[place + 1 :]
    )
    variance = max(float(np.sum(np.square(spread))) + 2 * together, 0.0) / len(sets) ** 2
    if not 0 < mean < 1:
        low = min(estimate.low for estimate in estimates)
        high = max(estimate.high for estimate in estimates)
        return Estimate(mean, low, high)
    half = Z_95 * sqrt(variance) / (mean * (1 - mean))
    return Estimate(mean, float(expit(logit(mean) - half)), float(expit(logit(mean) + half)))


def _of_reals(y_true: LabelArray, y_score: FloatArray, names: Sequence[str]) -> dict[str, float]:
    """Return of each real image how far its share of fakes ranked above it is from the mean."""
    shares = placements(y_true, y_score)
    mean = float(shares[y_true == REAL].mean())
    images = zip(names, y_true, shares, strict=True)
    return {name: float(share) - mean for name, label, share in images if label == REAL}


def _covariance(first: dict[str, float], second: dict[str, float]) -> float:
    """Return what the real images that two sets share let their ROC AUCs vary together."""
    shared = first.keys() & second.keys()
    if len(shared) < 2:
        return 0.0
    total = sum(first[name] * second[name] for name in shared)
    return total * len(shared) / (len(shared) - 1) / (len(first) * len(second))

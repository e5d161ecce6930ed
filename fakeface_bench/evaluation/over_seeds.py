"""A metric of a network over several seeds of its study: both seeds and images could be others.

The mixed model of Obuchowski & Rockette (1995), "Hypothesis testing of diagnostic accuracy for
multiple readers and multiple tests", in the marginal form of Hillis (2014), "A marginal-mean ANOVA
approach for analyzing multireader multicase radiological imaging data". Its readers are the seeds,
each of one network alone; its cases are the test images, the same for all. What the images
contribute is computed from each image's influence on the metric, not resampled.

The seeds' part of a variance is known from a few of them, the images' part from all images: each
has a half-width of its own, Student's and the normal one, and the two add up as squares (Zou &
Donner (2008), "Construction of confidence limits about effect measures: a general approach").
Degrees of freedom over the sum of both, as Hillis has them, hold less than they say where three
seeds lie together by chance. `benchmarks/coverage.py` measures how often this holds what it is to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm
from scipy.stats import t as student_t

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.evaluation.intervals import placements
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import FloatArray, LabelArray, SeedScores


@dataclass(frozen=True, slots=True)
class SeedMetric:
    """One metric of one network, by seed.

    Attributes:
        values: At least two, shape (seeds,).
        influences: How far each image moves each value, shape (seeds, n), so scaled that the
            product of two rows is what the draw of images lets their values vary together.
    """

    values: tuple[float, ...]
    influences: FloatArray

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(np.mean(self.values))

    @property
    def of_seeds(self) -> float:
        """What the seeds add to the variance of the mean: that of their values, by their number.

        At least what equal networks would add that are wrong at different images: three values may
        lie close together by chance.
        """
        of_one = float(np.sum(self.influences**2)) / len(self.values)
        apart = max(float(np.var(self.values, ddof=1)), of_one - self.of_images)
        return apart / len(self.values)

    @property
    def of_images(self) -> float:
        """What the images add: how values of different seeds vary together, on average."""
        of_sum = float(np.sum(np.sum(self.influences, axis=0) ** 2))
        of_each = float(np.sum(self.influences**2))
        seeds = len(self.values)
        return (of_sum - of_each) / (seeds * (seeds - 1))


@dataclass(frozen=True, slots=True)
class Difference:
    """What one network's mean over seeds is ahead of another's by; `p` is two-sided."""

    estimate: Estimate
    p: float


def seed_metrics(
    y_true: LabelArray, seeds: Sequence[SeedScores], values: Mapping[str, tuple[float, ...]]
) -> dict[str, SeedMetric]:
    """Return each of some metrics over the seeds of one network.

    Args:
        y_true: 1 for fake, both classes present, shape (n,).
        values: Accuracy, F1 of each class or ROC AUC of each seed, by key.
    """
    rows = [_influences(y_true, scores) for scores in seeds]
    return {
        key: SeedMetric(tuple(of_seeds), np.stack([row[key] for row in rows]))
        for key, of_seeds in values.items()
    }


def mean_over_seeds(metric: SeedMetric) -> Estimate:
    """Return the mean over seeds with its 95 % interval over other seeds and other images.

    The interval is symmetric on the logit's scale, which no end leaves. Where the mean is 0 or 1 it
    has no width, and what so many images leave open must be asked of one seed's.
    """
    mean = metric.mean
    if not 0 < mean < 1:
        return Estimate(mean, mean, mean, metric.values)
    half = _half_width(0.05, [metric], max(metric.of_images, 0.0)) / (mean * (1 - mean))
    low, high = expit(logit(mean) - half), expit(logit(mean) + half)
    return Estimate(mean, min(mean, float(low)), max(mean, float(high)), metric.values)


def difference_over_seeds(first: SeedMetric, second: SeedMetric) -> Difference:
    """Return what the second's mean is ahead of the first's by, on the same images.

    Its 95 % interval and p value are over other seeds of both and other images.
    """
    together = float(first.influences.mean(axis=0) @ second.influences.mean(axis=0))
    of_images = max(first.of_images + second.of_images - 2 * together, 0.0)
    value = second.mean - first.mean
    half = _half_width(0.05, [first, second], of_images)
    estimate = Estimate(value, value - half, value + half)
    return Difference(estimate, _p_value(abs(value), [first, second], of_images))


def mean_ratio(ratios: Sequence[float]) -> Difference:
    """Return the geometric mean of ratios that are paired over seeds, above 0.

    Its 95 % interval and p value, of no ratio but 1, are Student's, of the logarithms.

    Args:
        ratios: At least two, one a seed.
    """
    logs = np.log(ratios)
    mean, freedom = float(logs.mean()), len(logs) - 1
    error = float(logs.std(ddof=1)) / sqrt(len(logs))
    half = float(student_t.isf(0.025, freedom)) * error
    estimate = Estimate(exp(mean), exp(mean - half), exp(mean + half), tuple(ratios))
    if not error:
        return Difference(estimate, 0.0 if mean else 1.0)
    return Difference(estimate, float(2 * student_t.sf(abs(mean) / error, freedom)))


def _half_width(level: float, metrics: Sequence[SeedMetric], of_images: float) -> float:
    """Return the half-width of an interval that leaves out a share `level` of the truths."""
    of_images = float(norm.isf(level / 2)) ** 2 * of_images
    of_seeds = sum(metric.of_seeds for metric in metrics)
    if not of_seeds:
        return sqrt(of_images)
    # Satterthwaite's degrees of freedom, over the seeds of all.
    uncertain = sum(metric.of_seeds**2 / (len(metric.values) - 1) for metric in metrics)
    quantile = float(student_t.isf(level / 2, of_seeds**2 / uncertain))
    return sqrt(quantile**2 * of_seeds + of_images)


def _p_value(size: float, metrics: Sequence[SeedMetric], of_images: float) -> float:
    """Return the level whose interval ends at 0: below 0.05 where the 95 % one leaves it out."""
    if not size:
        return 1.0

    def beyond(level: float) -> float:
        return _half_width(level, metrics, of_images) - size

    least = 1e-12
    return float(brentq(beyond, least, 1.0, xtol=least)) if beyond(least) > 0 else 0.0


def _influences(y_true: LabelArray, scores: SeedScores) -> dict[str, FloatArray]:
    """Return how far each image moves each metric, shape (n,) each.

    Of a ratio (accuracy, F1) the linear part; of ROC AUC the image's placement value, as in DeLong,
    DeLong & Clarke-Pearson (1988).
    """
    n, fake, called = len(y_true), y_true == FAKE, scores.predicted_fake
    wrong = (called != fake).astype(np.float64)
    found = {"accuracy": (1 - wrong) / n}
    for name, of_class in (("real", ~fake), ("fake", fake)):
        hits = 2 * (of_class & (wrong == 0))
        whole = hits + wrong
        total = float(whole.sum())
        f1 = float(hits.sum()) / total if total else 0.0
        found[f"f1_{name}"] = (hits - f1 * whole) / total if total else np.zeros(n)
    sizes = np.where(fake, fake.sum(), n - fake.sum())
    found["roc_auc"] = placements(y_true, scores.y_score) / sizes
    return {key: _centred(y_true, values) for key, values in found.items()}


def _centred(y_true: LabelArray, values: npt.NDArray[np.float64]) -> FloatArray:
    """Take each class's mean away, so that a product of two adds up to a covariance."""
    centred = np.zeros(len(values))
    for label in (REAL, FAKE):
        members = y_true == label
        count = int(members.sum())
        scale = sqrt(count / (count - 1)) if count > 1 else 0.0
        centred[members] = scale * (values[members] - values[members].mean())
    return centred

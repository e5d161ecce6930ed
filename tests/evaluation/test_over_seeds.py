"""Metrics over seeds and images: their variances by other ways, and how often claims are wrong."""

import numpy as np
import pytest
from scipy.stats import norm

from fakeface_bench.evaluation.bootstrap import RESAMPLES
from fakeface_bench.evaluation.intervals import placements
from fakeface_bench.evaluation.over_seeds import (
    SeedMetric,
    difference_over_seeds,
    mean_over_seeds,
    seed_metrics,
)
from fakeface_bench.evaluation.paired import RESAMPLED, metrics_of, resampled_metrics
from fakeface_bench.records.study import SeedScores

#: What two fits' scores of an image share of their variance.
SHARED = 0.7


def drawn(
    rng: np.random.Generator, images: int, accuracies: np.ndarray
) -> tuple[np.ndarray, list[SeedScores]]:
    """Draw fits of known accuracy at threshold 0.5, all of which find the same images hard."""
    y_true = (np.arange(images) % 2).astype(np.uint8)
    shared = rng.normal(size=images)
    fits = []
    for number, accuracy in enumerate(accuracies):
        own = rng.normal(size=images)
        noise = np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own
        margin = noise + norm.ppf(accuracy) * (2.0 * y_true - 1)
        fits.append(SeedScores(number, norm.cdf(margin), 0.5))
    return y_true, fits


def over_seeds(y_true: np.ndarray, fits: list[SeedScores]) -> dict[str, SeedMetric]:
    values = [metrics_of(y_true, fit) for fit in fits]
    return seed_metrics(y_true, fits, {key: tuple(v[key] for v in values) for key in RESAMPLED})


def test_a_placement_is_the_share_of_the_other_class_on_the_right_side() -> None:
    y_true = np.array([0, 1, 0, 1, 1], np.uint8)
    y_score = np.array([0.1, 0.3, 0.3, 0.9, 0.05])
    assert placements(y_true, y_score).tolist() == pytest.approx([2 / 3, 0.75, 0.5, 1.0, 0.0])


def test_what_images_add_is_what_resamples_of_them_show() -> None:
    """Standard deviations within 8 %, of 1,000 resamples each known to some 2 %."""
    y_true, fits = drawn(np.random.default_rng(5), 500, np.array([0.8, 0.82, 0.78]))
    metrics = over_seeds(y_true, fits)
    alone = resampled_metrics(y_true, [[fit] for fit in fits])
    for key in RESAMPLED:
        resampled = np.stack([of_fit[key] for of_fit in alone])
        assert resampled.shape == (3, RESAMPLES)
        expected = np.cov(resampled)
        found = metrics[key].influences @ metrics[key].influences.T
        np.testing.assert_allclose(np.sqrt(found), np.sqrt(expected), rtol=0.08)


def test_what_seeds_add_is_the_variance_of_their_mean() -> None:
    metric = SeedMetric((0.7, 0.8, 0.9), np.zeros((3, 4)))
    assert metric.of_images == 0
    assert metric.of_seeds == pytest.approx(0.01 / 3)
    found = mean_over_seeds(metric)
    assert (found.value, found.of_seeds) == (pytest.approx(0.8), (0.7, 0.8, 0.9))
    # On the logit's scale, t with two degrees of freedom: 4.303.
    half = 4.302653 * np.sqrt(0.01 / 3) / 0.16
    ends = 1 / (1 + np.exp(-(np.log(4) + np.array([-half, half]))))
    assert (found.low, found.high) == pytest.approx(tuple(ends))


def test_equal_networks_differ_by_nothing() -> None:
    y_true, fits = drawn(np.random.default_rng(1), 200, np.array([0.8, 0.8, 0.8]))
    metric = over_seeds(y_true, fits)["accuracy"]
    same = difference_over_seeds(metric, metric)
    assert (same.estimate.value, same.p) == (0.0, 1.0)
    assert same.estimate.low < 0 < same.estimate.high
    sure = SeedMetric((0.5, 0.5), np.zeros((2, 4)))
    assert difference_over_seeds(sure, sure).p == 1.0
    assert difference_over_seeds(sure, SeedMetric((0.6, 0.6), np.zeros((2, 4)))).p == 0.0


def test_ends_stay_within_the_scale() -> None:
    for values in ((0.999, 0.2), (1.0, 0.99), (0.01, 0.0), (1.0, 1.0)):
        found = mean_over_seeds(SeedMetric(values, np.zeros((2, 4))))
        assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize(("images", "seeds"), [(400, 3), (1600, 3), (400, 5)])
def test_equal_networks_are_rarely_told_apart_and_intervals_hold_the_truth(
    images: int, seeds: int
) -> None:
    """Refits vary by 0.01; of 400 draws 5 % is 20, and 36 or more would be one chance in 1,000.

    `benchmarks/coverage.py` has more draws, and 20,000 images.
    """
    rng = np.random.default_rng((images, seeds))
    shown = held = 0
    for _ in range(400):
        y_true, fits = drawn(rng, images, rng.normal(0.8, 0.01, 2 * seeds))
        one, other = (over_seeds(y_true, part)["accuracy"] for part in (fits[:seeds], fits[seeds:]))
        shown += difference_over_seeds(one, other).p < 0.05
        found = mean_over_seeds(one)
        held += found.low <= 0.8 <= found.high
    assert shown < 36
    assert held > 400 - 36


def test_networks_that_do_differ_are_found() -> None:
    rng = np.random.default_rng(3)
    accuracies = np.array([0.80, 0.81, 0.79, 0.90, 0.91, 0.89])
    y_true, fits = drawn(rng, 1600, accuracies)
    one, other = (over_seeds(y_true, part)["accuracy"] for part in (fits[:3], fits[3:]))
    found = difference_over_seeds(one, other)
    assert found.p < 0.001
    assert found.estimate.low < 0.1 < found.estimate.high

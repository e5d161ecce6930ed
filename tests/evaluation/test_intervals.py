"""Intervals agree with published values and with a bootstrap that takes no short cuts."""

import time
from math import sqrt

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from benchmarks.coverage import drawn_scores
from fakeface_bench.evaluation.bootstrap import Ranks, stratified_resamples
from fakeface_bench.evaluation.intervals import (
    cross_validated,
    recall_at_estimate,
    roc_auc_estimate,
    wilson,
)
from fakeface_bench.evaluation.metrics import recall_at_false_alarms


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (7, 7), (3, 10), (55, 60), (19_970, 20_000)])
def test_a_share_has_the_interval_of_wilsons_formula(successes: int, n: int) -> None:
    found, z = wilson(successes, n), 1.959963984540054
    share, scale = successes / n, 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / scale
    half = z / scale * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert found.value == share
    assert found.low == pytest.approx(max(0, centre - half), abs=1e-12)
    assert found.high == pytest.approx(min(1, centre + half), abs=1e-12)


@pytest.mark.parametrize("decimals", [12, 1])
def test_resamples_are_distributed_like_a_naive_bootstraps(decimals: int) -> None:
    rng = np.random.default_rng(3)
    y_true = np.repeat(np.array([0, 1], dtype=np.uint8), [70, 40])
    y_score = np.round(rng.random(110) * 0.7 + 0.3 * y_true, decimals)
    naive = _naive_bootstrap(y_true, y_score)
    ranks = Ranks(y_true, y_score)
    portions = [ranks.roc_auc(drawn.counts) for drawn in stratified_resamples(y_true, seed=0)]
    fast = np.concatenate(portions)
    assert fast.shape == (1000,)
    assert fast.mean() == pytest.approx(naive.mean(), abs=0.006)
    assert fast.std() == pytest.approx(naive.std(), rel=0.12)
    expected = np.quantile(naive, [0.025, 0.975])
    assert np.quantile(fast, [0.025, 0.975]) == pytest.approx(expected, abs=0.02)


def by_delong(y_true: np.ndarray, y_score: np.ndarray) -> tuple[float, float]:
    """From every pair of images, as the paper has it."""
    real, fake = y_score[y_true == 0], y_score[y_true == 1]
    won = (fake[:, None] > real).astype(float) + 0.5 * (fake[:, None] == real)
    value = won.mean()
    variance = won.mean(1).var(ddof=1) / len(fake) + won.mean(0).var(ddof=1) / len(real)
    logit = np.log(value / (1 - value))
    ends = logit + np.array([-1, 1]) * 1.959964 * np.sqrt(variance) / (value * (1 - value))
    low, high = 1 / (1 + np.exp(-ends))
    return low, high


def distance_in_errors(value: float, true: float, reals: int, fakes: int) -> float:
    """How many of a true ROC AUC's standard errors a value lies from it: Hanley & McNeil."""
    q1, q2 = true / (2 - true), 2 * true**2 / (1 + true)
    others = (reals + fakes) / 2 - 1
    spread = true * (1 - true) + others * (q1 - true**2) + others * (q2 - true**2)
    return abs(value - true) / sqrt(spread / (reals * fakes))


@pytest.mark.parametrize("decimals", [12, 1])
@pytest.mark.parametrize("lift", [0.0, 0.3, 0.6])
def test_roc_auc_has_the_wider_of_two_published_intervals(decimals: int, lift: float) -> None:
    rng = np.random.default_rng(3)
    y_true = np.repeat(np.array([0, 1], dtype=np.uint8), [70, 40])
    y_score = np.round(rng.random(110) * 0.7 + lift * y_true, decimals)
    found = roc_auc_estimate(y_true, y_score)
    assert found.value == pytest.approx(roc_auc_score(y_true, y_score))
    for end, of_images, outwards in zip(
        (found.low, found.high), by_delong(y_true, y_score), (-1, 1), strict=True
    ):
        assert outwards * end >= outwards * of_images - 1e-9
        of_size = distance_in_errors(found.value, end, 70, 40)
        assert of_size > 1.95996
        assert end == pytest.approx(of_images) or of_size == pytest.approx(1.959964, rel=1e-5)
    mirrored = roc_auc_estimate(y_true, -y_score)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((found.low, found.high))


def test_where_no_pair_is_misordered_the_interval_is_still_one() -> None:
    for reals, fakes in ((19, 18), (200, 200), (1, 1), (1, 300)):
        y_true = np.repeat(np.array([0, 1], dtype=np.uint8), [reals, fakes])
        found = roc_auc_estimate(y_true, np.arange(reals + fakes) / 1000)
        assert (found.value, found.high) == (1, 1)
        exact = 0.025 ** (1 / min(reals, fakes))
        assert found.low <= exact + 1e-12
        of_size = distance_in_errors(1, found.low, reals, fakes)
        assert found.low == pytest.approx(exact) or of_size == pytest.approx(1.959964, rel=1e-5)
        worst = roc_auc_estimate(1 - y_true, np.arange(reals + fakes) / 1000)
        assert (worst.value, worst.low) == (0, 0)
    few = roc_auc_estimate(np.array([0, 1, 1], np.uint8), np.array([0.5, 0.2, 0.9]))
    assert few.low < 0.1
    assert few.high > 0.9, "of one image a class has no variance"


@pytest.mark.parametrize("images", [37, 100, 400])
@pytest.mark.parametrize("true", [0.7, 0.99, 0.999])
@pytest.mark.parametrize("shape", ["normal", "unequal", "skewed"])
def test_of_a_hundred_draws_ninety_hold_the_true_roc_auc(
    shape: str, true: float, images: int
) -> None:
    """Bounded form of benchmarks/coverage.py, of 1,000 draws: percentiles held 0.03."""
    rng = np.random.default_rng(0)
    y_true = (np.arange(images) % 2).astype(np.uint8)
    held = 0
    for _ in range(300):
        y_score = drawn_scores(rng, shape, y_true, true)
        found = roc_auc_estimate(y_true, y_score)
        held += found.low <= true <= found.high
    assert held / 300 > 0.91


@pytest.mark.parametrize(("most", "real"), [(0.01, 200), (0.01, 400), (0.05, 40), (0.05, 100)])
@pytest.mark.parametrize("apart", [1.0, 2.5, 4.5])
def test_of_a_hundred_draws_ninety_hold_the_true_recall_at_false_alarms(
    apart: float, most: float, real: int
) -> None:
    """Bounded form of benchmarks/coverage.py: percentiles held 0.36 where the classes are apart."""
    rng = np.random.default_rng(0)
    y_true = (np.arange(2 * real) % 2).astype(np.uint8)
    true = norm.sf(norm.isf(most) - apart)
    held = 0
    for _ in range(400):
        found = recall_at_estimate(y_true, rng.normal(apart * y_true), most)
        held += found.low <= true <= found.high
    assert held / 400 > 0.93


def test_recall_at_false_alarms_is_that_of_the_metric_and_lies_in_its_interval() -> None:
    rng = np.random.default_rng(1)
    for real, fake in ((40, 60), (200, 30), (7, 3), (1000, 1)):
        y_true = np.repeat([0, 1], [real, fake]).astype(np.uint8)
        y_score = np.round(rng.random(real + fake), 2)  # with ties
        for most in (0.01, 0.05):
            found = recall_at_estimate(y_true, y_score, most)
            assert found.value == pytest.approx(recall_at_false_alarms(y_true, y_score, most))
            assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_threshold_that_nothing_bounds_leaves_recall_open_below() -> None:
    for real, bounded in ((367, False), (368, True)):
        y_true = np.repeat([0, 1], [real, 500]).astype(np.uint8)
        y_score = np.random.default_rng(0).normal(4.0 * y_true)
        found = recall_at_estimate(y_true, y_score, 0.01)
        assert (found.low > 0.5) == bounded


def test_a_hundred_thousand_images_take_no_time() -> None:
    rng = np.random.default_rng(0)
    y_true = (np.arange(100_000) % 2).astype(np.uint8)
    started = time.process_time()
    roc_auc_estimate(y_true, rng.random(100_000))
    assert time.process_time() - started < 1  # 0.03 s alone; generous for a busy machine


def _naive_bootstrap(y_true: np.ndarray, y_score: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(9)
    classes = [np.flatnonzero(y_true == label) for label in (0, 1)]
    values = []
    for _ in range(1000):
        drawn = np.concatenate([rng.choice(members, len(members)) for members in classes])
        values.append(roc_auc_score(y_true[drawn], y_score[drawn]))
    return np.array(values)


def test_the_cross_validated_interval_is_wider_than_independent_folds_would_have_it() -> None:
    scores = np.array([0.4, 0.5, 0.6, 0.5, 0.5, 0.45, 0.55, 0.5, 0.5, 0.5])
    interval = cross_validated(scores, folds=5)
    spread = scores.std(ddof=1) * np.sqrt(1 / 10 + 1 / 4)
    assert interval.high - 0.5 == pytest.approx(2.262157 * spread, rel=1e-5)
    assert interval.low + interval.high == pytest.approx(1.0)
    same = cross_validated(np.full(10, 0.7), folds=5)
    assert (same.low, same.high) == pytest.approx((0.7, 0.7))

"""Intervals agree with scipy and with a bootstrap that takes no short cuts."""

import time

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from fakeface_bench.evaluation.bootstrap import (
    cross_validated_interval,
    resampled_roc_auc,
    roc_auc_interval,
    wilson_interval,
)


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (7, 7), (3, 10), (55, 60), (19_970, 20_000)])
def test_wilson_is_scipys(successes: int, n: int) -> None:
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    interval = wilson_interval(successes, n)
    assert interval.low == pytest.approx(expected.low, abs=1e-12)
    assert interval.high == pytest.approx(expected.high, abs=1e-12)


@pytest.mark.parametrize("decimals", [12, 1])
def test_resamples_are_distributed_like_a_naive_bootstraps(decimals: int) -> None:
    rng = np.random.default_rng(3)
    y_true = np.repeat(np.array([0, 1], dtype=np.uint8), [70, 40])
    y_score = np.round(rng.random(110) * 0.7 + 0.3 * y_true, decimals)
    naive = _naive_bootstrap(y_true, y_score)
    fast = resampled_roc_auc(y_true, y_score, seed=0)
    assert fast.shape == (1000,)
    assert fast.mean() == pytest.approx(naive.mean(), abs=0.006)
    assert fast.std() == pytest.approx(naive.std(), rel=0.12)
    interval = roc_auc_interval(y_true, y_score)
    expected = np.quantile(naive, [0.025, 0.975])
    assert [interval.low, interval.high] == pytest.approx(expected, abs=0.02)


def test_twenty_thousand_images_take_about_a_second() -> None:
    rng = np.random.default_rng(0)
    y_true = (np.arange(20_000) % 2).astype(np.uint8)
    started = time.process_time()
    roc_auc_interval(y_true, rng.random(20_000))
    assert time.process_time() - started < 5  # 0.3 s alone; generous for a busy machine


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
    interval = cross_validated_interval(scores, folds=5)
    spread = scores.std(ddof=1) * np.sqrt(1 / 10 + 1 / 4)
    assert interval.high - 0.5 == pytest.approx(2.262157 * spread, rel=1e-5)
    assert interval.low + interval.high == pytest.approx(1.0)
    same = cross_validated_interval(np.full(10, 0.7), folds=5)
    assert (same.low, same.high) == pytest.approx((0.7, 0.7))

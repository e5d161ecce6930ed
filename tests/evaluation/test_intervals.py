"""Intervals agree with published values and with a bootstrap that takes no short cuts."""

import time
from math import sqrt

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fakeface_bench.evaluation.bootstrap import (
    Ranks,
    cross_validated,
    roc_auc_estimate,
    stratified_resamples,
    wilson,
)


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
    interval = roc_auc_estimate(y_true, y_score)
    assert interval.value == pytest.approx(roc_auc_score(y_true, y_score))
    assert (interval.low, interval.high) == tuple(np.quantile(fast, [0.025, 0.975]))
    expected = np.quantile(naive, [0.025, 0.975])
    assert [interval.low, interval.high] == pytest.approx(expected, abs=0.02)


def test_twenty_thousand_images_take_seconds() -> None:
    rng = np.random.default_rng(0)
    y_true = (np.arange(20_000) % 2).astype(np.uint8)
    started = time.process_time()
    roc_auc_estimate(y_true, rng.random(20_000))
    assert time.process_time() - started < 15  # 1.6 s alone; generous for a busy machine


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

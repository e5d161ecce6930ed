"""The interval of a difference of ROC AUC follows scikit-learn, and knows its images are shared."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fakeface_bench.evaluation.intervals import (
    _weighted_roc_auc,
    roc_auc_difference_interval,
)

IMAGES = 300


def scores(seed: int, strength: float, shared: np.ndarray, own: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return strength * LABELS + shared + own * rng.normal(size=IMAGES)


LABELS = (np.arange(IMAGES) % 3 == 0).astype(np.uint8)
SHARED = np.random.default_rng(9).normal(size=IMAGES)


@pytest.mark.parametrize("decimals", [1, 9])
def test_weighted_roc_auc_is_that_of_scikit_learn(decimals: int) -> None:
    y_score = scores(0, 1.0, SHARED, 0.5).round(decimals)
    counts = np.random.default_rng(1).integers(0, 4, (20, IMAGES)).astype(float)
    expected = [roc_auc_score(LABELS, y_score, sample_weight=row) for row in counts]
    np.testing.assert_allclose(_weighted_roc_auc(LABELS, y_score, counts), expected)


def test_the_interval_holds_the_difference_and_turns_its_sign() -> None:
    better, worse = scores(1, 1.5, SHARED, 0.3), scores(2, 0.7, SHARED, 0.3)
    interval = roc_auc_difference_interval(LABELS, better, worse)
    turned = roc_auc_difference_interval(LABELS, worse, better)
    difference = roc_auc_score(LABELS, better) - roc_auc_score(LABELS, worse)
    assert 0 < interval.low < difference < interval.high
    assert (turned.low, turned.high) == pytest.approx((-interval.high, -interval.low))


def test_what_both_find_hard_is_no_difference() -> None:
    """Paired, the interval of two models that err alike is far narrower than of two that do not."""
    alike = roc_auc_difference_interval(
        LABELS, scores(1, 1.0, SHARED, 0.1), scores(2, 1.0, SHARED, 0.1)
    )
    strangers = roc_auc_difference_interval(
        LABELS, scores(1, 1.0, 0 * SHARED, 1.0), scores(2, 1.0, 0 * SHARED, 1.0)
    )
    assert alike.high - alike.low < 0.4 * (strangers.high - strangers.low)


def test_a_model_does_not_differ_from_itself() -> None:
    y_score = scores(1, 1.0, SHARED, 0.5)
    interval = roc_auc_difference_interval(LABELS, y_score, y_score)
    assert (interval.low, interval.high) == (0.0, 0.0)

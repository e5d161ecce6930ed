"""Figures from counts of images: scikit-learn's, of the images repeated as often."""

import numpy as np
import pytest

from fakeface_bench.evaluation.bootstrap import (
    RESAMPLES,
    Calls,
    WeightedMetrics,
    stratified_resamples,
)
from fakeface_bench.evaluation.metrics import METRICS, score_metrics

IMAGES = 240
#: With few digits there are many ties; the last has ties alone.
DECIMALS = (9, 2, 1, 0)


def scored(decimals: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y_true = (rng.random(IMAGES) < 0.4).astype(np.uint8)
    y_score = 1 / (1 + np.exp(-(rng.normal(size=IMAGES) + 1.4 * y_true - 0.7)))
    return y_true, y_score.round(decimals)


def expected(y_true: np.ndarray, y_score: np.ndarray, threshold: float) -> dict[str, float]:
    false_alarms = float((y_score[y_true == 0] >= threshold).mean())
    every = {key: row.of(y_true, y_score, threshold) for key, row in METRICS.items()}
    return {**every, "false_alarm_rate": false_alarms}


@pytest.mark.parametrize("decimals", DECIMALS)
def test_of_every_image_once_each_figure_is_that_of_the_table(decimals: int) -> None:
    y_true, y_score = scored(decimals)
    found = WeightedMetrics(y_true, y_score, 0.45).metrics(np.ones((IMAGES, 1)))
    assert set(found) == {*METRICS, "false_alarm_rate"}
    assert {key: values[0] for key, values in found.items()} == pytest.approx(
        expected(y_true, y_score, 0.45)
    )


@pytest.mark.parametrize("decimals", DECIMALS)
def test_with_counts_each_figure_is_that_of_the_repeated_images(decimals: int) -> None:
    y_true, y_score = scored(decimals, seed=1)
    counts = np.random.default_rng(2).integers(0, 4, size=(IMAGES, 6)).astype(float)
    found = WeightedMetrics(y_true, y_score, 0.45).metrics(counts)
    for column in range(counts.shape[1]):
        chosen = np.repeat(np.arange(IMAGES), counts[:, column].astype(int))
        description = {key: values[column] for key, values in found.items()}
        assert description == pytest.approx(expected(y_true[chosen], y_score[chosen], 0.45))


@pytest.mark.parametrize("threshold", [0.0, 1.1])
def test_calling_everything_one_class_is_no_division_by_nothing(threshold: float) -> None:
    y_true, y_score = scored(9)
    found = WeightedMetrics(y_true, y_score, threshold).metrics(np.ones((IMAGES, 1)))
    assert {key: values[0] for key, values in found.items()} == pytest.approx(
        expected(y_true, y_score, threshold)
    )


def test_scores_of_0_and_1_have_a_finite_log_loss() -> None:
    y_true = (np.arange(20) % 2).astype(np.uint8)
    found = WeightedMetrics(y_true, 1.0 - y_true, 0.5).metrics(np.ones((20, 1)))
    assert found["log_loss"][0] == pytest.approx(
        score_metrics(y_true, 1.0 - y_true, 0.5)["log_loss"]
    )


def test_calls_of_one_class_alone() -> None:
    found = Calls(np.ones(4, np.uint8), np.array([0.1, 0.6, 0.7, 0.8]), 0.5).metrics(
        np.ones((4, 1))
    )
    assert (found["recall_fake"][0], found["accuracy"][0]) == (0.75, 0.75)
    assert found["false_alarm_rate"][0] == 0.0


@pytest.mark.parametrize("images", [1, 300, 30_000])
def test_resamples_keep_the_size_of_each_class(images: int) -> None:
    y_true = (np.arange(images) % 3 == 0).astype(np.uint8)
    portions = stratified_resamples(y_true, seed=0)
    first = next(portions)
    assert first.rows.start == 0
    assert (first.counts.sum(axis=0) == images).all()
    assert (first.counts[y_true == 1].sum(axis=0) == y_true.sum()).all()
    assert first.counts.size <= 2_000_000


def test_resamples_are_a_thousand_in_all_and_depend_on_the_seed_alone() -> None:
    y_true = (np.arange(4500) % 2).astype(np.uint8)
    one, again = (list(stratified_resamples(y_true, seed=3)) for _ in range(2))
    assert [part.rows.stop for part in one][-1] == RESAMPLES
    assert len(one) > 1
    for part, other in zip(one, again, strict=True):
        np.testing.assert_array_equal(part.counts, other.counts)

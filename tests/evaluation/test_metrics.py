"""Each metric on cases worked out by hand, and against its plain definition."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as sk

from fakeface_bench.evaluation.metrics import (
    METRICS,
    estimates,
    expected_calibration_error,
    recall_at_false_alarms,
    roc_auc,
    score_metrics,
)
from fakeface_bench.records.study import ECE_BINS

Y_TRUE = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1], np.uint8)
Y_SCORE = np.array([0.1, 0.2, 0.6, 0.7, 0.3, 0.65, 0.8, 0.9, 0.95, 0.99])
#: At 0.5: 2 real right, 2 real predicted fake, 5 fakes found, 1 missed.
BY_HAND = {
    "accuracy": 7 / 10,
    "balanced_accuracy": (2 / 4 + 5 / 6) / 2,
    "precision_fake": 5 / 7,
    "recall_fake": 5 / 6,
    "f1_fake": 2 * 5 / (2 * 5 + 2 + 1),
    "f1_real": 2 * 2 / (2 * 2 + 1 + 2),
    "f1_macro": (10 / 13 + 4 / 7) / 2,
    "roc_auc": 21 / 24,  # of 24 pairs: 0.3 loses to 0.6 and 0.7, 0.65 to 0.7
    "log_loss": float(-np.mean(np.log(np.where(Y_TRUE == 1, Y_SCORE, 1 - Y_SCORE)))),
    "brier": float(np.mean((Y_SCORE - Y_TRUE) ** 2)),
}


def random_scores(seed: int, images: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 2, images).astype(np.uint8)
    return y_true, 1 / (1 + np.exp(-(rng.normal(size=images) + y_true)))


@pytest.mark.parametrize("key", BY_HAND)
def test_a_figure_is_what_is_worked_out_by_hand(key: str) -> None:
    assert score_metrics(Y_TRUE, Y_SCORE, 0.5)[key] == pytest.approx(BY_HAND[key])


def test_every_row_is_scored_and_finite() -> None:
    metrics = score_metrics(Y_TRUE, Y_SCORE, 0.5)
    assert all(type(figure) is float and np.isfinite(figure) for figure in metrics.values())
    few = {"recall_at_1pct_fpr", "recall_at_5pct_fpr"}
    assert list(metrics) == [key for key in METRICS if key not in few]
    assert set(METRICS) == set(BY_HAND) | {"average_precision", "ece"} | few
    assert recall_at_false_alarms(Y_TRUE, Y_SCORE, 0.05) == 4 / 6, "above 0.7, the highest real one"


@pytest.mark.parametrize(
    ("key", "reals"), [("recall_at_1pct_fpr", 200), ("recall_at_5pct_fpr", 40)]
)
def test_recall_at_few_false_alarms_needs_real_images(key: str, reals: int) -> None:
    y_true = np.repeat([0, 1], [reals, 10]).astype(np.uint8)
    y_score = np.linspace(0, 1, len(y_true))
    assert key in score_metrics(y_true, y_score, 0.5)
    assert key in estimates(y_true, y_score, 0.5)
    assert key not in score_metrics(y_true[1:], y_score[1:], 0.5)
    assert key not in estimates(y_true[1:], y_score[1:], 0.5)


SKLEARN: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
    "accuracy": lambda y, p, s: sk.accuracy_score(y, p),
    "balanced_accuracy": lambda y, p, s: sk.balanced_accuracy_score(y, p),
    "precision_fake": lambda y, p, s: sk.precision_score(y, p),
    "recall_fake": lambda y, p, s: sk.recall_score(y, p),
    "f1_fake": lambda y, p, s: sk.f1_score(y, p),
    "f1_real": lambda y, p, s: sk.f1_score(1 - y, 1 - p),
    "f1_macro": lambda y, p, s: sk.f1_score(y, p, average="macro"),
    "roc_auc": lambda y, p, s: sk.roc_auc_score(y, s),
    "average_precision": lambda y, p, s: sk.average_precision_score(y, s),
    "log_loss": lambda y, p, s: sk.log_loss(y, s),
    "brier": lambda y, p, s: sk.brier_score_loss(y, s),
}


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("key", SKLEARN)
def test_a_figure_is_scikit_learns(key: str, threshold: float) -> None:
    y_true, y_score = random_scores(0)
    y_pred = (y_score >= threshold).astype(int)
    expected = SKLEARN[key](y_true, y_pred, y_score)
    assert score_metrics(y_true, y_score, threshold)[key] == pytest.approx(expected)


def test_a_score_at_the_threshold_is_called_fake() -> None:
    y_true, y_score = np.array([0, 1], np.uint8), np.array([0.4, 0.5])
    assert score_metrics(y_true, y_score, 0.5)["accuracy"] == 1.0
    assert score_metrics(y_true, y_score, np.nextafter(0.5, 1))["accuracy"] == 0.5


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_calling_everything_one_class_is_scored_without_a_warning(threshold: float) -> None:
    metrics = score_metrics(Y_TRUE, Y_SCORE, threshold)
    assert metrics["balanced_accuracy"] == 0.5
    assert all(np.isfinite(figure) for figure in metrics.values())


def test_certain_scores_are_scored_finitely() -> None:
    right = score_metrics(Y_TRUE, Y_TRUE.astype(float), 0.5)
    wrong = score_metrics(Y_TRUE, 1.0 - Y_TRUE, 0.5)
    assert (right["roc_auc"], right["log_loss"], right["ece"]) == pytest.approx((1, 0, 0))
    assert (wrong["roc_auc"], wrong["brier"], wrong["ece"]) == pytest.approx((0, 1, 1))
    assert np.isfinite(wrong["log_loss"])


def test_better_scores_are_better_by_every_row() -> None:
    y_true, y_score = random_scores(1)
    better = score_metrics(y_true, 0.99 * y_true + 0.005, 0.5)
    worse = score_metrics(y_true, y_score, 0.5)
    for key, row in METRICS.items():
        assert (better[key] > worse[key]) == row.greater_is_better, key


def naive_ece(y_true: np.ndarray, y_score: np.ndarray) -> float:
    total = 0.0
    for number in range(ECE_BINS):
        low, high = number / ECE_BINS, (number + 1) / ECE_BINS
        inside = [
            (y, s)
            for y, s in zip(y_true, y_score, strict=True)
            if low <= s < high or (number == ECE_BINS - 1 and s == 1.0)
        ]
        if inside:
            share = sum(int(y) for y, _ in inside) / len(inside)
            confidence = sum(float(s) for _, s in inside) / len(inside)
            total += len(inside) * abs(share - confidence)
    return total / len(y_true)


@pytest.mark.parametrize("seed", range(10))
def test_the_calibration_error_is_that_of_its_plain_definition(seed: int) -> None:
    y_true, y_score = random_scores(seed, images=200)
    assert expected_calibration_error(y_true, y_score) == pytest.approx(naive_ece(y_true, y_score))


def test_the_calibration_error_of_scores_of_0_and_1_is_counted() -> None:
    y_true = np.array([0, 1, 1, 0], np.uint8)
    assert expected_calibration_error(y_true, np.array([0.0, 0.0, 1.0, 1.0])) == 0.5


def test_calibrated_scores_have_next_to_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    y_score = rng.uniform(size=200_000)
    y_true = (rng.uniform(size=200_000) < y_score).astype(np.uint8)
    assert expected_calibration_error(y_true, y_score) < 0.01


def naive_recall(y_true: np.ndarray, y_score: np.ndarray, most: float) -> float:
    """Try every threshold."""
    reals, fakes = y_score[y_true == 0], y_score[y_true == 1]
    thresholds = [*y_score, np.inf]
    return max(np.mean(fakes >= t) for t in thresholds if np.mean(reals >= t) <= most)


@pytest.mark.parametrize("decimals", [1, 2, 9])
@pytest.mark.parametrize("most", [0.01, 0.05])
def test_recall_at_few_false_alarms_is_that_of_the_lowest_such_threshold(
    most: float, decimals: int
) -> None:
    for images in (20, 199, 400):
        y_true, y_score = random_scores(images, images)
        y_score = y_score.round(decimals)
        figure = recall_at_false_alarms(y_true, y_score, most)
        assert figure == pytest.approx(naive_recall(y_true, y_score, most))


@pytest.mark.parametrize(("reals", "allowed"), [(99, 0), (100, 1), (199, 1), (200, 2)])
def test_so_many_false_alarms_are_one_per_cent(reals: int, allowed: int) -> None:
    """Real images rank highest and a fake stands below each: as many are found as are allowed."""
    y_true = np.tile([0, 1], reals).astype(np.uint8)
    y_score = np.linspace(1, 0, 2 * reals)
    found = recall_at_false_alarms(y_true, y_score, 0.01)
    assert found == pytest.approx(allowed / reals)


def test_the_area_under_the_curve_takes_any_monotone_score() -> None:
    logit = np.log(Y_SCORE / (1 - Y_SCORE))
    assert roc_auc(Y_TRUE, logit) == roc_auc(Y_TRUE, Y_SCORE) == pytest.approx(21 / 24)

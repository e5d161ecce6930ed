"""The threshold maximises balanced accuracy; Platt's map is scikit-learn's, and finite."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.calibration import _sigmoid_calibration  # scikit-learn's own Platt scaling
from sklearn.metrics import balanced_accuracy_score

from fakeface_bench.evaluation.detector import (
    choose_calibration,
    choose_threshold,
    platt,
    to_probability,
)
from fakeface_bench.training.head import Calibration

Scored = tuple[np.ndarray, np.ndarray]


def continuous(rng: np.random.Generator) -> Scored:
    y = rng.integers(0, 2, 60)
    return y, 1 / (1 + np.exp(-(rng.normal(size=60) + y)))


def tied(rng: np.random.Generator) -> Scored:
    y, score = continuous(rng)
    return y, np.round(score, 1)


def unbalanced(rng: np.random.Generator) -> Scored:
    y = (np.arange(60) < 6).astype(int)
    return y, np.clip(rng.normal(0.4 + 0.2 * y, 0.2), 0, 1)


def inverted(rng: np.random.Generator) -> Scored:
    y, score = continuous(rng)
    return y, 1 - score


def saturated(rng: np.random.Generator) -> Scored:
    y, score = continuous(rng)
    return y, np.where(score > 0.6, 1.0, np.where(score < 0.4, 0.0, score))


def inverted_and_saturated(rng: np.random.Generator) -> Scored:
    y, score = saturated(rng)
    return y, 1 - score


def crowded(rng: np.random.Generator) -> Scored:
    """Scores that are neighbours as float64 holds them."""
    y = rng.integers(0, 2, 60)
    return y, 0.3 + np.spacing(0.3) * rng.integers(0, 8, 60)


KINDS = [continuous, tied, unbalanced, inverted, saturated, inverted_and_saturated, crowded]


def best_balanced_accuracy(y_true: np.ndarray, y_score: np.ndarray) -> float:
    """Try every threshold there is."""
    thresholds = [*np.unique(y_score), 2.0]
    return max(balanced_accuracy_score(y_true, y_score >= t) for t in thresholds)


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("kind", KINDS)
def test_the_threshold_maximises_balanced_accuracy(
    kind: Callable[[np.random.Generator], Scored], seed: int
) -> None:
    y_true, y_score = kind(np.random.default_rng(seed))
    threshold = choose_threshold(y_true.astype(np.uint8), y_score)
    reached = balanced_accuracy_score(y_true, y_score >= threshold)
    assert 0.0 <= threshold <= 1.0
    assert reached == pytest.approx(best_balanced_accuracy(y_true, y_score), abs=1e-12)


@pytest.mark.parametrize("score", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_equal_scores_still_give_a_threshold(score: float) -> None:
    y_true = np.array([0, 1, 0, 1], np.uint8)
    threshold = choose_threshold(y_true, np.full(4, score))
    assert 0.0 <= threshold <= 1.0
    assert balanced_accuracy_score(y_true, np.full(4, score) >= threshold) == 0.5


def test_scores_that_are_all_wrong_are_not_made_worse() -> None:
    y_true, y_score = np.array([1, 0], np.uint8), np.array([0.0, 1.0])
    assert balanced_accuracy_score(y_true, y_score >= choose_threshold(y_true, y_score)) == 0.5


def test_perfectly_separated_scores_are_parted_half_way() -> None:
    y_true = np.array([0, 0, 1, 1], np.uint8)
    assert choose_threshold(y_true, np.array([0.1, 0.2, 0.6, 0.9])) == pytest.approx(0.4)


def test_scores_of_exactly_0_and_1_are_parted_half_way() -> None:
    y_true = np.array([0, 1, 0, 1], np.uint8)
    assert choose_threshold(y_true, np.array([0.0, 1.0, 0.0, 1.0])) == pytest.approx(0.5)


def test_of_equally_good_thresholds_the_one_nearest_one_half_is_taken() -> None:
    y_true = np.array([0, 1, 0, 1], np.uint8)
    assert choose_threshold(y_true, np.array([0.1, 0.2, 0.5, 0.7])) == pytest.approx(0.6)


def test_the_last_digit_of_a_score_does_not_move_a_decision() -> None:
    y_true = np.array([0, 0, 1, 1], np.uint8)
    scores = np.array([0.1, 0.2, 0.6, 0.9])
    threshold = choose_threshold(y_true, scores)
    assert np.abs(scores - threshold).min() > 0.1


def margins(seed: int, distance: float) -> Scored:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 200)
    return y.astype(np.uint8), rng.normal(size=200) * 2 + distance * (y - 0.5)


@pytest.mark.parametrize("distance", [0.0, 1.0, 4.0, -2.0])
@pytest.mark.parametrize("seed", range(3))
def test_platt_is_scikit_learns(seed: int, distance: float) -> None:
    y_true, margin = margins(seed, distance)
    ours = platt(y_true, margin)
    slope, intercept = _sigmoid_calibration(margin, y_true)  # of 1 / (1 + exp(slope·f + intercept))
    theirs = 1 / (1 + np.exp(slope * margin + intercept))
    np.testing.assert_allclose(to_probability(margin, ours), theirs, atol=1e-3)


def test_platt_is_finite_and_confident_where_the_classes_separate() -> None:
    y_true = np.repeat([0, 1], 20).astype(np.uint8)
    margin = np.where(y_true == 1, 3.0, -3.0) + np.linspace(-0.1, 0.1, 40)
    how = platt(y_true, margin)
    assert np.isfinite([how.scale, how.offset]).all()
    y_score = to_probability(margin, how)
    assert y_score[y_true == 1].mean() == pytest.approx(21 / 22, abs=1e-3)  # Platt's target
    assert y_score[y_true == 0].mean() == pytest.approx(1 / 22, abs=1e-3)


def test_platt_of_margins_that_tell_nothing_is_the_share_of_fakes() -> None:
    y_true = np.array([1, 0, 0, 0] * 50, np.uint8)
    y_score = to_probability(np.zeros(200), platt(y_true, np.zeros(200)))
    np.testing.assert_allclose(y_score, 0.25, atol=0.01)


@pytest.mark.parametrize(("sharpness", "shift"), [(1.0, 0.0), (4.0, 0.0), (0.3, 1.5)])
def test_the_map_that_calibrates_is_chosen(sharpness: float, shift: float) -> None:
    rng = np.random.default_rng(0)
    true_margins = rng.normal(0, 2, 4000)
    y_true = (rng.random(4000) < 1 / (1 + np.exp(-true_margins))).astype(np.uint8)
    how = choose_calibration(y_true, sharpness * true_margins + shift, own=True)
    assert how.scale == pytest.approx(1 / sharpness, rel=0.12)
    assert how.offset == pytest.approx(-shift / sharpness, abs=0.2)
    if sharpness == 4.0:
        assert how.offset == 0.0, "a temperature is enough"


def test_a_map_that_turns_the_ranking_round_is_not_taken() -> None:
    y_true = np.tile([0, 1], 50).astype(np.uint8)
    reversed_margins = np.where(y_true == 1, -1.0, 1.0) + np.linspace(-0.5, 0.5, 100)
    for own in (True, False):
        assert choose_calibration(y_true, reversed_margins, own) == Calibration()


def test_few_images_keep_the_networks_own_probability() -> None:
    y_true = np.array([0, 0, 0, 1], np.uint8)
    margins = np.array([-3.0, -1.0, 0.5, 2.0])
    assert choose_calibration(y_true, margins, own=True) == Calibration()
    assert choose_calibration(y_true, margins, own=False) != Calibration()


def test_platt_keeps_the_order_of_the_margins() -> None:
    y_true, margin = margins(0, 2.0)
    assert platt(y_true, margin).scale > 0


def test_platt_brings_badly_scaled_margins_to_the_same_probabilities() -> None:
    y_true, margin = margins(0, 2.0)
    plain = to_probability(margin, platt(y_true, margin))
    for factor in (0.01, 100.0):
        scaled = to_probability(factor * margin, platt(y_true, factor * margin))
        np.testing.assert_allclose(scaled, plain, atol=1e-3)


def test_a_probability_is_the_sigmoid_and_holds_for_any_margin() -> None:
    margin = np.array([-1e4, -700.0, -1.0, 0.0, 1.0, 700.0, 1e4])
    y_score = to_probability(margin, Calibration())
    np.testing.assert_allclose(y_score[2:5], 1 / (1 + np.exp(-margin[2:5])))
    assert y_score[0] == 0.0
    assert y_score[-1] == 1.0
    assert (np.diff(y_score) >= 0).all()

"""The threshold is 0.5 unless another is shown to be better; Platt's map is scikit-learn's."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.calibration import _sigmoid_calibration  # scikit-learn's own Platt scaling
from sklearn.metrics import balanced_accuracy_score

from fakeface_bench.evaluation.decisions import choose_threshold, smoothed_threshold
from fakeface_bench.evaluation.detector import choose_calibration, platt, to_probability
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


def balanced(y_true: np.ndarray, y_score: np.ndarray, threshold: float) -> float:
    return float(balanced_accuracy_score(y_true, y_score >= threshold))


def best_balanced_accuracy(y_true: np.ndarray, y_score: np.ndarray) -> float:
    """Try every threshold there is."""
    return max(balanced(y_true, y_score, t) for t in [*np.unique(y_score), 2.0])


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("kind", KINDS)
def test_a_threshold_is_one_half_or_nearly_the_best_there_is(
    kind: Callable[[np.random.Generator], Scored], seed: int
) -> None:
    y_true, y_score = kind(np.random.default_rng(seed))
    y_true = y_true.astype(np.uint8)
    threshold = choose_threshold(y_true, y_score)
    if threshold == 0.5:
        return
    assert 0 < threshold < 1
    reached = balanced(y_true, y_score, threshold)
    assert reached > balanced(y_true, y_score, 0.5)
    if not kind.__name__.startswith("inverted"):  # whose best is to call all of them fake
        assert reached > best_balanced_accuracy(y_true, y_score) - 0.06


@pytest.mark.parametrize("score", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_equal_scores_keep_one_half(score: float) -> None:
    y_true = np.array([0, 1] * 6, np.uint8)
    assert choose_threshold(y_true, np.full(12, score)) == 0.5


def test_too_few_images_to_choose_by_keep_one_half() -> None:
    assert choose_threshold(np.array([1, 0], np.uint8), np.array([0.2, 0.1])) == 0.5


def refits(seed: int, images: int, count: int, shift: float) -> list[Scored]:
    """Validation scores of refits of one network, whose best threshold is `shift` logits off."""
    rng = np.random.default_rng(seed)
    y_true = (np.arange(images) % 2).astype(np.uint8)
    scores = rng.normal(1.2 * (2.0 * y_true - 1) + shift, 1.5, (count, images))
    return [(y_true, 1 / (1 + np.exp(-of_fit))) for of_fit in scores]


def best_of_these(y_true: np.ndarray, y_score: np.ndarray) -> float:
    """Return the threshold that was chosen before: the best, the nearest to 0.5 of equals."""
    candidates = np.unique(y_score)
    reached = [balanced(y_true, y_score, t) for t in candidates]
    best = candidates[np.array(reached) >= max(reached) - 1e-12]
    return float(best[np.argmin(np.abs(best - 0.5))])


def test_thresholds_of_refits_do_not_wander_with_chance() -> None:
    fits = refits(0, 400, 20, 0.0)
    before = [best_of_these(*fit) for fit in fits]
    after = [choose_threshold(*fit) for fit in fits]
    assert max(before) - min(before) > 0.2
    assert sorted(set(after)).count(0.5) == 1
    assert sum(threshold == 0.5 for threshold in after) >= 19


def test_a_threshold_that_is_shown_to_be_better_is_taken() -> None:
    """A logit of 1.5 off: 0.5 would call most reals fake."""
    for y_true, y_score in refits(1, 400, 5, 1.5):
        threshold = choose_threshold(y_true, y_score)
        assert threshold == pytest.approx(1 / (1 + np.exp(-1.5)), abs=0.1)
        assert balanced(y_true, y_score, threshold) > balanced(y_true, y_score, 0.5) + 0.03


def test_of_classes_of_unequal_size_each_counts_half() -> None:
    """A tenth is fake, and the probabilities say so: 0.5 would find hardly any of them."""
    rng = np.random.default_rng(2)
    y_true = (np.arange(2000) % 10 == 0).astype(np.uint8)
    log_odds = rng.normal(2.0 * (y_true - 0.5), np.sqrt(2.0)) - np.log(9)
    y_score = 1 / (1 + np.exp(-log_odds))
    assert choose_threshold(y_true, y_score) == pytest.approx(0.1, abs=0.06)


def test_smoothed_it_lies_in_a_gap_between_classes_and_between_two_scores() -> None:
    y_true = np.array([0, 0, 1, 1], np.uint8)
    threshold = smoothed_threshold(y_true, np.array([0.1, 0.2, 0.6, 0.9]))
    assert 0.2 < threshold < 0.6
    ends = smoothed_threshold(np.array([0, 1, 0, 1], np.uint8), np.array([0.0, 1.0, 0.0, 1.0]))
    assert ends == pytest.approx(0.5)


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

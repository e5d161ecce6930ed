"""Paired tests and shared resamples: against scipy, scikit-learn and counting by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from fakeface_bench.evaluation.bootstrap import RESAMPLES, stratified_resamples
from fakeface_bench.evaluation.intervals import percentile
from fakeface_bench.evaluation.paired import (
    RESAMPLED,
    holm,
    mcnemar,
    metrics_of,
    paired_effect,
    resampled_metrics,
)
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import SeedScores

IMAGES = 300
LABELS = (np.arange(IMAGES) % 3 == 0).astype(np.uint8)
SHARED = np.random.default_rng(9).normal(size=IMAGES)


def scores(seed: int, strength: float, shared: np.ndarray, own: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return strength * LABELS + shared + own * rng.normal(size=IMAGES)


def rightness(pattern: str) -> np.ndarray:
    return np.array([letter == "x" for letter in pattern])


# McNemar and Holm


@pytest.mark.parametrize(
    ("only_first", "only_second"), [(0, 1), (1, 0), (3, 9), (9, 3), (7, 7), (0, 20), (140, 181)]
)
def test_mcnemar_is_the_binomial_test_of_scipy(only_first: int, only_second: int) -> None:
    first = np.array([True] * only_first + [False] * only_second + [True] * 30 + [False] * 5)
    second = np.array([False] * only_first + [True] * only_second + [True] * 30 + [False] * 5)
    test = mcnemar(first, second)
    assert (test.only_first, test.only_second) == (only_first, only_second)
    expected = binomtest(only_first, only_first + only_second, 0.5).pvalue
    assert test.p == pytest.approx(expected)


def test_mcnemar_of_equals_is_one() -> None:
    assert mcnemar(rightness("xx.x"), rightness("xx.x")).p == 1.0


def test_mcnemar_by_hand() -> None:
    """Five images that the second alone has right: 2 / 2^5."""
    assert mcnemar(rightness("x....."), rightness("xxxxxx")).p == pytest.approx(1 / 16)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([], []),
        ([0.04], [0.04]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02, 0.02], [0.04, 0.04]),
        ([0.03, 0.001, 0.02], [0.04, 0.003, 0.04]),
    ],
)
def test_holm_by_hand(p_values: list[float], adjusted: list[float]) -> None:
    assert holm(p_values) == pytest.approx(adjusted)


# Resamples


@pytest.mark.parametrize("decimals", [1, 9])
def test_resampled_figures_are_those_of_scikit_learn_on_the_same_images(decimals: int) -> None:
    y_score = scores(0, 1.0, SHARED, 0.5).round(decimals)
    values = resampled_metrics(LABELS, [[SeedScores(0, y_score, 0.4)]], seed=3)[0]
    (resamples,) = stratified_resamples(LABELS, seed=3)
    counts = resamples.counts
    for column in (0, 1, 500, 999):
        chosen = np.repeat(np.arange(IMAGES), counts[:, column].astype(int))
        assert len(chosen) == IMAGES
        y_true, called = LABELS[chosen], y_score[chosen] >= 0.4
        assert y_true.sum() == LABELS.sum()
        expected = {
            "accuracy": accuracy_score(y_true, called),
            "f1_real": f1_score(y_true, called, pos_label=0),
            "f1_fake": f1_score(y_true, called),
            "roc_auc": roc_auc_score(y_true, y_score[chosen]),
        }
        assert {key: values[key][column] for key in RESAMPLED} == pytest.approx(expected)


def test_resamples_come_in_several_portions_for_many_images() -> None:
    y_true = np.arange(5000) % 2
    y_score = np.random.default_rng(0).random(5000)
    values = resampled_metrics(y_true, [[SeedScores(0, y_score, 0.5)]])[0]
    assert all(len(values[key]) == RESAMPLES for key in RESAMPLED)
    assert len(set(values["roc_auc"])) > 0.99 * RESAMPLES
    assert values["roc_auc"].mean() == pytest.approx(roc_auc_score(y_true, y_score), abs=0.002)


def test_figures_of_the_images_as_they_are() -> None:
    y_score = scores(1, 1.0, SHARED, 0.5)
    metrics = metrics_of(LABELS, SeedScores(0, y_score, 0.4))
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(LABELS, y_score))
    assert metrics["f1_fake"] == pytest.approx(f1_score(LABELS, y_score >= 0.4))


def test_a_class_never_called_has_an_f1_of_zero() -> None:
    metrics = metrics_of(LABELS, SeedScores(0, np.zeros(IMAGES), 0.5))
    assert metrics["f1_fake"] == 0.0
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["roc_auc"] == 0.5


def test_all_models_share_the_images_drawn() -> None:
    y_score = scores(1, 1.0, SHARED, 0.5)
    fit = SeedScores(0, y_score, 0.4)
    one, other = resampled_metrics(LABELS, [[fit], [fit]])
    for key in RESAMPLED:
        np.testing.assert_array_equal(one[key], other[key])


def test_several_seeds_are_averaged_and_widen_the_interval() -> None:
    good, bad = (
        SeedScores(n, scores(n, strength, SHARED, 0.2), 0.5) for n, strength in ((1, 3.0), (2, 0.5))
    )
    one, both, same = resampled_metrics(LABELS, [[good], [good, bad], [good, good]])
    mean = np.mean([metrics_of(LABELS, fit)["roc_auc"] for fit in (good, bad)])
    assert both["roc_auc"].mean() == pytest.approx(mean, abs=0.02)
    np.testing.assert_allclose(same["roc_auc"], one["roc_auc"])
    narrow, wide = (percentile(0.0, values["roc_auc"]) for values in (one, both))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_resamples_depend_on_the_seed_alone() -> None:
    fits = [[SeedScores(0, scores(1, 1.0, SHARED, 0.5), 0.5)] * 2]
    first, again, other = (resampled_metrics(LABELS, fits, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["accuracy"], again["accuracy"])
    assert (first["accuracy"] != other["accuracy"]).any()


# Differences


def roc_auc_difference(y_true: np.ndarray, first: np.ndarray, second: np.ndarray) -> Estimate:
    fits = (SeedScores(0, y_score, 0.5) for y_score in (first, second))
    return paired_effect(y_true, *fits)["roc_auc"]


def test_the_interval_holds_the_difference_and_turns_its_sign() -> None:
    better, worse = scores(1, 1.5, SHARED, 0.3), scores(2, 0.7, SHARED, 0.3)
    interval = roc_auc_difference(LABELS, better, worse)
    turned = roc_auc_difference(LABELS, worse, better)
    difference = roc_auc_score(LABELS, better) - roc_auc_score(LABELS, worse)
    assert 0 < interval.low < difference < interval.high
    assert (turned.low, turned.high) == pytest.approx((-interval.high, -interval.low))


def test_what_both_find_hard_is_no_difference() -> None:
    """Paired, the interval of two models that err alike is far narrower than of two that do not."""
    alike = roc_auc_difference(LABELS, scores(1, 1.0, SHARED, 0.1), scores(2, 1.0, SHARED, 0.1))
    strangers = roc_auc_difference(
        LABELS, scores(1, 1.0, 0 * SHARED, 1.0), scores(2, 1.0, 0 * SHARED, 1.0)
    )
    assert alike.high - alike.low < 0.4 * (strangers.high - strangers.low)


def test_a_model_does_not_differ_from_itself() -> None:
    y_score = scores(1, 1.0, SHARED, 0.5)
    interval = roc_auc_difference(LABELS, y_score, y_score)
    assert (interval.low, interval.high) == (0.0, 0.0)

"""Figures with intervals: of both classes, one class, parts; differences of two models."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn import metrics as sk
from sklearn.metrics import roc_auc_score

from fakeface_bench.cli import cli
from fakeface_bench.evaluation import metrics
from fakeface_bench.evaluation.intervals import roc_auc_estimate, wilson
from fakeface_bench.evaluation.metrics import (
    ESTIMATED,
    METRICS,
    Metric,
    estimates,
    part_estimates,
    score_metrics,
)
from fakeface_bench.evaluation.paired import paired_effect
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import SeedScores


def scored(images: int, seed: int, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw probabilities that are calibrated at sharpness 1, over-sure above it."""
    rng = np.random.default_rng(seed)
    y_true = (np.arange(images) % 2).astype(np.uint8)
    logit = 1.5 * (rng.normal(size=images) + 1.5 * y_true) - 1.125
    return y_true, 1 / (1 + np.exp(-sharpness * logit))


def rows(sources: Sequence[str], tier: Sequence[str] = ()) -> pd.DataFrame:
    nothing = [""] * len(sources)
    return pd.DataFrame(
        {"source": list(sources), "generator": nothing, "tier": list(tier) or nothing}
    )


def inside(estimate: Estimate) -> bool:
    return estimate.low <= estimate.value <= estimate.high


def test_every_figure_has_an_interval_that_holds_it() -> None:
    y_true, y_score = scored(400, 0)
    found = estimates(y_true, y_score, 0.4)
    assert set(found) == {*METRICS, "false_alarm_rate"}
    assert all(inside(estimate) for estimate in found.values())
    values = {key: estimate.value for key, estimate in found.items() if key in METRICS}
    assert values == pytest.approx(score_metrics(y_true, y_score, 0.4))


def test_shares_have_the_wilson_interval_and_roc_auc_one_of_its_own() -> None:
    y_true, y_score = scored(200, 1)
    found = estimates(y_true, y_score, 0.4)
    called = y_score >= 0.4
    for key, hits in (
        ("accuracy", called == y_true),
        ("recall_fake", called[y_true == 1]),
        ("false_alarm_rate", called[y_true == 0]),
    ):
        bounds = wilson(int(hits.sum()), len(hits))
        assert found[key] == Estimate(hits.mean(), bounds.low, bounds.high)
    assert found["roc_auc"] == roc_auc_estimate(y_true, y_score)


def test_a_metric_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is measured, has an interval by the resamples that all share, and is listed."""
    row = Metric("mean error", False, of_scores=lambda y, s: float(np.abs(s - y).mean()))
    brier_again = Metric("as `brier`", False, of_scores=sk.brier_score_loss)
    more = {**METRICS, "mean_error": row, "brier_again": brier_again}
    monkeypatch.setattr(metrics, "METRICS", more)
    y_true, y_score = scored(200, 1)
    found = estimates(y_true, y_score, 0.4)
    assert found["mean_error"].value == score_metrics(y_true, y_score, 0.4)["mean_error"]
    assert inside(found["mean_error"])
    fast, one_by_one = found["brier"], found["brier_again"]
    assert (one_by_one.low, one_by_one.high) == pytest.approx((fast.low, fast.high))
    listed = CliRunner().invoke(cli, ["list"])
    assert "mean_error" in listed.output


@pytest.mark.parametrize(("label", "key"), [(1, "recall_fake"), (0, "false_alarm_rate")])
def test_one_class_has_one_figure(label: int, key: str) -> None:
    y_true = np.full(10, label, np.uint8)
    found = estimates(y_true, np.linspace(0, 1, 10), 0.75)
    bounds = wilson(3, 10)
    assert found == {key: Estimate(0.3, bounds.low, bounds.high)}


def test_one_image_of_each_class_will_do() -> None:
    found = estimates(np.array([0, 1], np.uint8), np.array([0.2, 0.9]), 0.5)
    assert found["roc_auc"] == Estimate(1.0, pytest.approx(0.025), 1.0)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """40 sets of 150 images: at 95 %, 33 or fewer would be a mistake of the method."""
    truth = score_metrics(*scored(100_000, 99, 1.6), 0.5)
    keys = ("roc_auc", "balanced_accuracy", "f1_fake", "log_loss", "brier", "accuracy", "ece")
    held = dict.fromkeys(keys, 0)
    for seed in range(40):
        found = estimates(*scored(150, seed, 1.6), 0.5)
        for key in keys:
            held[key] += found[key].low <= truth[key] <= found[key].high
    assert all(count > 33 for count in held.values()), held


def test_the_calibration_error_of_a_calibrated_model_may_be_none() -> None:
    """Plain resampling would put all of the interval above the truth, which is 0."""
    lows = [estimates(*scored(150, seed), 0.5)["ece"].low for seed in range(20)]
    assert sum(low == 0.0 for low in lows) >= 17


def test_a_model_that_is_over_sure_has_a_calibration_error_above_none() -> None:
    assert estimates(*scored(1000, 0, 3.0), 0.5)["ece"].low > 0.03


def test_more_images_narrow_every_interval() -> None:
    few, many = (estimates(*scored(images, 3, 2.0), 0.5) for images in (100, 3000))
    assert all(many[key].high - many[key].low < few[key].high - few[key].low for key in few)


def test_figures_depend_on_the_seed_alone() -> None:
    y_true, y_score = scored(100, 0)
    assert estimates(y_true, y_score, 0.5) == estimates(y_true, y_score, 0.5)
    assert estimates(y_true, y_score, 0.5) != estimates(y_true, y_score, 0.5, seed=1)


# Parts


def test_a_tier_is_its_fakes_against_all_real_images() -> None:
    y_true, y_score = scored(120, 5)
    tiers = np.where(np.arange(120) % 4 == 1, "hard", "easy")
    parts = part_estimates(y_true, y_score, 0.5, rows("a" * 120, tier=tiers))
    assert list(parts) == ["tier/easy", "tier/hard"]
    of = (y_true == 0) | (tiers == "hard")
    assert parts["tier/hard"] == estimates(y_true[of], y_score[of], 0.5)


def test_a_source_is_its_own_images_and_may_hold_one_class() -> None:
    y_true, y_score = scored(90, 6)
    sources = np.where(y_true == 0, "a", np.where(np.arange(90) < 45, "a", "b"))
    parts = part_estimates(y_true, y_score, 0.5, rows(sources))
    assert list(parts) == ["a", "b"]
    assert set(parts["b"]) == {"recall_fake"}
    of = sources == "a"
    assert parts["a"] == estimates(y_true[of], y_score[of], 0.5)


def test_one_source_without_tiers_has_no_parts() -> None:
    y_true, y_score = scored(20, 7)
    assert part_estimates(y_true, y_score, 0.5, rows("a" * 20)) == {}


# Two models


def test_the_effect_is_the_difference_and_turns_its_sign() -> None:
    y_true, good = scored(300, 8, 2.0)
    poor = 0.5 * good + 0.5 * np.random.default_rng(0).random(300)
    first, second = SeedScores(0, good, 0.5), SeedScores(0, poor, 0.6)
    effect, turned = paired_effect(y_true, first, second), paired_effect(y_true, second, first)
    assert list(effect) == ["roc_auc", "recall_fake", "accuracy"]
    expected = roc_auc_score(y_true, good) - roc_auc_score(y_true, poor)
    assert effect["roc_auc"].value == pytest.approx(expected)
    found = [float((s.y_score[y_true == 1] >= s.threshold).mean()) for s in (first, second)]
    assert effect["recall_fake"].value == pytest.approx(found[0] - found[1])
    assert effect["roc_auc"].low > 0
    for key, estimate in effect.items():
        assert inside(estimate)
        assert turned[key].value == pytest.approx(-estimate.value)
        assert turned[key].low == pytest.approx(-estimate.high)


def test_a_model_does_not_differ_from_itself() -> None:
    y_true, y_score = scored(100, 9)
    scores = SeedScores(0, y_score, 0.5)
    effect = paired_effect(y_true, scores, scores)
    assert set(effect.values()) == {Estimate(0.0, 0.0, 0.0)}


@pytest.mark.parametrize(("label", "keys"), [(1, {"recall_fake", "accuracy"}), (0, {"accuracy"})])
def test_of_one_class_what_is_not_defined_is_left_out(label: int, keys: set[str]) -> None:
    y_true, y_score = np.full(30, label, np.uint8), np.linspace(0, 1, 30)
    scores = SeedScores(0, y_score, 0.5), SeedScores(0, y_score[::-1], 0.9)
    effect = paired_effect(y_true, *scores)
    assert set(effect) == keys
    assert abs(effect["accuracy"].value) == pytest.approx(12 / 30)


def test_the_interval_of_a_difference_holds_it_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held, sets, difference = 0, 60, 0.0
    for _ in range(sets):
        y_true = (np.arange(120) % 2).astype(np.uint8)
        shared = rng.normal(size=120) + 1.2 * y_true
        pair = [SeedScores(0, shared + rng.normal(size=120), 0.5) for _ in range(2)]
        estimate = paired_effect(y_true, *pair)["roc_auc"]
        held += estimate.low <= difference <= estimate.high
    assert held >= 51


def test_the_figures_of_a_set_are_those_of_a_study_and_the_false_alarms() -> None:
    found = estimates(*scored(400, 0, 1.0), 0.5)
    assert tuple(found) == ESTIMATED

"""Curves from scores: every figure from its own column, every interval from shared resamples."""

from dataclasses import replace

import numpy as np
import pytest

from fakeface_bench.data.corruptions import CONDITIONS, CORRUPTIONS
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.jobs.robustness import CorruptedScores, robustness_of
from fakeface_bench.records.transfer import ModelRobustness
from tests.report.corrupted_models import STRENGTHS, corrupted, labels


def of(*scored: CorruptedScores) -> tuple[ModelRobustness, ...]:
    return robustness_of(labels(len(scored[0].y_score)), scored)


def test_each_point_is_of_its_own_column() -> None:
    scored = corrupted("model")
    (model,) = of(scored)
    y_true = labels()
    assert model.roc_auc.value == pytest.approx(roc_auc(y_true, scored.y_score[:, 0]))
    found = {(curve.key, point.label): point for curve in model.curves for point in curve.corrupted}
    assert len(found) == len(CONDITIONS)
    for column, (corruption, severity) in enumerate(CONDITIONS, start=1):
        point, scores = found[corruption.key, severity.label], scored.y_score[:, column]
        assert point.step == severity.step
        assert point.roc_auc.value == pytest.approx(roc_auc(y_true, scores))
        assert point.accuracy.value == pytest.approx(((scores >= 0.5) == y_true).mean())
        assert point.roc_auc.low < point.roc_auc.value < point.roc_auc.high


def test_curves_stand_in_the_order_of_their_axes_with_the_untouched_pictures_at_0() -> None:
    (model,) = of(corrupted("model"))
    assert [curve.key for curve in model.curves] == [row.key for row in CORRUPTIONS]
    for curve in model.curves:
        steps = [point.step for point in curve.points]
        assert steps == sorted(steps)
        (untouched,) = (point for point in curve.points if point.step == 0)
        assert (untouched.roc_auc, untouched.accuracy) == (model.roc_auc, model.accuracy)


def test_the_mean_is_first_over_severities_then_over_corruptions() -> None:
    (model,) = of(corrupted("model"))
    means = [np.mean([p.roc_auc.value for p in curve.corrupted]) for curve in model.curves]
    assert [curve.roc_auc.value for curve in model.curves] == pytest.approx(means)
    assert model.mean_roc_auc.value == pytest.approx(np.mean(means))
    assert model.mean_roc_auc.low < model.mean_roc_auc.value < model.mean_roc_auc.high


def test_a_cost_is_paired_by_image() -> None:
    scored = corrupted("model", strengths=dict.fromkeys(STRENGTHS, 0.0))
    same = np.repeat(scored.y_score[:, :1], 1 + len(CONDITIONS), axis=1)
    (model,) = of(replace(scored, y_score=same))
    for curve in model.curves:
        assert (curve.cost.value, curve.cost.low, curve.cost.high) == pytest.approx((0, 0, 0))
        assert curve.roc_auc.high - curve.roc_auc.low > 0.02
    assert model.mean_roc_auc == pytest.approx(model.roc_auc)


def test_models_are_compared_with_the_best_by_shared_resamples() -> None:
    weak, strong, twin = (corrupted(name, distance) for name, distance in _THREE)
    first, best, same = of(weak, strong, twin)
    assert best.behind is None
    assert same.behind is not None
    assert first.behind is not None
    assert (same.behind.value, same.behind.low, same.behind.high) == (0, 0, 0)
    gap = best.mean_roc_auc.value - first.mean_roc_auc.value
    assert first.behind.value == pytest.approx(gap)
    assert 0 < first.behind.low < gap < first.behind.high


_THREE = (("weak", 1.5), ("strong", 3.0), ("twin", 3.0))


def test_company_changes_no_models_own_figures() -> None:
    alone, beside = of(corrupted("model")), of(corrupted("model"), corrupted("other", 1.0))
    assert beside[0] == alone[0]


def test_a_point_is_at_chance_where_its_interval_reaches_down_to_it() -> None:
    (model,) = of(corrupted("model", strengths=STRENGTHS | {"blur": 1.0, "jpeg": 0.0}))
    at_chance = {point.description for point in model.points if point.is_at_chance}
    assert "blur of σ 2 px" in at_chance
    assert not any(description.startswith("JPEG") for description in at_chance)
    assert model.costliest.key == "blur"

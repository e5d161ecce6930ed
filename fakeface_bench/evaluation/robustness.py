"""From the scores of corrupted pictures to curves; all figures share their bootstrap resamples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from fakeface_bench.data.corruptions import CONDITIONS, CORRUPTIONS, Corruption
from fakeface_bench.evaluation.bootstrap import percentile
from fakeface_bench.evaluation.paired import figures_of, resampled_figures
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import FloatArray, LabelArray, SeedScores
from fakeface_bench.records.transfer import (
    CurvePoint,
    ModelRobustness,
    Overlap,
    SeverityCurve,
    TrainedModel,
)

_UNTOUCHED = "untouched"


@dataclass(frozen=True, slots=True)
class CorruptedScores:
    """One model's scores of the same images under every condition.

    Attributes:
        model: Which model.
        overlap: What was left out because of it.
        y_score: Probability of fake, shape (n, 1 + conditions): untouched, then in the order of
            `CONDITIONS`.
    """

    model: TrainedModel
    overlap: Overlap
    y_score: FloatArray


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure of the images as they are, and of each resample, shape (1000,)."""

    value: float
    resamples: FloatArray

    @property
    def estimate(self) -> Estimate:
        return percentile(self.value, self.resamples)

    def less(self, other: Self) -> "_Figure":
        return _Figure(self.value - other.value, self.resamples - other.resamples)


#: The figures of one condition by their key in `METRICS`.
_Condition = dict[str, _Figure]


def robustness_of(
    y_true: LabelArray, scored: Sequence[CorruptedScores], seed: int = 0
) -> tuple[ModelRobustness, ...]:
    """Return each model's curves, with 95 % intervals over images.

    A resample draws the same images for every model, corruption and severity, so the intervals of
    means and differences count what those share.

    Args:
        y_true: 1 for fake, both classes present, shape (n,).
        scored: Of each model, in the order of `y_true`.
        seed: Of the resamples.
    """
    columns = [
        SeedScores(0, np.ascontiguousarray(column), scores.model.threshold)
        for scores in scored
        for column in scores.y_score.T
    ]
    drawn = resampled_figures(y_true, [[column] for column in columns], seed)
    conditions = [
        {key: _Figure(value, resamples[key]) for key, value in figures_of(y_true, column).items()}
        for column, resamples in zip(columns, drawn, strict=True)
    ]
    width = 1 + len(CONDITIONS)
    of_models = [conditions[start : start + width] for start in range(0, len(columns), width)]
    found = [_of_model(scores, own) for scores, own in zip(scored, of_models, strict=True)]
    return _beside_the_best([model for model, _ in found], [mean for _, mean in found])


def _of_model(
    scores: CorruptedScores, conditions: Sequence[_Condition]
) -> tuple[ModelRobustness, _Figure]:
    untouched, corrupted = conditions[0], iter(conditions[1:])
    curves, means = [], []
    for corruption in CORRUPTIONS:
        own = [next(corrupted) for _ in corruption.severities]
        mean = _mean(condition["roc_auc"] for condition in own)
        means.append(mean)
        curves.append(_curve(corruption, untouched, own, mean))
    overall = _mean(means)
    model = ModelRobustness(
        model=scores.model,
        overlap=scores.overlap,
        roc_auc=untouched["roc_auc"].estimate,
        accuracy=untouched["accuracy"].estimate,
        curves=tuple(curves),
        mean_roc_auc=overall.estimate,
    )
    return model, overall


def _curve(
    corruption: Corruption, untouched: _Condition, own: Sequence[_Condition], mean: _Figure
) -> SeverityCurve:
    points = [_point(corruption.untouched, _UNTOUCHED, 0, untouched)]
    for severity, figures in zip(corruption.severities, own, strict=True):
        told = corruption.told.format(severity.label)
        points.append(_point(severity.label, told, severity.step, figures))
    return SeverityCurve(
        key=corruption.key,
        title=corruption.title,
        axis=corruption.axis,
        points=tuple(sorted(points, key=lambda point: point.step)),
        roc_auc=mean.estimate,
        cost=untouched["roc_auc"].less(mean).estimate,
    )


def _point(label: str, told: str, step: int, figures: _Condition) -> CurvePoint:
    return CurvePoint(label, told, step, figures["roc_auc"].estimate, figures["accuracy"].estimate)


def _mean(figures: Iterable[_Figure]) -> _Figure:
    listed = list(figures)
    return _Figure(
        float(np.mean([figure.value for figure in listed])),
        np.mean([figure.resamples for figure in listed], axis=0),
    )


def _beside_the_best(
    models: Sequence[ModelRobustness], means: Sequence[_Figure]
) -> tuple[ModelRobustness, ...]:
    best = max(range(len(models)), key=lambda place: means[place].value)
    return tuple(
        model if place == best else replace(model, behind=means[best].less(mean).estimate)
        for place, (model, mean) in enumerate(zip(models, means, strict=True))
    )

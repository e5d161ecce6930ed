"""The figures of a test of robustness as tables: whole as CSV, short for a terminal and a page."""

from collections.abc import Iterator

import pandas as pd

from fakeface_bench.records import Estimate
from fakeface_bench.records.robustness import CurvePoint, ModelRobustness, Robustness
from fakeface_bench.report.robustness.told import estimate, label_of
from fakeface_bench.visible import visible

_UNTOUCHED = "untouched"
_ALL = "all corruptions"


def points_table(robustness: Robustness) -> pd.DataFrame:
    """Return a row a model and kind of picture, the untouched ones first."""
    rows = [row for model in robustness.models for row in _points(model)]
    return pd.DataFrame(rows).assign(images=robustness.images)


def means_table(robustness: Robustness) -> pd.DataFrame:
    """Return a row a model and corruption, then one of all: mean ROC AUC, and what it cost."""
    rows = []
    for model in robustness.models:
        for curve in model.curves:
            figures = _columns("roc_auc", curve.roc_auc) | _columns("cost", curve.cost)
            rows.append(_named(model) | {"corruption": curve.key} | figures)
        behind = {} if model.behind is None else _columns("behind_best", model.behind)
        overall = _columns("roc_auc", model.mean_roc_auc) | behind
        rows.append(_named(model) | {"corruption": _ALL} | overall)
    return pd.DataFrame(rows)


def robustness_rows(robustness: Robustness) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the heads and rows of the short table: ROC AUC by corruption, a column a model."""
    models = robustness.models
    header = ("ROC AUC (95 %)", *(label_of(model) for model in models))
    rows = [
        ("untouched", *(estimate(model.roc_auc) for model in models)),
        ("mean of all corruptions", *(estimate(model.mean_roc_auc) for model in models)),
    ]
    for number, curve in enumerate(models[0].curves):
        means = (estimate(model.curves[number].roc_auc) for model in models)
        rows.append((_with_range(curve.title, curve.corrupted), *means))
    return header, rows


def _with_range(title: str, points: tuple[CurvePoint, ...]) -> str:
    """Return a corruption with its severities: `JPEG, 95 to 30`."""
    first, last = points[0].label, points[-1].label
    return f"{title}, {first}" if len(points) == 1 else f"{title}, {first} to {last}"


def _points(model: ModelRobustness) -> Iterator[dict[str, object]]:
    untouched = _columns("roc_auc", model.roc_auc) | _columns("accuracy", model.accuracy)
    yield _point_row(model, _UNTOUCHED, "", 0) | untouched
    for curve in model.curves:
        for point in curve.corrupted:
            figures = _columns("roc_auc", point.roc_auc) | _columns("accuracy", point.accuracy)
            yield _point_row(model, curve.key, point.label, point.step) | figures


def _point_row(model: ModelRobustness, key: str, label: str, step: int) -> dict[str, object]:
    return _named(model) | {"corruption": key, "severity": label, "step": step}


def _named(model: ModelRobustness) -> dict[str, object]:
    return {"model": visible(model.model.label), "address": visible(model.model.address)}


def _columns(name: str, figure: Estimate) -> dict[str, object]:
    return {
        name: round(figure.value, 6),
        f"{name}_low_95": round(figure.low, 6),
        f"{name}_high_95": round(figure.high, 6),
    }

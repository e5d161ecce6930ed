"""The pictures of a test of robustness: severity curves, and what each model keeps on the mean."""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.transfer import CHANCE, CurvePoint, Robustness, SeverityCurve
from fakeface_bench.report import plotting
from fakeface_bench.report.comparison_plots import Mark, mark
from fakeface_bench.report.format import described, label_of

_COLUMNS = 2
_ROW_INCHES = 1.95
_LEGEND_ROW_INCHES = 0.21
_TOP = 1.02


@dataclass(frozen=True, slots=True)
class _Metric:
    """What the curves are of; `baseline` is what needs no eyes, and its name."""

    title: str
    axis: str
    of_point: Callable[[CurvePoint], Estimate]
    baseline: float
    baseline_name: str


def draw_roc_auc_curves(robustness: Robustness, path: Path) -> None:
    """Draw ROC AUC over the severities of every corruption."""
    title = "ROC AUC under corruption"
    metric = _Metric(title, "ROC AUC", lambda point: point.roc_auc, CHANCE, "chance")
    _draw(robustness, metric, path)


def draw_accuracy_curves(robustness: Robustness, path: Path) -> None:
    """Draw accuracy at each model's own threshold over the severities of every corruption."""
    title = "Accuracy under corruption, at each model's own threshold"
    base = robustness.larger_class
    name = "always predicting the larger class"
    _draw(robustness, _Metric(title, "Accuracy", lambda point: point.accuracy, base, name), path)


def _draw(robustness: Robustness, metric: _Metric, path: Path) -> None:
    curves = robustness.models[0].curves
    rows = -(-len(curves) // _COLUMNS)
    legend_rows = -(-(len(robustness.models) + 1) // _COLUMNS) + 1
    height = _ROW_INCHES * rows + _LEGEND_ROW_INCHES * legend_rows
    figure = plotting.new_figure(metric.title, described(robustness), height)
    panels = figure.subplots(rows, _COLUMNS, sharey=True, squeeze=False).ravel()
    for axes in panels[len(curves) :]:
        axes.set_axis_off()
    for number, (axes, curve) in enumerate(zip(panels, curves, strict=False)):
        axes.axhline(metric.baseline, color=plotting.PALE_INK, ls=":", lw=1.4, zorder=1)
        for rank, model in enumerate(robustness.models, start=1):
            _draw_curve(axes, model.curves[number], metric, mark(rank))
        _dress(axes, curve, metric.axis if number % _COLUMNS == 0 else "")
    panels[0].set_ylim(_bottom(robustness, metric), _TOP)
    plotting.legend_below(figure, _marks(robustness, metric), _COLUMNS)
    plotting.save(figure, path)


def _marks(robustness: Robustness, metric: _Metric) -> list[tuple[str, Line2D]]:
    """Return the models' names and marks and, last, the baseline's."""
    marks = []
    for rank, model in enumerate(robustness.models, start=1):
        look = mark(rank)
        line = Line2D([], [], color=look.colour, marker=look.marker, markersize=7, ls=look.line)
        marks.append((label_of(model), line))
    baseline = Line2D([], [], color=plotting.PALE_INK, linestyle=":", linewidth=1.4)
    return [*marks, (metric.baseline_name, baseline)]


def _draw_curve(axes: Axes, curve: SeverityCurve, metric: _Metric, look: Mark) -> None:
    steps = [point.step for point in curve.points]
    estimates = [metric.of_point(point) for point in curve.points]
    low, high = ([e.low for e in estimates], [e.high for e in estimates])
    axes.fill_between(steps, low, high, color=look.colour, alpha=0.22, linewidth=0, zorder=2)
    values = [e.value for e in estimates]
    axes.plot(steps, values, look.line, color=look.colour, linewidth=1.6, zorder=3)
    axes.plot(steps, values, look.marker, color=look.colour, markersize=5, zorder=4)


def _dress(axes: Axes, curve: SeverityCurve, y_label: str) -> None:
    plotting.dress(axes, curve.axis, y_label)
    axes.xaxis.label.set(fontsize=plotting.SMALL_POINTS, color=plotting.PALE_INK)
    title = axes.set_title(curve.title, loc="left")
    title.set(fontsize=plotting.LABEL_POINTS, color=plotting.INK, family=plotting.FONT)
    steps = [point.step for point in curve.points]
    axes.set_xticks(steps, [point.label for point in curve.points])
    axes.set_xlim(min(steps) - 0.25, max(steps) + 0.25)
    axes.axvline(0, color="#BDBDBD", linewidth=0.9, zorder=0)


def _bottom(robustness: Robustness, metric: _Metric) -> float:
    """Return the lower end of all panels: below chance and every interval, at a multiple of 0.1."""
    lowest = min(
        metric.of_point(point).low
        for model in robustness.models
        for curve in model.curves
        for point in curve.points
    )
    return max(0.0, floor(10 * min(lowest, metric.baseline) - 0.2) / 10)


_MODEL_INCHES = 0.62
_AROUND_INCHES = 1.25
#: Of a model's row, between the two estimates.
_APART = 0.17


def draw_summary(robustness: Robustness, path: Path) -> None:
    """Draw each model's mean ROC AUC over corruptions, and that of untouched pictures above it."""
    models = robustness.models
    height = _AROUND_INCHES + _MODEL_INCHES * len(models)
    words = f"{described(robustness)}\nfilled: mean of all corruptions; hollow: untouched pictures"
    figure = plotting.new_figure("What a model keeps on corrupted pictures", words, height)
    axes = figure.add_subplot()
    axes.axvline(CHANCE, color=plotting.PALE_INK, linestyle=":", linewidth=1.4, zorder=1)
    for number, model in enumerate(models):
        _draw_estimate(axes, model.roc_auc, number - _APART, number + 1, hollow=True)
        _draw_estimate(axes, model.mean_roc_auc, number + _APART, number + 1, hollow=False)
    plotting.dress(axes, "ROC AUC (dotted: chance)", "")
    names = [plotting.plain(_broken(label_of(model))) for model in models]
    axes.set_yticks(range(len(models)), names)
    for text in axes.get_yticklabels():
        text.set(parse_math=False, family=plotting.FONT)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.set_xlim(_left(robustness), 1.01)
    plotting.save(figure, path)


def _draw_estimate(axes: Axes, estimate: Estimate, y: float, rank: int, hollow: bool) -> None:
    look = mark(rank)
    axes.errorbar(
        [estimate.value],
        [y],
        xerr=plotting.error_ends([estimate]),
        fmt=look.marker,
        color=look.colour,
        markerfacecolor="white" if hollow else look.colour,
        markersize=9,
        capsize=4,
        elinewidth=1.6,
        zorder=3,
    )


def _left(robustness: Robustness) -> float:
    lows = [low for m in robustness.models for low in (m.roc_auc.low, m.mean_roc_auc.low)]
    return max(0.0, floor(20 * min(*lows, CHANCE) - 0.2) / 20)


def _broken(label: str) -> str:
    """Break a long name after its comma: the axis has room for half a line."""
    return label.replace(", ", ",\n", 1)

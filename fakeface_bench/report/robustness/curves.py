"""Severity curves as small multiples: a panel a corruption, a line a model, one range for all."""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from pathlib import Path

from matplotlib.axes import Axes

from fakeface_bench.records import Estimate
from fakeface_bench.records.robustness import CHANCE, CurvePoint, Robustness, SeverityCurve
from fakeface_bench.report import style
from fakeface_bench.report.comparison.palette import Mark, mark
from fakeface_bench.report.robustness.marks import explain, legend_inches
from fakeface_bench.report.robustness.told import described

_COLUMNS = 2
_ROW_INCHES = 1.95
_TOP = 1.02


@dataclass(frozen=True, slots=True)
class _Figure:
    """What the curves are of; `chance` is what needs no eyes, and its name."""

    title: str
    axis: str
    of_point: Callable[[CurvePoint], Estimate]
    chance: float
    chance_name: str


def draw_roc_auc_curves(robustness: Robustness, path: Path) -> None:
    """Draw ROC AUC over the severities of every corruption."""
    figure = _Figure(
        "ROC AUC under corruption", "ROC AUC", lambda point: point.roc_auc, CHANCE, "chance"
    )
    _draw(robustness, figure, path)


def draw_accuracy_curves(robustness: Robustness, path: Path) -> None:
    """Draw accuracy at each model's own threshold over the severities of every corruption."""
    figure = _Figure(
        "Accuracy under corruption, at each model's own threshold",
        "Accuracy",
        lambda point: point.accuracy,
        robustness.larger_class,
        "always calling the larger class",
    )
    _draw(robustness, figure, path)


def _draw(robustness: Robustness, of: _Figure, path: Path) -> None:
    curves = robustness.models[0].curves
    rows = -(-len(curves) // _COLUMNS)
    height = _ROW_INCHES * rows + legend_inches(robustness)
    figure = style.new_figure(of.title, described(robustness), height)
    panels = figure.subplots(rows, _COLUMNS, sharey=True, squeeze=False).ravel()
    for number, axes in enumerate(panels):
        if number >= len(curves):
            axes.set_axis_off()
            continue
        axes.axhline(of.chance, color=style.PALE_INK, linestyle=":", linewidth=1.4, zorder=1)
        for rank, model in enumerate(robustness.models, start=1):
            _draw_curve(axes, model.curves[number], of, mark(rank))
        _dress(axes, curves[number], of.axis if number % _COLUMNS == 0 else "")
    panels[0].set_ylim(_bottom(robustness, of), _TOP)
    explain(figure, robustness, of.chance_name)
    style.save(figure, path)


def _draw_curve(axes: Axes, curve: SeverityCurve, of: _Figure, look: Mark) -> None:
    steps = [point.step for point in curve.points]
    estimates = [of.of_point(point) for point in curve.points]
    low, high = ([e.low for e in estimates], [e.high for e in estimates])
    axes.fill_between(steps, low, high, color=look.colour, alpha=0.22, linewidth=0, zorder=2)
    values = [e.value for e in estimates]
    axes.plot(steps, values, look.line, color=look.colour, linewidth=1.6, zorder=3)
    axes.plot(steps, values, look.marker, color=look.colour, markersize=5, zorder=4)


def _dress(axes: Axes, curve: SeverityCurve, y_label: str) -> None:
    style.dress(axes, curve.axis, y_label)
    axes.xaxis.label.set(fontsize=style.SMALL_POINTS, color=style.PALE_INK)
    axes.set_title(
        curve.title, fontsize=style.LABEL_POINTS, color=style.INK, family=style.FONT, loc="left"
    )
    steps = [point.step for point in curve.points]
    axes.set_xticks(steps, [point.label for point in curve.points])
    axes.set_xlim(min(steps) - 0.25, max(steps) + 0.25)
    axes.axvline(0, color="#BDBDBD", linewidth=0.9, zorder=0)


def _bottom(robustness: Robustness, of: _Figure) -> float:
    """Return the lower end of all panels: below chance and every interval, at a multiple of 0.1."""
    lowest = min(
        of.of_point(point).low
        for model in robustness.models
        for curve in model.curves
        for point in curve.points
    )
    return max(0.0, floor(10 * min(lowest, of.chance) - 0.2) / 10)

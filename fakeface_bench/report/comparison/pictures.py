"""The front and the validation curves of a comparison as PNG."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter, NullLocator

from fakeface_bench.report import style
from fakeface_bench.report.comparison.axes import SHORTEST, time_axis
from fakeface_bench.report.comparison.comparison import Comparison
from fakeface_bench.report.comparison.curves import AccuracyCurve, accuracy_curve
from fakeface_bench.report.comparison.palette import mark
from fakeface_bench.report.comparison.plots import PALE
from fakeface_bench.report.comparison.standing import Standing
from fakeface_bench.visible import elided

_LEGEND_POINTS = 9.5
_LEGEND_ROW_INCHES = 0.2
_LONGEST_NAME = 38
_LONGEST_DATA = 34


def draw_front(comparison: Comparison, path: Path) -> None:
    """Draw accuracy against cold cost with intervals; dominated studies are pale."""
    standings = comparison.standings
    title = "What accuracy costs"
    figure = style.new_figure(title, described(comparison), 4.6 + _legend_inches(standings))
    axes = figure.add_subplot()
    leading = sorted(
        (max(SHORTEST, standing.cold_seconds), standing.accuracy.value)
        for standing in standings
        if standing.on_front
    )
    axes.step(*zip(*leading, strict=True), where="post", color=style.PALE_INK, linestyle=":")
    for standing in standings:
        _draw_point(axes, standing)
    style.dress(axes, "Cost of the study from a cold start (log scale)", "Test accuracy")
    _log_time(axes, [standing.cold_seconds for standing in standings])
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")
    _explain(figure, standings, lines=False)
    style.save(figure, path)


def draw_curves(comparison: Comparison, path: Path) -> None:
    """Draw validation accuracy by epoch, and below by elapsed time, of every final fit."""
    standings = comparison.standings
    curves = [accuracy_curve(study) for study in comparison.studies]
    title = "Validation accuracy of the final fits, at threshold 0.5"
    words = "hollow: the head alone, before layers were trained with it"
    more = [words] if any(curve.is_head_alone.any() for curve in curves) else []
    lines = "\n".join([_of_data(comparison), *more])
    figure = style.new_figure(title, lines, 7.6 + _legend_inches(standings))
    by_epoch, by_time = figure.subplots(2, 1)
    for standing, curve in zip(standings, curves, strict=True):
        _draw_curve(by_epoch, standing, curve, by_time=False)
        _draw_curve(by_time, standing, curve, by_time=True)
    style.dress(by_epoch, "Epoch (counted from 1)", "Validation accuracy at 0.5")
    by_epoch.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    elapsed = "Elapsed from a cold start, without the search (log scale)"
    style.dress(by_time, elapsed, "Validation accuracy at 0.5")
    _log_time(by_time, [float(time) for curve in curves for time in curve.elapsed])
    _explain(figure, standings, lines=True)
    style.save(figure, path)


def described(comparison: Comparison) -> str:
    """Say how many studies of which data are compared on how many images."""
    count = len(comparison.standings)
    studies = f"{count} {'study' if count == 1 else 'studies'}"
    return f"{_of_data(comparison)}, {studies}, n = {comparison.images:,} test images"


def _of_data(comparison: Comparison) -> str:
    names = sorted({elided(study.identity.data, _LONGEST_DATA) for study in comparison.studies})
    return names[0] if len(names) == 1 else f"{names[0]} and others"


def _draw_point(axes: Axes, standing: Standing) -> None:
    look, figure = mark(standing.rank), standing.accuracy
    low, high = figure.interval.low, figure.interval.high
    axes.errorbar(
        [max(SHORTEST, standing.cold_seconds)],
        [figure.value],
        yerr=[[max(0.0, figure.value - low)], [max(0.0, high - figure.value)]],
        fmt=look.marker,
        color=look.colour,
        markersize=10,
        capsize=4,
        elinewidth=1.6,
        alpha=1.0 if standing.on_front else PALE,
        zorder=3 if standing.on_front else 2,
    )


def _draw_curve(axes: Axes, standing: Standing, curve: AccuracyCurve, by_time: bool) -> None:
    look = mark(standing.rank)
    x = curve.elapsed.clip(min=SHORTEST) if by_time else curve.epochs
    axes.plot(x, curve.accuracy, look.line, color=look.colour, linewidth=1.6)
    for alone, fill in ((False, look.colour), (True, "white")):
        chosen = curve.is_head_alone == alone
        axes.plot(
            x[chosen],
            curve.accuracy[chosen],
            look.marker,
            color=look.colour,
            markerfacecolor=fill,
            markersize=6,
        )


def _log_time(axes: Axes, seconds: Sequence[float]) -> None:
    axis = time_axis(seconds)
    axes.set_xscale("log")
    axes.set_xlim(axis.low, axis.high)
    axes.xaxis.set_major_locator(FixedLocator(list(axis.marks)))
    axes.xaxis.set_major_formatter(FixedFormatter(axis.texts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _legend_inches(standings: Sequence[Standing]) -> float:
    return _LEGEND_ROW_INCHES * (-(-len(standings) // 2) + 1)


def _explain(figure: Figure, standings: Sequence[Standing], lines: bool) -> None:
    """Name the marks below the axes.

    Names are set afterwards: a legend reads some specially.
    """
    handles = [_handle(standing, lines) for standing in standings]
    legend = figure.legend(
        handles,
        [str(standing.rank) for standing in standings],
        loc="outside lower center",
        ncols=min(2, len(standings)),
        fontsize=_LEGEND_POINTS,
        frameon=False,
    )
    for text, standing in zip(legend.get_texts(), standings, strict=True):
        text.set_parse_math(False)
        text.set_fontfamily(style.FONT)
        text.set_text(style.plain(elided(standing.label, _LONGEST_NAME)))


def _handle(standing: Standing, lines: bool) -> Line2D:
    look = mark(standing.rank)
    return Line2D(
        [],
        [],
        color=look.colour,
        marker=look.marker,
        markersize=8,
        linestyle=look.line if lines else "none",
        alpha=1.0 if lines or standing.on_front else PALE,
    )

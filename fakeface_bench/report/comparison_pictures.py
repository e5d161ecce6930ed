"""The pictures of a comparison as PNG: the front, validation curves, and confusion matrices."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter, NullLocator

from fakeface_bench.analysis.comparison import (
    AccuracyCurve,
    Comparison,
    CountArray,
    LeaderboardEntry,
    accuracy_curve,
)
from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.report import plotting
from fakeface_bench.report.comparison_plots import PALE, SHORTEST, mark, time_axis
from fakeface_bench.support.text import elided

_LEGEND_POINTS = 9.5
_LEGEND_ROW_INCHES = 0.2
_LONGEST_NAME = 38
_LONGEST_DATA = 34


def draw_front(comparison: Comparison, path: Path) -> None:
    """Draw accuracy against cold cost with intervals; dominated studies are pale."""
    entries = comparison.entries
    title = "What accuracy costs"
    figure = plotting.new_figure(title, described(comparison), 4.6 + _legend_inches(entries))
    axes = figure.add_subplot()
    leading = sorted(
        (max(SHORTEST, entry.cold_seconds), entry.accuracy.value)
        for entry in entries
        if entry.on_front
    )
    axes.step(*zip(*leading, strict=True), where="post", color=plotting.PALE_INK, linestyle=":")
    for entry in entries:
        _draw_point(axes, entry)
    plotting.dress(axes, "Cost of the study from a cold start (log scale)", "Test accuracy")
    _log_time(axes, [entry.cold_seconds for entry in entries])
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")
    _explain(figure, entries, lines=False)
    plotting.save(figure, path)


def draw_curves(comparison: Comparison, path: Path) -> None:
    """Draw validation accuracy by epoch, and below by elapsed time, of every final fit."""
    entries = comparison.entries
    curves = [accuracy_curve(study) for study in comparison.studies]
    title = "Validation accuracy of the final fits, at threshold 0.5"
    words = "hollow: the head alone, before layers were trained with it"
    more = [words] if any(curve.is_head_alone.any() for curve in curves) else []
    lines = "\n".join([_of_data(comparison), *more])
    figure = plotting.new_figure(title, lines, 7.6 + _legend_inches(entries))
    by_epoch, by_time = figure.subplots(2, 1)
    for entry, curve in zip(entries, curves, strict=True):
        _draw_curve(by_epoch, entry, curve, by_time=False)
        _draw_curve(by_time, entry, curve, by_time=True)
    plotting.dress(by_epoch, "Epoch (counted from 1)", "Validation accuracy at 0.5")
    by_epoch.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    elapsed = "Elapsed from a cold start, without the search (log scale)"
    plotting.dress(by_time, elapsed, "Validation accuracy at 0.5")
    _log_time(by_time, [float(time) for curve in curves for time in curve.elapsed])
    _explain(figure, entries, lines=True)
    plotting.save(figure, path)


def described(comparison: Comparison) -> str:
    """Say how many studies of which data are compared on how many images."""
    count = len(comparison.entries)
    studies = f"{count} {'study' if count == 1 else 'studies'}"
    return f"{_of_data(comparison)}, {studies}, n = {comparison.images:,} test images"


def _of_data(comparison: Comparison) -> str:
    names = sorted({elided(study.identity.data, _LONGEST_DATA) for study in comparison.studies})
    return names[0] if len(names) == 1 else f"{names[0]} and others"


def _draw_point(axes: Axes, entry: LeaderboardEntry) -> None:
    look, figure = mark(entry.rank), entry.accuracy
    low, high = figure.low, figure.high
    axes.errorbar(
        [max(SHORTEST, entry.cold_seconds)],
        [figure.value],
        yerr=[[max(0.0, figure.value - low)], [max(0.0, high - figure.value)]],
        fmt=look.marker,
        color=look.colour,
        markersize=10,
        capsize=4,
        elinewidth=1.6,
        alpha=1.0 if entry.on_front else PALE,
        zorder=3 if entry.on_front else 2,
    )


def _draw_curve(axes: Axes, entry: LeaderboardEntry, curve: AccuracyCurve, by_time: bool) -> None:
    look = mark(entry.rank)
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


def _legend_inches(entries: Sequence[LeaderboardEntry]) -> float:
    return _LEGEND_ROW_INCHES * (-(-len(entries) // 2) + 1)


def _explain(figure: Figure, entries: Sequence[LeaderboardEntry], lines: bool) -> None:
    """Name the marks below the axes.

    Names are set afterwards: a legend reads some specially.
    """
    handles = [_handle(entry, lines) for entry in entries]
    legend = figure.legend(
        handles,
        [str(entry.rank) for entry in entries],
        loc="outside lower center",
        ncols=min(2, len(entries)),
        fontsize=_LEGEND_POINTS,
        frameon=False,
    )
    for text, entry in zip(legend.get_texts(), entries, strict=True):
        text.set_parse_math(False)
        text.set_fontfamily(plotting.FONT)
        text.set_text(plotting.plain(elided(entry.label, _LONGEST_NAME)))


def _handle(entry: LeaderboardEntry, lines: bool) -> Line2D:
    look = mark(entry.rank)
    return Line2D(
        [],
        [],
        color=look.colour,
        marker=look.marker,
        markersize=8,
        linestyle=look.line if lines else "none",
        alpha=1.0 if lines or entry.on_front else PALE,
    )


_COLUMNS = 4
_ROW_INCHES = 2.15
_LONGEST_LINE = 20
_LONGEST_ROW = 30
#: Models up to which a share has a digit after the point; more are too narrow for it.
_MOST_WITH_DIGITS = 9
#: Shares above it are written in white.
_DARK_FROM = 0.6


def draw_confusions(comparison: Comparison, path: Path) -> None:
    """Draw every kept model's confusion matrix, coloured by share of the true class."""
    entries, counts = comparison.entries, comparison.agreement.confusions
    columns = min(_COLUMNS, max(2, len(entries)))
    rows = -(-len(entries) // columns)
    title = "Confusion matrices of the kept models"
    figure = plotting.new_figure(title, described(comparison), rows * _ROW_INCHES + 0.25)
    for place, (entry, matrix) in enumerate(zip(entries, counts, strict=True)):
        axes = figure.add_subplot(rows, columns, place + 1)
        _draw_confusion(axes, matrix)
        axes.set_title(
            plotting.plain(_on_lines(entry.label)),
            fontsize=9,
            color=plotting.INK,
            parse_math=False,
        )
        if place % columns == 0:
            axes.set_ylabel("true", fontsize=plotting.SMALL_POINTS, color=plotting.PALE_INK)
        if place + columns >= len(entries):
            axes.set_xlabel("called", fontsize=plotting.SMALL_POINTS, color=plotting.PALE_INK)
    plotting.save(figure, path)


def draw_agreement(comparison: Comparison, path: Path) -> None:
    """Draw the share of test images that each two kept models call alike."""
    count = len(comparison.entries)
    title = "Share of test images called alike"
    figure = plotting.new_figure(title, described(comparison), 1.2 + max(1.6, 0.3 * count))
    axes = figure.add_subplot()
    if count == 1:
        plotting.note(axes, "There is one study, and none that could call alike.")
        plotting.save(figure, path)
        return
    shares = comparison.agreement.same_calls
    low = min(0.95, float(shares.min()))
    others = np.ma.array(shares, mask=np.eye(count, dtype=bool))
    picture = axes.imshow(others, cmap="Purples", vmin=low - 0.05, vmax=1.0, aspect="auto")
    points, digits = (plotting.SMALL_POINTS, 1) if count <= _MOST_WITH_DIGITS else (7.5, 0)
    middle = (low - 0.05 + 1) / 2 + 0.1 * (1.05 - low)
    for row, column in np.ndindex(shares.shape):
        colour = "white" if shares[row, column] > middle and row != column else plotting.INK
        description = "–" if row == column else f"{100 * shares[row, column]:.{digits}f}"
        axes.text(column, row, description, ha="center", va="center", fontsize=points, color=colour)
    names = [f"{s.rank}  {elided(s.label, _LONGEST_ROW)}" for s in comparison.entries]
    axes.set_yticks(range(count), [plotting.plain(name) for name in names], parse_math=False)
    axes.set_xticks(range(count), [str(entry.rank) for entry in comparison.entries])
    axes.tick_params(labelsize=9, colors=plotting.INK, length=0)
    axes.spines[:].set_visible(False)
    _scale(figure, axes, picture)
    plotting.save(figure, path)


def _scale(figure: Figure, axes: Axes, picture: AxesImage) -> None:
    bar = figure.colorbar(
        picture, ax=axes, fraction=0.05, pad=0.02, format=lambda share, _: f"{100 * share:.0f}%"
    )
    bar.ax.tick_params(labelsize=9, colors=plotting.INK)
    bar.outline.set_visible(False)


def _draw_confusion(axes: Axes, counts: CountArray) -> None:
    shares = counts / counts.sum(axis=1, keepdims=True)
    axes.imshow(shares, cmap="Purples", vmin=0, vmax=1.1)
    for row, column in np.ndindex(2, 2):
        share = shares[row, column]
        axes.text(
            column,
            row,
            f"{counts[row, column]:,}\n{100 * share:.1f}%",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if share > _DARK_FROM else plotting.INK,
        )
    axes.set_xticks(range(2), CLASS_NAMES)
    axes.set_yticks(range(2), CLASS_NAMES, rotation=90, va="center")
    axes.tick_params(labelsize=9, colors=plotting.INK, length=0)
    axes.spines[:].set_visible(False)


def _on_lines(label: str) -> str:
    """Break a long name once, so that neighbours do not touch."""
    if len(label) <= _LONGEST_LINE:
        return label
    head, _, tail = label.partition(" (")
    if tail and len(head) <= _LONGEST_LINE:
        return f"{head}\n{elided(f'({tail}', _LONGEST_LINE)}"
    start = label[:_LONGEST_LINE]
    end = max(start.rfind("_"), start.rfind(" "), start.rfind("-")) + 1 or _LONGEST_LINE
    return f"{label[:end].rstrip()}\n{elided(label[end:], _LONGEST_LINE)}"

"""Confusion matrices side by side, and how often two models call alike, as PNG."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.report import style
from fakeface_bench.report.comparison.agreement import CountArray
from fakeface_bench.report.comparison.comparison import Comparison
from fakeface_bench.report.comparison.pictures import described
from fakeface_bench.visible import elided

_COLUMNS = 4
_ROW_INCHES = 2.15
_LONGEST_NAME = 20
_LONGEST_ROW = 30
#: Models up to which a share has a digit after the point; more are too narrow for it.
_MOST_WITH_DIGITS = 9
#: Shares above it are written in white.
_DARK_FROM = 0.6


def draw_confusions(comparison: Comparison, path: Path) -> None:
    """Draw every kept model's confusion matrix, coloured by share of the true class."""
    standings, counts = comparison.standings, comparison.agreement.confusions
    columns = min(_COLUMNS, max(2, len(standings)))
    rows = -(-len(standings) // columns)
    title = "Confusion matrices of the kept models"
    figure = style.new_figure(title, described(comparison), rows * _ROW_INCHES + 0.25)
    for place, (standing, matrix) in enumerate(zip(standings, counts, strict=True)):
        axes = figure.add_subplot(rows, columns, place + 1)
        _draw_confusion(axes, matrix)
        axes.set_title(
            style.plain(_on_lines(standing.label)), fontsize=9, color=style.INK, parse_math=False
        )
        if place % columns == 0:
            axes.set_ylabel("true", fontsize=style.SMALL_POINTS, color=style.PALE_INK)
        if place + columns >= len(standings):
            axes.set_xlabel("called", fontsize=style.SMALL_POINTS, color=style.PALE_INK)
    style.save(figure, path)


def draw_agreement(comparison: Comparison, path: Path) -> None:
    """Draw the share of test images that each two kept models call alike."""
    count = len(comparison.standings)
    title = "Share of test images called alike"
    figure = style.new_figure(title, described(comparison), 1.2 + max(1.6, 0.3 * count))
    axes = figure.add_subplot()
    if count == 1:
        style.note(axes, "There is one study, and none that could call alike.")
        style.save(figure, path)
        return
    shares = comparison.agreement.same_calls
    low = min(0.95, float(shares.min()))
    others = np.ma.array(shares, mask=np.eye(count, dtype=bool))
    picture = axes.imshow(others, cmap="Purples", vmin=low - 0.05, vmax=1.0, aspect="auto")
    points, digits = (style.SMALL_POINTS, 1) if count <= _MOST_WITH_DIGITS else (7.5, 0)
    middle = (low - 0.05 + 1) / 2 + 0.1 * (1.05 - low)
    for row, column in np.ndindex(shares.shape):
        colour = "white" if shares[row, column] > middle and row != column else style.INK
        told = "–" if row == column else f"{100 * shares[row, column]:.{digits}f}"
        axes.text(column, row, told, ha="center", va="center", fontsize=points, color=colour)
    names = [f"{s.rank}  {elided(s.label, _LONGEST_ROW)}" for s in comparison.standings]
    axes.set_yticks(range(count), [style.plain(name) for name in names], parse_math=False)
    axes.set_xticks(range(count), [str(standing.rank) for standing in comparison.standings])
    axes.tick_params(labelsize=9, colors=style.INK, length=0)
    axes.spines[:].set_visible(False)
    _scale(figure, axes, picture)
    style.save(figure, path)


def _scale(figure: Figure, axes: Axes, picture: AxesImage) -> None:
    bar = figure.colorbar(
        picture, ax=axes, fraction=0.05, pad=0.02, format=lambda share, _: f"{100 * share:.0f}%"
    )
    bar.ax.tick_params(labelsize=9, colors=style.INK)
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
            color="white" if share > _DARK_FROM else style.INK,
        )
    axes.set_xticks(range(2), CLASS_NAMES)
    axes.set_yticks(range(2), CLASS_NAMES, rotation=90, va="center")
    axes.tick_params(labelsize=9, colors=style.INK, length=0)
    axes.spines[:].set_visible(False)


def _on_lines(label: str) -> str:
    """Break a long name once, so that neighbours do not touch."""
    if len(label) <= _LONGEST_NAME:
        return label
    head, _, tail = label.partition(" (")
    if tail and len(head) <= _LONGEST_NAME:
        return f"{head}\n{elided(f'({tail}', _LONGEST_NAME)}"
    start = label[:_LONGEST_NAME]
    end = max(start.rfind("_"), start.rfind(" "), start.rfind("-")) + 1 or _LONGEST_NAME
    return f"{label[:end].rstrip()}\n{elided(label[end:], _LONGEST_NAME)}"

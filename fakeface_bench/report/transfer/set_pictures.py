"""One model on several sets as pictures: ROC AUC beside the shortcut floor, and calibration."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from fakeface_bench.records import Estimate, SetScores
from fakeface_bench.report import style
from fakeface_bench.report.explanation.reliability import draw_shares, reliability_bins
from fakeface_bench.report.transfer.heat_maps import broken
from fakeface_bench.report.transfer.told import class_counts, floor_estimate, images_told, named

_FLOOR_COLOUR = style.CLASS_COLOURS[1]
_COLUMNS = 2
_LETTERS = 24


def draw_sets(scores: Sequence[SetScores], path: Path) -> None:
    """Draw ROC AUC of each set with its interval, and below it that of metadata alone."""
    figure = style.new_figure("ROC AUC by test set", _subtitle(scores), 1.7 + 0.66 * len(scores))
    axes = figure.add_subplot()
    axes.axvline(0.5, linestyle="--", color=style.PALE_INK, linewidth=1.2, label="chance")
    models = [(y, cell.figures.get("roc_auc")) for y, cell in enumerate(scores)]
    floors = [(y, floor_estimate(c.floor) if c.floor else None) for y, c in enumerate(scores)]
    _draw_row(axes, models, -0.13, ("o", style.TEST_COLOUR, "model, 95 % interval"))
    _draw_row(axes, floors, 0.17, ("D", _FLOOR_COLOUR, "metadata alone, 95 % interval"))
    for y, cell in enumerate(scores):
        if "roc_auc" not in cell.figures and cell.floor is None:
            words = "one class only: no ranking"
            axes.text(
                0.51, y, words, va="center", fontsize=style.SMALL_POINTS, color=style.PALE_INK
            )
    names = [f"{broken(_set_name(cell), _LETTERS, 2)}\n{images_told(cell)}" for cell in scores]
    style.dress(axes, "ROC AUC", "")
    axes.set_yticks(range(len(scores)), [style.plain(name) for name in names], parse_math=False)
    axes.set_ylim(len(scores) - 0.5, -0.5)
    lows = [e.low for _, e in (*models, *floors) if e is not None]
    axes.set_xlim(min(0.45, *lows, 0.45) - 0.02, 1.01)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3,
        fontsize=style.SMALL_POINTS,
        frameon=False,
    )
    style.save(figure, path)


def draw_reliability(scores: Sequence[SetScores], path: Path) -> None:
    """Draw the share of fakes at each score, a panel a set."""
    rows = -(-len(scores) // _COLUMNS)
    explained = "bars: 95 % intervals; dashed: the threshold; line: perfect calibration"
    words = f"{_subtitle(scores)}\n{explained}"
    figure = style.new_figure("Reliability by test set", words, 0.3 + 3.5 * rows)
    for place, cell in enumerate(scores):
        axes = figure.add_subplot(rows, _COLUMNS, place + 1)
        _draw_calibration(axes, cell)
        title = f"{broken(_set_name(cell), 2 * _LETTERS, 1)}\n{_calibration(cell)}"
        axes.set_title(style.plain(title), fontsize=9.5, color=style.INK, parse_math=False)
    style.save(figure, path)


def _draw_calibration(axes: Axes, cell: SetScores) -> None:
    if len(cell.classes) == 1:
        style.note(axes, "One class only: every share is 0 or 1.")
        return
    draw_shares(axes, reliability_bins(cell.scored))
    axes.axvline(cell.scored.threshold, linestyle="--", color=style.INK, linewidth=1.2)
    style.dress(axes, "Score (probability of fake)", "Share of fakes")
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.label.set_fontsize(style.SMALL_POINTS)
    axes.yaxis.label.set_fontsize(style.SMALL_POINTS)


def _draw_row(
    axes: Axes,
    estimates: Sequence[tuple[int, Estimate | None]],
    offset: float,
    look: tuple[str, str, str],
) -> None:
    shown = [(y + offset, e) for y, e in estimates if e is not None]
    marker, colour, label = look
    if not shown:
        return
    axes.errorbar(
        [e.value for _, e in shown],
        [y for y, _ in shown],
        xerr=[[e.value - e.low for _, e in shown], [e.high - e.value for _, e in shown]],
        fmt=marker,
        color=colour,
        markersize=7,
        capsize=3,
        elinewidth=1.6,
        label=label,
    )


def _set_name(cell: SetScores) -> str:
    return f"{named(cell.data)} (its own)" if cell.is_own else named(cell.data)


def _calibration(cell: SetScores) -> str:
    error = cell.figures.get("ece")
    told = "one class only" if error is None else f"calibration error {error.value:.3f}"
    return f"{told}, n = {sum(class_counts(cell)):,}"


def _subtitle(scores: Sequence[SetScores]) -> str:
    model = scores[0].model
    return f"{named(model.label)}, trained on {named(model.data)}"

"""One picture for all models: what each keeps on the mean of all corruptions."""

from math import floor
from pathlib import Path

from matplotlib.axes import Axes

from fakeface_bench.records import Estimate
from fakeface_bench.records.robustness import CHANCE, Robustness
from fakeface_bench.report import style
from fakeface_bench.report.comparison.palette import mark
from fakeface_bench.report.robustness.told import described, label_of

_MODEL_INCHES = 0.62
_AROUND_INCHES = 1.25
#: Of a model's row, between the two estimates.
_APART = 0.17


def draw_summary(robustness: Robustness, path: Path) -> None:
    """Draw each model's mean ROC AUC over corruptions, and that of untouched pictures above it."""
    models = robustness.models
    height = _AROUND_INCHES + _MODEL_INCHES * len(models)
    words = f"{described(robustness)}\nfilled: mean of all corruptions; hollow: untouched pictures"
    figure = style.new_figure("What a model keeps on corrupted pictures", words, height)
    axes = figure.add_subplot()
    axes.axvline(CHANCE, color=style.PALE_INK, linestyle=":", linewidth=1.4, zorder=1)
    for number, model in enumerate(models):
        _draw_estimate(axes, model.roc_auc, number - _APART, number + 1, hollow=True)
        _draw_estimate(axes, model.mean_roc_auc, number + _APART, number + 1, hollow=False)
    style.dress(axes, "ROC AUC (dotted: chance)", "")
    names = [style.plain(_broken(label_of(model))) for model in models]
    axes.set_yticks(range(len(models)), names)
    for text in axes.get_yticklabels():
        text.set(parse_math=False, family=style.FONT)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.set_xlim(_left(robustness), 1.01)
    style.save(figure, path)


def _draw_estimate(axes: Axes, figure: Estimate, y: float, rank: int, hollow: bool) -> None:
    look = mark(rank)
    axes.errorbar(
        [figure.value],
        [y],
        xerr=[[max(0.0, figure.value - figure.low)], [max(0.0, figure.high - figure.value)]],
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

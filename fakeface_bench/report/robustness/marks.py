"""The marks of the models below a picture, the same in every one."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fakeface_bench.records.robustness import Robustness
from fakeface_bench.report import style
from fakeface_bench.report.comparison.palette import mark
from fakeface_bench.report.robustness.told import label_of

_POINTS = 9.5
_ROW_INCHES = 0.21
_COLUMNS = 2


def legend_inches(robustness: Robustness) -> float:
    """Return the height that `explain` takes."""
    return _ROW_INCHES * (-(-(len(robustness.models) + 1) // _COLUMNS) + 1)


def explain(figure: Figure, robustness: Robustness, chance: str) -> None:
    """Name the models' marks and the line of chance below the axes.

    Names are set afterwards: a legend reads some specially.
    """
    names = [*(label_of(model) for model in robustness.models), chance]
    handles = [_handle(rank) for rank in range(1, len(names))]
    handles.append(Line2D([], [], color=style.PALE_INK, linestyle=":", linewidth=1.4))
    legend = figure.legend(
        handles,
        [str(number) for number in range(len(names))],
        loc="outside lower center",
        ncols=_COLUMNS,
        fontsize=_POINTS,
        frameon=False,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_fontfamily(style.FONT)
        text.set_text(style.plain(name))


def _handle(rank: int) -> Line2D:
    look = mark(rank)
    return Line2D([], [], color=look.colour, marker=look.marker, markersize=7, linestyle=look.line)

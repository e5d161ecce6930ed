"""One look for all pictures: colours, sizes, titles; figures that touch no global state.

MLflow shows an artifact about 700 px wide, so texts are large for the figure's width.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import MaxNLocator

from fakeface_bench.records.estimate import Estimate
from fakeface_bench.report.drawing import DPI
from fakeface_bench.support.text import elided

Place = Literal["best", "lower left", "lower right", "upper left", "upper center"]

#: Okabe & Ito (2008), Color Universal Design: blue and vermillion differ for every reader.
CLASS_COLOURS = ("#0072B2", "#D55E00")
TEST_COLOUR = "#4B2E83"
VALID_COLOUR = "#009E73"
TRAIN_COLOUR = "#7A7A7A"
INK = "#222222"
PALE_INK = "#666666"

FONT = "DejaVu Sans"
TITLE_POINTS = 14
LABEL_POINTS = 12
SMALL_POINTS = 10.5

WIDTH_INCHES = 7.2
_TITLE_INCHES = 0.5
_SUBTITLE_LINE_INCHES = 0.2
_SUBTITLE_CHARACTERS = 76
_LONGEST_NAME = 34


def new_figure(title: str, subtitle: str, height: float = 4.8) -> Figure:
    """Return an empty figure under a title and a subtitle.

    Args:
        subtitle: Of which model, dataset and how many images.
        height: Without the titles, in inches.
    """
    header = _TITLE_INCHES + _SUBTITLE_LINE_INCHES * len(subtitle.splitlines())
    total = height + header
    figure = Figure(figsize=(WIDTH_INCHES, total), dpi=DPI, facecolor="white")
    below = (0.005, 0.005, 0.99, height / total)
    figure.set_layout_engine("constrained", rect=below)
    lines = ((title, 0.12, TITLE_POINTS, INK), (subtitle, 0.43, SMALL_POINTS, PALE_INK))
    for words, inches, points, colour in lines:
        line = figure.text(0.015, 1 - inches / total, plain(words), va="top", family=FONT)
        line.set(fontsize=points, color=colour, parse_math=False)
    return figure


class Named(Protocol):
    """What pictures tell a study by: a `StudyRecord`, or the identity of a saved one."""

    @property
    def model(self) -> str:
        """Name of the network."""
        ...

    @property
    def trained(self) -> str:
        """Which of its layers were trained, in words; empty where the head alone was."""
        ...

    @property
    def data(self) -> str:
        """Name of the dataset."""
        ...


def subtitle(record: Named, counted: str) -> str:
    """Say which model on which dataset, and `counted`, such as `n = 60 test images`.

    What would not fit beside long names goes on a second line.
    """
    how = f", {record.trained}," if record.trained else ""
    names = f"{_shortened(record.model)}{how} on {_shortened(record.data)}"
    fits = len(names) + len(counted) < _SUBTITLE_CHARACTERS
    return f"{names}, {counted}" if fits else f"{names}\n{counted}"


def dress(axes: Axes, x_label: str, y_label: str) -> None:
    """Label the axes, and draw a light grid behind the data."""
    axes.set_xlabel(x_label, fontsize=LABEL_POINTS, color=INK, family=FONT)
    axes.set_ylabel(y_label, fontsize=LABEL_POINTS, color=INK, family=FONT)
    axes.tick_params(labelsize=SMALL_POINTS, colors=INK, labelfontfamily=FONT)
    axes.grid(color="#E3E3E3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def legend(axes: Axes, place: Place = "best", columns: int = 1) -> None:
    """Explain the marks, on a ground that keeps the text legible over lines."""
    axes.legend(loc=place, ncols=columns, fontsize=SMALL_POINTS, framealpha=0.9)


def legend_below(figure: Figure, marks: Sequence[tuple[str, Artist]], columns: int) -> None:
    """Name marks below the axes; the names are set later, for a legend reads some specially."""
    numbers = [str(number) for number in range(len(marks))]
    below = figure.legend(
        [mark for _, mark in marks],
        numbers,
        loc="outside lower center",
        ncols=columns,
        fontsize=9.5,
        frameon=False,
    )
    for text, (name, _) in zip(below.get_texts(), marks, strict=True):
        text.set(parse_math=False, family=FONT, text=plain(name))


def error_ends(estimates: Iterable[Estimate]) -> tuple[list[float], list[float]]:
    """Return how far the intervals reach below and above their values, as error bars want it."""
    shown = list(estimates)
    return [max(0.0, e.value - e.low) for e in shown], [max(0.0, e.high - e.value) for e in shown]


def whole_numbers(axes: Axes, count: int, first: int = 0) -> None:
    """Tick the x axis at whole numbers from the first, with room for a single one."""
    low, high = -0.5 if count < 5 else -0.03 * count, max(count - 1, 0) * 1.03 + 0.5
    axes.set_xlim(first + low, first + high)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))


def note(axes: Axes, words: str) -> None:
    """Say in words, in place of data, why there is none."""
    axes.set_axis_off()
    text = axes.text(0.5, 0.5, plain(words), transform=axes.transAxes, ha="center", va="center")
    text.set(fontsize=LABEL_POINTS, color=PALE_INK, family=FONT, parse_math=False)


def plain(words: str) -> str:
    """Replace what the font cannot draw, which matplotlib would warn of, by question marks."""
    font = get_font(findfont(FONT))
    return "".join(c if c == "\n" or font.get_char_index(ord(c)) else "?" for c in words)


def _shortened(name: str) -> str:
    """Keep both ends of a long name, on one line."""
    name = " ".join(name.split())
    half = _LONGEST_NAME // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}...{name[-half:]}"


def broken(name: str, letters: int, most: int) -> str:
    """Break a name into at most so many lines, where it has a joint, keeping both of its ends."""
    rest = elided(name, letters * most - most)
    lines: list[str] = []
    while len(rest) > letters and len(lines) < most - 1:
        start = rest[:letters]
        joint = max(start.rfind(mark) for mark in "+-_ /.")
        end = joint + 1 if joint > letters // 3 else letters
        lines.append(rest[:end].rstrip())
        rest = rest[end:]
    return "\n".join([*lines, rest if len(rest) <= letters else elided(rest, letters)])


def draw_estimates(
    axes: Axes, estimates: Mapping[float, Estimate | None], look: tuple[str, str, str]
) -> None:
    """Draw estimates by their height; `look` is marker, colour and label."""
    shown = {y: estimate for y, estimate in estimates.items() if estimate is not None}
    if not shown:
        return
    marker, colour, label = look
    of = shown.values()
    axes.errorbar(
        [e.value for e in of],
        list(shown),
        xerr=error_ends(of),
        fmt=marker,
        color=colour,
        markersize=7,
        capsize=3,
        elinewidth=1.6,
        label=label,
    )

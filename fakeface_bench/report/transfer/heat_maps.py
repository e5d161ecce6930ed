"""The matrix as pictures: ROC AUC, and fakes found at each model's own threshold."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch, Rectangle

from fakeface_bench.records import Generalisation
from fakeface_bench.report import style
from fakeface_bench.report.transfer.matrix_cells import (
    NOT_ABOVE,
    REVERSED,
    THRESHOLD,
    Panel,
    Square,
    panels,
    recall_square,
    roc_auc_square,
)
from fakeface_bench.report.transfer.told import named
from fakeface_bench.visible import elided

_CELL_INCHES = (1.1, 0.86)
_LABEL_INCHES = 1.75
#: Of a column's name, that one inch has room for.
_LETTERS_PER_INCH = 13.0
_ROW_LETTERS = 20
_GREY = "#EFEFEF"
_HATCH = "#C4C4C4"
#: Orange below 0.5, white at it, blue above: apart for colour-blind readers too.
_RANKING = LinearSegmentedColormap.from_list("ranking", ["#D55E00", "#FFFFFF", "#0072B2"])
_FOUND = LinearSegmentedColormap.from_list("found", ["#FFFFFF", "#4B2E83"])
#: Blue and violet beyond which dark text would not be read.
_DARK_BELOW = 0.5

_OWN = "thick frame: held-out images of the training set"
_PART = "dashed frame: held-out images of a part of the training set"


def draw_roc_auc(record: Generalisation, path: Path) -> None:
    """Draw ROC AUC of every cell with its interval and number of images."""
    chance = f"hatched: “{NOT_ABOVE}”, the interval reaches 0.5; “{REVERSED}”, it lies below 0.5"
    words = "95 % interval and number of images below each; 0.5 is chance and white"
    _draw(record, "ROC AUC", words, panels(record, roc_auc_square), (_RANKING, chance), path)


def draw_recall(record: Generalisation, path: Path) -> None:
    """Draw the share of fakes found at each model's own threshold, with its false alarms."""
    off = f"hatched: “{THRESHOLD}”, ranks better than its calls tell"
    words = "95 % interval and false alarms (share of real images called fake) below each"
    title = "Fakes found at the model's own threshold"
    _draw(record, title, words, panels(record, recall_square), (_FOUND, off), path)


def _draw(
    record: Generalisation,
    title: str,
    words: str,
    shown: Sequence[Panel],
    look: tuple[Colormap, str],
    path: Path,
) -> None:
    width, height = _CELL_INCHES
    rows, columns = len(record.trained), len(record.tested)
    total = len(shown) * (rows * height + 1.25) + 0.75
    figure = style.new_figure(title, words, total)
    across = max(style.WIDTH_INCHES, _LABEL_INCHES + columns * width)
    figure.set_size_inches(across, figure.get_size_inches()[1])
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(h_pad=0.1)
    for place, panel in enumerate(shown):
        axes = figure.add_subplot(len(shown), 1, place + 1)
        _draw_panel(axes, panel, record, look[0])
    squares = [square for panel in shown for row in panel.rows for square in row]
    figure.legend(
        handles=_legend(squares, look[1]),
        loc="outside lower left",
        ncols=1,
        fontsize=style.SMALL_POINTS - 1,
        frameon=False,
    )
    style.save(figure, path)


def _legend(squares: Sequence[Square], hatched: str) -> list[Patch]:
    handles = []
    if any(square.is_own for square in squares):
        handles.append(Patch(fc="white", ec=style.INK, lw=2.2, label=_OWN))
    if any(square.is_part for square in squares):
        handles.append(Patch(fc="white", ec=style.INK, lw=1.6, ls="--", label=_PART))
    if any(square.is_hatched for square in squares):
        handles.append(Patch(fc="white", ec=_HATCH, hatch="////", lw=0, label=hatched))
    return handles


def _draw_panel(axes: Axes, panel: Panel, record: Generalisation, colours: Colormap) -> None:
    for y, row in enumerate(panel.rows):
        for x, square in enumerate(row):
            _draw_square(axes, square, (x, y), colours)
    axes.set_xlim(-0.02, len(record.tested) + 0.02)
    axes.set_ylim(len(record.trained) + 0.02, -0.02)
    inches = max(style.WIDTH_INCHES - _LABEL_INCHES, len(record.tested) * _CELL_INCHES[0])
    letters = int(_LETTERS_PER_INCH * inches / len(record.tested))
    names = [style.plain(broken(name, letters, 3)) for name in record.tested]
    axes.set_xticks([x + 0.5 for x in range(len(names))], names, parse_math=False)
    names = [style.plain(broken(name, _ROW_LETTERS, 3)) for name in record.trained]
    axes.set_yticks([y + 0.5 for y in range(len(names))], names, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(labelsize=9, colors=style.INK, length=0, labelfontfamily=style.FONT)
    axes.set_ylabel("trained on", fontsize=style.SMALL_POINTS, color=style.PALE_INK)
    title = f"{named(panel.model)}, tested on"
    axes.set_title(
        style.plain(title), fontsize=style.SMALL_POINTS, color=style.PALE_INK, loc="left"
    )
    axes.title.set_parse_math(False)
    axes.spines[:].set_visible(False)


def _draw_square(axes: Axes, square: Square, place: tuple[int, int], colours: Colormap) -> None:
    x, y = place
    colour = _GREY if square.value is None else colours(square.value)
    axes.add_patch(Rectangle((x + 0.02, y + 0.02), 0.96, 0.96, facecolor=colour, linewidth=0))
    if square.is_hatched:
        axes.add_patch(
            Rectangle((x + 0.02, y + 0.02), 0.96, 0.96, fill=False, hatch="////", ec=_HATCH, lw=0)
        )
    if square.is_own or square.is_part:
        line, style_of = (2.4, "-") if square.is_own else (1.6, "--")
        axes.add_patch(
            Rectangle(
                (x + 0.03, y + 0.03), 0.94, 0.94, fill=False, ec=style.INK, lw=line, ls=style_of
            )
        )
    ink = "white" if _is_dark(colour) else style.INK
    lines = [(square.big, 13.0, "bold"), *((text, 8.0, "normal") for text in square.small)]
    lines += [(square.mark, 8.0, "bold")] if square.mark else []
    _write(axes, lines, place, ink, colour if square.is_hatched else None)


def _write(
    axes: Axes,
    lines: Sequence[tuple[str, float, str]],
    place: tuple[int, int],
    ink: str,
    ground: object,
) -> None:
    """Write lines below each other, in the middle of a square; `ground` keeps hatching away."""
    heights = [points * 1.28 / 72 / _CELL_INCHES[1] for _, points, _ in lines]
    top = place[1] + 0.5 - sum(heights) / 2
    for (words, points, weight), height in zip(lines, heights, strict=True):
        text = axes.text(place[0] + 0.5, top + height / 2, words, ha="center", va="center")
        text.set(fontsize=points, weight=weight, color=ink, family=style.FONT, parse_math=False)
        if ground is not None:
            text.set_bbox({"facecolor": ground, "edgecolor": "none", "pad": 0.6})
        top += height


def _is_dark(colour: str | tuple[float, ...]) -> bool:
    """Whether text on a colour must be white (weights of ITU-R BT.601)."""
    if isinstance(colour, str):
        return False
    red, green, blue = colour[:3]
    return 0.299 * red + 0.587 * green + 0.114 * blue < _DARK_BELOW


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

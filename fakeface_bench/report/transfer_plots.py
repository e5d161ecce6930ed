"""Matrices as heat maps, and one model on several sets: ROC AUC beside its floor, calibration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch, Rectangle

from fakeface_bench.analysis.transfer import home_of, is_above_chance, is_reversed, threshold_fails
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.transfer import Generalisation, SetScores
from fakeface_bench.report import plotting
from fakeface_bench.report.explanation import draw_shares, reliability_bins
from fakeface_bench.report.format import class_counts, format_images, named
from fakeface_bench.support.text import elided

NOT_ABOVE = "not > chance"
REVERSED = "reversed"
THRESHOLD = "threshold off"
FAILED = "failed"
NOT_SCORED = "not scored"


@dataclass(frozen=True, slots=True)
class Square:
    """One square of a heat map.

    Attributes:
        big: The figure.
        small: Below it, a line each.
        mark: What a reader must not miss, in a word or two; empty where nothing.
        value: By which it is coloured, within 0 and 1; None for no colour.
        is_own: Whether it is the held-out split of the training set.
        is_part: Whether it is held-out images of a part of the training set.
        is_hatched: Whether it is marked beside its words.
    """

    big: str
    small: tuple[str, ...] = ()
    mark: str = ""
    value: float | None = None
    is_own: bool = False
    is_part: bool = False
    is_hatched: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """The squares of one architecture: rows trained on, columns tested on."""

    model: str
    rows: tuple[tuple[Square, ...], ...]


#: Makes a square of a cell and the same model's own test split.
SquareOf = Callable[[SetScores, SetScores | None], Square]


def panels(record: Generalisation, square_of: SquareOf) -> list[Panel]:
    """Return the squares of each architecture; a blank one says why."""
    return [
        Panel(
            model,
            tuple(
                tuple(
                    _square(record, (model, trained, tested), square_of) for tested in record.tested
                )
                for trained in record.trained
            ),
        )
        for model in record.models
    ]


def _square(record: Generalisation, place: tuple[str, str, str], square_of: SquareOf) -> Square:
    cell = record.cell(*place)
    if cell is not None:
        return square_of(cell, home_of(cell, record.cells))
    finished = {(other.model.label, other.model.data) for other in record.cells}
    return Square(NOT_SCORED if place[:2] in finished else FAILED)


def roc_auc_square(cell: SetScores, home: SetScores | None) -> Square:
    """Show ROC AUC; of one class the figure there is, without a colour."""
    count = f"n {cell.images:,}"
    auc = cell.estimates.get("roc_auc")
    if auc is None:
        key, name = (
            ("recall_fake", "recall only")
            if "recall_fake" in cell.estimates
            else ("false_alarm_rate", "f. alarms only")
        )
        only = cell.estimates[key]
        return Square(
            _short(only), (_range(only), count), name, is_own=cell.is_own, is_part=cell.is_part
        )
    mark = "" if is_above_chance(cell) else REVERSED if is_reversed(cell) else NOT_ABOVE
    small = (_range(auc), count)
    return Square(_short(auc), small, mark, auc.value, cell.is_own, cell.is_part, bool(mark))


def recall_square(cell: SetScores, home: SetScores | None) -> Square:
    """Show the fakes found at the model's own threshold, and its false alarms."""
    recall, rate = (cell.estimates.get(key) for key in ("recall_fake", "false_alarm_rate"))
    alarms = "no real image" if rate is None else f"f. alarms {_short(rate)}"
    if recall is None:
        return Square("–", ("no fake", alarms), is_own=cell.is_own, is_part=cell.is_part)
    mark = THRESHOLD if threshold_fails(cell, home) else ""
    small = (_range(recall), alarms)
    return Square(_short(recall), small, mark, recall.value, cell.is_own, cell.is_part, bool(mark))


def _short(estimate: Estimate) -> str:
    return f"{estimate.value:.2f}"


def _range(estimate: Estimate) -> str:
    return f"{estimate.low:.2f}–{estimate.high:.2f}"


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
    figure = plotting.new_figure(title, words, total)
    across = max(plotting.WIDTH_INCHES, _LABEL_INCHES + columns * width)
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
        fontsize=plotting.SMALL_POINTS - 1,
        frameon=False,
    )
    plotting.save(figure, path)


def _legend(squares: Sequence[Square], hatched: str) -> list[Patch]:
    handles = []
    if any(square.is_own for square in squares):
        handles.append(Patch(fc="white", ec=plotting.INK, lw=2.2, label=_OWN))
    if any(square.is_part for square in squares):
        handles.append(Patch(fc="white", ec=plotting.INK, lw=1.6, ls="--", label=_PART))
    if any(square.is_hatched for square in squares):
        handles.append(Patch(fc="white", ec=_HATCH, hatch="////", lw=0, label=hatched))
    return handles


def _draw_panel(axes: Axes, panel: Panel, record: Generalisation, colours: Colormap) -> None:
    for y, row in enumerate(panel.rows):
        for x, square in enumerate(row):
            _draw_square(axes, square, (x, y), colours)
    axes.set_xlim(-0.02, len(record.tested) + 0.02)
    axes.set_ylim(len(record.trained) + 0.02, -0.02)
    inches = max(plotting.WIDTH_INCHES - _LABEL_INCHES, len(record.tested) * _CELL_INCHES[0])
    letters = int(_LETTERS_PER_INCH * inches / len(record.tested))
    names = [plotting.plain(broken(name, letters, 3)) for name in record.tested]
    axes.set_xticks([x + 0.5 for x in range(len(names))], names, parse_math=False)
    names = [plotting.plain(broken(name, _ROW_LETTERS, 3)) for name in record.trained]
    axes.set_yticks([y + 0.5 for y in range(len(names))], names, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(labelsize=9, colors=plotting.INK, length=0, labelfontfamily=plotting.FONT)
    axes.set_ylabel("trained on", fontsize=plotting.SMALL_POINTS, color=plotting.PALE_INK)
    title = f"{named(panel.model)}, tested on"
    axes.set_title(
        plotting.plain(title), fontsize=plotting.SMALL_POINTS, color=plotting.PALE_INK, loc="left"
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
                (x + 0.03, y + 0.03), 0.94, 0.94, fill=False, ec=plotting.INK, lw=line, ls=style_of
            )
        )
    ink = "white" if _is_dark(colour) else plotting.INK
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
        text.set(fontsize=points, weight=weight, color=ink, family=plotting.FONT, parse_math=False)
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


_FLOOR_COLOUR = plotting.CLASS_COLOURS[1]
_COLUMNS = 2
_LETTERS = 24


def draw_sets(scores: Sequence[SetScores], path: Path) -> None:
    """Draw ROC AUC of each set with its interval, and below it that of metadata alone."""
    figure = plotting.new_figure("ROC AUC by test set", _subtitle(scores), 1.7 + 0.66 * len(scores))
    axes = figure.add_subplot()
    axes.axvline(0.5, linestyle="--", color=plotting.PALE_INK, linewidth=1.2, label="chance")
    models = [(y, cell.estimates.get("roc_auc")) for y, cell in enumerate(scores)]
    floors = [(y, c.floor.estimate if c.floor else None) for y, c in enumerate(scores)]
    _draw_row(axes, models, -0.13, ("o", plotting.TEST_COLOUR, "model, 95 % interval"))
    _draw_row(axes, floors, 0.17, ("D", _FLOOR_COLOUR, "metadata alone, 95 % interval"))
    for y, cell in enumerate(scores):
        if "roc_auc" not in cell.estimates and cell.floor is None:
            words = "one class only: no ranking"
            axes.text(
                0.51, y, words, va="center", fontsize=plotting.SMALL_POINTS, color=plotting.PALE_INK
            )
    names = [f"{broken(_set_name(cell), _LETTERS, 2)}\n{format_images(cell)}" for cell in scores]
    plotting.dress(axes, "ROC AUC", "")
    axes.set_yticks(range(len(scores)), [plotting.plain(name) for name in names], parse_math=False)
    axes.set_ylim(len(scores) - 0.5, -0.5)
    lows = [e.low for _, e in (*models, *floors) if e is not None]
    axes.set_xlim(min(0.45, *lows, 0.45) - 0.02, 1.01)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3,
        fontsize=plotting.SMALL_POINTS,
        frameon=False,
    )
    plotting.save(figure, path)


def draw_reliability(scores: Sequence[SetScores], path: Path) -> None:
    """Draw the share of fakes at each score, a panel a set."""
    rows = -(-len(scores) // _COLUMNS)
    explained = "bars: 95 % intervals; dashed: the threshold; line: perfect calibration"
    words = f"{_subtitle(scores)}\n{explained}"
    figure = plotting.new_figure("Reliability by test set", words, 0.3 + 3.5 * rows)
    for place, cell in enumerate(scores):
        axes = figure.add_subplot(rows, _COLUMNS, place + 1)
        _draw_calibration(axes, cell)
        title = f"{broken(_set_name(cell), 2 * _LETTERS, 1)}\n{_calibration(cell)}"
        axes.set_title(plotting.plain(title), fontsize=9.5, color=plotting.INK, parse_math=False)
    plotting.save(figure, path)


def _draw_calibration(axes: Axes, cell: SetScores) -> None:
    if len(cell.classes) == 1:
        plotting.note(axes, "One class only: every share is 0 or 1.")
        return
    draw_shares(axes, reliability_bins(cell.scored))
    axes.axvline(cell.scored.threshold, linestyle="--", color=plotting.INK, linewidth=1.2)
    plotting.dress(axes, "Score (probability of fake)", "Share of fakes")
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.label.set_fontsize(plotting.SMALL_POINTS)
    axes.yaxis.label.set_fontsize(plotting.SMALL_POINTS)


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
    error = cell.estimates.get("ece")
    description = "one class only" if error is None else f"calibration error {error.value:.3f}"
    return f"{description}, n = {sum(class_counts(cell)):,}"


def _subtitle(scores: Sequence[SetScores]) -> str:
    model = scores[0].model
    return f"{named(model.label)}, trained on {named(model.data)}"

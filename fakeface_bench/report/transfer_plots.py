"""Matrices as heat maps, and one model on several sets: ROC AUC beside its floor, calibration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch, Rectangle

from fakeface_bench.analysis.protocols import Unseen, unseen_generators
from fakeface_bench.analysis.transfer import (
    AT_CHANCE,
    REVERSED,
    THRESHOLD_OFF,
    WITHIN_METADATA,
    home_of,
    is_within_floor,
    remarks,
)
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.transfer import Generalisation, SetScores
from fakeface_bench.report import drawing, plotting
from fakeface_bench.report.explanation import draw_shares, reliability_bins
from fakeface_bench.report.format import format_images, named
from fakeface_bench.report.transfer_tables import set_name


@dataclass(frozen=True, slots=True)
class Square:
    """One square of a heat map.

    Attributes:
        mark: What a reader must not miss, in a word or two; empty where nothing.
        value: By which it is coloured, within 0 and 1; None for no colour.
        frame: `own` for the held-out split of the training set, `part` for a part of it.
    """

    big: str
    small: tuple[str, ...] = ()
    mark: str = ""
    value: float | None = None
    frame: str = ""

    @property
    def is_hatched(self) -> bool:
        """Whether the mark is shown by hatching too."""
        return bool(self.mark) and self.value is not None


def roc_auc_square(cell: SetScores, home: SetScores | None) -> Square:
    """Show how a cell ranks; of one class alone its rate."""
    names = {"roc_auc": "", "recall_fake": "recall only", "false_alarm_rate": "f. alarms only"}
    key = next(key for key in names if key in cell.estimates)
    estimate = cell.estimates[key]
    marks = [words for words in remarks(cell, home) if words in (REVERSED, AT_CHANCE)]
    value = estimate.value if key == "roc_auc" else None
    small = (_range(estimate), f"n {cell.images:,}")
    return Square(_short(estimate), small, names[key] or "".join(marks), value, _frame(cell))


def recall_square(cell: SetScores, home: SetScores | None) -> Square:
    """Show what share of its fakes is found, and what of its real images is taken for fake."""
    recall, rate = (cell.estimates.get(key) for key in ("recall_fake", "false_alarm_rate"))
    alarms = "no real image" if rate is None else f"f. alarms {_short(rate)}"
    if recall is None:
        return Square("–", ("no fake", alarms), frame=_frame(cell))
    mark = THRESHOLD_OFF if THRESHOLD_OFF in remarks(cell, home) else ""
    return Square(_short(recall), (_range(recall), alarms), mark, recall.value, _frame(cell))


def _frame(cell: SetScores) -> str:
    return "own" if cell.is_own else "part" if cell.is_part else ""


def _short(estimate: Estimate) -> str:
    return f"{estimate.value:.2f}"


def _range(estimate: Estimate) -> str:
    return f"{estimate.low:.2f}–{estimate.high:.2f}"


@dataclass(frozen=True, slots=True)
class MapPanel:
    """One table of squares.

    Attributes:
        of_rows: What rows are: `trained on`.
        of_columns: What columns are: `tested on`.
    """

    title: str
    of_rows: str
    of_columns: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    squares: tuple[tuple[Square, ...], ...]

    @property
    def corner(self) -> str:
        """Both, for the corner of a table."""
        return f"{self.of_rows} ↓, {self.of_columns} →"


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What the squares of a matrix show, in a picture and on a page.

    Attributes:
        panels: Makes them of a record.
        look: How a page colours it, `ranking` or `found`; `colours` are the picture's.
        grey: What a square of no colour that bears a mark means; empty where that needs no word.
    """

    file: str
    title: str
    words: str
    hatched: str
    panels: Callable[[Generalisation], Sequence[MapPanel]]
    look: str
    colours: Colormap
    grey: str = ""


_Squared = Callable[[SetScores, SetScores | None], Square]


def _matrix(square: _Squared) -> Callable[[Generalisation], list[MapPanel]]:
    """Return what makes a panel of each architecture: rows trained on, columns tested on.

    Args:
        square: Makes a square of a cell and the same model on its own test split.
    """

    def of_pair(record: Generalisation, model: str, trained: str, tested: str) -> Square:
        cell = record.cell(model, trained, tested)
        if cell is not None:
            return square(cell, home_of(cell, record.cells))
        finished = {(other.model.label, other.model.data) for other in record.cells}
        return Square("not scored" if (model, trained) in finished else "failed")

    def panels(record: Generalisation) -> list[MapPanel]:
        return [
            MapPanel(
                model,
                "trained on",
                "tested on",
                record.trained,
                record.tested,
                tuple(
                    tuple(of_pair(record, model, trained, tested) for tested in record.tested)
                    for trained in record.trained
                ),
            )
            for model in record.models
        ]

    return panels


def unseen_panels(record: Generalisation) -> list[MapPanel]:
    """Return a panel: a row a network, a column each generator that it never saw.

    Networks that saw equalised pictures have a second panel.
    """
    found = unseen_generators(record)
    apart = {
        "": [of for of in found if not of.equalised],
        "equalised": [of for of in found if of.equalised],
    }
    return [_unseen_panel(title, networks) for title, networks in apart.items() if networks]


def _unseen_panel(title: str, found: Sequence[Unseen]) -> MapPanel:
    cells = {(of.model, of.data, out.value): out.without for of in found for out in of.outs}
    dates = {out.value: out.without.released for of in found for out in of.outs}
    names = sorted(dates, key=lambda name: (dates[name], name))
    several = len({of.data for of in found}) > 1
    rows = tuple(
        tuple(_unseen_square(cells.get((of.model, of.data, name))) for name in names)
        for of in found
    )
    titles = tuple(f"{of.model}, {of.data}" if several else of.model for of in found)
    return MapPanel(title, "network", "never seen", titles, tuple(names), rows)


def _unseen_square(cell: SetScores | None) -> Square:
    if cell is None:
        return Square("not tested")
    square = roc_auc_square(cell, None)
    if is_within_floor(cell):
        return replace(square, mark=WITHIN_METADATA, value=None)
    return square


#: Orange below 0.5, white at it, blue above: apart for colour-blind readers too.
_RANKING_COLOURS = LinearSegmentedColormap.from_list("ranking", ["#D55E00", "#FFFFFF", "#0072B2"])
_HATCHED_RANKING = (
    f"hatched: “{AT_CHANCE}”, the interval reaches 0.5; “{REVERSED}”, it lies below 0.5"
)
UNSEEN_MAP = HeatMap(
    "unseen_map.png",
    "ROC AUC on generators that were left out of training",
    "95 % interval and number of images below each; generators in order of release",
    _HATCHED_RANKING,
    unseen_panels,
    "ranking",
    _RANKING_COLOURS,
    f"grey: “{WITHIN_METADATA}”, no higher than file sizes and formats alone score",
)
HEAT_MAPS = (
    HeatMap(
        "heat_map.png",
        "ROC AUC",
        "95 % interval and number of images below each; 0.5 is chance and white",
        _HATCHED_RANKING,
        _matrix(roc_auc_square),
        "ranking",
        _RANKING_COLOURS,
    ),
    HeatMap(
        "recall_map.png",
        "Fakes found at the model's own threshold",
        "95 % interval and false alarms (share of real images predicted fake) below each",
        f"hatched: “{THRESHOLD_OFF}”, ranks better than its predictions show",
        _matrix(recall_square),
        "found",
        LinearSegmentedColormap.from_list("found", ["#FFFFFF", "#4B2E83"]),
    ),
)

_CELL_INCHES = (1.1, 0.86)
_LABEL_INCHES = 1.75
#: Of a column's name, that one inch has room for.
_LETTERS_PER_INCH = 13.0
_ROW_LETTERS = 20
_GREY = "#EFEFEF"
_HATCH = "#C4C4C4"
#: Brightness of blue and violet below which dark text is not readable.
_DARK_BELOW = 0.5
#: Line, its width, and what it means.
_FRAMES = {
    "own": ("-", 2.2, "thick frame: held-out images of the training set"),
    "part": ("--", 1.6, "dashed frame: held-out images of a part of the training set"),
}


def draw_heat_map(heat_map: HeatMap, record: Generalisation, path: Path) -> None:
    """Draw its panels below each other."""
    width, height = _CELL_INCHES
    panels = heat_map.panels(record)
    total = sum(len(panel.rows) * height + 1.25 for panel in panels) + 0.75
    figure = plotting.new_figure(heat_map.title, heat_map.words, total)
    widest = max(len(panel.columns) for panel in panels)
    across = max(plotting.WIDTH_INCHES, _LABEL_INCHES + widest * width)
    figure.set_size_inches(across, figure.get_size_inches()[1])
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(h_pad=0.1)
    for place, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(len(panels), 1, place)
        for y, row in enumerate(panel.squares):
            for x, square in enumerate(row):
                _draw_square(axes, square, (x, y), heat_map.colours)
        _name_rows_and_columns(axes, panel)
    squares = [square for panel in panels for row in panel.squares for square in row]
    handles = [
        Patch(fc="white", ec=plotting.INK, lw=line, ls=style, label=label)
        for frame, (style, line, label) in _FRAMES.items()
        if any(square.frame == frame for square in squares)
    ]
    if any(square.is_hatched for square in squares):
        handles.append(Patch(fc="white", ec=_HATCH, hatch="////", lw=0, label=heat_map.hatched))
    if heat_map.grey and any(square.mark and square.value is None for square in squares):
        handles.append(Patch(fc=_GREY, lw=0, label=heat_map.grey))
    small = plotting.SMALL_POINTS - 1
    figure.legend(handles=handles, loc="outside lower left", fontsize=small, frameon=False)
    drawing.save(figure, path)


def _name_rows_and_columns(axes: Axes, panel: MapPanel) -> None:
    axes.set_xlim(-0.02, len(panel.columns) + 0.02)
    axes.set_ylim(len(panel.rows) + 0.02, -0.02)
    inches = max(plotting.WIDTH_INCHES - _LABEL_INCHES, len(panel.columns) * _CELL_INCHES[0])
    letters = int(_LETTERS_PER_INCH * inches / len(panel.columns))
    names = [plotting.plain(plotting.broken(name, letters, 3)) for name in panel.columns]
    axes.set_xticks([x + 0.5 for x in range(len(names))], names, parse_math=False)
    names = [plotting.plain(plotting.broken(name, _ROW_LETTERS, 3)) for name in panel.rows]
    axes.set_yticks([y + 0.5 for y in range(len(names))], names, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(labelsize=9, colors=plotting.INK, length=0, labelfontfamily=plotting.FONT)
    pale: dict[str, Any] = {"fontsize": plotting.SMALL_POINTS, "color": plotting.PALE_INK}
    axes.set_ylabel(panel.of_rows, **pale)
    of_columns = panel.of_columns
    title = plotting.plain(f"{named(panel.title)}, {of_columns}" if panel.title else of_columns)
    axes.set_title(title, loc="left", parse_math=False, **pale)
    axes.spines[:].set_visible(False)


def _draw_square(axes: Axes, square: Square, place: tuple[int, int], colours: Colormap) -> None:
    x, y = place
    colour = _GREY if square.value is None else colours(square.value)
    corner, size = (x + 0.02, y + 0.02), 0.96
    axes.add_patch(Rectangle(corner, size, size, facecolor=colour, linewidth=0))
    if square.is_hatched:
        axes.add_patch(Rectangle(corner, size, size, fill=False, hatch="////", ec=_HATCH, lw=0))
    if square.frame:
        style, line, _ = _FRAMES[square.frame]
        corner, size = (x + 0.03, y + 0.03), 0.94
        frame = Rectangle(corner, size, size, fill=False, ec=plotting.INK, lw=line, ls=style)
        axes.add_patch(frame)
    ink = "white" if _is_dark(colour) else plotting.INK
    lines = [(square.big, 13.0, "bold"), *((text, 8.0, "normal") for text in square.small)]
    lines += [(square.mark, 8.0, "bold")] if square.mark else []
    heights = [points * 1.28 / 72 / _CELL_INCHES[1] for _, points, _ in lines]
    top = y + 0.5 - sum(heights) / 2
    for (words, points, weight), high in zip(lines, heights, strict=True):
        text = axes.text(x + 0.5, top + high / 2, words, ha="center", va="center")
        text.set(fontsize=points, weight=weight, color=ink, family=plotting.FONT, parse_math=False)
        if square.is_hatched:  # the ground keeps hatching away from the text
            text.set_bbox({"facecolor": colour, "edgecolor": "none", "pad": 0.6})
        top += high


def _is_dark(colour: str | tuple[float, ...]) -> bool:
    """Whether text on a colour must be white (weights of ITU-R BT.601)."""
    if isinstance(colour, str):
        return False
    red, green, blue = colour[:3]
    return 0.299 * red + 0.587 * green + 0.114 * blue < _DARK_BELOW


_COLUMNS = 2
_LETTERS = 24


def draw_sets(scores: Sequence[SetScores], path: Path) -> None:
    """Draw ROC AUC of each set with its interval, and below it that of metadata alone."""
    figure = plotting.new_figure("ROC AUC by test set", _subtitle(scores), 1.7 + 0.66 * len(scores))
    axes = figure.add_subplot()
    small = plotting.SMALL_POINTS
    axes.axvline(0.5, linestyle="--", color=plotting.PALE_INK, linewidth=1.2, label="chance")
    models = {y - 0.13: cell.estimates.get("roc_auc") for y, cell in enumerate(scores)}
    floors = {y + 0.17: c.floor.estimate if c.floor else None for y, c in enumerate(scores)}
    plotting.draw_estimates(axes, models, ("o", plotting.TEST_COLOUR, "model, 95 % interval"))
    floor_look = ("D", plotting.CLASS_COLOURS[1], "metadata alone, 95 % interval")
    plotting.draw_estimates(axes, floors, floor_look)
    for y, cell in enumerate(scores):
        if "roc_auc" not in cell.estimates and cell.floor is None:
            words = "one class only: no ranking"
            axes.text(0.51, y, words, va="center", fontsize=small, color=plotting.PALE_INK)
    names = [
        f"{plotting.broken(set_name(cell), _LETTERS, 2)}\n{format_images(cell)}" for cell in scores
    ]
    plotting.dress(axes, "ROC AUC", "")
    axes.set_yticks(range(len(scores)), [plotting.plain(name) for name in names], parse_math=False)
    axes.set_ylim(len(scores) - 0.5, -0.5)
    lows = [e.low for e in (*models.values(), *floors.values()) if e is not None]
    axes.set_xlim(min(0.45, *lows, 0.45) - 0.02, 1.01)
    figure.legend(loc="outside lower center", ncols=3, fontsize=small, frameon=False)
    drawing.save(figure, path)


def draw_reliability(scores: Sequence[SetScores], path: Path) -> None:
    """Draw the share of fakes at each score, a panel a set."""
    rows = -(-len(scores) // _COLUMNS)
    explained = "bars: 95 % intervals; dashed: the threshold; line: perfect calibration"
    words = f"{_subtitle(scores)}\n{explained}"
    figure = plotting.new_figure("Reliability by test set", words, 0.3 + 3.5 * rows)
    for place, cell in enumerate(scores, start=1):
        axes = figure.add_subplot(rows, _COLUMNS, place)
        _draw_calibration(axes, cell)
        error = cell.estimates.get("ece")
        shown = "one class only" if error is None else f"calibration error {error.value:.3f}"
        name = plotting.broken(set_name(cell), 2 * _LETTERS, 1)
        title = plotting.plain(f"{name}\n{shown}, n = {cell.images:,}")
        axes.set_title(title, fontsize=9.5, color=plotting.INK, parse_math=False)
    drawing.save(figure, path)


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


def _subtitle(scores: Sequence[SetScores]) -> str:
    model = scores[0].model
    return f"{named(model.label)}, trained on {named(model.data)}"

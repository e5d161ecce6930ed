"""One mark for each study, the same in every picture and table: colour, shape and line."""

from dataclasses import dataclass
from typing import Literal

from fakeface_bench.records.ledger import STAGES

#: Contrast at least 3 on white and on the dark page; neighbours differ for colour-blind readers.
_COLOURS = (
    *("#1f77c9", "#d9541a", "#00916a", "#c4609a"),
    *("#b87a00", "#8a63d2", "#3d94bd", "#7d7d7d"),
)
#: Names in Plotly and in matplotlib, and an outline in a square of 16; with 8 colours the pairs
#: repeat after 72 studies.
_SHAPES = (
    ("circle", "o", "M8 2.5a5.5 5.5 0 1 0 .01 0z"),
    ("square", "s", "M3 3h10v10H3z"),
    ("diamond", "D", "M8 1.5 14.5 8 8 14.5 1.5 8z"),
    ("triangle-up", "^", "M8 2 14.5 13.5H1.5z"),
    ("triangle-down", "v", "M8 14 1.5 2.5h13z"),
    ("cross", "P", "M6 2h4v4h4v4h-4v4H6v-4H2V6h4z"),
    ("x", "X", "M4.5 1.5 8 5l3.5-3.5 3 3L11 8l3.5 3.5-3 3L8 11l-3.5 3.5-3-3L5 8 1.5 4.5z"),
    ("pentagon", "p", "M8 1.5 14.5 6.3 12 14H4L1.5 6.3z"),
    ("star", "*", "M8 1l2 4.8 5.2.4-4 3.4 1.3 5L8 12l-4.5 2.6 1.3-5-4-3.4L6 5.8z"),
)
Line = Literal["-", "--", ":", "-."]
_DASHES: tuple[tuple[str, Line], ...] = (
    ("solid", "-"),
    ("dash", "--"),
    ("dot", ":"),
    ("dashdot", "-."),
)

#: Of each stage of a study, where its time went.
STAGE_COLOURS = dict(
    zip(
        STAGES,
        (
            *("#7d7d7d", "#3d94bd", "#1f77c9", "#8a63d2", "#c4609a"),
            *("#d9541a", "#b87a00", "#00916a", "#a0a0a0"),
        ),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Mark:
    """How one study is drawn.

    Attributes:
        colour: Hexadecimal.
        shape: Plotly's name of its point.
        marker: matplotlib's name of the same.
        dash: Plotly's name of its line.
        line: matplotlib's name of the same.
        outline: Of the point, as an SVG path in a square of 16.
    """

    colour: str
    shape: str
    marker: str
    dash: str
    line: Line
    outline: str


def mark(rank: int) -> Mark:
    """Return the mark of the study at a rank, counted from 1."""
    number = rank - 1
    shape, marker, outline = _SHAPES[number % len(_SHAPES)]
    dash, line = _DASHES[number // len(_COLOURS) % len(_DASHES)]
    return Mark(_COLOURS[number % len(_COLOURS)], shape, marker, dash, line, outline)

"""The interactive plots of a comparison, as the JSON that Plotly draws; names in them are escaped.

Plotly reads a little HTML in texts; and no name goes into a template, in which braces count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import log10
from typing import Any, Literal

from plotly.offline import get_plotlyjs

from fakeface_bench.analysis.comparison import (
    AccuracyCurve,
    Comparison,
    LeaderboardEntry,
    accuracy_curve,
    on_front,
)
from fakeface_bench.records.ledger import STAGES, StageCost
from fakeface_bench.report.format import cost, duration, with_interval

#: Seconds that may be marked.
_MARKS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 20, 30)),
    *(3600 * hours for hours in (1, 2, 5, 10)),
    *(86400 * days for days in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)
_MOST_MARKS = 6
#: Marks that are closer would touch on a phone.
_CLOSEST_RATIO = 1.9
#: Shortest time that a log axis shows.
SHORTEST = 0.001
#: The axis spans at least this ratio, so that it has two marks or more.
_LEAST_RATIO = 6.0
_MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A log axis of seconds.

    Attributes:
        low: Its start.
        high: Its end.
        marks: Seconds that are marked.
    """

    low: float
    high: float
    marks: tuple[float, ...]

    @property
    def texts(self) -> list[str]:
        """What stands at the marks."""
        return [duration(seconds, short=True) for seconds in self.marks]


def time_axis(seconds: Iterable[float]) -> TimeAxis:
    """Choose an axis that holds some times with a margin."""
    times = [max(SHORTEST, time) for time in seconds] or [1.0]
    low, high = min(times) / _MARGIN, max(times) * _MARGIN
    wider = max(1.0, _LEAST_RATIO / (high / low)) ** 0.5
    low, high = low / wider, high * wider
    marks: list[float] = []
    for mark in _MARKS:
        if low <= mark <= high and (not marks or mark >= _CLOSEST_RATIO * marks[-1]):
            marks.append(float(mark))
    every = -(-len(marks) // _MOST_MARKS)
    return TimeAxis(low, high, tuple(marks[:: max(1, every)]))


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


#: JSON that Plotly draws; `$ink`, `$pale`, `$line` and `$card` stand for the page's colours.
Plot = dict[str, Any]
_HEIGHT = 440


def log_time(seconds: Sequence[float]) -> Plot:
    """Return what makes an axis one of time on a log scale that holds some times."""
    axis = time_axis(seconds)
    return {
        "type": "log",
        "range": [log10(axis.low), log10(axis.high)],
        "tickangle": 0,
        "tickvals": list(axis.marks),
        "ticktext": axis.texts,
    }


def layout(x_title: str, y_title: str) -> Plot:
    """Return a layout without legend: the page has one that all plots share."""
    axis = {"gridcolor": "$line", "linecolor": "$line", "zeroline": False, "automargin": True}
    return {
        "height": _HEIGHT,
        "showlegend": False,
        "margin": {"l": 56, "r": 12, "t": 12, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "$ink", "size": 13},
        "hoverlabel": {"bgcolor": "$card", "bordercolor": "$line", "font": {"color": "$ink"}},
        "hovermode": "closest",
        "xaxis": axis | {"title": {"text": x_title}},
        "yaxis": axis | {"title": {"text": y_title}},
    }


_ROW_HEIGHT = 46
_HATCHED = {
    "shape": "/",
    "fillmode": "overlay",
    "fgcolor": "rgba(255,255,255,0.75)",
    "size": 6,
    "solidity": 0.35,
}
#: What stages are called where their key does not say it.
STAGE_NAMES = {
    "search_complete": "search, complete trials",
    "search_pruned": "search, pruned trials",
    "search_failed": "search, failed trials",
    "final_fit": "final fit",
    "repeats": "further seeds",
}


def time_plot(comparison: Comparison, as_share: bool) -> Plot:
    """Return each study's stages as one bar; what an earlier run spent is hatched."""
    entries = comparison.entries
    longest = max(entry.cold_seconds for entry in entries)
    unit, name = _unit(longest)
    traces = [
        _stage_bar(entries, stage, amortised, 0.0 if as_share else unit)
        for stage in STAGES
        for amortised in (False, True)
    ]
    ground = layout("Share of the cold cost" if as_share else f"Cold cost in {name}", "")
    ground["xaxis"] |= {"rangemode": "tozero", "tickformat": ".0%" if as_share else ""}
    ground["yaxis"] |= {
        "range": [len(entries) - 0.4, -0.8],
        "showticklabels": False,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }
    ground |= {
        "barmode": "stack",
        "bargap": 0.62,
        "height": 80 + _ROW_HEIGHT * len(entries),
        "annotations": [_above_bar(entry) for entry in entries],
    }
    ground["margin"] |= {"l": 8}
    return {"data": [trace for trace in traces if any(trace["x"])], "layout": ground}


def stages_shown(comparison: Comparison) -> list[str]:
    """Return the stages that took any study any time."""
    ledgers = [study.ledger for study in comparison.studies]
    return [stage for stage in STAGES if any(ledger.stage(stage).seconds for ledger in ledgers)]


def _stage_bar(
    entries: Sequence[LeaderboardEntry], stage: str, amortised: bool, unit: float
) -> Plot:
    """Return one stage of all studies, in units of some seconds, or as shares where that is 0."""
    costs = [entry.study.ledger.stage(stage) for entry in entries]
    seconds = [cost.amortised_seconds if amortised else cost.spent_seconds for cost in costs]
    totals = [unit or max(SHORTEST, entry.cold_seconds) for entry in entries]
    colour = STAGE_COLOURS[stage]
    return {
        "type": "bar",
        "orientation": "h",
        "y": list(range(len(entries))),
        "x": [time / total for time, total in zip(seconds, totals, strict=True)],
        "marker": {"color": colour} | ({"pattern": _HATCHED} if amortised else {}),
        "hoverinfo": "text",
        "hovertext": [
            f"<b>{escape(entry.label)}</b><br>{_format_stage(cost, amortised)}"
            for entry, cost in zip(entries, costs, strict=True)
        ],
        "textposition": "none",
    }


def _format_stage(cost: StageCost, amortised: bool) -> str:
    seconds = cost.amortised_seconds if amortised else cost.spent_seconds
    by_whom = "by an earlier run" if amortised else "by this run"
    return f"{STAGE_NAMES.get(cost.stage, cost.stage)}: {duration(seconds)} {by_whom}"


def _above_bar(entry: LeaderboardEntry) -> Plot:
    return {
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": entry.rank - 1,
        "yanchor": "bottom",
        "yshift": 9,
        "showarrow": False,
        "text": escape(entry.label),
        "align": "left",
    }


def _unit(seconds: float) -> tuple[float, str]:
    if seconds < 180:
        return 1.0, "seconds"
    return (60.0, "minutes") if seconds < 10800 else (3600.0, "hours")


#: Opacity of a study that another dominates.
PALE = 0.5
#: What the front may show upwards: key in `RESAMPLED`, and its name.
FRONT_VIEWS = {"accuracy": "Accuracy", "roc_auc": "ROC AUC"}
CURVE_VIEWS = {"epochs": "By epoch", "elapsed": "By elapsed time"}
TIME_VIEWS = {"seconds": "Time", "share": "Share"}


def plotly_script() -> str:
    """Return the library that draws the plots, which a page holds within itself."""
    return str(get_plotlyjs())


def all_plots(comparison: Comparison) -> dict[str, dict[str, Plot]]:
    """Return every view of every plot, by the plot's and the view's key."""
    return {
        "front": {key: front_plot(comparison, key) for key in FRONT_VIEWS},
        "curves": {key: curve_plot(comparison, key) for key in CURVE_VIEWS},
        "time": {key: time_plot(comparison, key == "share") for key in TIME_VIEWS},
    }


def front_plot(comparison: Comparison, key: str) -> Plot:
    """Return a figure of every study against its cold cost, with the front as steps."""
    entries = comparison.entries
    costs = [entry.cold_seconds for entry in entries]
    values = [entry.estimates[key].value for entry in entries]
    leading = on_front(costs, values)
    points = [
        _front_point(entry, key, leads) for entry, leads in zip(entries, leading, strict=True)
    ]
    line = sorted(
        (max(SHORTEST, cost), value)
        for cost, value, leads in zip(costs, values, leading, strict=True)
        if leads
    )
    along_front = {
        "type": "scatter",
        "mode": "lines",
        "x": [cost for cost, _ in line],
        "y": [value for _, value in line],
        "line": {"shape": "hv", "color": "$pale", "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }
    ground = layout("Cold cost (log scale)", _test(key))
    ground["xaxis"] |= log_time(costs)
    return {"data": [along_front, *points], "layout": ground}


def curve_plot(comparison: Comparison, key: str) -> Plot:
    """Return validation accuracy against epochs, or against elapsed seconds on a log scale."""
    curves = [accuracy_curve(study) for study in comparison.studies]
    by_time = key == "elapsed"
    name = "Elapsed time (log scale)" if by_time else "Epoch"
    ground = layout(name, "Validation accuracy at 0.5")
    ground["xaxis"] |= (
        log_time([float(time) for curve in curves for time in curve.elapsed])
        if by_time
        else _whole_epochs(max(len(curve.epochs) for curve in curves))
    )
    lines = [
        _curve_line(entry, curve, by_time)
        for entry, curve in zip(comparison.entries, curves, strict=True)
    ]
    return {"data": lines, "layout": ground}


def _whole_epochs(count: int) -> Plot:
    """Mark whole epochs only; Plotly's own choice is whole where there are many."""
    return {"range": [0.5, count + 0.5]} | ({"dtick": 1} if count <= 12 else {})


def _front_point(entry: LeaderboardEntry, key: str, leads: bool) -> Plot:
    figure, look = entry.estimates[key], mark(entry.rank)
    price = cost(entry.study.ledger, entry.cold_seconds)
    words = f"{_test(key)} {with_interval(figure)}<br>cost {price}"
    return {
        "type": "scatter",
        "mode": "markers",
        "meta": entry.rank,
        "name": escape(entry.label),
        "x": [max(SHORTEST, entry.cold_seconds)],
        "y": [figure.value],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, figure.high - figure.value)],
            "arrayminus": [max(0.0, figure.value - figure.low)],
            "color": look.colour,
            "thickness": 1.5,
            "width": 5,
        },
        "marker": {"symbol": look.shape, "color": look.colour, "size": 13},
        "opacity": 1.0 if leads else PALE,
        "hoverinfo": "text",
        "hovertext": [f"<b>{escape(entry.label)}</b><br>{words}"],
    }


def _curve_line(entry: LeaderboardEntry, curve: AccuracyCurve, by_time: bool) -> Plot:
    look = mark(entry.rank)
    shapes = [f"{look.shape}-open" if alone else look.shape for alone in curve.is_head_alone]
    texts = [
        f"<b>{escape(entry.label)}</b><br>epoch {number:.0f}{', head alone' * bool(alone)}: "
        f"{accuracy:.3f}<br>after {duration(float(elapsed))}"
        for number, elapsed, accuracy, alone in zip(
            curve.epochs, curve.elapsed, curve.accuracy, curve.is_head_alone, strict=True
        )
    ]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "meta": entry.rank,
        "name": escape(entry.label),
        "x": [max(SHORTEST, float(x)) for x in (curve.elapsed if by_time else curve.epochs)],
        "y": [float(y) for y in curve.accuracy],
        "line": {"color": look.colour, "dash": look.dash, "width": 2},
        "marker": {"symbol": shapes, "color": look.colour, "size": 8},
        "hoverinfo": "text",
        "hovertext": texts,
    }


def _test(key: str) -> str:
    return f"Test {FRONT_VIEWS[key] if key == 'roc_auc' else FRONT_VIEWS[key].lower()}"

"""The plots of a comparison: Plotly draws them on the page, matplotlib as PNG.

The front and the curves are computed once, as a `Plot`, and drawn by both.
Plotly reads some HTML in texts, so names in its JSON are escaped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import inf, log10
from pathlib import Path
from textwrap import fill
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from plotly.offline import get_plotlyjs

from fakeface_bench.analysis.comparison import (
    Comparison,
    LeaderboardEntry,
    accuracy_curve,
    on_front,
)
from fakeface_bench.analysis.time_to_target import AnytimeCurve, anytime_curves
from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.records.ledger import STAGES
from fakeface_bench.report import drawing, plotting
from fakeface_bench.report.format import OPTIMISTIC, cost, duration, with_interval
from fakeface_bench.support.text import elided

#: Seconds at which a time axis may have ticks.
_TICKS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 20, 30)),
    *(3600 * hours for hours in (1, 2, 5, 10)),
    *(86400 * days for days in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)
_MOST_TICKS = 6
#: Labels of closer ticks would touch on a phone.
_CLOSEST_RATIO = 1.9
#: Shortest time on a log axis.
_SHORTEST = 0.001
#: The axis spans at least this ratio, so that it has two ticks or more.
_LEAST_RATIO = 6.0
_MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A log axis of seconds: its ends and its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @property
    def texts(self) -> list[str]:
        """The labels of the ticks."""
        return [duration(seconds, short=True) for seconds in self.ticks]


def time_axis(seconds: Iterable[float]) -> TimeAxis:
    """Choose an axis that holds the given times with a margin."""
    times = [max(_SHORTEST, time) for time in seconds] or [1.0]
    low, high = min(times) / _MARGIN, max(times) * _MARGIN
    wider = max(1.0, _LEAST_RATIO / (high / low)) ** 0.5
    low, high = low / wider, high * wider
    ticks: list[float] = []
    for tick in _TICKS:
        if low <= tick <= high and (not ticks or tick >= _CLOSEST_RATIO * ticks[-1]):
            ticks.append(float(tick))
    every = -(-len(ticks) // _MOST_TICKS)
    return TimeAxis(low, high, tuple(ticks[:: max(1, every)]))


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
_DASHES: dict[str, Line] = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}


@dataclass(frozen=True, slots=True)
class Mark:
    """How one study is drawn: `shape` and `dash` are Plotly's names, `marker` and `line` those of
    matplotlib; `outline` is an SVG path in a square of 16.
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
    dash, line = list(_DASHES.items())[number // len(_COLOURS) % len(_DASHES)]
    return Mark(_COLOURS[number % len(_COLOURS)], shape, marker, dash, line, outline)


#: The views of each plot on the page; those of the front are keys in `RESAMPLED`.
VIEWS = {
    "front": {"accuracy": "Accuracy", "roc_auc": "ROC AUC"},
    "curves": {"epochs": "By epoch", "elapsed": "By elapsed time"},
    "time": {"seconds": "Time", "share": "Share"},
}
#: Opacity of a study that another dominates.
_PALE = 0.5


@dataclass(frozen=True, slots=True)
class Series:
    """One study in a plot: a line, or a single point with its interval.

    `texts` are what a page says of each point, in Plotly's HTML; `errors` are the lengths of the
    interval below and above the point, `across` those to its left and right; `hollow` points are
    drawn as an outline.
    """

    entry: LeaderboardEntry
    x: Sequence[float]
    y: Sequence[float]
    texts: Sequence[str]
    errors: tuple[float, float] | None = None
    across: tuple[float, float] = (0.0, 0.0)
    hollow: Sequence[bool] = (False,)
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Plot:
    """What both libraries draw; `front` are points joined by steps, `time` is None of epochs.

    Series of `steps` keep a value until the next.
    """

    x_label: str
    y_label: str
    series: Sequence[Series]
    time: TimeAxis | None
    front: Sequence[tuple[float, float]] = ()
    steps: bool = False


def front_plot(comparison: Comparison, key: str) -> Plot:
    """Return a metric of every study against its cost, with the front."""
    entries = comparison.entries
    costs = [entry.cost.value for entry in entries]
    ends = [end for entry in entries for end in (entry.cost.low, entry.cost.high)]
    leading = on_front(costs, [entry.estimates[key].value for entry in entries])
    label = {"accuracy": "Test accuracy", "roc_auc": "Test ROC AUC"}[key]
    series, front = [], []
    for entry, leads in zip(entries, leading, strict=True):
        estimate, x = entry.estimates[key], max(_SHORTEST, entry.cost.value)
        price = cost(entry.study.ledger, entry.cost.value)
        text = f"<b>{escape(entry.label)}</b><br>{label} {with_interval(estimate)}<br>cost {price}"
        errors = max(0.0, estimate.value - estimate.low), max(0.0, estimate.high - estimate.value)
        opacity = 1.0 if leads else _PALE
        across = x - max(_SHORTEST, entry.cost.low), max(x, entry.cost.high) - x
        point = Series(entry, [x], [estimate.value], [text], errors, across, opacity=opacity)
        series.append(point)
        if leads:
            front.append((x, estimate.value))
    x_label = f"Cost of {comparison.effort} (log scale)"
    return Plot(x_label, label, series, time_axis(ends), sorted(front))


def curve_plot(comparison: Comparison, view: str) -> Plot:
    """Return validation accuracy against epochs, or against elapsed seconds on a log scale."""
    series = []
    for entry in comparison.entries:
        curve = accuracy_curve(entry.study)
        x = curve.elapsed.clip(min=_SHORTEST) if view == "elapsed" else curve.epochs
        texts = [
            f"<b>{escape(entry.label)}</b><br>epoch {number:.0f}{', head alone' * bool(alone)}: "
            f"{accuracy:.3f}<br>after {duration(float(elapsed))}"
            for number, elapsed, accuracy, alone in zip(
                curve.epochs, curve.elapsed, curve.accuracy, curve.is_head_alone, strict=True
            )
        ]
        hollow = curve.is_head_alone.tolist()
        series.append(Series(entry, x.tolist(), curve.accuracy.tolist(), texts, hollow=hollow))
    label = f"Validation accuracy at 0.5, {OPTIMISTIC}"
    if view == "epochs":
        return Plot("Epoch", label, series, None)
    axis = time_axis(second for one in series for second in one.x)
    return Plot("Elapsed time (log scale)", label, series, axis)


#: What is drawn of a search at any time, where it is known of some study: see `AnytimeCurve`.
_ANYTIME = {
    "val_roc_auc": f"Best validation ROC AUC, {OPTIMISTIC}",
    "test_roc_auc": "Test ROC AUC of the choice",
}


def anytime_views(comparison: Comparison) -> dict[str, str]:
    """Return the views that there is anything of; none where no study tells its search."""
    curves = anytime_curves(comparison)
    views = {"val_roc_auc": "Validation", "test_roc_auc": "Test"}
    known = [key for key in views if any(np.isfinite(getattr(c, key)).any() for c in curves)]
    return {key: views[key] for key in known}


def anytime_plot(comparison: Comparison, view: str) -> Plot:
    """Return how good each search was at any time, as the mean over its seeds."""
    series = [_anytime_series(curve, view) for curve in anytime_curves(comparison)]
    series = [one for one in series if one.x]
    axis = time_axis(second for one in series for second in one.x)
    return Plot("Seconds from a cold start (log scale)", _ANYTIME[view], series, axis, steps=True)


def _anytime_series(curve: AnytimeCurve, view: str) -> Series:
    values = getattr(curve, view)
    known = np.isfinite(values)
    seconds, values = curve.seconds[known].clip(min=_SHORTEST), values[known]
    label = escape(curve.entry.label)
    texts = [
        f"<b>{label}</b><br>{_ANYTIME[view]}: {value:.3f}<br>after {duration(float(at))}"
        for at, value in zip(seconds, values, strict=True)
    ]
    full = [False] * len(texts)
    return Series(curve.entry, seconds.tolist(), values.tolist(), texts, hollow=full)


# Drawn by Plotly

#: `$ink`, `$pale`, `$line` and `$card` stand for the page's colours.
PlotlyJson = dict[str, Any]


def plotly_script() -> str:
    """Return the library that draws the plots, which a page holds within itself."""
    return str(get_plotlyjs())


def all_plots(comparison: Comparison) -> dict[str, dict[str, PlotlyJson]]:
    """Return every view of every plot, by the plot's and the view's key."""
    return {
        "front": {key: _plotly(front_plot(comparison, key)) for key in VIEWS["front"]},
        "curves": {key: _plotly(curve_plot(comparison, key)) for key in VIEWS["curves"]},
        "time": {key: _time_bars(comparison, key == "share") for key in VIEWS["time"]},
        "anytime": {
            key: _plotly(anytime_plot(comparison, key)) for key in anytime_views(comparison)
        },
    }


def _layout(x_label: str, y_label: str) -> PlotlyJson:
    """Return a layout without legend: the page has one that all plots share."""
    axis = {"gridcolor": "$line", "linecolor": "$line", "zeroline": False, "automargin": True}
    return {
        "height": 440,
        "showlegend": False,
        "margin": {"l": 56, "r": 12, "t": 12, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "$ink", "size": 13},
        "hoverlabel": {"bgcolor": "$card", "bordercolor": "$line", "font": {"color": "$ink"}},
        "hovermode": "closest",
        "xaxis": axis | {"title": {"text": x_label}},
        "yaxis": axis | {"title": {"text": y_label}},
    }


def _plotly(plot: Plot) -> PlotlyJson:
    layout = _layout(plot.x_label, plot.y_label)
    if plot.time:
        ends = [log10(plot.time.low), log10(plot.time.high)]
        ticks = {"tickvals": list(plot.time.ticks), "ticktext": plot.time.texts}
        layout["xaxis"] |= {"type": "log", "range": ends, "tickangle": 0, **ticks}
    else:
        # Ticks at whole epochs only; Plotly's own choice is whole where there are many.
        count = max(len(series.x) for series in plot.series)
        every = {"dtick": 1} if count <= 12 else {}
        layout["xaxis"] |= {"range": [0.5, count + 0.5], **every}
    front = {
        "type": "scatter",
        "mode": "lines",
        "x": [x for x, _ in plot.front],
        "y": [y for _, y in plot.front],
        "line": {"shape": "hv", "color": "$pale", "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }
    lines = [front] if plot.front else []
    data = lines + [_trace(series, plot.steps) for series in plot.series]
    return {"data": data, "layout": layout}


def _trace(series: Series, steps: bool) -> PlotlyJson:
    look = mark(series.entry.rank)
    trace: PlotlyJson = {
        "type": "scatter",
        "meta": series.entry.rank,
        "name": escape(series.entry.label),
        "x": series.x,
        "y": series.y,
        "hoverinfo": "text",
        "hovertext": series.texts,
        "opacity": series.opacity,
    }
    shapes = [f"{look.shape}-open" if hollow else look.shape for hollow in series.hollow]
    marker = {"symbol": shapes, "color": look.colour}
    if series.errors is None:
        line = {"color": look.colour, "dash": look.dash, "width": 2}
        line |= {"shape": "hv"} if steps else {}
        return trace | {"mode": "lines+markers", "line": line, "marker": marker | {"size": 8}}
    below, above = series.errors
    ends = {"type": "data", "symmetric": False, "array": [above], "arrayminus": [below]}
    error = ends | {"color": look.colour, "thickness": 1.5, "width": 5}
    errors = {"error_y": error}
    if any(series.across):
        left, right = series.across
        errors["error_x"] = error | {"array": [right], "arrayminus": [left]}
    return trace | {"mode": "markers", **errors, "marker": marker | {"size": 13}}


#: Name and colour of each stage of a study, in the order in which bars are stacked.
_STAGE_LOOKS = {
    "startup": ("start-up", "#c4c4c4"),
    "preparation": ("preparation", "#7d7d7d"),
    "extraction": ("extraction", "#3d94bd"),
    "search_complete": ("search, complete trials", "#1f77c9"),
    "search_pruned": ("search, pruned trials", "#8a63d2"),
    "search_failed": ("search, failed trials", "#c4609a"),
    "final_fit": ("final fit", "#d9541a"),
    "repeats": ("further seeds", "#b87a00"),
    "evaluation": ("evaluation", "#00916a"),
    "overhead": ("overhead", "#a0a0a0"),
}
_HATCHED = {
    **{"shape": "/", "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.75)"},
    **{"size": 6, "solidity": 0.35},
}


def stage_looks(comparison: Comparison) -> list[tuple[str, str]]:
    """Return name and colour of the stages that took any study any time."""
    ledgers = [study.ledger for study in comparison.studies]
    return [
        look
        for stage, look in _STAGE_LOOKS.items()
        if any(ledger.stage(stage).seconds for ledger in ledgers)
    ]


def _time_bars(comparison: Comparison, as_share: bool) -> PlotlyJson:
    """Return each study's stages as one bar; what an earlier run spent is hatched."""
    entries = comparison.entries
    longest = max(entry.cold_seconds for entry in entries)
    units = (180, 1.0, "seconds"), (10800, 60.0, "minutes"), (inf, 3600.0, "hours")
    unit, name = next((unit, name) for most, unit, name in units if longest < most)
    totals = [max(_SHORTEST, entry.cold_seconds) if as_share else unit for entry in entries]
    traces = [
        _stage_bar(entries, stage, amortised, totals)
        for stage in STAGES
        for amortised in (False, True)
    ]
    layout = _layout("Share of the cold cost" if as_share else f"Cold cost in {name}", "")
    layout["xaxis"] |= {"rangemode": "tozero", "tickformat": ".0%" if as_share else ""}
    hidden = dict.fromkeys(("showticklabels", "showgrid", "zeroline"), False)
    layout["yaxis"] |= {"range": [len(entries) - 0.4, -0.8], "fixedrange": True, **hidden}
    names = [
        {
            **{"x": 0, "xref": "paper", "xanchor": "left", "align": "left"},
            **{"y": entry.rank - 1, "yanchor": "bottom", "yshift": 9},
            **{"showarrow": False, "text": escape(entry.label)},
        }
        for entry in entries
    ]
    height = 80 + 46 * len(entries)
    layout |= {"barmode": "stack", "bargap": 0.62, "height": height, "annotations": names}
    layout["margin"] |= {"l": 8}
    return {"data": [trace for trace in traces if any(trace["x"])], "layout": layout}


def _stage_bar(
    entries: Sequence[LeaderboardEntry], stage: str, amortised: bool, totals: Sequence[float]
) -> PlotlyJson:
    costs = [entry.study.ledger.stage(stage) for entry in entries]
    seconds = [cost.amortised_seconds if amortised else cost.spent_seconds for cost in costs]
    name, colour = _STAGE_LOOKS[stage]
    run = "by an earlier run" if amortised else "by this run"
    return {
        "type": "bar",
        "orientation": "h",
        "y": list(range(len(entries))),
        "x": [time / total for time, total in zip(seconds, totals, strict=True)],
        "marker": {"color": colour} | ({"pattern": _HATCHED} if amortised else {}),
        "hoverinfo": "text",
        "hovertext": [
            f"<b>{escape(entry.label)}</b><br>{name}: {duration(time)} {run}"
            for entry, time in zip(entries, seconds, strict=True)
        ],
        "textposition": "none",
    }


# Drawn by matplotlib


def draw_front(comparison: Comparison, path: Path) -> None:
    """Draw accuracy against cost with intervals; dominated studies are pale."""
    plot = front_plot(comparison, "accuracy")
    _draw("What accuracy costs", _studies_and_images(comparison), [plot], path)


def draw_curves(comparison: Comparison, path: Path) -> None:
    """Draw validation accuracy by epoch, and below by elapsed time, of every final fit."""
    plots = [curve_plot(comparison, view) for view in VIEWS["curves"]]
    subtitle = _studies(comparison)
    if any(any(series.hollow) for series in plots[0].series):
        subtitle += "\nhollow: the head alone, before layers were trained with it"
    _draw("Validation accuracy of the final fits, at threshold 0.5", subtitle, plots, path)


def draw_anytime(comparison: Comparison, path: Path) -> None:
    """Draw how good each search was at any time: on validation, and on test where known."""
    plots = [anytime_plot(comparison, view) for view in anytime_views(comparison)]
    title = "How good a search is at any time"
    _draw(title, f"{_studies(comparison)}, means over seeds", plots, path)


def _draw(title: str, subtitle: str, plots: Sequence[Plot], path: Path) -> None:
    legend_inches = 0.2 * (-(-len(plots[0].series) // 2) + 1)
    figure = plotting.new_figure(title, subtitle, 1.4 + 3.2 * len(plots) + legend_inches)
    grid = figure.subplots(len(plots), 1, squeeze=False)
    for axes, plot in zip(grid[:, 0], plots, strict=True):
        _draw_axes(axes, plot)
    plotting.legend_below(figure, _marks(plots[0].series), min(2, len(plots[0].series)))
    drawing.save(figure, path)


def _studies(comparison: Comparison) -> str:
    names = sorted({elided(study.identity.data, 34) for study in comparison.studies})
    data = names[0] if len(names) == 1 else f"{names[0]} and others"
    count = len(comparison.entries)
    return f"{data}, {count} {'study' if count == 1 else 'studies'}"


def _studies_and_images(comparison: Comparison) -> str:
    return f"{_studies(comparison)}, n = {comparison.images:,} test images"


def _draw_axes(axes: Axes, plot: Plot) -> None:
    plotting.dress(axes, plot.x_label, plot.y_label)
    if plot.front:
        steps = zip(*plot.front, strict=True)
        axes.step(*steps, where="post", color=plotting.PALE_INK, linestyle=":")
    for series in plot.series:
        _draw_series(axes, series, plot.steps)
    if plot.time is None:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
        return
    axes.set_xscale("log")
    axes.set_xticks(plot.time.ticks, plot.time.texts)
    axes.set_xticks([], minor=True)
    axes.set_xlim(plot.time.low, plot.time.high)


def _draw_series(axes: Axes, series: Series, steps: bool) -> None:
    look = mark(series.entry.rank)
    if series.errors is not None:
        below, above = series.errors
        axes.errorbar(
            *(series.x, series.y, [[below], [above]]),
            xerr=[[length] for length in series.across] if any(series.across) else None,
            fmt=look.marker,
            color=look.colour,
            alpha=series.opacity,
            markersize=10,
            capsize=4,
        )
        return
    shape = "steps-post" if steps else "default"
    axes.plot(series.x, series.y, look.line, color=look.colour, linewidth=1.6, drawstyle=shape)
    faces = ["white" if hollow else look.colour for hollow in series.hollow]
    axes.scatter(
        series.x, series.y, 36, faces, marker=look.marker, edgecolors=look.colour, zorder=3
    )


def _marks(shown: Sequence[Series]) -> list[tuple[str, Line2D]]:
    marks = []
    for series in shown:
        look = mark(series.entry.rank)
        line = Line2D([], [], color=look.colour, marker=look.marker, markersize=8)
        line.set(alpha=series.opacity, linestyle="none" if series.errors else look.line)
        marks.append((elided(series.entry.label, 38), line))
    return marks


def draw_confusions(comparison: Comparison, path: Path) -> None:
    """Draw every kept model's confusion matrix, coloured by share of the true class."""
    entries, agreement = comparison.entries, comparison.agreement
    columns = min(4, max(2, len(entries)))
    rows = -(-len(entries) // columns)
    title = "Confusion matrices of the kept models"
    figure = plotting.new_figure(title, _studies_and_images(comparison), rows * 2.15 + 0.25)
    for place, entry in enumerate(entries):
        axes = figure.add_subplot(rows, columns, place + 1)
        counts, shares = agreement.confusions[place], agreement.confusion_shares[place]
        axes.imshow(shares, cmap="Purples", vmin=0, vmax=1.1)
        for row, column in np.ndindex(2, 2):
            share = shares[row, column]
            text = f"{counts[row, column]:,}\n{100 * share:.1f}%"
            _cell(axes, row, column, text, share > 0.6, 9)
        label = fill(elided(entry.label, 40), 20)
        axes.set_title(plotting.plain(label), fontsize=9, color=plotting.INK, parse_math=False)
        axes.set_xticks(range(2), CLASS_NAMES)
        axes.set_yticks(range(2), CLASS_NAMES, rotation=90, va="center")
        _bare(axes)
        if place % columns == 0:
            axes.set_ylabel("true", fontsize=plotting.SMALL_POINTS, color=plotting.PALE_INK)
        if place + columns >= len(entries):
            axes.set_xlabel("predicted", fontsize=plotting.SMALL_POINTS, color=plotting.PALE_INK)
    drawing.save(figure, path)


def draw_agreement(comparison: Comparison, path: Path) -> None:
    """Draw the share of test images that each two kept models predict alike."""
    count = len(comparison.entries)
    height = 1.2 + max(1.6, 0.3 * count)
    title = "Share of test images predicted alike"
    figure = plotting.new_figure(title, _studies_and_images(comparison), height)
    axes = figure.add_subplot()
    if count == 1:
        plotting.note(axes, "There is one study, and no other to agree with.")
        drawing.save(figure, path)
        return
    shares = comparison.agreement.same_predictions
    low = comparison.agreement.lowest_shade - 0.05
    others = np.ma.array(shares, mask=np.eye(count, dtype=bool))
    picture = axes.imshow(others, cmap="Purples", vmin=low, vmax=1.0, aspect="auto")
    # Many columns are too narrow for a digit after the point.
    size, digits = (plotting.SMALL_POINTS, 1) if count <= 9 else (7.5, 0)
    for row, column in np.ndindex(shares.shape):
        is_dark = row != column and bool(shares[row, column] > low + 0.6 * (1 - low))
        text = "–" if row == column else f"{100 * shares[row, column]:.{digits}f}"
        _cell(axes, row, column, text, is_dark, size)
    names = [f"{s.rank}  {elided(s.label, 30)}" for s in comparison.entries]
    axes.set_yticks(range(count), [plotting.plain(name) for name in names], parse_math=False)
    axes.set_xticks(range(count), [str(entry.rank) for entry in comparison.entries])
    _bare(axes)
    bar = figure.colorbar(picture, ax=axes, fraction=0.05, pad=0.02, format="{x:.0%}")
    bar.ax.tick_params(labelsize=9, colors=plotting.INK)
    bar.outline.set_visible(False)
    drawing.save(figure, path)


def _bare(axes: Axes) -> None:
    axes.tick_params(labelsize=9, colors=plotting.INK, length=0)
    axes.spines[:].set_visible(False)


def _cell(axes: Axes, row: int, column: int, text: str, is_dark: bool, size: float) -> None:
    colour = "white" if is_dark else plotting.INK
    axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)

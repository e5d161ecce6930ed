"""The interactive plots, as the JSON that Plotly draws; names in them are escaped.

Plotly reads a little HTML in texts; and no name goes into a template, in which braces count.
"""

from html import escape

from fakeface_bench.report.comparison.axes import SHORTEST
from fakeface_bench.report.comparison.comparison import Comparison
from fakeface_bench.report.comparison.curves import AccuracyCurve, accuracy_curve
from fakeface_bench.report.comparison.front import on_front
from fakeface_bench.report.comparison.palette import mark
from fakeface_bench.report.comparison.plot_layout import Plot, layout, log_time
from fakeface_bench.report.comparison.rows import told
from fakeface_bench.report.comparison.standing import Standing
from fakeface_bench.report.comparison.time_plot import time_plot
from fakeface_bench.report.comparison.units import cost, duration

#: Opacity of a study that another dominates.
PALE = 0.5
#: What the front may show upwards: key in `RESAMPLED`, and its name.
FRONT_VIEWS = {"accuracy": "Accuracy", "roc_auc": "ROC AUC"}
CURVE_VIEWS = {"epochs": "By epoch", "elapsed": "By elapsed time"}
TIME_VIEWS = {"seconds": "Time", "share": "Share"}


def all_plots(comparison: Comparison) -> dict[str, dict[str, Plot]]:
    """Return every view of every plot, by the plot's and the view's key."""
    return {
        "front": {key: front_plot(comparison, key) for key in FRONT_VIEWS},
        "curves": {key: curve_plot(comparison, key) for key in CURVE_VIEWS},
        "time": {key: time_plot(comparison, key == "share") for key in TIME_VIEWS},
    }


def front_plot(comparison: Comparison, key: str) -> Plot:
    """Return a figure of every study against its cold cost, with the front as steps."""
    standings = comparison.standings
    costs = [standing.cold_seconds for standing in standings]
    values = [standing.figures[key].value for standing in standings]
    leading = on_front(costs, values)
    points = [
        _front_point(standing, key, leads)
        for standing, leads in zip(standings, leading, strict=True)
    ]
    line = sorted(
        (max(SHORTEST, cost), value)
        for cost, value, leads in zip(costs, values, leading, strict=True)
        if leads
    )
    steps = {
        "type": "scatter",
        "mode": "lines",
        "x": [cost for cost, _ in line],
        "y": [value for _, value in line],
        "line": {"shape": "hv", "color": "$pale", "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }
    ground = layout("Cold cost (log scale)", _test(key))
    ground["xaxis"] |= log_time(costs)
    return {"data": [steps, *points], "layout": ground}


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
        _curve_line(standing, curve, by_time)
        for standing, curve in zip(comparison.standings, curves, strict=True)
    ]
    return {"data": lines, "layout": ground}


def _whole_epochs(count: int) -> Plot:
    """Mark whole epochs only; Plotly's own choice is whole where there are many."""
    return {"range": [0.5, count + 0.5]} | ({"dtick": 1} if count <= 12 else {})


def _front_point(standing: Standing, key: str, leads: bool) -> Plot:
    figure, look = standing.figures[key], mark(standing.rank)
    price = cost(standing.study.ledger, standing.cold_seconds)
    words = f"{_test(key)} {told(figure)}<br>cost {price}"
    return {
        "type": "scatter",
        "mode": "markers",
        "meta": standing.rank,
        "name": escape(standing.label),
        "x": [max(SHORTEST, standing.cold_seconds)],
        "y": [figure.value],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, figure.interval.high - figure.value)],
            "arrayminus": [max(0.0, figure.value - figure.interval.low)],
            "color": look.colour,
            "thickness": 1.5,
            "width": 5,
        },
        "marker": {"symbol": look.shape, "color": look.colour, "size": 13},
        "opacity": 1.0 if leads else PALE,
        "hoverinfo": "text",
        "hovertext": [f"<b>{escape(standing.label)}</b><br>{words}"],
    }


def _curve_line(standing: Standing, curve: AccuracyCurve, by_time: bool) -> Plot:
    look = mark(standing.rank)
    shapes = [f"{look.shape}-open" if alone else look.shape for alone in curve.is_head_alone]
    texts = [
        f"<b>{escape(standing.label)}</b><br>epoch {number:.0f}{', head alone' * bool(alone)}: "
        f"{accuracy:.3f}<br>after {duration(float(elapsed))}"
        for number, elapsed, accuracy, alone in zip(
            curve.epochs, curve.elapsed, curve.accuracy, curve.is_head_alone, strict=True
        )
    ]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "meta": standing.rank,
        "name": escape(standing.label),
        "x": [max(SHORTEST, float(x)) for x in (curve.elapsed if by_time else curve.epochs)],
        "y": [float(y) for y in curve.accuracy],
        "line": {"color": look.colour, "dash": look.dash, "width": 2},
        "marker": {"symbol": shapes, "color": look.colour, "size": 8},
        "hoverinfo": "text",
        "hovertext": texts,
    }


def _test(key: str) -> str:
    return f"Test {FRONT_VIEWS[key] if key == 'roc_auc' else FRONT_VIEWS[key].lower()}"

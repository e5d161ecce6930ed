"""The ground of every interactive plot: size, axes, and colours that follow the page's theme."""

from collections.abc import Sequence
from math import log10
from typing import Any

from fakeface_bench.report.comparison.axes import time_axis

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

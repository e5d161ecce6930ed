"""Where the time of each study went, as one bar of stages."""

from collections.abc import Sequence
from html import escape

from fakeface_bench.records import StageCost
from fakeface_bench.records.ledger import STAGES
from fakeface_bench.report.comparison.axes import SHORTEST
from fakeface_bench.report.comparison.comparison import Comparison
from fakeface_bench.report.comparison.palette import STAGE_COLOURS
from fakeface_bench.report.comparison.plot_layout import Plot, layout
from fakeface_bench.report.comparison.standing import Standing
from fakeface_bench.report.comparison.units import duration

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
    standings = comparison.standings
    longest = max(standing.cold_seconds for standing in standings)
    unit, name = _unit(longest)
    traces = [
        _stage_bar(standings, stage, amortised, 0.0 if as_share else unit)
        for stage in STAGES
        for amortised in (False, True)
    ]
    ground = layout("Share of the cold cost" if as_share else f"Cold cost in {name}", "")
    ground["xaxis"] |= {"rangemode": "tozero", "tickformat": ".0%" if as_share else ""}
    ground["yaxis"] |= {
        "range": [len(standings) - 0.4, -0.8],
        "showticklabels": False,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }
    ground |= {
        "barmode": "stack",
        "bargap": 0.62,
        "height": 80 + _ROW_HEIGHT * len(standings),
        "annotations": [_above_bar(standing) for standing in standings],
    }
    ground["margin"] |= {"l": 8}
    return {"data": [trace for trace in traces if any(trace["x"])], "layout": ground}


def stages_shown(comparison: Comparison) -> list[str]:
    """Return the stages that took any study any time."""
    ledgers = [study.ledger for study in comparison.studies]
    return [stage for stage in STAGES if any(ledger.stage(stage).seconds for ledger in ledgers)]


def _stage_bar(standings: Sequence[Standing], stage: str, amortised: bool, unit: float) -> Plot:
    """Return one stage of all studies, in units of some seconds, or as shares where that is 0."""
    costs = [standing.study.ledger.stage(stage) for standing in standings]
    seconds = [cost.amortised_seconds if amortised else cost.spent_seconds for cost in costs]
    totals = [unit or max(SHORTEST, standing.cold_seconds) for standing in standings]
    colour = STAGE_COLOURS[stage]
    return {
        "type": "bar",
        "orientation": "h",
        "y": list(range(len(standings))),
        "x": [time / total for time, total in zip(seconds, totals, strict=True)],
        "marker": {"color": colour} | ({"pattern": _HATCHED} if amortised else {}),
        "hoverinfo": "text",
        "hovertext": [
            f"<b>{escape(standing.label)}</b><br>{_stage_told(cost, amortised)}"
            for standing, cost in zip(standings, costs, strict=True)
        ],
        "textposition": "none",
    }


def _stage_told(cost: StageCost, amortised: bool) -> str:
    seconds = cost.amortised_seconds if amortised else cost.spent_seconds
    by_whom = "by an earlier run" if amortised else "by this run"
    return f"{STAGE_NAMES.get(cost.stage, cost.stage)}: {duration(seconds)} {by_whom}"


def _above_bar(standing: Standing) -> Plot:
    return {
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": standing.rank - 1,
        "yanchor": "bottom",
        "yshift": 9,
        "showarrow": False,
        "text": escape(standing.label),
        "align": "left",
    }


def _unit(seconds: float) -> tuple[float, str]:
    if seconds < 180:
        return 1.0, "seconds"
    return (60.0, "minutes") if seconds < 10800 else (3600.0, "hours")

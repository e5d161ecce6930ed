"""What the search tried, how it went, and which options mattered."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from fakeface_bench.records import StudyRecord, TrialRecord
from fakeface_bench.report import style

_STATES = ("complete", "pruned", "failed")
#: Marker, colour and name of each state.
_MARKS = {
    "complete": ("o", style.VALID_COLOUR, "complete"),
    "pruned": ("v", style.PALE_INK, "pruned (value when stopped)"),
    "failed": ("x", "#B00020", "failed"),
}


def trials_table(trials: Sequence[TrialRecord]) -> pd.DataFrame:
    """Return one row per trial, best first: complete ones, then pruned, then failed.

    A pruned trial's value is of the epoch it was stopped at, so it never ranks among complete
    ones.
    """
    ranked = sorted(trials, key=_rank)
    return pd.DataFrame(
        {
            "number": trial.number,
            "state": trial.state,
            "value": trial.value,
            "seconds": trial.seconds,
            "epochs": len(trial.epochs),
            **trial.config.as_params(),
            "reason": trial.reason,
        }
        for trial in ranked
    )


def write_search(record: StudyRecord, folder: Path) -> None:
    """Write the table of trials and draw history and importances."""
    trials_table(record.search.trials).to_csv(folder / "trials.csv", index=False)
    _draw_history(record, folder / "history.png")
    _draw_importances(record, folder / "importances.png")


def _rank(trial: TrialRecord) -> tuple[int, float, int]:
    value = -np.inf if trial.value is None else trial.value
    return _STATES.index(trial.state), -value, trial.number


def _subtitle(record: StudyRecord) -> str:
    states = [trial.state for trial in record.search.trials]
    counts = [f"{states.count(state)} {state}" for state in _STATES if state in states]
    return style.subtitle(record, f"trials: {', '.join(counts)}")


def _draw_history(record: StudyRecord, path: Path) -> None:
    trials = record.search.trials
    figure = style.new_figure("Search history", _subtitle(record))
    axes = figure.add_subplot()
    _draw_best_so_far(axes, trials)
    for state in _STATES:
        _draw_trials(axes, [trial for trial in trials if trial.state == state], state)
    best = record.search.best
    unmeasured = any(trial.value is None for trial in trials)
    x_label = "Trial number" + " (bottom edge: no value)" * unmeasured
    style.dress(axes, x_label, "Validation ROC AUC")
    axes.margins(y=0.12)
    style.whole_numbers(axes, max(trial.number for trial in trials) + 1)
    axes.set_title(
        f"best: trial {best.number}, {best.value:.4f}", fontsize=style.LABEL_POINTS, loc="left"
    )
    figure.legend(loc="outside lower center", ncols=4, fontsize=style.SMALL_POINTS, frameon=False)
    style.save(figure, path)


def _draw_best_so_far(axes: Axes, trials: Sequence[TrialRecord]) -> None:
    complete = [
        (t.number, t.value) for t in trials if t.state == "complete" and t.value is not None
    ]
    numbers = [number for number, _ in complete] + [trials[-1].number]
    best = np.maximum.accumulate([value for _, value in complete])
    axes.step(
        numbers,
        [*best, best[-1]],
        where="post",
        color=style.INK,
        linewidth=1.5,
        label="best so far",
    )


def _draw_trials(axes: Axes, trials: Sequence[TrialRecord], state: str) -> None:
    """Mark the trials of one state; those without a value stand on the bottom edge."""
    marker, colour, label = _MARKS[state]
    measured = [(trial.number, trial.value) for trial in trials if trial.value is not None]
    unmeasured = [(trial.number, 0.03) for trial in trials if trial.value is None]
    for points, transform in ((measured, axes.transData), (unmeasured, axes.get_xaxis_transform())):
        if points:
            x, y = zip(*points, strict=True)
            marks = axes.scatter(x, y, 60, colour, marker=marker, transform=transform, zorder=3)
            marks.set(linewidths=1.8, label=label)
            if state == "pruned":
                marks.set(edgecolor=colour, facecolor="white")
            label = "_repeated"


def _draw_importances(record: StudyRecord, path: Path) -> None:
    shares = sorted(record.search.importances.items(), key=lambda item: item[1])
    figure = style.new_figure("Which options mattered", _subtitle(record))
    axes = figure.add_subplot()
    if shares:
        names, values = zip(*shares, strict=True)
        bars = axes.barh(names, values, color=style.VALID_COLOUR)
        labels = [f"{value:.1%}" for value in values]
        axes.bar_label(bars, labels, padding=4, fontsize=style.SMALL_POINTS, color=style.INK)
        style.dress(axes, "Share of the variation in validation ROC AUC", "")
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.margins(x=0.12)
    else:
        style.note(axes, "Too few complete trials to tell\nwhich options mattered.")
    style.save(figure, path)

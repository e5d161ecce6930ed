"""A finished study as files and in a few lines: for MLflow, a terminal, a description."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fakeface_bench.analysis.results import Results
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.study import WITHOUT_TWINS, ModelOrigin, StudyRecord, TrialRecord
from fakeface_bench.report import drawing, plotting
from fakeface_bench.report.format import (
    OPTIMISTIC,
    counted,
    escaped,
    floor_with_interval,
    format_band,
    format_weights,
    optimistic,
    search_effort,
    signed,
    with_interval,
)
from fakeface_bench.report.model_card import CARD_FILE, model_card
from fakeface_bench.report.saved_study import (
    LEDGER_FILE,
    RESULTS_FILE,
    TRIALS_FILE,
    few_images_warning,
    format_threshold,
    parts_table,
    results_header,
    write_json,
    write_predictions,
    write_results_csv,
    write_study_json,
)
from fakeface_bench.report.study_plots import (
    write_classification,
    write_galleries,
    write_learning_curves,
    write_score_pictures,
)
from fakeface_bench.report.table import Table

#: What the short table shows, in this order: rows of `METRICS`, and the threshold.
MAIN_METRICS = (
    "roc_auc",
    "average_precision",
    "accuracy",
    "balanced_accuracy",
    "f1_fake",
    "log_loss",
    "ece",
    "threshold",
)
#: Told over several seeds.
_SEED_METRICS = ("roc_auc", "accuracy")
_STAGES = {
    "startup": "start-up and imports",
    "preparation": "dataset preparation",
    "extraction": "features (or decoding)",
    "search_complete": "search, complete trials",
    "search_pruned": "search, pruned trials",
    "search_failed": "search, failed trials",
    "final_fit": "final fit",
    "repeats": "the same with further seeds",
    "evaluation": "evaluation",
    "overhead": "overhead",
}


def summary_rows(record: StudyRecord, results: Results) -> list[tuple[str, str, str]]:
    """Return (metric, validation, test) of the main metrics as text.

    The test metric carries its 95 % interval where one is known.
    """
    return [*main_rows(results), *_further_rows(record, results)]


def summary_markdown(record: StudyRecord, results: Results, ledger: Ledger) -> str:
    """Return headline, main metrics, cost and winning options as markdown.

    A warning about the weights comes first, in bold. Names from outside are escaped.
    """
    return _markdown(record, results, ledger, main_rows(results))


def results_markdown(record: StudyRecord, results: Results, ledger: Ledger) -> str:
    """Return the same text with every metric."""
    return _markdown(record, results, ledger, _rows(results, results.keys))


def _markdown(
    record: StudyRecord, results: Results, ledger: Ledger, metrics: Sequence[tuple[str, str, str]]
) -> str:
    rows = [*metrics, *_further_rows(record, results)]
    options = [(key, _option(value)) for key, value in record.config.as_params().items()]
    warning = [f"**{escaped(record.weights.warning)}**"] if record.weights.warning else []
    few = few_images_warning(len(record.test.y_true))
    header = results_header(len(record.valid.y_true), len(record.test.y_true), record.folds)
    parts = [
        *warning,
        escaped(_headline(record, results)),
        "### Results",
        Table.of(header, rows).markdown(),
        format_threshold(record.test.threshold, record.folds),
        *([f"**{few}**"] if few else []),
        *_parts(record, results),
        *_seeds(record),
        "### Cost",
        cost_table(ledger).markdown(),
        *_processors(ledger),
        *_prices(ledger),
        "### Winning options",
        Table.of(("option", "value"), options).markdown(),
    ]
    return "\n\n".join(parts) + "\n"


def _parts(record: StudyRecord, results: Results) -> list[str]:
    parts = parts_table(record, results)
    title = "### Parts of the test split (95 % intervals)"
    return [title, parts.markdown()] if parts.records else []


def _seeds(record: StudyRecord) -> list[str]:
    """Return a row for each seed's whole study; nothing where the search was not repeated."""
    if not record.repeats_study:
        return []
    studies = [(record.seed, record.search, record.test)]
    studies += [(r.seed, r.search, r.test) for r in record.repeats if r.search]
    header = (
        "seed",
        "winning trial",
        f"ROC AUC, {optimistic(record.folds)}",
        "ROC AUC, test",
        "accuracy, test",
    )
    rows = [
        (
            *(str(seed), f"{search.best.number} of {len(search.trials)}"),
            _figure(search.best.value),
            *(_figure(test.metrics[key]) for key in _SEED_METRICS),
        )
        for seed, search, test in studies
    ]
    title = "### Seeds, each a search and a fit of its own; the first's model is kept"
    return [title, Table.of(header, rows).markdown()]


def _further_rows(record: StudyRecord, results: Results) -> list[tuple[str, str, str]]:
    return [
        *_unsure_rows(record, results),
        *_baseline_rows(record, results),
        *_twin_rows(record),
        *_floor_rows(record),
        *_seed_rows(record),
    ]


def _unsure_rows(record: StudyRecord, results: Results) -> list[tuple[str, str, str]]:
    """Return how many test images the model is unsure of, and how many of the others are wrong."""
    band, found = record.test.unsure, results.unsure
    if band is None or found is None:
        return []
    return [
        (f"unsure, {format_band(band)}", "", with_interval(found.share)),
        ("wrong among the others", "", with_interval(found.error)),
    ]


def _baseline_rows(record: StudyRecord, results: Results) -> list[tuple[str, str, str]]:
    """Return what the search is held against, and what it gained."""
    if record.baseline is None or results.search_gain is None:
        return []
    splits = record.baseline.valid, record.baseline.test
    valid, test = (f"{split.metrics['roc_auc']:.3f}" for split in splits)
    gained = f"roc_auc, gained over it by {search_effort(record.search)}"
    return [
        (f"roc_auc, {record.baseline.title}", valid, test),
        (gained, "", with_interval(results.search_gain)),
    ]


def _twin_rows(record: StudyRecord) -> list[tuple[str, str, str]]:
    """Return the main metrics without test images that have a twin in training, where any has."""
    if f"{WITHOUT_TWINS}/images" not in record.facts:
        return []
    images = record.facts[f"{WITHOUT_TWINS}/images"]
    twins = len(record.test.y_true) - int(images)
    return [
        (
            f"{key}, without {counted(twins, 'twin')} of training images",
            "",
            f"{record.facts[name]:.3f}, all less that "
            f"{signed(record.facts[f'{name}_difference'], 3)}",
        )
        for key in _SEED_METRICS
        if (name := f"{WITHOUT_TWINS}/{key}") in record.facts
    ]


def _seed_rows(record: StudyRecord) -> list[tuple[str, str, str]]:
    """Return how the study, or its winner refitted, does with several seeds."""
    fits = 1 + len(record.repeats)
    what = "seeds" if record.repeats_study else "fits of the winner"
    figures = record.scores.over_seeds()
    return [
        (
            f"{key}, mean of {fits} {what} ± their deviation",
            "",
            f"{figures[f'test/{key}_mean']:.3f} ± {figures[f'test/{key}_std']:.3f}",
        )
        for key in _SEED_METRICS
        if figures
    ]


def _floor_rows(record: StudyRecord) -> list[tuple[str, str, str]]:
    """Return what a classifier scores that sees no pixel, to read the test metric against."""
    if record.floor is None:
        return []
    seen = f"n = {record.floor.images:,}"
    return [("roc_auc, file metadata alone", seen, floor_with_interval(record.floor))]


def _headline(record: StudyRecord, results: Results) -> str:
    figures = results.test
    roc_auc, accuracy = (
        f"{name} {figures[key]:.3f} (95 % {_range(results.estimates[key])})"
        for key, name in (("roc_auc", "ROC AUC"), ("accuracy", "accuracy"))
    )
    how = f", {record.trained}" if record.trained else ""
    return (
        f"{record.model} (from {format_weights(record.weights.label)}{how}) on {record.data}: "
        f"test {roc_auc}, {accuracy} at threshold {record.test.threshold:.3f}, "
        f"n = {len(record.test.y_true):,} images."
    )


def main_rows(results: Results) -> list[tuple[str, str, str]]:
    """Return (metric, validation, test with its interval) of the main metrics as text."""
    return _rows(results, [key for key in MAIN_METRICS if key in results.keys])


def _rows(results: Results, keys: Sequence[str]) -> list[tuple[str, str, str]]:
    return [(key, _figure(results.valid.get(key)), _with_interval(results, key)) for key in keys]


def _with_interval(results: Results, key: str) -> str:
    found = results.estimates.get(key)
    return with_interval(found) if found else _figure(results.test.get(key))


def _range(estimate: Estimate) -> str:
    return f"{estimate.low:.3f} to {estimate.high:.3f}"


def _figure(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"


def cost_table(ledger: Ledger) -> Table:
    costs = [(_STAGES[c.stage], c.seconds, c.spent_seconds) for c in ledger.stages]
    costs.append(("total", ledger.total_cold_seconds, ledger.total_warm_seconds))
    rows = [(name, f"{cold:,.1f}", f"{warm:,.1f}") for name, cold, warm in costs]
    return Table.of(("stage", "seconds, cold", "seconds, this run"), rows)


def _processors(ledger: Ledger) -> list[str]:
    """Say what the run took of the processors, and whether it had the machine to itself."""
    if "processor_seconds" not in ledger.other:
        return []
    line = f"Processor seconds of this run: {ledger.other['processor_seconds']:,.1f}."
    if ledger.was_shared:
        share = ledger.other["others_share"]
        line += f" **The machine was shared: others took {share:.0%} of its processors.**"
    return [line]


def _prices(ledger: Ledger) -> list[str]:
    if not ledger.dollars_per_hour:
        return []
    cold, warm = map(ledger.price, (ledger.total_cold_seconds, ledger.total_warm_seconds))
    return [
        f"At {ledger.dollars_per_hour:,.2f} dollars an hour: {cold:,.2f} dollars cold, "
        f"{warm:,.2f} for this run."
    ]


def _option(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


_STATES = ("complete", "pruned", "failed")
#: Marker, colour and name of each state.
_MARKS = {
    "complete": ("o", plotting.VALID_COLOUR, "complete"),
    "pruned": ("v", plotting.PALE_INK, "pruned (value when stopped)"),
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
    trials_table(record.search.trials).to_csv(folder / Path(TRIALS_FILE).name, index=False)
    figure = history_figure(record.search.trials, record.search.best, _subtitle(record))
    drawing.save(figure, folder / "history.png")
    _draw_importances(record, folder / "importances.png")


def _rank(trial: TrialRecord) -> tuple[int, float, int]:
    value = -np.inf if trial.value is None else trial.value
    return _STATES.index(trial.state), -value, trial.number


def _subtitle(record: StudyRecord) -> str:
    states = [trial.state for trial in record.search.trials]
    counts = [f"{states.count(state)} {state}" for state in _STATES if state in states]
    return plotting.subtitle(record, f"trials: {', '.join(counts)}")


class ShownTrial(Protocol):
    """A trial, or a row of the table of trials."""

    @property
    def number(self) -> int:
        """In the order in which they were begun, from 0."""
        ...

    @property
    def state(self) -> str:
        """One of `_STATES`."""
        ...

    @property
    def value(self) -> float | None:
        """Validation ROC AUC; None where it was never measured."""
        ...


def history_figure(trials: Sequence[ShownTrial], best: ShownTrial, words: str) -> Figure:
    """Return what each trial of a search came to, `words` under the title."""
    figure = plotting.new_figure("Search history", words)
    axes = figure.add_subplot()
    _draw_best_so_far(axes, trials)
    for state in _STATES:
        _draw_trials(axes, [trial for trial in trials if trial.state == state], state)
    unmeasured = any(trial.value is None for trial in trials)
    x_label = "Trial number" + " (bottom edge: no value)" * unmeasured
    plotting.dress(axes, x_label, f"Validation ROC AUC ({OPTIMISTIC})")
    axes.margins(y=0.12)
    plotting.whole_numbers(axes, max(trial.number for trial in trials) + 1)
    axes.set_title(
        f"best: trial {best.number}, {best.value:.4f}", fontsize=plotting.LABEL_POINTS, loc="left"
    )
    figure.legend(
        loc="outside lower center", ncols=4, fontsize=plotting.SMALL_POINTS, frameon=False
    )
    return figure


def _draw_best_so_far(axes: Axes, trials: Sequence[ShownTrial]) -> None:
    complete = [
        (t.number, t.value) for t in trials if t.state == "complete" and t.value is not None
    ]
    numbers = [number for number, _ in complete] + [trials[-1].number]
    best = np.maximum.accumulate([value for _, value in complete])
    axes.step(
        numbers,
        [*best, best[-1]],
        where="post",
        color=plotting.INK,
        linewidth=1.5,
        label="best so far",
    )


def _draw_trials(axes: Axes, trials: Sequence[ShownTrial], state: str) -> None:
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
    figure = plotting.new_figure("Which options mattered", _subtitle(record))
    axes = figure.add_subplot()
    if shares:
        names, values = zip(*shares, strict=True)
        bars = axes.barh(names, values, color=plotting.VALID_COLOUR)
        labels = [f"{value:.1%}" for value in values]
        axes.bar_label(bars, labels, padding=4, fontsize=plotting.SMALL_POINTS, color=plotting.INK)
        plotting.dress(axes, "Share of the variation in validation ROC AUC", "")
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.margins(x=0.12)
    else:
        plotting.note(axes, "Too few complete trials to tell\nwhich options mattered.")
    drawing.save(figure, path)


def write_study_report(record: StudyRecord, results: Results, folder: Path) -> None:
    """Write `results.csv`, `study.json` and the folders `test`, `training` and `search`.

    Files of an earlier report in the same folder are overwritten. A test image that is gone
    from disk costs its thumbnail, nothing else.

    Raises:
        ValueError: If the validation or the test split lacks a class.
    """
    for name, split in (("validation", record.valid), ("test", record.test)):
        if len(set(split.y_true.tolist())) < 2:
            raise ValueError(f"the {name} split holds one class only; a report needs real and fake")
    test, training, search = (folder / name for name in ("test", "training", "search"))
    for part in (test, training, search):
        part.mkdir(parents=True, exist_ok=True)
    write_classification(record, test)
    write_score_pictures(record, test)
    write_predictions(record, folder)
    write_galleries(record, test)
    write_learning_curves(record, training)
    write_search(record, search)
    write_results_csv(results, folder / RESULTS_FILE)
    write_study_json(record, results, folder)


def write_costs(
    record: StudyRecord, results: Results, ledger: Ledger, origin: ModelOrigin, folder: Path
) -> None:
    """Write `cost_ledger.json`, and `results.md` and `model_card.md`, which tell costs too."""
    write_json(ledger.as_json(), folder / LEDGER_FILE)
    (folder / "results.md").write_text(results_markdown(record, results, ledger), encoding="utf-8")
    (folder / CARD_FILE).write_text(model_card(record, results, ledger, origin), encoding="utf-8")

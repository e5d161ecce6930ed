"""A finished study in a few lines: for the terminal, and for the MLflow run's description."""

from collections.abc import Sequence

from fakeface_bench.evaluation.intervals import Interval
from fakeface_bench.records import Ledger, StudyRecord
from fakeface_bench.report.markdown import escaped, table
from fakeface_bench.report.parts import PARTS_HEADER, part_rows
from fakeface_bench.report.results import (
    Results,
    few_images_told,
    floor_told,
    results_header,
    results_of,
    threshold_told,
    with_interval,
)

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


def summary_rows(record: StudyRecord) -> list[tuple[str, str, str]]:
    """Return (metric, validation, test) of the main metrics as text.

    The test figure carries its 95 % interval where one is known.
    """
    return [*main_rows(results_of(record)), *_further_rows(record)]


def summary_headline(record: StudyRecord) -> str:
    """Say in one sentence which model, weights and dataset, and how well it did on test."""
    return _headline(record, results_of(record))


def summary_markdown(record: StudyRecord, ledger: Ledger) -> str:
    """Return headline, main metrics, cost and winning options as markdown.

    A warning about the weights comes first, in bold. Names from outside are escaped.
    """
    results = results_of(record)
    rows = [*main_rows(results), *_further_rows(record)]
    return _markdown(record, ledger, _headline(record, results), rows)


def results_markdown(record: StudyRecord, ledger: Ledger) -> str:
    """Return the same text with every metric."""
    results = results_of(record)
    rows = [*_rows(results, results.keys), *_further_rows(record)]
    return _markdown(record, ledger, _headline(record, results), rows)


def _markdown(
    record: StudyRecord, ledger: Ledger, headline: str, metrics: Sequence[Sequence[str]]
) -> str:
    options = [(key, _option(value)) for key, value in record.config.as_params().items()]
    warning = [f"**{escaped(record.weights.warning)}**"] if record.weights.warning else []
    parts = [
        *warning,
        escaped(headline),
        "### Results",
        table(results_header(len(record.valid.y_true), len(record.test.y_true)), metrics),
        threshold_told(record.test.threshold),
        *(f"**{told}**" for told in (few_images_told(len(record.test.y_true)),) if told),
        *_parts(record),
        "### Cost",
        table(("stage", "seconds, cold", "seconds, this run"), _cost_rows(ledger)),
        *_prices(ledger),
        "### Winning options",
        table(("option", "value"), options),
    ]
    return "\n\n".join(parts) + "\n"


def _parts(record: StudyRecord) -> list[str]:
    rows = part_rows(record)
    return (
        ["### Parts of the test split (95 % intervals)", table(PARTS_HEADER, rows)] if rows else []
    )


def _further_rows(record: StudyRecord) -> list[tuple[str, str, str]]:
    return [*_floor_rows(record), *_seed_rows(record)]


def _seed_rows(record: StudyRecord) -> list[tuple[str, str, str]]:
    """Return how the winner does with several seeds, and how far they lie apart."""
    fits = 1 + len(record.repeats)
    figures = record.over_seeds()
    return [
        (
            f"{key}, mean of {fits} seeds ± their deviation",
            "",
            f"{figures[f'test/{key}_mean']:.3f} ± {figures[f'test/{key}_std']:.3f}",
        )
        for key in _SEED_METRICS
        if figures
    ]


def _floor_rows(record: StudyRecord) -> list[tuple[str, str, str]]:
    """Return what a classifier scores that sees no pixel, to read the test figure against."""
    if record.floor is None:
        return []
    seen = f"n = {record.floor.images:,}"
    return [("roc_auc, file metadata alone", seen, floor_told(record.floor))]


def _headline(record: StudyRecord, results: Results) -> str:
    figures = results.test
    roc_auc, accuracy = (
        f"{name} {figures[key]:.3f} (95 % {_range(results.intervals[key])})"
        for key, name in (("roc_auc", "ROC AUC"), ("accuracy", "accuracy"))
    )
    how = f", {record.trained}" if record.trained else ""
    return (
        f"{record.model} (from {record.weights.label} weights{how}) on {record.data}: "
        f"test {roc_auc}, {accuracy} at threshold {record.test.threshold:.3f}, "
        f"n = {len(record.test.y_true):,} images."
    )


def main_rows(results: Results) -> list[tuple[str, str, str]]:
    """Return (metric, validation, test with its interval) of the main metrics as text."""
    return _rows(results, [key for key in MAIN_METRICS if key in results.keys])


def _rows(results: Results, keys: Sequence[str]) -> list[tuple[str, str, str]]:
    return [(key, _figure(results.valid.get(key)), _with_interval(results, key)) for key in keys]


def _with_interval(results: Results, key: str) -> str:
    figure = _figure(results.test.get(key))
    interval = results.intervals.get(key)
    return with_interval(figure, interval) if interval else figure


def _range(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _figure(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"


def _cost_rows(ledger: Ledger) -> list[tuple[str, str, str]]:
    costs = [(_STAGES[c.stage], c.seconds, c.spent_seconds) for c in ledger.stages]
    costs.append(("total", ledger.total_cold_seconds, ledger.total_warm_seconds))
    return [(name, f"{cold:,.1f}", f"{warm:,.1f}") for name, cold, warm in costs]


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

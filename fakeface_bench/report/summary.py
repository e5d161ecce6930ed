"""A finished study in a few lines: for the terminal, and for the MLflow run's description."""

from collections.abc import Sequence
from dataclasses import asdict

from fakeface_bench.evaluation.intervals import Interval
from fakeface_bench.records import CostRecord, StudyRecord
from fakeface_bench.report.markdown import escaped, table
from fakeface_bench.report.parts import PARTS_HEADER, part_rows
from fakeface_bench.report.results import Results, floor_told, results_of, with_interval

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
_STAGES = {
    "extract_seconds": "features (or decoding)",
    "search_seconds": "search",
    "final_fit_seconds": "final fit",
    "evaluate_seconds": "evaluation",
    "total_seconds": "total, this run",
}


def summary_rows(record: StudyRecord) -> list[tuple[str, str, str]]:
    """Return (metric, validation, test) of the main metrics as text.

    The test figure carries its 95 % interval where one is known.
    """
    return [*_main_rows(results_of(record)), *_floor_rows(record)]


def summary_headline(record: StudyRecord) -> str:
    """Say in one sentence which model, weights and dataset, and how well it did on test."""
    return _headline(record, results_of(record))


def summary_markdown(record: StudyRecord) -> str:
    """Return headline, main metrics, cost and winning options as markdown.

    A warning about the weights comes first, in bold. Names from outside are escaped.
    """
    results = results_of(record)
    rows = [*_main_rows(results), *_floor_rows(record)]
    return _markdown(record, _headline(record, results), rows)


def results_markdown(record: StudyRecord) -> str:
    """Return the same text with every metric."""
    results = results_of(record)
    rows = [*_rows(results, results.keys), *_floor_rows(record)]
    return _markdown(record, _headline(record, results), rows)


def _markdown(record: StudyRecord, headline: str, metrics: Sequence[Sequence[str]]) -> str:
    options = [(key, _option(value)) for key, value in record.config.as_params().items()]
    warning = [f"**{escaped(record.weights.warning)}**"] if record.weights.warning else []
    parts = [
        *warning,
        escaped(headline),
        "### Results",
        table(("metric", "validation", "test (95 % interval)"), metrics),
        *_parts(record),
        "### Cost",
        table(("stage", "seconds"), _cost_rows(record.cost)),
        "### Winning options",
        table(("option", "value"), options),
    ]
    return "\n\n".join(parts) + "\n"


def _parts(record: StudyRecord) -> list[str]:
    rows = part_rows(record)
    return (
        ["### Parts of the test split (95 % intervals)", table(PARTS_HEADER, rows)] if rows else []
    )


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


def _main_rows(results: Results) -> list[tuple[str, str, str]]:
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


def _cost_rows(cost: CostRecord) -> list[tuple[str, str]]:
    seconds = asdict(cost)
    return [(name, f"{seconds[key]:,.1f}") for key, name in _STAGES.items()]


def _option(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

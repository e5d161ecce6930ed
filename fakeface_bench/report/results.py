"""The results of a study side by side: validation, test, its parts, and how sure they are."""

from pathlib import Path

import pandas as pd

from fakeface_bench.analysis.results import Results
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import StudyRecord
from fakeface_bench.report.format import with_interval
from fakeface_bench.report.table import Table

#: Fewer test images than this tell little.
FEWEST_IMAGES = 100
RESULTS_FILE = "results.csv"


def results_header(valid_images: int, test_images: int) -> tuple[str, str, str]:
    """Return the heading of a table of metrics, with the number of images."""
    return (
        "metric",
        f"validation (n = {valid_images:,})",
        f"test (n = {test_images:,}; 95 % interval)",
    )


def format_threshold(threshold: float) -> str:
    """Say at which threshold the table's calls are, and that those of the curves differ."""
    return (
        f"Accuracy and F1 are at threshold {threshold:.3f}, chosen on validation; epoch by epoch "
        "(learning curves, val/accuracy by step) accuracy is at 0.5."
    )


def few_images_warning(test_images: int) -> str:
    """Warn of a test split that is too small to tell much; empty where it is not."""
    if test_images >= FEWEST_IMAGES:
        return ""
    return (
        f"{test_images:,} test images are few (under {FEWEST_IMAGES}): mind how wide the intervals "
        "are."
    )


def results_table(results: Results) -> pd.DataFrame:
    """Return one row per metric: validation, test, and the test figure's 95 % interval.

    What is not known is missing.
    """
    found = results.estimates
    columns = {
        "validation": results.valid,
        "test": results.test,
        "test_low_95": {key: estimate.low for key, estimate in found.items()},
        "test_high_95": {key: estimate.high for key, estimate in found.items()},
    }
    return pd.DataFrame(columns, index=results.keys, dtype=float).rename_axis("metric")


def write_results_csv(results: Results, path: Path) -> None:
    """Write the table in full precision."""
    results_table(results).to_csv(path)


def read_results(path: Path) -> Results:
    """Return the figures of a table that `write_results_csv` wrote."""
    table = pd.read_csv(path, index_col="metric")
    known = table[["test", "test_low_95", "test_high_95"]].dropna()
    return Results(
        valid={str(key): float(value) for key, value in table["validation"].dropna().items()},
        test={str(key): float(value) for key, value in table["test"].dropna().items()},
        estimates={
            str(key): Estimate(float(value), float(low), float(high))
            for key, (value, low, high) in zip(known.index, known.to_numpy(), strict=True)
        },
    )


_NONE = "-"


def parts_table(record: StudyRecord, results: Results) -> Table:
    """Return a row a part of the test split; none where it has no parts.

    The last column is the ROC AUC of a classifier that sees the source's files but no picture.
    """
    rows = []
    for name, part in results.parts.items():
        floor = record.source_floors.get(name)
        alone = floor.estimate if floor else None
        estimates = (part.roc_auc, part.accuracy, part.recall_fake, alone)
        cells = (_NONE if found is None else with_interval(found) for found in estimates)
        rows.append((name, f"{part.images:,}", *cells))
    header = ("part", "images", "ROC AUC", "accuracy", "recall of fakes", "metadata alone")
    return Table.of(header, rows)

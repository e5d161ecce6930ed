"""The results of a study side by side: validation, test, its parts, and how sure they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fakeface_bench.analysis.curves import confusion_counts
from fakeface_bench.config import FAKE
from fakeface_bench.evaluation.bootstrap import Interval, roc_auc_interval, wilson_interval
from fakeface_bench.records.study import ScoredSplit, ShortcutFloor, StudyRecord, part_members

#: Fewer test images than this tell little.
FEWEST_IMAGES = 100
RESULTS_FILE = "results.csv"


@dataclass(frozen=True, slots=True)
class Results:
    """The metrics of both splits, and the threshold, by key.

    Attributes:
        valid: Of the validation split, on which threshold and options were chosen.
        test: Of the test split.
        intervals: 95 % intervals of the test figures that have one.
    """

    valid: Mapping[str, float]
    test: Mapping[str, float]
    intervals: Mapping[str, Interval]

    @property
    def keys(self) -> list[str]:
        """All metrics in the order of `METRICS`, then the threshold."""
        return list(dict(self.valid) | dict(self.test))


def results_of(record: StudyRecord) -> Results:
    """Gather the figures of a study; the intervals take part of a second."""
    return Results(
        {**record.valid.metrics, "threshold": record.valid.threshold},
        {**record.test.metrics, "threshold": record.test.threshold},
        split_intervals(record.test),
    )


def with_interval(figure: str, interval: Interval) -> str:
    """Write a figure with its interval: `0.842 (0.806 to 0.878)`."""
    return f"{figure} ({interval.low:.3f} to {interval.high:.3f})"


def results_header(valid_images: int, test_images: int) -> tuple[str, str, str]:
    """Return the heading of a table of metrics, with the number of images."""
    return (
        "metric",
        f"validation (n = {valid_images:,})",
        f"test (n = {test_images:,}; 95 % interval)",
    )


def threshold_told(threshold: float) -> str:
    """Say at which threshold the table's calls are, and that those of the curves differ."""
    return (
        f"Accuracy and F1 are at threshold {threshold:.3f}, chosen on validation; epoch by epoch "
        "(learning curves, val/accuracy by step) accuracy is at 0.5."
    )


def few_images_told(test_images: int) -> str:
    """Warn of a test split that is too small to tell much; empty where it is not."""
    if test_images >= FEWEST_IMAGES:
        return ""
    return (
        f"{test_images:,} test images are few (under {FEWEST_IMAGES}): mind how wide the intervals "
        "are."
    )


def floor_told(floor: ShortcutFloor) -> str:
    """Write what metadata alone score, with the interval."""
    return with_interval(f"{floor.roc_auc:.3f}", Interval(floor.low_95, floor.high_95))


def split_intervals(split: ScoredSplit) -> dict[str, Interval]:
    """Return the intervals of those metrics that have one, by the metric's key."""
    right = int(np.trace(confusion_counts(split)))
    return {
        "roc_auc": roc_auc_interval(split.y_true, split.y_score),
        "accuracy": wilson_interval(right, len(split.y_true)),
    }


def results_table(results: Results) -> pd.DataFrame:
    """Return one row per metric: validation, test, and the test figure's 95 % interval.

    What is not known is missing.
    """
    bounds = results.intervals
    columns = {
        "validation": results.valid,
        "test": results.test,
        "test_low_95": {key: interval.low for key, interval in bounds.items()},
        "test_high_95": {key: interval.high for key, interval in bounds.items()},
    }
    return pd.DataFrame(columns, index=results.keys, dtype=float).rename_axis("metric")


def write_results_csv(record: StudyRecord, path: Path) -> None:
    """Write the table in full precision."""
    results_table(results_of(record)).to_csv(path)


def read_results(path: Path) -> Results:
    """Return the figures of a table that `write_results_csv` wrote."""
    table = pd.read_csv(path, index_col="metric")
    known = table[["test_low_95", "test_high_95"]].dropna()
    return Results(
        valid={str(key): float(value) for key, value in table["validation"].dropna().items()},
        test={str(key): float(value) for key, value in table["test"].dropna().items()},
        intervals={
            str(key): Interval(float(low), float(high))
            for key, (low, high) in zip(known.index, known.to_numpy(), strict=True)
        },
    )


PARTS_HEADER = ("part", "images", "ROC AUC", "accuracy", "recall of fakes", "metadata alone")
_NONE = "-"


def part_rows(record: StudyRecord) -> list[tuple[str, ...]]:
    """Return `PARTS_HEADER` of each part of the test split as text; none where it has no parts.

    The last column is the ROC AUC of a classifier that sees the source's files but no picture.
    """
    test, floors = record.test, record.source_floors
    members = part_members(test.y_true, test.sources, test.tiers)
    return [
        (
            part,
            *_cells(test, part, members[part]),
            floor_told(floors[part]) if part in floors else _NONE,
        )
        for part in test.parts
    ]


def _cells(split: ScoredSplit, part: str, of: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    figures = split.parts[part]
    right = ((split.y_score >= split.threshold) == split.y_true)[of]
    fakes = split.y_true[of] == FAKE
    recall = accuracy = roc_auc = _NONE
    if fakes.any():
        recall = with_interval(f"{right[fakes].mean():.3f}", _wilson(right[fakes]))
    if "accuracy" in figures:
        accuracy = with_interval(f"{figures['accuracy']:.3f}", _wilson(right))
    if "roc_auc" in figures:
        interval = roc_auc_interval(split.y_true[of], split.y_score[of])
        roc_auc = with_interval(f"{figures['roc_auc']:.3f}", interval)
    return f"{len(right):,}", roc_auc, accuracy, recall


def _wilson(right: npt.NDArray[np.bool_]) -> Interval:
    return wilson_interval(int(right.sum()), len(right))

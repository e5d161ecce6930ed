"""Confusion matrix and per-class figures of the test split, as data and as a picture."""

import json
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.records import ScoredSplit, StudyRecord
from fakeface_bench.report import style
from fakeface_bench.report.curves import confusion_counts

_SHADES = LinearSegmentedColormap.from_list("shades", ["#FFFFFF", style.TEST_COLOUR])


def confusion_matrix(split: ScoredSplit) -> dict[str, Any]:
    """Return counts, and shares of each true class, with what rows and columns stand for."""
    counts = confusion_counts(split)
    return {
        "classes": list(CLASS_NAMES),
        "rows": "true",
        "columns": "predicted",
        "threshold": split.threshold,
        "n": int(counts.sum()),
        "counts": counts.tolist(),
        "row_shares": _row_shares(counts).tolist(),
    }


def classification_report(split: ScoredSplit) -> pd.DataFrame:
    """Return precision, recall, F1 and support of each class and of their averages.

    A class that is never called has precision 0. In the row `accuracy`, precision, recall and
    F1 are all the accuracy: over both classes pooled they are the same share.
    """
    counts = confusion_counts(split)
    right, support, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    precision = right / np.maximum(called, 1)
    figures = np.column_stack([precision, right / support, 2 * right / (called + support)])
    accuracy = right.sum() / support.sum()
    rows = [*figures, [accuracy] * 3, figures.mean(axis=0), support @ figures / support.sum()]
    names = [*CLASS_NAMES, "accuracy", "macro_avg", "weighted_avg"]
    report = pd.DataFrame(rows, columns=["precision", "recall", "f1"], index=names)
    report["support"] = [*support, *[support.sum()] * 3]
    return report.rename_axis("class")


def write_classification(record: StudyRecord, folder: Path) -> None:
    """Write confusion matrix and classification report, each as data and where apt drawn."""
    matrix = confusion_matrix(record.test)
    _write_json(matrix, folder / "confusion_matrix.json")
    _draw_confusion(record, folder / "confusion_matrix.png")
    report = classification_report(record.test)
    report.to_csv(folder / "classification_report.csv")
    rows: dict[Hashable, Any] = dict(report.to_dict(orient="index"))
    rows["accuracy"] = rows["accuracy"]["recall"]
    _write_json(rows, folder / "classification_report.json")


def _row_shares(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
    return shares


def _write_json(content: Mapping[Any, Any], path: Path) -> None:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _draw_confusion(record: StudyRecord, path: Path) -> None:
    counts = confusion_counts(record.test)
    shares = _row_shares(counts)
    counted = f"n = {counts.sum():,} test images, threshold {record.test.threshold:.3f}"
    figure = style.new_figure("Confusion matrix", style.subtitle(record, counted))
    axes = figure.add_subplot()
    shown = axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1)
    style.dress(axes, "Predicted class", "True class")
    axes.grid(visible=False)
    axes.set_xticks(range(2), CLASS_NAMES, fontsize=style.LABEL_POINTS)
    axes.set_yticks(range(2), CLASS_NAMES, fontsize=style.LABEL_POINTS)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        words = f"{count:,}\n{share:.1%} of {CLASS_NAMES[row]}"
        ink = "white" if share > 0.5 else style.INK
        axes.text(column, row, words, ha="center", va="center", color=ink, fontsize=13)
    bar = figure.colorbar(shown, ax=axes, format="{x:.0%}")
    bar.set_label("Share of the true class (%)", fontsize=style.LABEL_POINTS)
    bar.ax.tick_params(labelsize=style.SMALL_POINTS)
    style.save(figure, path)

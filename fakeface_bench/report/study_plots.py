"""The pictures of a study: its training, what its scores can do, the surest test images."""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fakeface_bench.analysis.curves import (
    Curve,
    confusion_counts,
    precision_recall_curve,
    roc_curve,
)
from fakeface_bench.config import (
    CLASS_NAMES,
    EPOCH_ITERATIONS,
    FAKE,
    LOGISTIC_REGRESSION,
    REAL,
)
from fakeface_bench.records.study import (
    EpochRecord,
    FitRecord,
    FloatArray,
    LabelArray,
    ScoredSplit,
    StudyRecord,
)
from fakeface_bench.report import drawing, plotting
from fakeface_bench.report.format import OPTIMISTIC, optimistic
from fakeface_bench.report.tiles import Tile, draw_tile, thumbnail

#: Of the learning curves: the study's own threshold is chosen when the fit is over.
CURVE_THRESHOLD = 0.5
#: What its epochs have in MLflow as steps from 0.
_FIRST_EPOCH = 1
#: Each panel: its axis, then the lines as (attribute of the epoch, name, colour).
_PANELS = (
    (
        "Loss",
        (
            ("train_loss", "train", plotting.TRAIN_COLOUR),
            ("val_loss", "validation", plotting.VALID_COLOUR),
        ),
    ),
    (
        f"Accuracy at {CURVE_THRESHOLD}",
        (
            ("train_accuracy", "train", plotting.TRAIN_COLOUR),
            ("val_accuracy", "validation", plotting.VALID_COLOUR),
        ),
    ),
    ("ROC AUC", (("val_roc_auc", "validation", plotting.VALID_COLOUR),)),
)


def write_learning_curves(record: StudyRecord, folder: Path) -> None:
    """Draw loss, accuracy and ROC AUC of the final fit below one another."""
    images = f"{len(record.valid.y_true):,}"
    counted = f"n = {images} validation images, {OPTIMISTIC}"
    if record.folds:
        counted = f"validation: mean of {record.folds} folds, n = {images}, {OPTIMISTIC}"
    figure = learning_curves_figure(record.final_fit, plotting.subtitle(record, counted))
    drawing.save(figure, folder / "learning_curves.png")


def learning_curves_figure(fit: FitRecord, words: str) -> Figure:
    """Return loss, accuracy and ROC AUC of a fit below one another, `words` under the title."""
    count = len(fit.epochs)
    title = f"Learning curves of the final fit, {count} epoch{'s' * (count != 1)}"
    figure = plotting.new_figure(title, words, height=8.0)
    panels = figure.subplots(len(_PANELS), 1, sharex=True)
    for axes, (name, lines) in zip(panels, _PANELS, strict=True):
        _draw_panel(axes, fit.epochs, lines)
        axes.axvline(
            _FIRST_EPOCH + fit.best_epoch, linestyle=":", color=plotting.INK, linewidth=1.5
        )
        _mark_stages(axes, fit)
        plotting.dress(axes, "", name)
        plotting.whole_numbers(axes, count, _FIRST_EPOCH)
    best = fit.best
    label = f"kept: epoch {_FIRST_EPOCH + best.epoch}, ROC AUC {best.val_roc_auc:.3f}"
    panels[-1].plot(
        [_FIRST_EPOCH + fit.best_epoch],
        [best.val_roc_auc],
        "*",
        color=plotting.INK,
        markersize=13,
        label=label,
        linestyle="none",
    )
    iterations = best.stage == LOGISTIC_REGRESSION
    what = f"Epoch of {EPOCH_ITERATIONS} iterations" if iterations else "Epoch"
    x_label = f"{what} (counted from 1; MLflow's step 0)"
    panels[-1].set_xlabel(x_label, fontsize=plotting.LABEL_POINTS)
    for axes in panels:
        plotting.legend(axes)
    return figure


def _mark_stages(axes: Axes, fit: FitRecord) -> None:
    """Shade the epochs that trained the head alone, where others follow."""
    alone = len(fit.epochs) - len(fit.last_stage)
    if alone:
        axes.axvspan(
            _FIRST_EPOCH - 0.5,
            _FIRST_EPOCH + alone - 0.5,
            color=plotting.PALE_INK,
            alpha=0.15,
            linewidth=0,
            label="head alone",
        )
        axes.set_xlim(_FIRST_EPOCH - 0.5, _FIRST_EPOCH + len(fit.epochs) - 0.5)


def _draw_panel(
    axes: Axes, epochs: Sequence[EpochRecord], lines: Sequence[tuple[str, str, str]]
) -> None:
    for attribute, name, colour in lines:
        values = [getattr(epoch, attribute) for epoch in epochs]
        numbers = [_FIRST_EPOCH + epoch.epoch for epoch in epochs]
        axes.plot(numbers, values, "o-", color=colour, linewidth=2, markersize=4.5, label=name)


@dataclass(frozen=True, slots=True)
class ShownScores:
    """Scores that pictures show.

    Attributes:
        of: The study that they are of.
        valid: Of validation, which is drawn pale; None where it is not known.
        folds: As in `StudyRecord`.
    """

    of: plotting.Named
    test: ScoredSplit
    valid: ScoredSplit | None = None
    folds: int = 0

    @property
    def subtitle(self) -> str:
        """Which study on which images."""
        return plotting.subtitle(self.of, f"n = {len(self.test.y_true):,} test images")


def scores_of(record: StudyRecord) -> ShownScores:
    """Return the scores of a study that was just run."""
    return ShownScores(record, record.test, record.valid, record.folds)


def write_score_pictures(record: StudyRecord, folder: Path) -> None:
    """Draw the three pictures of the test scores."""
    shown = scores_of(record)
    drawing.save(roc_figure(shown), folder / "roc_curve.png")
    drawing.save(precision_recall_figure(shown), folder / "precision_recall_curve.png")
    drawing.save(histogram_figure(shown), folder / "score_histogram.png")


def roc_figure(shown: ShownScores) -> Figure:
    """Return the ROC curve, with the study's threshold on it."""
    figure = plotting.new_figure("ROC curve", shown.subtitle, height=5.6)
    axes = figure.add_subplot()
    _draw_splits(axes, shown, roc_curve, "AUC")
    axes.plot(
        [0, 1], [0, 1], "--", color=plotting.PALE_INK, linewidth=1.2, label="chance, AUC 0.500"
    )
    (right_real, wrong_real), (_, right_fake) = confusion_counts(shown.test)
    fakes = shown.test.y_true.sum()
    _mark_threshold(axes, shown, wrong_real / (right_real + wrong_real), right_fake / fakes)
    plotting.dress(
        axes,
        "False positive rate (share of real predicted fake)",
        "True positive rate (fakes found)",
    )
    _finish_square(axes, "lower right")
    return figure


def precision_recall_figure(shown: ShownScores) -> Figure:
    """Return the precision-recall curve, with the study's threshold on it."""
    figure = plotting.new_figure("Precision-recall curve", shown.subtitle, height=5.6)
    axes = figure.add_subplot()
    _draw_splits(axes, shown, precision_recall_curve, "AP")
    chance = float(shown.test.y_true.mean())
    label = f"chance, AP {chance:.3f}"
    axes.axhline(chance, linestyle="--", color=plotting.PALE_INK, linewidth=1.2, label=label)
    (_, wrong_real), (_, right_fake) = confusion_counts(shown.test)
    called = wrong_real + right_fake
    if called:
        _mark_threshold(axes, shown, right_fake / shown.test.y_true.sum(), right_fake / called)
    plotting.dress(
        axes, "Recall (fakes found)", "Precision (share of predicted fakes that are fake)"
    )
    _finish_square(axes, "lower left")
    return figure


def histogram_figure(shown: ShownScores) -> Figure:
    """Return how the scores of each class are distributed."""
    test = shown.test
    figure = plotting.new_figure("Scores by true class", shown.subtitle)
    axes = figure.add_subplot()
    bins = np.linspace(0, 1, int(np.clip(np.sqrt(len(test.y_true)), 10, 40)) + 1)
    for label in (REAL, FAKE):
        scores = test.y_score[test.y_true == label]
        shares = np.histogram(scores, bins)[0] / len(scores)
        name = f"{CLASS_NAMES[label]} (n = {len(scores):,})"
        colour = plotting.CLASS_COLOURS[label]
        axes.stairs(shares, bins, fill=True, color=colour, alpha=0.35)
        axes.stairs(shares, bins, color=colour, linewidth=1.8, label=name)
    label_of_line = f"threshold {test.threshold:.3f}"
    axes.axvline(
        test.threshold, linestyle="--", color=plotting.INK, linewidth=1.5, label=label_of_line
    )
    plotting.dress(axes, "Score (probability of fake)", "Share of the class's images")
    top = axes.get_ylim()[1]
    axes.set_yticks([tick for tick in axes.get_yticks() if tick <= min(top, 1)])
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(0, 1.18 * top)
    axes.set_xlim(-0.01, 1.01)
    plotting.legend(axes, "upper center", columns=3)
    return figure


def _draw_splits(
    axes: Axes,
    shown: ShownScores,
    curve_of: Callable[[LabelArray, FloatArray], Curve],
    area_name: str,
) -> None:
    """Draw validation pale and test strong; both step where precision does."""
    steps = "steps-pre" if area_name == "AP" else "default"

    def draw(split: ScoredSplit, name: str, colour: str, width: float) -> None:
        curve = curve_of(split.y_true, split.y_score)
        label = f"{name}, {area_name} {curve.area:.3f}"
        axes.plot(curve.x, curve.y, color=colour, linewidth=width, label=label, drawstyle=steps)

    if shown.valid is not None:
        draw(shown.valid, optimistic(shown.folds), "#BDB5D5", 1.6)
    draw(shown.test, "test", plotting.TEST_COLOUR, 2.4)


def _mark_threshold(axes: Axes, shown: ShownScores, x: float, y: float) -> None:
    label = f"threshold {shown.test.threshold:.3f}"
    axes.plot(
        [x],
        [y],
        "o",
        color="white",
        markeredgecolor=plotting.INK,
        markeredgewidth=2,
        markersize=10,
        label=label,
        zorder=5,
        linestyle="none",
    )


def _finish_square(axes: Axes, legend_place: plotting.Place) -> None:
    """Give both axes the whole range of a share, at one scale, and explain the lines."""
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    plotting.legend(axes, legend_place)


_SHADES = LinearSegmentedColormap.from_list("shades", ["#FFFFFF", plotting.TEST_COLOUR])


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
    metrics = np.column_stack([precision, right / support, 2 * right / (called + support)])
    accuracy = right.sum() / support.sum()
    rows = [*metrics, [accuracy] * 3, metrics.mean(axis=0), support @ metrics / support.sum()]
    names = [*CLASS_NAMES, "accuracy", "macro_avg", "weighted_avg"]
    report = pd.DataFrame(rows, columns=["precision", "recall", "f1"], index=names)
    report["support"] = [*support, *[support.sum()] * 3]
    return report.rename_axis("class")


def write_classification(record: StudyRecord, folder: Path) -> None:
    """Write confusion matrix and classification report, each as data and where apt drawn."""
    matrix = confusion_matrix(record.test)
    _write_json(matrix, folder / "confusion_matrix.json")
    drawing.save(confusion_figure(scores_of(record)), folder / "confusion_matrix.png")
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


def confusion_figure(shown: ShownScores) -> Figure:
    """Return the confusion matrix at the study's threshold."""
    counts = confusion_counts(shown.test)
    shares = _row_shares(counts)
    counted = f"n = {counts.sum():,} test images, threshold {shown.test.threshold:.3f}"
    figure = plotting.new_figure("Confusion matrix", plotting.subtitle(shown.of, counted))
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1)
    plotting.dress(axes, "Predicted class", "True class")
    axes.grid(visible=False)
    axes.set_xticks(range(2), CLASS_NAMES, fontsize=plotting.LABEL_POINTS)
    axes.set_yticks(range(2), CLASS_NAMES, fontsize=plotting.LABEL_POINTS)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        words = f"{count:,}\n{share:.1%} of {CLASS_NAMES[row]}"
        ink = "white" if share > 0.5 else plotting.INK
        axes.text(column, row, words, ha="center", va="center", color=ink, fontsize=13)
    bar = figure.colorbar(image, ax=axes, format="{x:.0%}")
    bar.set_label("Share of the true class (%)", fontsize=plotting.LABEL_POINTS)
    bar.ax.tick_params(labelsize=plotting.SMALL_POINTS)
    return figure


MOST_IMAGES = 12
_COLUMNS = 4
_ROW_INCHES = 2.05


def most_confident(
    split: ScoredSplit, right: bool, most: int = MOST_IMAGES
) -> npt.NDArray[np.int64]:
    """Choose up to `most` images predicted correctly, or wrongly, with the highest probability.

    Returns:
        Positions in the split, real images before fake ones, surest first.
    """
    called = split.y_score >= split.threshold
    chosen = np.flatnonzero((called == split.y_true) == right)
    sureness = np.where(called, split.y_score, 1 - split.y_score)[chosen]
    return in_turns(split, chosen[np.argsort(-sureness, kind="stable")], most)


def in_turns(split: ScoredSplit, chosen: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """Keep the first `most` of some positions; the classes take turns while both last.

    Scores pile up at one end, and the surest images alone would often all be of one class.

    Returns:
        Positions in the split, real images before fake ones, each in the given order.
    """
    is_fake = split.y_true[chosen].astype(bool)
    turn = np.where(is_fake, np.cumsum(is_fake), np.cumsum(~is_fake))
    shown = np.sort(np.argsort(turn, kind="stable")[:most])
    by_class = np.argsort(split.y_true[chosen[shown]], kind="stable")
    return chosen[shown][by_class]


def write_galleries(record: StudyRecord, folder: Path) -> None:
    """Draw the gallery of right and the gallery of wrong predictions."""
    _draw_gallery(record, True, folder / "gallery_right.png")
    _draw_gallery(record, False, folder / "gallery_wrong.png")


def _draw_gallery(record: StudyRecord, right: bool, path: Path) -> None:
    split = record.test
    word = "correct" if right else "wrong"
    total = int(np.sum(((split.y_score >= split.threshold) == split.y_true) == right))
    chosen = most_confident(split, right)
    title = f"Most confident {word} predictions" if total else f"No {word} predictions"
    shown = f"{len(chosen)} of {total:,}" if total else "none"
    counted = f"{shown} {word} among n = {len(split.y_true):,} test images"
    rows = max(1, -(-len(chosen) // _COLUMNS))
    figure = plotting.new_figure(
        title, plotting.subtitle(record, counted), height=rows * _ROW_INCHES
    )
    if not total:
        plotting.note(figure.add_subplot(), f"No test image was predicted {word}ly.")
    for place, position in enumerate(chosen, start=1):
        draw_tile(figure.add_subplot(rows, _COLUMNS, place), _tile(record, int(position)))
    drawing.save(figure, path)


def _tile(record: StudyRecord, position: int) -> Tile:
    split = record.test
    label = int(split.y_true[position])
    path = Path(record.data_folders[split.sources[position]]) / split.paths[position]
    unsure = ", unsure" * split.is_unsure(position)
    words = f"true: {CLASS_NAMES[label]}\nscore {split.y_score[position]:.3f}{unsure}"
    return Tile(thumbnail(path), label, words)

"""What the scores can do at every threshold: ROC, precision-recall, and their distribution."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from fakeface_bench.config import CLASS_NAMES, FAKE, REAL
from fakeface_bench.records import FloatArray, LabelArray, ScoredSplit, StudyRecord
from fakeface_bench.report import style
from fakeface_bench.report.curves import (
    Curve,
    confusion_counts,
    precision_recall_curve,
    roc_curve,
)


def write_score_pictures(record: StudyRecord, folder: Path) -> None:
    """Draw the three pictures of the test scores."""
    _draw_roc(record, folder / "roc_curve.png")
    _draw_precision_recall(record, folder / "precision_recall_curve.png")
    _draw_histogram(record, folder / "score_histogram.png")


def _draw_roc(record: StudyRecord, path: Path) -> None:
    figure = style.new_figure("ROC curve", _subtitle(record), height=5.6)
    axes = figure.add_subplot()
    _draw_splits(axes, record, roc_curve, "AUC")
    axes.plot([0, 1], [0, 1], "--", color=style.PALE_INK, linewidth=1.2, label="chance, AUC 0.500")
    (right_real, wrong_real), (_, right_fake) = confusion_counts(record.test)
    fakes = record.test.y_true.sum()
    _mark_threshold(axes, record, wrong_real / (right_real + wrong_real), right_fake / fakes)
    style.dress(
        axes, "False positive rate (share of real called fake)", "True positive rate (fakes found)"
    )
    _finish_square(axes, "lower right")
    style.save(figure, path)


def _draw_precision_recall(record: StudyRecord, path: Path) -> None:
    figure = style.new_figure("Precision-recall curve", _subtitle(record), height=5.6)
    axes = figure.add_subplot()
    _draw_splits(axes, record, precision_recall_curve, "AP")
    chance = float(record.test.y_true.mean())
    label = f"chance, AP {chance:.3f}"
    axes.axhline(chance, linestyle="--", color=style.PALE_INK, linewidth=1.2, label=label)
    (_, wrong_real), (_, right_fake) = confusion_counts(record.test)
    called = wrong_real + right_fake
    if called:
        _mark_threshold(axes, record, right_fake / record.test.y_true.sum(), right_fake / called)
    style.dress(axes, "Recall (fakes found)", "Precision (share of fake calls that are right)")
    _finish_square(axes, "lower left")
    style.save(figure, path)


def _draw_histogram(record: StudyRecord, path: Path) -> None:
    test = record.test
    figure = style.new_figure("Scores by true class", _subtitle(record))
    axes = figure.add_subplot()
    bins = np.linspace(0, 1, int(np.clip(np.sqrt(len(test.y_true)), 10, 40)) + 1)
    for label in (REAL, FAKE):
        scores = test.y_score[test.y_true == label]
        shares = np.histogram(scores, bins)[0] / len(scores)
        name = f"{CLASS_NAMES[label]} (n = {len(scores):,})"
        colour = style.CLASS_COLOURS[label]
        axes.stairs(shares, bins, fill=True, color=colour, alpha=0.35)
        axes.stairs(shares, bins, color=colour, linewidth=1.8, label=name)
    label_of_line = f"threshold {test.threshold:.3f}"
    axes.axvline(
        test.threshold, linestyle="--", color=style.INK, linewidth=1.5, label=label_of_line
    )
    style.dress(axes, "Score (probability of fake)", "Share of the class's images")
    top = axes.get_ylim()[1]
    axes.set_yticks([tick for tick in axes.get_yticks() if tick <= min(top, 1)])
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g}%")
    axes.set_ylim(0, 1.18 * top)
    axes.set_xlim(-0.01, 1.01)
    style.legend(axes, "upper center", columns=3)
    style.save(figure, path)


def _subtitle(record: StudyRecord) -> str:
    return style.subtitle(record, f"n = {len(record.test.y_true):,} test images")


def _draw_splits(
    axes: Axes,
    record: StudyRecord,
    curve_of: Callable[[LabelArray, FloatArray], Curve],
    area_name: str,
) -> None:
    """Draw validation pale and test strong; both step where precision does."""
    steps = "steps-pre" if area_name == "AP" else "default"

    def draw(split: ScoredSplit, name: str, colour: str, width: float) -> None:
        curve = curve_of(split.y_true, split.y_score)
        label = f"{name}, {area_name} {curve.area:.3f}"
        axes.plot(curve.x, curve.y, color=colour, linewidth=width, label=label, drawstyle=steps)

    draw(record.valid, "validation", "#BDB5D5", 1.6)
    draw(record.test, "test", style.TEST_COLOUR, 2.4)


def _mark_threshold(axes: Axes, record: StudyRecord, x: float, y: float) -> None:
    label = f"threshold {record.test.threshold:.3f}"
    axes.plot(
        [x],
        [y],
        "o",
        color="white",
        markeredgecolor=style.INK,
        markeredgewidth=2,
        markersize=10,
        label=label,
        zorder=5,
        linestyle="none",
    )


def _finish_square(axes: Axes, legend_place: style.Place) -> None:
    """Give both axes the whole range of a share, at one scale, and explain the lines."""
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    style.legend(axes, legend_place)

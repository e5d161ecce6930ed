"""How the winner's refit went, epoch by epoch."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from fakeface_bench.records import EpochRecord, FitRecord, StudyRecord
from fakeface_bench.report import style

#: In the course of a fit a picture is called fake from here on: the study's own threshold is chosen
#: when it is over.
CURVE_THRESHOLD = 0.5
#: What its epochs have in MLflow as steps from 0.
_FIRST_EPOCH = 1
#: Each panel: its axis, then the lines as (attribute of the epoch, name, colour).
_PANELS = (
    (
        "Loss",
        (
            ("train_loss", "train", style.TRAIN_COLOUR),
            ("val_loss", "validation", style.VALID_COLOUR),
        ),
    ),
    (
        f"Accuracy at {CURVE_THRESHOLD}",
        (
            ("train_accuracy", "train", style.TRAIN_COLOUR),
            ("val_accuracy", "validation", style.VALID_COLOUR),
        ),
    ),
    ("ROC AUC", (("val_roc_auc", "validation", style.VALID_COLOUR),)),
)


def write_learning_curves(record: StudyRecord, folder: Path) -> None:
    """Draw loss, accuracy and ROC AUC of the final fit below one another."""
    fit = record.final_fit
    count = len(fit.epochs)
    counted = f"n = {len(record.valid.y_true):,} validation images"
    title = f"Learning curves of the final fit, {count} epoch{'s' * (count != 1)}"
    figure = style.new_figure(title, style.subtitle(record, counted), height=8.0)
    panels = figure.subplots(len(_PANELS), 1, sharex=True)
    for axes, (name, lines) in zip(panels, _PANELS, strict=True):
        _draw_panel(axes, fit.epochs, lines)
        axes.axvline(_FIRST_EPOCH + fit.best_epoch, linestyle=":", color=style.INK, linewidth=1.5)
        _mark_stages(axes, fit)
        style.dress(axes, "", name)
        style.whole_numbers(axes, count, _FIRST_EPOCH)
    best = fit.best
    label = f"kept: epoch {_FIRST_EPOCH + best.epoch}, ROC AUC {best.val_roc_auc:.3f}"
    panels[-1].plot(
        [_FIRST_EPOCH + fit.best_epoch],
        [best.val_roc_auc],
        "*",
        color=style.INK,
        markersize=13,
        label=label,
        linestyle="none",
    )
    panels[-1].set_xlabel("Epoch (counted from 1; MLflow's step 0)", fontsize=style.LABEL_POINTS)
    for axes in panels:
        style.legend(axes)
    style.save(figure, folder / "learning_curves.png")


def _mark_stages(axes: Axes, fit: FitRecord) -> None:
    """Shade the epochs that trained the head alone, where others follow."""
    alone = len(fit.epochs) - len(fit.last_stage)
    if alone:
        axes.axvspan(
            _FIRST_EPOCH - 0.5,
            _FIRST_EPOCH + alone - 0.5,
            color=style.PALE_INK,
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

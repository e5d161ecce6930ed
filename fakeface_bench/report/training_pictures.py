"""How the winner's refit went, epoch by epoch."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from fakeface_bench.records import EpochRecord, FitRecord, StudyRecord
from fakeface_bench.report import style

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
        "Accuracy",
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
        axes.axvline(fit.best_epoch, linestyle=":", color=style.INK, linewidth=1.5)
        _mark_stages(axes, fit)
        style.dress(axes, "", name)
        style.whole_numbers(axes, count)
    best = fit.best
    label = f"kept: epoch {best.epoch}, ROC AUC {best.val_roc_auc:.3f}"
    panels[-1].plot(
        [fit.best_epoch],
        [best.val_roc_auc],
        "*",
        color=style.INK,
        markersize=13,
        label=label,
        linestyle="none",
    )
    panels[-1].set_xlabel("Epoch (counted from 0)", fontsize=style.LABEL_POINTS)
    for axes in panels:
        style.legend(axes)
    style.save(figure, folder / "learning_curves.png")


def _mark_stages(axes: Axes, fit: FitRecord) -> None:
    """Shade the epochs that trained the head alone, where others follow."""
    alone = len(fit.epochs) - len(fit.last_stage)
    if alone:
        axes.axvspan(
            -0.5, alone - 0.5, color=style.PALE_INK, alpha=0.15, linewidth=0, label="head alone"
        )
        axes.set_xlim(-0.5, len(fit.epochs) - 0.5)


def _draw_panel(
    axes: Axes, epochs: Sequence[EpochRecord], lines: Sequence[tuple[str, str, str]]
) -> None:
    for attribute, name, colour in lines:
        values = [getattr(epoch, attribute) for epoch in epochs]
        numbers = [epoch.epoch for epoch in epochs]
        axes.plot(numbers, values, "o-", color=colour, linewidth=2, markersize=4.5, label=name)

"""One fit of one classifier, epoch by epoch."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch of one fit.

    Attributes:
        epoch: Counted from 0; the `step` of its MLflow metrics.
        train_loss: Mean over the epoch's batches, while the weights move.
        train_accuracy: Share of the epoch's images on the right side of probability 0.5.
        val_loss: Of the whole validation split after the epoch.
        val_accuracy: Share of the validation split on the right side of probability 0.5.
        val_roc_auc: Of the whole validation split.
        seconds: Training time, without validation.
        val_seconds: Validation time.
        stage: What was trained: `head` on cached features, `fine_tune` (unfrozen layers and head),
            or `scratch` (everything).
        batch_size: Images per training step; smaller than asked for where memory did not
            suffice. 0 in records that do not tell.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    val_roc_auc: float
    seconds: float
    val_seconds: float
    stage: str = "head"
    batch_size: int = 0

    def as_metrics(self) -> dict[str, float]:
        """Return the epoch under its MLflow names."""
        return {
            "train/loss": self.train_loss,
            "train/accuracy": self.train_accuracy,
            "val/loss": self.val_loss,
            "val/accuracy": self.val_accuracy,
            "val/roc_auc": self.val_roc_auc,
            "cost/epoch_seconds": self.seconds,
            "cost/epoch_val_seconds": self.val_seconds,
            "train/batch_size": float(self.batch_size),
        }


@dataclass(frozen=True, slots=True)
class FitRecord:
    """One fit: its epochs, and the one whose weights were kept.

    Attributes:
        epochs: Of all stages, one after another.
        best_epoch: Of the last stage, the one with the highest validation objective.
    """

    epochs: tuple[EpochRecord, ...]
    best_epoch: int

    @property
    def best(self) -> EpochRecord:
        """The epoch whose weights the model ended with."""
        return self.epochs[self.best_epoch]

    @property
    def last_stage(self) -> tuple[EpochRecord, ...]:
        """The epochs of the last stage, the one that costs."""
        return last_stage(self.epochs)


def last_stage(epochs: Sequence[EpochRecord]) -> tuple[EpochRecord, ...]:
    """Return those of some epochs that trained what the last of them did."""
    return tuple(epoch for epoch in epochs if epoch.stage == epochs[-1].stage)

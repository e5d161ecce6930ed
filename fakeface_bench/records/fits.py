"""One fit of one classifier, epoch by epoch."""

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
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    val_roc_auc: float
    seconds: float
    val_seconds: float

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
        }


@dataclass(frozen=True, slots=True)
class FitRecord:
    """One fit: its epochs, and the one whose weights were kept."""

    epochs: tuple[EpochRecord, ...]
    best_epoch: int

    @property
    def best(self) -> EpochRecord:
        """The epoch whose weights the model ended with."""
        return self.epochs[self.best_epoch]

"""What a study learned, as frozen records that travel up through the layers and into MLflow."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import HeadConfig

FloatArray = npt.NDArray[np.float64]
LabelArray = npt.NDArray[np.uint8]


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


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial as the study's storage holds it.

    Attributes:
        uid: Unlike any other trial's, in this study and every other.
        number: Optuna's number of the trial.
        state: `complete`, `pruned` or `failed`.
        head: The options tried.
        value: Best validation ROC AUC; for a pruned trial the one it was stopped at.
        epochs: Epochs run.
        seconds: Wall time of the trial.
        finished_at: Unix time of its end, in seconds.
        reason: Why it failed; empty otherwise.
    """

    uid: str
    number: int
    state: str
    head: HeadConfig
    value: float | None
    epochs: tuple[EpochRecord, ...]
    seconds: float
    finished_at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """All trials of a study, and which options mattered.

    Attributes:
        trials: In order of their numbers.
        best: The complete trial with the highest validation ROC AUC.
        importances: Share of the variation in validation ROC AUC per option, adding up to 1;
            empty where too few trials tell.
    """

    trials: tuple[TrialRecord, ...]
    best: TrialRecord
    importances: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ScoredSplit:
    """One split as the finished model sees it.

    Attributes:
        y_true: 1 for fake, shape (n,).
        y_score: Probability of fake, within 0 and 1, shape (n,).
        paths: Of the images, relative to the dataset's folder, length n.
        threshold: Score from which an image is called fake.
        metrics: Rows of `METRICS` by key.
    """

    y_true: LabelArray
    y_score: FloatArray
    paths: tuple[str, ...]
    threshold: float
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class WeightsRecord:
    """Which values a backbone started from.

    Attributes:
        label: `imagenet`, `random`, or `file:` and the first 12 digits of the file's SHA-256.
        warning: What a reader of the results must know of them; empty when nothing.
    """

    label: str
    warning: str = ""


@dataclass(frozen=True, slots=True)
class CostRecord:
    """Seconds spent by stage, as logged under `cost/`.

    Attributes:
        extract_seconds: Frozen backbone (or image decoding) over all splits; charged as the
            seconds of the run that did it where this run found the result cached.
        extracted_images: Images that this run itself passed through that stage.
        search_seconds: All trials of the study, earlier runs' included.
        final_fit_seconds: Refit of the winner.
        evaluate_seconds: Threshold on validation and scoring of test.
        total_seconds: Wall clock of this run, from the opened MLflow run to its results.
    """

    extract_seconds: float = 0.0
    extracted_images: int = 0
    search_seconds: float = 0.0
    final_fit_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    total_seconds: float = 0.0

    def as_metrics(self) -> dict[str, float]:
        """Return the costs under their MLflow names."""
        return {f"cost/{key}": float(value) for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """Everything a finished study reports; `report` and `tracking` read nothing else.

    Attributes:
        model: Key of the architecture.
        study: Name of the study.
        data: Name of the dataset.
        data_folder: Absolute folder that the images' paths are relative to.
        weights: What the backbone started from.
        search: All trials.
        final_fit: The refitted winner.
        valid: Validation split, on which the threshold was chosen.
        test: Test split, scored once.
        cost: Seconds by stage.
        facts: Further single figures, by MLflow metric name.
    """

    model: str
    study: str
    data: str
    data_folder: str
    weights: WeightsRecord
    search: SearchRecord
    final_fit: FitRecord
    valid: ScoredSplit
    test: ScoredSplit
    cost: CostRecord
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def head(self) -> HeadConfig:
        """The winning options."""
        return self.search.best.head

    def metrics(self) -> dict[str, float]:
        """Return every single figure of the study under its MLflow name."""
        figures: dict[str, float] = {}
        for split, scored in (("val", self.valid), ("test", self.test)):
            figures |= {f"{split}/{key}": value for key, value in scored.metrics.items()}
            figures[f"{split}/threshold"] = scored.threshold
        figures["cost/first_epoch_seconds"] = self.final_fit.epochs[0].seconds
        return figures | self.cost.as_metrics() | dict(self.facts)


def head_from_params(params: Mapping[str, Any]) -> HeadConfig:
    """Rebuild the options of a trial from what its storage kept."""
    return HeadConfig(**dict(params))

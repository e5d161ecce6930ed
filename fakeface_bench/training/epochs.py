"""The epochs of one stage of a fit: training, validation, early stopping, the best weights."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fakeface_bench.features.engine import Forward
from fakeface_bench.records.study import EpochRecord, FitRecord
from fakeface_bench.training.batches import NOT_VALIDATED, Batches, predict_logits
from fakeface_bench.training.head import margin
from fakeface_bench.training.networks import FitTask, OnEpoch

Weights = Sequence[npt.NDArray[Any]]


class Trained(Protocol):
    """What is trained: a Keras model, or a head that all trials' graph trains."""

    @property
    def loss(self) -> Any:
        """From labels and logits to the mean loss."""
        ...

    def get_weights(self) -> Weights:
        """Return its values."""
        ...

    def set_weights(self, weights: Any) -> None:
        """Replace its values."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage trains.

    Attributes:
        name: One of `training.networks`' stages.
        train_epoch: Trains the epoch of a number, from 0; returns its mean loss and accuracy.
        forward: From a batch to logits, without training.
        valid: The whole validation split, in order; None where there is none.
    """

    name: str
    model: Trained
    batch_size: int
    train_epoch: Callable[[int], Mapping[str, float]]
    forward: Forward
    valid: Batches | None


@dataclass
class Course:
    """How far a fit has come.

    Attributes:
        best: Number of the best epoch of the last stage; None before its first.
    """

    epochs: list[EpochRecord] = field(default_factory=list)
    best: int | None = None
    best_weights: Weights = ()

    def record(self) -> FitRecord:
        """Return the fit as it stands; it has had at least one epoch of its last stage."""
        if self.best is None:
            raise ValueError("no epoch was trained")
        return FitRecord(tuple(self.epochs), self.best)


def run_epochs(
    task: FitTask,
    stage: Stage,
    course: Course,
    on_epoch: OnEpoch | None = None,
    keep: Callable[[], None] | None = None,
) -> None:
    """Train a stage to its end and leave its model with the weights of the epoch that is kept.

    That is the best on validation, or the last where the task says how long the stage is.

    Args:
        course: Brought up to date epoch by epoch; a stage that was begun goes on.
        on_epoch: Called after each epoch; what it raises ends the fit.
        keep: Called before that, so that nothing is told that could be lost.
    """
    first = len([epoch for epoch in course.epochs if epoch.stage != stage.name])
    length = task.lengths.get(stage.name)
    patience = 0 if length else task.patience
    while len(course.epochs) - first < (length or task.epochs) and not _is_stuck(course, patience):
        record = _epoch(task, stage, len(course.epochs), len(course.epochs) - first)
        course.epochs.append(record)
        best = course.best
        if length or best is None or record.val_roc_auc > course.epochs[best].val_roc_auc:
            course.best, course.best_weights = record.epoch, stage.model.get_weights()
        if keep is not None:
            keep()
        if on_epoch is not None:
            on_epoch(record)
    stage.model.set_weights(course.best_weights)


def _is_stuck(course: Course, patience: int) -> bool:
    if not patience or course.best is None:
        return False
    return len(course.epochs) - 1 - course.best >= patience


def _epoch(task: FitTask, stage: Stage, number: int, of_stage: int) -> EpochRecord:
    started = time.perf_counter()
    logs = stage.train_epoch(of_stage)
    trained = time.perf_counter()
    return EpochRecord(
        epoch=number,
        train_loss=float(logs["loss"]),
        train_accuracy=float(logs["accuracy"]),
        **_validate(task, stage),
        seconds=trained - started,
        val_seconds=time.perf_counter() - trained,
        stage=stage.name,
        batch_size=stage.batch_size,
    )


def _validate(task: FitTask, stage: Stage) -> dict[str, float]:
    """Score the whole validation split; labels come from the same pass."""
    if stage.valid is None:
        return NOT_VALIDATED
    y_true, logits = predict_logits(stage.forward, stage.valid)
    margins = np.asarray(margin(logits), dtype=np.float64)[:, 0]
    return {
        "val_loss": float(stage.model.loss(y_true.astype(np.float32)[:, None], logits)),
        "val_accuracy": float(np.mean((margins > 0) == (y_true == 1))),
        "val_roc_auc": task.objective(y_true, margins),
    }

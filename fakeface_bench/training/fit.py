"""One fit of one classifier: epochs, early stopping on validation, the best weights kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from fakeface_bench.config import HeadConfig
from fakeface_bench.features.samples import Samples
from fakeface_bench.models.head import margin
from fakeface_bench.models.networks import Network
from fakeface_bench.records import EpochRecord, FitRecord, FloatArray, LabelArray
from fakeface_bench.training.batches import Batches, predict_logits
from fakeface_bench.training.losses import LOSSES, accuracy_metric

#: Epochs without a better validation objective after which a fit ends.
PATIENCE = 5
PREDICT_BATCH = 256

Objective = Callable[[LabelArray, FloatArray], float]
OnEpoch = Callable[[EpochRecord], None]


@dataclass(frozen=True, slots=True)
class FitTask:
    """What to fit, apart from the head's options.

    Attributes:
        network: Makes the classifier.
        train: Samples to learn from.
        valid: Samples to stop by.
        epochs: At most this many.
        seed: Of initial weights, dropout and the order of batches.
        objective: From labels and margins of validation to the figure to maximise.
    """

    network: Network
    train: Samples
    valid: Samples
    epochs: int
    seed: int
    objective: Objective


def fit(
    task: FitTask, head: HeadConfig, on_epoch: OnEpoch | None = None
) -> tuple[keras.Model, FitRecord]:
    """Train one classifier and return it with the weights of its best epoch.

    The same task and head give the same weights on the same machine.

    Args:
        task: Data and rules.
        head: Options of the classifier.
        on_epoch: Called after each epoch; what it raises ends the fit.
    """
    keras.utils.set_random_seed(task.seed)
    model = _compiled(task, head)
    train = Batches(task.train, task.network.parts(head), head.batch_size, task.seed)
    valid = Batches(task.valid, task.network.parts(head), PREDICT_BATCH)
    epochs: list[EpochRecord] = []
    best = 0
    for number in range(task.epochs):
        started = time.perf_counter()
        logs = _train_epoch(model, train)
        trained = time.perf_counter()
        record = EpochRecord(
            epoch=number,
            train_loss=logs["loss"],
            train_accuracy=logs["accuracy"],
            **_validate(model, valid, task.objective),
            seconds=trained - started,
            val_seconds=time.perf_counter() - trained,
        )
        epochs.append(record)
        if number == 0 or record.val_roc_auc > epochs[best].val_roc_auc:
            best, best_weights = number, model.get_weights()
        if on_epoch is not None:
            on_epoch(record)
        if number - best >= PATIENCE:
            break
    model.set_weights(best_weights)
    return model, FitRecord(tuple(epochs), best)


def _compiled(task: FitTask, head: HeadConfig) -> keras.Model:
    loss = LOSSES[head.loss]
    model = task.network.classifier(task.train, head, loss.outputs)
    model.compile(
        optimizer=keras.optimizers.AdamW(head.learning_rate, weight_decay=head.weight_decay),
        loss=loss.build(),
        metrics=[accuracy_metric(loss)],
    )
    return model


def _train_epoch(model: keras.Model, batches: Batches) -> dict[str, float]:
    """Train one epoch and return its mean loss and accuracy.

    Batch by batch, not by `Model.fit`, whose own set-up costs more than an epoch of a small head.
    """
    model.reset_metrics()
    for number in range(len(batches)):
        x, y, weights = batches[number]
        logs = model.train_on_batch(x, y, sample_weight=weights, return_dict=True)
    batches.shuffle()
    return {name: float(value) for name, value in logs.items()}


def _validate(model: keras.Model, batches: Batches, objective: Objective) -> dict[str, float]:
    """Score the whole validation split; labels come from the same pass."""
    y_true, logits = predict_logits(model, batches)
    margins = np.asarray(margin(logits), dtype=np.float64)[:, 0]
    return {
        "val_loss": float(model.loss(y_true.astype(np.float32)[:, None], logits)),
        "val_accuracy": float(np.mean((margins > 0) == (y_true == 1))),
        "val_roc_auc": objective(y_true, margins),
    }

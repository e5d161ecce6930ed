"""One fit of one classifier: epochs, early stopping on validation, the best weights kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from fakeface_bench.config import HeadConfig
from fakeface_bench.features.samples import Samples
from fakeface_bench.models.head import margin
from fakeface_bench.models.networks import Network
from fakeface_bench.records import EpochRecord, FitRecord, FloatArray, LabelArray
from fakeface_bench.training.batches import Batches, predict_logits
from fakeface_bench.training.losses import LOSSES, Loss, accuracy_metric

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
    keras.utils.clear_session()  # graphs of earlier fits would pile up in memory
    keras.utils.set_random_seed(task.seed)
    loss = LOSSES[head.loss]
    model = task.network.classifier(task.train, head, loss.outputs)
    model.compile(
        optimizer=keras.optimizers.AdamW(head.learning_rate, weight_decay=head.weight_decay),
        loss=loss.build(),
        metrics=[accuracy_metric(loss)],
    )
    watch = _Watch(task, head, loss, on_epoch)
    batches = Batches(task.train, task.network.parts(head), head.batch_size, task.seed)
    model.fit(batches, epochs=task.epochs, verbose=0, callbacks=[watch], shuffle=False)
    model.set_weights(watch.best_weights)
    return model, FitRecord(tuple(watch.epochs), watch.best_epoch)


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no type information
    """Scores the whole validation split after each epoch and remembers the best weights."""

    def __init__(
        self, task: FitTask, head: HeadConfig, loss: Loss, on_epoch: OnEpoch | None
    ) -> None:
        super().__init__()
        self.epochs: list[EpochRecord] = []
        self.best_epoch = 0
        self.best_weights: list[npt.NDArray[Any]] = []
        self._task = task
        self._loss = loss.build()
        self._valid = Batches(task.valid, task.network.parts(head), PREDICT_BATCH)
        self._on_epoch = on_epoch
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        trained = time.perf_counter()
        y_true, logits = predict_logits(self.model, self._valid)
        margins = np.asarray(margin(logits), dtype=np.float64)[:, 0]
        objective = self._task.objective(y_true, margins)
        record = EpochRecord(
            epoch=epoch,
            train_loss=float(logs["loss"]),
            train_accuracy=float(logs["accuracy"]),
            val_loss=float(self._loss(y_true.astype(np.float32)[:, None], logits)),
            val_accuracy=float(np.mean((margins > 0) == (y_true == 1))),
            val_roc_auc=objective,
            seconds=trained - self._started,
            val_seconds=time.perf_counter() - trained,
        )
        self.epochs.append(record)
        if not self.best_weights or objective > self.epochs[self.best_epoch].val_roc_auc:
            self.best_epoch = epoch
            self.best_weights = self.model.get_weights()
        if self._on_epoch is not None:
            self._on_epoch(record)
        if epoch - self.best_epoch >= PATIENCE:
            self.model.stop_training = True

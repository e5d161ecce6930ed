"""Batches of samples: shuffled again each epoch for training, in order for prediction."""

from collections.abc import Sequence
from math import nan
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from fakeface_bench.features.engine import Forward, compiled_forward
from fakeface_bench.features.samples import Part, Samples
from fakeface_bench.training.networks import HEAD_STAGE, FitTask, Network

#: What an epoch says of validation where nothing was held out.
NOT_VALIDATED = dict.fromkeys(("val_loss", "val_accuracy", "val_roc_auc"), nan)
FEATURE_BATCH = 1024
PICTURE_BATCH = 32

Batch = tuple[npt.NDArray[Any], npt.NDArray[np.float32], npt.NDArray[np.float32] | None]


class Batches:
    """Rows of samples as batches (x, y, weights); labels always come with their rows.

    Args:
        samples: Read where asked, batch by batch, so memory stays flat.
        parts: What of each row the model reads.
        batch_size: Rows a batch; the last may be smaller.
        shuffle_seed: Order of training, new each epoch and the same for the same seed; None keeps
            the order of the rows.
    """

    def __init__(
        self,
        samples: Samples,
        parts: Sequence[Part],
        batch_size: int,
        shuffle_seed: int | None = None,
    ) -> None:
        self._samples = samples
        self._parts = parts
        self._batch_size = batch_size
        self._random = None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
        self._order = np.arange(len(samples))
        self.shuffle()

    def __len__(self) -> int:
        return -(-len(self._samples) // self._batch_size)

    def __getitem__(self, number: int) -> Batch:
        start = number * self._batch_size
        rows = np.sort(self._order[start : start + self._batch_size])
        labels = self._samples.labels[rows].astype(np.float32)
        weights = self._samples.weights
        x = self._samples.rows(rows, self._parts)
        return x, labels, None if weights is None else weights[rows]

    def shuffle(self) -> None:
        """Order the rows for the next epoch; nothing happens without a seed."""
        if self._random is not None:
            self._order = self._random.permutation(len(self._samples))


def validation_batches(task: FitTask, parts: Sequence[Part], batch_size: int) -> Batches | None:
    """Return what a fit is validated on, in order; None where that is nothing."""
    return None if task.valid is None else Batches(task.valid, parts, batch_size)


def predict_batch(network: Network) -> int:
    """Return how many rows a prediction reads at once: few where they are pictures or maps."""
    return FEATURE_BATCH if network.stages == (HEAD_STAGE,) else PICTURE_BATCH


def forward_of(network: Network, model: keras.Model) -> Forward:
    """Return a fitted model's prediction; a head is too small to be worth compiling."""
    if network.stages == (HEAD_STAGE,):
        return lambda batch: model(batch, training=False)
    return compiled_forward(model)


def predict_logits(
    forward: Forward, batches: Batches
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return labels (n,) and logits (n, outputs) from one and the same pass."""
    labels, logits = [], []
    for number in range(len(batches)):
        x, y, _ = batches[number]
        labels.append(y.astype(np.uint8))
        logits.append(keras.ops.convert_to_numpy(forward(x)))
    return np.concatenate(labels), np.concatenate(logits).astype(np.float32)

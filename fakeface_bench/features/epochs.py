"""One training epoch after another through tf.data: shuffled, augmented, made ahead of its use."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fakeface_bench.data.augment import Crop, augmented, draw_mirrored
from fakeface_bench.data.augmentations import AUGMENTATIONS
from fakeface_bench.data.pipeline import PARALLEL_CALLS, PREFETCH_BATCHES, RowLoader
from fakeface_bench.features.samples import Part, Samples


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """How the epochs of a fit differ from one another, and how not.

    Attributes:
        parts: What of each row the model reads.
        batch_size: Rows a batch; the last may be smaller.
        seed: Of order and augmentation; epoch 3 is the same whatever came before it.
        augment: Key of `AUGMENTATIONS`.
        image_size: Side of what the model sees in pixels, where the rows are pictures; else 0.
            Rows that are no pictures are mirrored at most.
        crops: Whether pictures are augmented in every way, and not only mirrored.
    """

    parts: Sequence[Part]
    batch_size: int
    seed: int
    augment: str
    image_size: int = 0
    crops: bool = True


class Epochs:
    """The training split, epoch by epoch."""

    def __init__(self, samples: Samples, plan: EpochPlan) -> None:
        self._samples = samples
        self._plan = plan
        self._loader = self._picture_loader() if plan.image_size else self._row_loader()

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self._samples) // self._plan.batch_size)

    @contextmanager
    def epoch(self, number: int) -> Iterator[tf.data.Dataset]:
        """Yield one epoch as batches (x, labels, weights).

        Raises:
            DataError: If a picture cannot be decoded any more.
        """
        rng = np.random.default_rng([self._plan.seed, number])
        order = rng.permutation(len(self._samples))
        how = AUGMENTATIONS[self._plan.augment]
        mirror = draw_mirrored(len(order), how, rng)
        weights = self._samples.weights
        rows = (
            order,
            mirror,
            self._samples.labels[order].astype(np.float32),
            np.ones(len(order), np.float32) if weights is None else weights[order],
        )
        make = self._pictures if self._plan.image_size else self._rows
        with self._loader.errors_told():
            yield make(tf.data.Dataset.from_tensor_slices(rows), number)

    def _row_loader(self) -> RowLoader:
        def load(numbers: npt.NDArray[np.int64], mirror: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
            return self._samples.rows(numbers, self._plan.parts, mirror)

        width = self._samples.rows(np.arange(1), self._plan.parts).shape[1]
        return RowLoader(load, tf.float32, (None, width))

    def _rows(self, rows: tf.data.Dataset, number: int) -> tf.data.Dataset:
        def loaded(numbers: Any, mirror: Any, labels: Any, weights: Any) -> Any:
            return self._loader(numbers, mirror), labels, weights

        batches = rows.batch(self._plan.batch_size)
        return batches.map(loaded, PARALLEL_CALLS, deterministic=True).prefetch(PREFETCH_BATCHES)

    def _picture_loader(self) -> RowLoader:
        images = self._samples.arrays["images"]
        return RowLoader(lambda row: np.asarray(images[row]), tf.uint8, images.shape[1:])

    def _pictures(self, rows: tf.data.Dataset, number: int) -> tf.data.Dataset:
        spare = tf.constant(np.asarray(self._samples.arrays["spare"]), tf.int32)
        how = AUGMENTATIONS[self._plan.augment if self._plan.crops else "none"]
        crop = Crop(how, self._plan.image_size)
        seed = np.random.SeedSequence([self._plan.seed, number]).generate_state(1).astype(np.int32)

        def picture(row: Any, mirror: Any, label: Any, weight: Any) -> Any:
            own_seed = tf.stack([seed[0], tf.cast(row, tf.int32)])
            image = augmented(self._loader(row), spare[row], mirror, own_seed, crop)
            return image, label, weight

        pictures = rows.map(picture, PARALLEL_CALLS, deterministic=True)
        return pictures.batch(self._plan.batch_size).prefetch(PREFETCH_BATCHES)

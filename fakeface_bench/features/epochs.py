"""One training epoch after another through tf.data: shuffled, augmented, made ahead of its use."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fakeface_bench.config import AUGMENTATIONS, BLUR_SIGMA, JPEG_QUALITY, Augmentation
from fakeface_bench.data.pictures import PARALLEL_CALLS, PREFETCH_BATCHES, RowLoader
from fakeface_bench.features.samples import Part, Samples

_BLUR_RADIUS = 3


@dataclass(frozen=True, slots=True)
class Crop:
    """An augmentation, and the side in pixels of what it returns."""

    augmentation: Augmentation
    size: int


def augmented(
    canvas: tf.Tensor, spare: tf.Tensor, mirror: tf.Tensor, seed: tf.Tensor, how: Crop
) -> tf.Tensor:
    """Return one training picture.

    Args:
        canvas: uint8 (side, side, 3).
        spare: How far a crop may move down and right, shape (2,).
        mirror: Whether to mirror it.
        seed: Of all that is drawn for it, shape (2,).
        how: What is drawn, and the size of the result.

    Returns:
        uint8 (size, size, 3).
    """
    places = tf.random.experimental.stateless_split(seed, 5)
    image = _cropped(canvas, spare, places[0], how)
    image = tf.cond(mirror, lambda: tf.reverse(image, [1]), lambda: image)
    if how.augmentation.blur:
        blur = tf.random.stateless_uniform([], places[1]) < how.augmentation.blur
        image = tf.cond(blur, lambda: _blurred(image, places[2]), lambda: image)
    if how.augmentation.jpeg:
        encode = tf.random.stateless_uniform([], places[3]) < how.augmentation.jpeg
        image = tf.cond(encode, lambda: _encoded(image, places[4]), lambda: image)
    return tf.ensure_shape(image, (how.size, how.size, 3))


def _cropped(canvas: tf.Tensor, spare: tf.Tensor, seed: tf.Tensor, how: Crop) -> tf.Tensor:
    middle = (canvas.shape[0] - how.size) // 2
    if how.augmentation.crop:
        # The picture begins half its spare pixels, rounded down, before the middle crop.
        drawn = tf.random.stateless_uniform([2], seed)
        moved = tf.cast(tf.floor(drawn * tf.cast(spare + 1, tf.float32)), tf.int32)
        corner = middle - spare // 2 + moved
    else:
        corner = tf.constant([middle, middle])
    return tf.slice(canvas, [corner[0], corner[1], 0], [how.size, how.size, 3])


def _encoded(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    low, high = JPEG_QUALITY
    quality = tf.random.stateless_uniform([], seed, low, high + 1, tf.int32)
    return tf.image.adjust_jpeg_quality(image, quality)


def _blurred(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Blur by a Gaussian; the picture goes on mirrored beyond its border."""
    sigma = tf.random.stateless_uniform([], seed, *BLUR_SIGMA)
    offsets = tf.range(-_BLUR_RADIUS, _BLUR_RADIUS + 1, dtype=tf.float32)
    line = tf.exp(-tf.square(offsets / sigma) / 2)
    kernel = tf.tensordot(line, line, 0) / tf.square(tf.reduce_sum(line))
    around = [[_BLUR_RADIUS, _BLUR_RADIUS], [_BLUR_RADIUS, _BLUR_RADIUS], [0, 0]]
    padded = tf.pad(tf.cast(image, tf.float32), around, mode="SYMMETRIC")
    kernels = tf.tile(kernel[:, :, None, None], [1, 1, 3, 1])
    blurred = tf.nn.depthwise_conv2d(padded[None], kernels, [1, 1, 1, 1], "VALID")[0]
    return tf.cast(tf.round(blurred), tf.uint8)


def draw_mirrored(count: int, how: Augmentation, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Draw which of `count` pictures are mirrored, shape (count,)."""
    drawn = rng.random(count) < 0.5
    return drawn if how.flip else np.zeros(count, bool)


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
        with self._loader.errors_named():
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

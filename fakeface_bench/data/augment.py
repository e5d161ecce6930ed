"""Augments training pictures inside tf.data, each by a seed of its own."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fakeface_bench.data.augmentations import BLUR_SIGMA, JPEG_QUALITY, Augmentation

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

"""Streams decoded images from disk in order, in flat memory."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fakeface_bench.data.images import load_image
from fakeface_bench.errors import DataError

#: Batches decoded ahead of the one in use.
PREFETCH_BATCHES = 4


def stream_images(
    paths: Sequence[Path], size: int, fit: str, batch_size: int
) -> Iterator[tf.Tensor]:
    """Yield uint8 batches (b, size, size, 3) in the order of `paths`.

    Decoding runs in as many threads as there are cores; the last batch may be smaller.

    Raises:
        DataError: If an image cannot be decoded (any more); the message names the first.
    """
    broken: dict[int, DataError] = {}  # TensorFlow passes on an error's text alone

    def load(number: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        try:
            return load_image(paths[int(number)], size, fit)
        except DataError as error:
            broken[int(number)] = error
            raise

    def decode(number: tf.Tensor) -> tf.Tensor:
        pixels = tf.numpy_function(load, [number], tf.uint8, stateful=False)
        return tf.ensure_shape(pixels, (size, size, 3))

    batches = (
        tf.data.Dataset.range(len(paths))
        .map(decode, num_parallel_calls=os.cpu_count() or 1, deterministic=True)
        .batch(batch_size)
        .prefetch(PREFETCH_BATCHES)
    )
    try:
        yield from batches
    except tf.errors.OpError as error:
        if not broken:
            raise
        first = broken[min(broken)]
        raise DataError(
            f"{first}. It was readable when the dataset was indexed; run again to index it anew."
        ) from error

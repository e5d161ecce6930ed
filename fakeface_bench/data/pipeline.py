"""Streams decoded images from disk in order, in flat memory."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fakeface_bench.data.canvases import Pictures
from fakeface_bench.data.row_file import Rows
from fakeface_bench.errors import DataError

#: Batches made ahead of the one in use.
PREFETCH_BATCHES = 4
#: Threads of a tf.data stage.
PARALLEL_CALLS = os.cpu_count() or 1


class RowLoader:
    """Lets tf.data call Python for rows, and passes on what went wrong in its own words.

    Args:
        load: From a row's number, or several, to an array.
        dtype: Of that array.
        shape: Of that array; None where a length varies.
    """

    def __init__(
        self,
        load: Callable[..., npt.NDArray[Any]],
        dtype: tf.DType,
        shape: tuple[int | None, ...],
    ) -> None:
        self._load = load
        self._dtype = dtype
        self._shape = shape
        self._broken: dict[int, DataError] = {}  # TensorFlow passes on an error's text alone

    def __call__(self, *arguments: tf.Tensor) -> tf.Tensor:
        """Return the rows as a tensor; the first argument is their number, or numbers."""
        rows = tf.numpy_function(self._loaded, arguments, self._dtype, stateful=False)
        return tf.ensure_shape(rows, self._shape)

    @contextmanager
    def errors_told(self) -> Iterator[None]:
        """Turn TensorFlow's error within the block into the `DataError` of the first row."""
        try:
            yield
        except tf.errors.OpError as error:
            if not self._broken:
                raise
            raise self._broken[min(self._broken)] from error

    def _loaded(self, *arguments: npt.NDArray[Any]) -> npt.NDArray[Any]:
        try:
            return self._load(*arguments)
        except DataError as error:
            self._broken[int(np.min(arguments[0]))] = error
            raise


def stream_rows(
    pictures: Pictures, rows: Rows, batch_size: int
) -> Iterator[tuple[Rows, tf.Tensor]]:
    """Yield some of the pictures as `stream_images` does, each batch with the numbers of its rows.

    Raises:
        DataError: As `stream_images`.
    """
    done = 0
    for batch in stream_images(pictures.some(rows), batch_size):
        yield rows[done : done + len(batch)], batch
        done += len(batch)


def stream_images(pictures: Pictures, batch_size: int) -> Iterator[tf.Tensor]:
    """Yield uint8 batches (b, side, side, 3) in the order of the rows.

    Decoding runs in as many threads as there are cores; the last batch may be smaller.

    Raises:
        DataError: If an image cannot be decoded (any more); the message names the first.
    """
    side = pictures.side
    loader = RowLoader(lambda number: pictures.load(int(number)), tf.uint8, (side, side, 3))
    batches = (
        tf.data.Dataset.range(len(pictures.paths))
        .map(loader, num_parallel_calls=PARALLEL_CALLS, deterministic=True)
        .batch(batch_size)
        .prefetch(PREFETCH_BATCHES)
    )
    with loader.errors_told():
        yield from batches

"""Pictures for layers that train on pixels: decoded on demand, or kept on disk.

Both kinds are indexed by row numbers, like an array.
"""

import hashlib
import io
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fakeface_bench.data.array_store import (
    CachedArrays,
    RowArrays,
    Rows,
    cached_arrays,
    content_key,
)
from fakeface_bench.data.decode import (
    AS_THEY_ARE,
    DECODER,
    Equalisation,
    decode_bytes,
    pixels_with_room,
    seen_pixels,
    spare_pixels,
)
from fakeface_bench.support.disk import cache_folder
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.machine import own_cores
from fakeface_bench.support.progress import Progress


class ChangedError(DataError):
    """A file that is not the one that was indexed."""


def indexed_bytes(path: Path, digest: str) -> bytes:
    """Read a file.

    Args:
        digest: SHA-256 of its content in the index, as hexadecimal text; empty where any content
            will do.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror or error}") from error
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise ChangedError(
            f"{path} has changed since the dataset was indexed; run again to index it again."
        )
    return content


#: Room around the input that random crops move in, as a share of its side: 224 px become 256.
CROP_ROOM = 1 / 7


def side_with_room(size: int) -> int:
    """Return the side of an input of `size` pixels with that room; their difference is even."""
    return size + 2 * round(size * CROP_ROOM / 2)


@dataclass(frozen=True)
class Pictures:
    """How the pictures of one split are read.

    Attributes:
        digests: SHA-256 of each file when it was indexed, which it must still have; none where
            that does not matter.
    """

    paths: Sequence[Path]
    size: int
    fit: str
    side: int  # with room for crops; `size` where none beside the centre is wanted
    equalisation: Equalisation = AS_THEY_ARE
    digests: Sequence[str] = ()

    @property
    def bytes(self) -> int:
        """Disk that they take, decoded."""
        return len(self.paths) * self.side * self.side * 3

    def some(self, rows: Iterable[int]) -> "Pictures":
        """Return some of them, by their numbers."""
        rows = list(rows)
        digests = [self.digests[row] for row in rows] if self.digests else ()
        return replace(self, paths=[self.paths[row] for row in rows], digests=digests)

    def load(self, number: int) -> npt.NDArray[np.uint8]:
        """Decode one: uint8 RGB of shape (side, side, 3)."""
        with self._errors_named(number), self._file(number) as file:
            image = decode_bytes(file)
        if self.side == self.size:
            return seen_pixels(image, self.size, self.fit, self.equalisation)
        return pixels_with_room(image, self.size, self.fit, self.side, self.equalisation)

    def spare(self) -> npt.NDArray[np.int32]:
        """Return how far a crop may move down and right in each picture, shape (n, 2)."""
        count = len(self.paths)
        if self.side == self.size:
            return np.zeros((count, 2), np.int32)
        with ThreadPoolExecutor(own_cores()) as pool:
            return np.array(list(pool.map(self._spare, range(count))), np.int32).reshape(-1, 2)

    def _spare(self, number: int) -> tuple[int, int]:
        with self._errors_named(number), self._file(number) as file:
            return spare_pixels(file, self.size, self.fit, self.side, self.equalisation)

    def _file(self, number: int) -> io.BytesIO:
        digest = self.digests[number] if self.digests else ""
        return io.BytesIO(indexed_bytes(self.paths[number], digest))

    @contextmanager
    def _errors_named(self, number: int) -> Iterator[None]:
        try:
            yield
        except ChangedError:
            raise
        except DataError as error:
            raise DataError(
                f"{self.paths[number]}: {error}. It was readable when the dataset was indexed; "
                "run again to index it again."
            ) from error


class DecodedOnDemand:
    """Reads like a uint8 array (n, side, side, 3), and decodes the rows it is asked for."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._pool = ThreadPoolExecutor(own_cores())

    def __reduce__(self) -> tuple[type["DecodedOnDemand"], tuple[Pictures]]:
        """Let it travel without its threads."""
        return DecodedOnDemand, (self._pictures,)

    def __len__(self) -> int:
        return len(self._pictures.paths)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """As of the array that it stands for."""
        return len(self), self._pictures.side, self._pictures.side, 3

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """As of the array that it stands for."""
        return np.dtype(np.uint8)

    def __getitem__(self, rows: Any) -> npt.NDArray[np.uint8]:
        """Return one row (a number) or several (numbers), decoded in parallel."""
        numbers = np.asarray(rows)
        if numbers.ndim == 0:
            return self._pictures.load(int(numbers))
        return np.stack(list(self._pool.map(self._pictures.load, numbers.tolist())))


def on_demand(pictures: Pictures) -> Mapping[str, Any]:
    """Return the arrays `images` and `spare` without keeping anything."""
    return {"images": DecodedOnDemand(pictures), "spare": pictures.spare()}


#: Batches made ahead of the one in use.
PREFETCH_BATCHES = 4
#: Threads that load rows.
PARALLEL_CALLS = own_cores()


class RowLoader:
    """Lets tf.data call Python for rows, and passes on what went wrong in its own words.

    Args:
        load: From a row's number, or several, to an array.
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
    def errors_named(self) -> Iterator[None]:
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
) -> Iterator[tuple[Rows, npt.NDArray[np.uint8]]]:
    """Yield some pictures as `stream_images` does, each batch with its row numbers."""
    done = 0
    for batch in stream_images(pictures.some(rows), batch_size):
        yield rows[done : done + len(batch)], batch
        done += len(batch)


def stream_images(pictures: Pictures, batch_size: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield uint8 batches (b, side, side, 3) in the order of the rows.

    Decoding runs ahead in as many threads as there are cores; the last batch may be smaller. Not
    through tf.data, which copies each picture twice more.
    """
    rows = iter(range(len(pictures.paths)))
    ahead: deque[list[Future[npt.NDArray[np.uint8]]]] = deque()
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        try:
            while True:
                while len(ahead) < PREFETCH_BATCHES and (
                    next_ones := list(islice(rows, batch_size))
                ):
                    ahead.append([pool.submit(pictures.load, row) for row in next_ones])
                if not ahead:
                    return
                yield np.stack([picture.result() for picture in ahead.popleft()])
        finally:
            pool.shutdown(cancel_futures=True)


#: Raise it with any change that alters a decoded pixel.
PIXELS_VERSION = 2
STREAM_BATCH = 32


def pixels_folder(pictures: Pictures) -> Path:
    """Return where pictures lie decoded, or would; only their contents count, not their paths."""
    key = content_key(
        {
            "images": list(pictures.digests),
            "size": pictures.size,
            "fit": pictures.fit,
            "version": PIXELS_VERSION,
            "decoder": DECODER,
            **({"side": pictures.side} if pictures.side != pictures.size else {}),
            **pictures.equalisation.definition,
        }
    )
    return cache_folder("pixels") / key


def cached_pixels(pictures: Pictures, progress: Progress) -> CachedArrays:
    """Return pictures, in their order, as arrays.

    They are `images`, uint8 (n, side, side, 3), and `spare`, how far a crop may move, (n, 2). The
    facts are `images`, `images_extracted`, `seconds` and `known_seconds`, as of
    `features.store.cached_features`.
    """

    def make(draft: Path) -> Mapping[str, Any]:
        started = time.perf_counter()
        count, side = len(pictures.paths), pictures.side
        layout = {
            "images": np.dtype((np.uint8, (side, side, 3))),
            "spare": np.dtype((np.int32, (2,))),
        }
        with (
            RowArrays(draft, count, layout, STREAM_BATCH) as arrays,
            progress.stage("decoding images", len(arrays.missing), "images") as advance,
        ):
            for rows, batch in stream_rows(pictures, arrays.missing, STREAM_BATCH):
                spare = pictures.some(rows).spare()
                arrays.add(rows, {"images": batch, "spare": spare})
                advance(len(batch))
        return {
            "seconds": time.perf_counter() - started,
            "images": count,
            "images_extracted": len(arrays.missing),
            "known_seconds": arrays.found_seconds,
        }

    return cached_arrays(pixels_folder(pictures), make, progress.warn, in_parts=True)

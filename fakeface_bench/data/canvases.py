"""Pictures for layers that train on pixels: with some room around the centre, on disk or decoded.

Both kinds are indexed by row numbers like an array, so nobody who reads them can tell which it is.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeface_bench.data.images import canvas_pixels, decode_bytes, seen_pixels, spare_pixels
from fakeface_bench.data.indexed import ChangedError, indexed_bytes
from fakeface_bench.errors import DataError

#: Room around the input that random crops move in, as a share of its side: 224 px become 256.
CROP_ROOM = 1 / 7


def canvas_side(size: int) -> int:
    """Return the side of the canvas around an input of `size` pixels; their difference is even."""
    return size + 2 * round(size * CROP_ROOM / 2)


@dataclass(frozen=True)
class Pictures:
    """How the pictures of one split are read.

    Attributes:
        paths: Of the files, in the order of the rows.
        size: Side of the network's input in pixels.
        fit: One of `config.FITS`.
        side: Of the canvas; `size` where no crop beside the centre is wanted.
        jpeg_quality: Of the JPEG that every picture passes first; 0 for none.
        digests: SHA-256 of each file when it was indexed, which it must still have; none where
            that does not matter.
    """

    paths: Sequence[Path]
    size: int
    fit: str
    side: int
    jpeg_quality: int = 0
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
        """Decode one: uint8 RGB of shape (side, side, 3).

        Raises:
            DataError: If it cannot be decoded any more, or is another one.
        """
        with self._told(number), self._file(number) as file:
            image = decode_bytes(file)
        if self.side == self.size:
            return seen_pixels(image, self.size, self.fit, self.jpeg_quality)
        return canvas_pixels(image, self.size, self.fit, self.side, self.jpeg_quality)

    def spare(self) -> npt.NDArray[np.int32]:
        """Return how far a crop may move down and right in each canvas, shape (n, 2).

        Raises:
            DataError: As `load`.
        """
        count = len(self.paths)
        if self.side == self.size:
            return np.zeros((count, 2), np.int32)
        with ThreadPoolExecutor(cpu_count()) as pool:
            return np.array(list(pool.map(self._spare, range(count))), np.int32).reshape(-1, 2)

    def _spare(self, number: int) -> tuple[int, int]:
        with self._told(number), self._file(number) as file:
            return spare_pixels(file, self.size, self.fit, self.side)

    def _file(self, number: int) -> io.BytesIO:
        digest = self.digests[number] if self.digests else ""
        return io.BytesIO(indexed_bytes(self.paths[number], digest))

    @contextmanager
    def _told(self, number: int) -> Iterator[None]:
        try:
            yield
        except ChangedError:
            raise
        except DataError as error:
            raise DataError(
                f"{self.paths[number]}: {error}. It was readable when the dataset was indexed; "
                "run again to index it anew."
            ) from error


class DecodedOnDemand:
    """Reads like a uint8 array (n, side, side, 3), and decodes the rows it is asked for."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._pool = ThreadPoolExecutor(cpu_count())

    def __len__(self) -> int:
        return len(self._pictures.paths)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """As of the array that it stands for."""
        return len(self), self._pictures.side, self._pictures.side, 3

    def __getitem__(self, rows: Any) -> npt.NDArray[np.uint8]:
        """Return one row (a number) or several (numbers), decoded in parallel."""
        numbers = np.asarray(rows)
        if numbers.ndim == 0:
            return self._pictures.load(int(numbers))
        return np.stack(list(self._pool.map(self._pictures.load, numbers.tolist())))


def on_demand(pictures: Pictures) -> Mapping[str, Any]:
    """Return the arrays `images` and `spare` without keeping anything."""
    return {"images": DecodedOnDemand(pictures), "spare": pictures.spare()}

"""One array on the disk as long as it will be, whose rows are written in any order."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

#: Numbers of rows.
Rows = npt.NDArray[np.int64]


class RowFile:
    """A `.npy` file of its full length from the start; rows not written yet take no room.

    Args:
        path: Of the file; need not be there.
        count: Rows.
        row: The type of one.
    """

    def __init__(self, path: Path, count: int, row: np.dtype[Any]) -> None:
        self._path = path
        self._row = row
        self._header = _header(count, row)
        self.bytes = len(self._header) + count * row.itemsize
        self._file: io.FileIO | None = None

    def open(self) -> None:
        """Open it for writing, making it where it is not there."""
        # Not buffered, so that an error comes with the write that it belongs to.
        self._file = io.FileIO(self._path, "r+" if self._path.exists() else "w+")
        _write_at(self._file, 0, self._header)
        self._file.truncate(self.bytes)

    def close(self) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()

    def write(self, rows: Rows, values: npt.NDArray[Any]) -> bytes:
        """Write rows to their places; return their bytes."""
        row = self._row
        if values.dtype != row.base or values.shape != (len(rows), *row.shape):
            raise ValueError(f"{values.dtype} {values.shape} is not {len(rows)} rows of {row}")
        if self._file is None:
            raise ValueError(f"{self._path.name} is not open")
        content, done = values.tobytes(), 0
        for place, length in self._places(rows):
            _write_at(self._file, place, content[done : done + length])
            done += length
        return content

    def digest(self, rows: Rows) -> str:
        """Return the SHA-256 of rows as they are on the disk; empty if there is no file."""
        if not self._path.exists():
            return ""
        digest = hashlib.sha256()
        with open(self._path, "rb") as file:
            for place, length in self._places(rows):
                file.seek(place)
                digest.update(file.read(length))
        return digest.hexdigest()

    def _places(self, rows: Rows) -> Iterator[tuple[int, int]]:
        """Yield where rows that follow one another lie, and how many bytes they are."""
        for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
            start = len(self._header) + int(run[0]) * self._row.itemsize
            yield start, len(run) * self._row.itemsize


def _header(count: int, row: np.dtype[Any]) -> bytes:
    """Return what a `.npy` file of so many rows begins with."""
    stream = io.BytesIO()
    kind = np.lib.format.dtype_to_descr(row.base)
    shape = (count, *row.shape)
    array = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, array)
    return stream.getvalue()


def _write_at(file: io.FileIO, place: int, content: bytes) -> None:
    """Write all of it: where a disk fills up, a first call writes what still fits."""
    file.seek(place)
    left = memoryview(content)
    while left:
        left = left[file.write(left) or 0 :]

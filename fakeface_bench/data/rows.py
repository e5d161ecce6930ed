"""Arrays that are written by rows, shard after shard, so that a killed process loses little.

Rows are plainly written, not through a memory map: on a full disk that would kill the process.
"""

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fakeface_bench.data.journal import Shard, note_shard, noted_shards
from fakeface_bench.data.publish import JOURNAL_FILE, held_bytes
from fakeface_bench.data.row_file import RowFile, Rows
from fakeface_bench.folders import SMALL_FILE_BYTES, check_room, full_disk_told

#: Most rows, and bytes, that are written between two lines of the journal.
SHARD_ROWS = 256
SHARD_BYTES = 32 * 2**20
#: What is kept of a row beside the arrays: its content's digest, its number in the journal.
_BESIDE_BYTES = 96

#: Some rows of each array, by its name.
Values = Mapping[str, npt.NDArray[Any]]


class RowArrays:
    """Arrays in a draft folder; rows that an earlier process wrote are found and kept.

    A row counts as found if the journal names it and its values are as they were written.

    Args:
        draft: Handed out by `data.publish`.
        count: Rows of each array.
        layout: The type of one row of each array, its shape within: `np.dtype((kind, shape))`.
        batch: Rows that are made at once; shards are whole batches.

    Attributes:
        missing: Numbers of the rows that no earlier process left.
        found_seconds: Spent by earlier processes on those that they left.
        shards: All in the journal that hold.
    """

    def __init__(
        self, draft: Path, count: int, layout: Mapping[str, np.dtype[Any]], batch: int
    ) -> None:
        self._draft = draft
        self._arrays = {
            name: RowFile(draft / f"{name}.npy", count, row) for name, row in layout.items()
        }
        width = sum(row.itemsize for row in layout.values())
        self._bytes = sum(array.bytes for array in self._arrays.values()) + _BESIDE_BYTES * count
        self._shard_rows = max(batch, min(SHARD_ROWS, SHARD_BYTES // width) // batch * batch)
        self.shards: list[Shard] = []
        missing = np.ones(count, bool)
        for shard in noted_shards(draft / JOURNAL_FILE, count, set(layout)):
            # A shard that was once rotten may have been made again, and noted twice.
            if missing[shard.rows].all() and self._is_whole(shard):
                missing[shard.rows] = False
                self.shards.append(shard)
        self.missing: Rows = np.flatnonzero(missing)
        self.found_seconds = sum(shard.seconds for shard in self.shards)
        self._steady_since = 0.0
        self._begin_shard()

    def __enter__(self) -> Self:
        """Open the files for writing.

        Raises:
            DiskError: If what is missing will not fit; nothing has been written then.
        """
        check_room(self._draft, self._missing_bytes())
        with full_disk_told(self._draft, self._missing_bytes):
            for array in self._arrays.values():
                array.open()
        self._begin_shard()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Close the files; after an error, rows of a shard that is not whole are missing."""
        try:
            if kind is None:
                self._seal()
        finally:
            for array in self._arrays.values():
                array.close()

    def copy(self, rows: Rows, values: Values) -> None:
        """Write rows that cost nothing to have again, without a line in the journal."""
        with full_disk_told(self._draft, self._missing_bytes):
            for name, of_rows in values.items():
                self._arrays[name].write(rows, of_rows)

    def add(self, rows: Rows, values: Values) -> None:
        """Write rows that were made now; every so many of them are noted in the journal.

        Raises:
            DiskError: If the disk is full; what the journal names is still there.
        """
        with full_disk_told(self._draft, self._missing_bytes):
            for name, of_rows in values.items():
                self._hashes[name].update(self._arrays[name].write(rows, of_rows))
        self._rows.extend(rows.tolist())
        if not self._steady_since:
            self._steady_since, self._unsteady = time.perf_counter(), len(rows)
        if len(self._rows) >= self._shard_rows:
            self._seal()

    def _begin_shard(self) -> None:
        self._rows: list[int] = []
        self._hashes = {name: hashlib.sha256() for name in self._arrays}
        self._unsteady, self._began = 0, time.perf_counter()

    def _seal(self) -> None:
        """Note the rows in the journal: from here on they are not made again."""
        if not self._rows:
            return
        now = time.perf_counter()
        shard = Shard(
            self._rows,
            {name: digest.hexdigest() for name, digest in self._hashes.items()},
            now - self._began,
            len(self._rows) - self._unsteady,
            now - max(self._began, self._steady_since),
        )
        with full_disk_told(self._draft, self._missing_bytes):
            note_shard(self._draft / JOURNAL_FILE, shard)
        self.shards.append(shard)
        self._begin_shard()

    def _is_whole(self, shard: Shard) -> bool:
        rows = np.array(shard.rows)
        return all(self._arrays[name].digest(rows) == kept for name, kept in shard.sha256.items())

    def _missing_bytes(self) -> int:
        """Still to be written, with some small files beside the arrays."""
        return max(0, self._bytes - held_bytes(self._draft)) + SMALL_FILE_BYTES

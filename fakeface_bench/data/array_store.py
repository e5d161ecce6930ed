"""Arrays on disk that appear whole or not at all, are made only once, and survive a kill.

Rows are plainly written, not through a memory map: on a full disk that would kill the process.
"""

import hashlib
import io
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from filelock import BaseFileLock, FileLock, Timeout

from fakeface_bench.support.disk import (
    SMALL_FILE_BYTES,
    check_room,
    disk_errors_named,
    full_disk_error,
    locked,
)

CHECKSUMS_FILE = "checksums.json"
#: One file as it is on the disk: name, checksum, size, times of content and entry, number.
_Stamp = tuple[str, str, int, int, int, int]
#: Folders whose files have been read by this process, as they were then.
_verified: set[tuple[Path, tuple[_Stamp, ...]]] = set()


def write_checksums(folder: Path, names: list[str]) -> None:
    """Write the SHA-256 of some files of a folder beside them."""
    text = json.dumps(dict(zip(names, _digests(folder, names), strict=True)), indent=1)
    (folder / CHECKSUMS_FILE).write_text(text)


def fault_of(folder: Path) -> str | None:
    """Return what is wrong with a cached folder; None where every file is as it was written.

    The files are read once per process, and again only where they have been written to since.
    """
    if not folder.exists():
        return "it is not there"
    try:
        kept = json.loads((folder / CHECKSUMS_FILE).read_bytes())
        if not isinstance(kept, Mapping):
            return f"{CHECKSUMS_FILE} holds no checksums"
        unknown = {path.name for path in folder.glob("*.npy")} - kept.keys()
        if unknown:
            return f"{min(unknown)} has no checksum"
        stamps = _stamps(folder, kept)
        if (folder, stamps) in _verified:
            return None
        digests = _digests(folder, list(kept))
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError) as error:
        return f"it cannot be read: {error}"
    for name, digest in zip(kept, digests, strict=True):
        if kept[name] != digest:
            return f"{name} is not as it was written"
    _verified.add((folder, stamps))
    return None


def trust_checksums(folder: Path) -> None:
    """Spare a folder that this process has just written from being read for its checksums."""
    kept = json.loads((folder / CHECKSUMS_FILE).read_bytes())
    _verified.add((folder, _stamps(folder, kept)))


def _digests(folder: Path, names: list[str]) -> list[str]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda name: _digest(folder / name), names))


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamps(folder: Path, kept: Mapping[str, str]) -> tuple[_Stamp, ...]:
    stats = {name: (folder / name).stat() for name in kept}
    return tuple(
        (name, str(kept[name]), of.st_size, of.st_mtime_ns, of.st_ctime_ns, of.st_ino)
        for name, of in stats.items()
    )


@dataclass(frozen=True, slots=True)
class Shard:
    """Some rows that were written one after another: a line of the journal.

    Attributes:
        steady_rows: Those of them that came after the process's first batch, which may have
            compiled a graph.
    """

    rows: list[int]  # their numbers, in the order in which they were written
    sha256: Mapping[str, str]
    seconds: float
    steady_rows: int
    steady_seconds: float


def note_shard(file: Path, shard: Shard) -> None:
    """Append a shard to a journal.

    The break comes before the line, since the one before may have been cut short.
    """
    with open(file, "a") as journal:
        journal.write(f"\n{json.dumps(asdict(shard))}")


def noted_shards(file: Path, count: int, names: set[str]) -> Iterator[Shard]:
    """Yield the shards of a journal, the last first; lines cut short or rotten are left out."""
    lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    for line in reversed(lines):
        try:
            shard = Shard(**json.loads(line))
            fits = 0 <= min(shard.rows) <= max(shard.rows) < count and set(shard.sha256) == names
        except (ValueError, TypeError):
            fits = False
        if fits:
            yield shard


def speed_of(shards: list[Shard]) -> dict[str, float]:
    """Return `seconds_per_image`, and on how many it was timed: `timed_images`; empty for none."""
    images = sum(len(shard.rows) for shard in shards)
    if not images:
        return {}
    steady = sum(shard.steady_rows for shard in shards)
    seconds = sum(shard.steady_seconds if steady else shard.seconds for shard in shards)
    return {"seconds_per_image": seconds / (steady or images), "timed_images": images}


#: Numbers of rows.
Rows = npt.NDArray[np.int64]


class RowFile:
    """A `.npy` file of its full length from the start; rows not written yet take no room."""

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


FACTS_FILE = "facts.json"
#: What is done of a draft that another process may go on with; gone once all is.
JOURNAL_FILE = "journal.jsonl"

_LOG = logging.getLogger(__name__)
_DRAFT, _PART = ".draft-", ".part-"
_DRAFT_DIGITS = 8
#: A draft without a write for so long is taken for abandoned.
_ABANDONED_SECONDS = 7 * 24 * 3600

#: Writes `*.npy` files into the folder it is handed; returns facts about them for JSON.
Make = Callable[[Path], Mapping[str, Any]]
#: Takes one line that a user must not miss.
Warn = Callable[[str], object]


@contextmanager
def publish_folder(folder: Path, in_parts: bool = False) -> Iterator[Path]:
    """Yield a draft folder that becomes `folder` when the block ends well.

    A block that raises leaves nothing behind; a killed process leaves a draft whose name
    (`.draft-…`) no reader looks at. In parts, the draft is the one that an earlier process left,
    and it stays if it has a journal; two blocks must not use it at the same time.
    """
    new = folder.with_name(f"{_DRAFT}{folder.name}-{uuid4().hex[:_DRAFT_DIGITS]}")
    draft = part_of(folder) if in_parts else new
    draft.mkdir(parents=True, exist_ok=in_parts)
    try:
        yield draft
        os.replace(draft, folder)
    except BaseException:
        if not (draft / JOURNAL_FILE).exists():
            shutil.rmtree(draft, ignore_errors=True)
        raise
    (folder / JOURNAL_FILE).unlink(missing_ok=True)


def part_of(folder: Path) -> Path:
    """Return the draft that a folder becomes, part by part."""
    return folder.with_name(f"{_PART}{folder.name}")


def held_bytes(folder: Path) -> int:
    """Return what a folder, or a draft, takes on the disk; holes in files take nothing."""
    stats = [path.stat() for path in folder.glob("*.npy")]
    blocks = [getattr(stat, "st_blocks", stat.st_size) for stat in stats]  # Windows has no holes
    return sum(min(stat.st_size, of * 512) for stat, of in zip(stats, blocks, strict=True))


def missing_bytes(folder: Path, size: int) -> int:
    """Return how much of a folder of a known size is still to be written."""
    return 0 if folder.exists() else max(0, size - held_bytes(part_of(folder)))


def content_key(parts: Mapping[str, Any]) -> str:
    """Return a short hash of all that a cached array depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class CachedArrays:
    """Arrays in a folder, memory-mapped for reading, and the facts of the run that wrote them.

    `waited_seconds` were spent on waiting for another process that was writing them.
    """

    arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    facts: Mapping[str, Any]
    made_now: bool
    waited_seconds: float = 0.0
    folder: Path = Path()


def kept_facts(folder: Path) -> Mapping[str, Any]:
    """Return the facts of the run that wrote a folder; none where it is absent or broken."""
    if fault_of(folder):
        return {}
    facts: Mapping[str, Any] = json.loads((folder / FACTS_FILE).read_text())
    return facts


def cached_arrays(
    folder: Path,
    make: Make,
    warn: Warn = _LOG.warning,
    in_parts: bool = False,
) -> CachedArrays:
    """Return the arrays in `folder`; where it is absent or broken, `make` writes them, once.

    Two processes that need the same folder at the same time wait for one another. What is there
    already is read without writing anything.

    Args:
        folder: Named after a hash of all that its content depends on.
        in_parts: Whether `make` keeps a journal (see `Shard`), by which it goes on with the draft
            of one that was killed or failed.

    Raises:
        DiskError: If there is no room, or nothing can be written there.
    """
    if not fault_of(folder):
        return _opened(folder, made_now=False)
    started = time.perf_counter()
    with locked(folder.with_name(f"{folder.name}.lock")):
        waited = time.perf_counter() - started
        if not (fault := fault_of(folder)):
            return _opened(folder, False, waited)
        with full_disk_error(folder.parent, lambda: SMALL_FILE_BYTES):
            _recreate(folder, fault, make, warn, in_parts)
        trust_checksums(folder)
        return _opened(folder, True, waited)


def _recreate(folder: Path, fault: str, make: Make, warn: Warn, in_parts: bool) -> None:
    _sweep(folder.parent)
    if folder.exists():
        warn(f"the cache folder {folder} is broken and made again: {fault}")
        with disk_errors_named(folder.parent):
            shutil.rmtree(folder)
    with publish_folder(folder, in_parts) as draft:
        facts = make(draft)
        (draft / FACTS_FILE).write_text(json.dumps(facts, indent=1))
        names = {path.name for path in draft.iterdir()} - {JOURNAL_FILE, CHECKSUMS_FILE}
        write_checksums(draft, sorted(names))


def _opened(folder: Path, made_now: bool, waited: float = 0.0) -> CachedArrays:
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
    facts = json.loads((folder / FACTS_FILE).read_text())
    return CachedArrays(arrays, facts, made_now, waited, folder)


def _sweep(parent: Path) -> None:
    """Delete drafts in a folder that were abandoned: old, and in use by no process."""
    for draft in (*parent.glob(f"{_DRAFT}*"), *parent.glob(f"{_PART}*")):
        if time.time() - _touched(draft) > _ABANDONED_SECONDS:
            key = draft.name.removeprefix(_PART)
            if draft.name.startswith(_DRAFT):
                key = draft.name.removeprefix(_DRAFT)[: -_DRAFT_DIGITS - 1]
            _delete_unless_in_use(draft, FileLock(parent / f"{key}.lock"))


def _touched(draft: Path) -> float:
    """Return when a draft was last written to, in seconds since 1970."""
    try:
        return max(path.stat().st_mtime for path in (draft, *draft.iterdir()))
    except FileNotFoundError:  # it has just become the folder that it is a draft of
        return time.time()


def _delete_unless_in_use(draft: Path, lock: BaseFileLock) -> None:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return
    shutil.rmtree(draft, ignore_errors=True)
    lock.release()


#: Most rows, and bytes, that are written between two lines of the journal.
SHARD_ROWS = 256
SHARD_BYTES = 32 * 2**20
#: What is kept of a row beside the arrays: its content's digest, its number in the journal.
_BESIDE_BYTES = 96

#: Some rows of each array, by its name.
Values = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Took:
    """What some rows took where they were made; `steady_rows` and the rest as of `Shard`."""

    seconds: float
    steady_rows: int
    steady_seconds: float


class RowArrays:
    """Arrays in a draft folder; rows that an earlier process wrote are found and kept.

    A row counts as found if the journal names it and its values are as they were written.

    Args:
        layout: The type of one row of each array, its shape within: `np.dtype((kind, shape))`.
        batch: Rows that are made at once; shards are whole batches.

    Attributes:
        missing: Numbers of the rows that no earlier process left.
        found_seconds: Spent by earlier processes on those that they left.
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
        """Open the files for writing."""
        check_room(self._draft, self._missing_bytes())
        with full_disk_error(self._draft, self._missing_bytes):
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
        with full_disk_error(self._draft, self._missing_bytes):
            for name, of_rows in values.items():
                self._arrays[name].write(rows, of_rows)

    def add(self, rows: Rows, values: Values, took: Took | None = None) -> None:
        """Write rows that were made now; every so many of them are noted in the journal.

        Args:
            took: Of rows that were made elsewhere; what passes on the clock here says nothing of
                them. Either all rows have it, or none.

        Raises:
            DiskError: If the disk is full; what the journal names is still there.
        """
        with full_disk_error(self._draft, self._missing_bytes):
            for name, of_rows in values.items():
                self._hashes[name].update(self._arrays[name].write(rows, of_rows))
        self._rows.extend(rows.tolist())
        if took is not None:
            self._took.append(took)
        elif not self._steady_since:
            self._steady_since, self._unsteady = time.perf_counter(), len(rows)
        if len(self._rows) >= self._shard_rows:
            self._seal()

    def _begin_shard(self) -> None:
        self._rows: list[int] = []
        self._took: list[Took] = []
        self._hashes = {name: hashlib.sha256() for name in self._arrays}
        self._unsteady, self._began = 0, time.perf_counter()

    def _seal(self) -> None:
        """Note the rows in the journal: from here on they are not made again."""
        if not self._rows:
            return
        digests = {name: digest.hexdigest() for name, digest in self._hashes.items()}
        took = self._measured()
        shard = Shard(self._rows, digests, took.seconds, took.steady_rows, took.steady_seconds)
        with full_disk_error(self._draft, self._missing_bytes):
            note_shard(self._draft / JOURNAL_FILE, shard)
        self.shards.append(shard)
        self._begin_shard()

    def _measured(self) -> Took:
        """Return what the rows of a shard took, here or elsewhere."""
        if self._took:
            return Took(*map(sum, zip(*map(astuple, self._took), strict=True)))
        now = time.perf_counter()
        steady = now - max(self._began, self._steady_since)
        return Took(now - self._began, len(self._rows) - self._unsteady, steady)

    def _is_whole(self, shard: Shard) -> bool:
        rows = np.array(shard.rows)
        return all(self._arrays[name].digest(rows) == kept for name, kept in shard.sha256.items())

    def _missing_bytes(self) -> int:
        """Still to be written, with some small files beside the arrays."""
        return max(0, self._bytes - held_bytes(self._draft)) + SMALL_FILE_BYTES

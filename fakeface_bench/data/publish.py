"""Folders that appear whole or not at all, and arrays in them that are made only once."""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from filelock import BaseFileLock, FileLock, Timeout

from fakeface_bench.data.checksums import CHECKSUMS_FILE, fault_of, take_as_sound, write_checksums
from fakeface_bench.folders import SMALL_FILE_BYTES, full_disk_told, locked, writing_told

FACTS_FILE = "facts.json"
#: What is done of a draft that another process may go on with; gone once all is.
JOURNAL_FILE = "journal.jsonl"

_LOG = logging.getLogger(__name__)
_DRAFT, _PART = ".draft-", ".part-"
_DRAFT_DIGITS = 8
#: A draft that nobody has written to for so long is taken for abandoned.
_ABANDONED_SECONDS = 7 * 24 * 3600

#: Writes `*.npy` files into the folder it is handed; returns facts about them for JSON.
Make = Callable[[Path], Mapping[str, Any]]
#: Is told one line that a user must not miss.
Tell = Callable[[str], object]


@contextmanager
def publish_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty draft folder that becomes `folder` when the block ends well.

    A block that raises leaves nothing behind; a killed process leaves a draft whose name
    (`.draft-…`) no reader looks at.
    """
    draft = folder.with_name(f"{_DRAFT}{folder.name}-{uuid4().hex[:_DRAFT_DIGITS]}")
    draft.mkdir(parents=True)
    try:
        yield draft
        os.replace(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


@contextmanager
def publish_in_parts(folder: Path) -> Iterator[Path]:
    """Yield a draft folder like `publish_folder`, which whoever comes next goes on with.

    Whatever ends the block, a draft stays that has a journal; two blocks must not use one at the
    same time.
    """
    draft = part_of(folder)
    draft.mkdir(parents=True, exist_ok=True)
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
    """Arrays on disk, memory-mapped for reading, and the facts of the run that wrote them.

    `waited_seconds` were spent on waiting for another process that was writing them.
    """

    arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    facts: Mapping[str, Any]
    made_now: bool
    waited_seconds: float = 0.0


def kept_facts(folder: Path) -> Mapping[str, Any]:
    """Return the facts of the run that wrote a folder; none where it is absent or broken."""
    if fault_of(folder):
        return {}
    facts: Mapping[str, Any] = json.loads((folder / FACTS_FILE).read_text())
    return facts


def cached_arrays(
    folder: Path,
    make: Make,
    tell: Tell = _LOG.warning,
    in_parts: bool = False,
) -> CachedArrays:
    """Return the arrays in `folder`; where it is absent or broken, `make` writes them, once.

    Two processes that need the same folder at the same time wait for one another. What is there
    already is read without writing anything.

    Args:
        folder: Named after a hash of all that its content depends on.
        make: Called with a draft.
        tell: Told of a folder that is broken.
        in_parts: Whether `make` keeps a journal (see `data.rows`), by which it goes on with the
            draft of one that was killed or failed.

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
        with full_disk_told(folder.parent, lambda: SMALL_FILE_BYTES):
            _make_anew(folder, fault, make, tell, in_parts)
        take_as_sound(folder)
        return _opened(folder, True, waited)


def _make_anew(folder: Path, fault: str, make: Make, tell: Tell, in_parts: bool) -> None:
    _sweep(folder.parent)
    if folder.exists():
        tell(f"the cache folder {folder} is broken and made anew: {fault}")
        with writing_told(folder.parent):
            shutil.rmtree(folder)
    publish = publish_in_parts if in_parts else publish_folder
    with publish(folder) as draft:
        facts = make(draft)
        (draft / FACTS_FILE).write_text(json.dumps(facts, indent=1))
        names = {path.name for path in draft.iterdir()} - {JOURNAL_FILE, CHECKSUMS_FILE}
        write_checksums(draft, sorted(names))


def _opened(folder: Path, made_now: bool, waited: float = 0.0) -> CachedArrays:
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
    return CachedArrays(arrays, json.loads((folder / FACTS_FILE).read_text()), made_now, waited)


def _sweep(parent: Path) -> None:
    """Delete drafts in a folder that were abandoned: old, and made by nobody any more."""
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

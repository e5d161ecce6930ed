"""Folders: the cache of what can be made again, drafts, room on a disk, paths that users name."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_dir

from fakeface_bench.support.errors import DiskError

CACHE_VARIABLE = "FAKEFACE_CACHE"
#: What a small file takes, with its entry in the folder.
SMALL_FILE_BYTES = 64 * 1024
#: What a few more trials and runs take in a database, with its journal.
DATABASE_BYTES = 10_000_000
#: What the files of one study, with its model, take before they are where they belong.
DRAFT_BYTES = 100_000_000

#: Of a full disk, and of a user's full share of it.
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: Windows: ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL.
_FULL_ON_WINDOWS = (39, 112)
#: How NumPy says that a file took less than an array, and what C libraries, and copies of whole
#: folders, quote: they give no number of the error.
_SAID = ("requested and", *(os.strerror(number) for number in _FULL))
#: What to do, besides making room.
_OTHER_CACHE = f"or let {CACHE_VARIABLE} name a folder on another disk"
_OTHER_DRAFTS = "or let TMPDIR name a folder on another disk"


def cache_folder(part: str) -> Path:
    """Return the folder for one kind of cached data, creating it.

    It lies under the user's cache folder, or under `FAKEFACE_CACHE` where that is set.

    Raises:
        DiskError: If it cannot be made: a file is in its place, or nobody may write there.
    """
    root = os.environ.get(CACHE_VARIABLE) or user_cache_dir("fakeface_bench")
    try:
        folder = Path(root).expanduser() / part
    except RuntimeError as error:  # the home of nobody
        raise _unwritable(root, error) from error
    with disk_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def disk_errors_named(folder: Path) -> Iterator[None]:
    """Say in one line why what the block makes in a folder cannot be made there.

    Raises:
        DiskError: In place of an `OSError`; it names the folder.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise _no_room(folder, SMALL_FILE_BYTES, _OTHER_CACHE) from error
        raise _unwritable(folder, error.strerror or error) from error


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Wait until no other process is in such a block with this lock file; a dead one is not.

    Raises:
        DiskError: If the file cannot be written.
    """
    lock = FileLock(file)
    with disk_errors_named(file.parent):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def check_room(folder: Path, needed_bytes: int) -> None:
    """Refuse what will not fit on a folder's disk, before any time is spent on it.

    Args:
        folder: Where it is to be written; it need not be there yet.

    Raises:
        DiskError: If less is free.
    """
    if _free(folder) < needed_bytes:
        raise _no_room(folder, needed_bytes, _OTHER_CACHE)


@contextmanager
def room_for(folder: Path, needed_bytes: int) -> Iterator[None]:
    """Check that there is room, and say so all the same where the disk fills up meanwhile.

    Raises:
        DiskError: Before the block or out of it.
    """
    check_room(folder, needed_bytes)
    with full_disk_error(folder, lambda: needed_bytes):
        yield


@contextmanager
def full_disk_error(
    folder: Path, needed_bytes: Callable[[], int], remedy: str = _OTHER_CACHE
) -> Iterator[None]:
    """Turn a full disk within the block into an error that says what to do.

    Args:
        needed_bytes: Called only then: what is still to be written.
        remedy: What else to do than making room.

    Raises:
        DiskError: If the disk, or the user's share of it, is full.
    """
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise _no_room(folder, needed_bytes(), remedy) from error


@contextmanager
def replaced_whole(file: Path, draft: Path) -> Iterator[None]:
    """Let a draft that the block writes take a file's place when it ends well; else it goes."""
    try:
        yield
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def existing_path(name: str) -> Path | None:
    """Return the path a user named, `~` expanded, if there is such a file or folder."""
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError):  # longer than a name may be; the home of nobody
        return None


def unused_folder(wanted: Path) -> Path:
    """Make a folder and return it, or one beside it with a number where files are in it already."""
    for number in count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        if not folder.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            if not any(folder.iterdir()):
                return folder
    raise AssertionError("numbers do not end")


@contextmanager
def draft_folder() -> Iterator[Path]:
    """Yield an empty folder that is gone after the block; a copy of it has usual permissions.

    Raises:
        DiskError: If the disk of temporary files is full.
    """
    place = Path(tempfile.gettempdir())
    with (
        full_disk_error(place, lambda: DRAFT_BYTES, _OTHER_DRAFTS),
        tempfile.TemporaryDirectory() as private,
    ):
        folder = Path(private, "draft")
        folder.mkdir()
        yield folder


def bytes_of(folder: Path | None) -> int:
    """Return what the files of a folder hold; nothing, if there is none."""
    files = folder.rglob("*") if folder is not None else ()
    return sum(file.stat().st_size for file in files if file.is_file())


def is_full(error: OSError) -> bool:
    """Whether an error says that a disk, or a user's share of it, is full."""
    on_windows = getattr(error, "winerror", None) in _FULL_ON_WINDOWS
    return error.errno in _FULL or on_windows or any(said in str(error) for said in _SAID)


def _free(folder: Path) -> int:
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free


def _unwritable(folder: Path | str, reason: object) -> DiskError:
    return DiskError(
        f"the cache cannot be written in {folder}: {reason}; let {CACHE_VARIABLE} name a folder "
        "that can be."
    )


def _no_room(folder: Path, needed_bytes: int, remedy: str) -> DiskError:
    return DiskError(
        f"the disk is full: {needed_bytes:,} bytes are still to be written in {folder}, and "
        f"{_free(folder):,} are free there; make room and run again, which goes on from here, "
        f"{remedy}."
    )

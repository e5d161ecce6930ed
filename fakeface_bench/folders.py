"""Folders: the cache of what can be made again, drafts, and the paths that users name."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_dir

CACHE_VARIABLE = "FAKEFACE_CACHE"


def cache_folder(part: str) -> Path:
    """Return the folder for one kind of cached data, creating it.

    It lies under the user's cache folder, or under `FAKEFACE_CACHE` where that is set.
    """
    root = os.environ.get(CACHE_VARIABLE) or user_cache_dir("fakeface_bench")
    folder = Path(root).expanduser() / part
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def existing_path(name: str) -> Path | None:
    """Return the path a user named, `~` expanded, if there is such a file or folder."""
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError):  # longer than a name may be; the home of nobody
        return None


@contextmanager
def draft_folder() -> Iterator[Path]:
    """Yield an empty folder that is gone after the block; a copy of it has usual permissions."""
    with tempfile.TemporaryDirectory() as private:
        folder = Path(private, "draft")
        folder.mkdir()
        yield folder

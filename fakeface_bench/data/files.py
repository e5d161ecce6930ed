"""Reads every image file once: its content digest, and whether it can be decoded whole."""

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from filelock import FileLock

from fakeface_bench.data.images import decode_bytes
from fakeface_bench.errors import DataError
from fakeface_bench.folders import cache_folder
from fakeface_bench.progress import Progress

_COLUMNS = ["path", "size", "mtime_ns", "digest", "error"]
#: Stands for a digest where a file could not be opened, which may be mended without a trace in
#: its size and time: such a file is tried again each time.
_NOT_OPENED = "unreadable"


def inspect_files(root: Path, paths: Sequence[Path], progress: Progress) -> pd.DataFrame:
    """Return digest and readability of each file, remembering both for unchanged files.

    Args:
        root: Folder that the paths lie under.
        paths: Absolute files.
        progress: Told of the files read now.

    Returns:
        One row a path, in their order: `path` relative to `root`, `size` in bytes, `mtime_ns`,
        `digest` (SHA-256 of the file's bytes, hex), `error` (empty when the image decodes).
    """
    stats = pd.DataFrame([_stat(root, path) for path in paths], columns=_COLUMNS[:3])
    memory = (
        cache_folder("index") / f"{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.parquet"
    )
    with FileLock(memory.with_suffix(".lock")):
        known = pd.read_parquet(memory) if memory.exists() else _nothing_known()
        table = stats.merge(known, how="left", on=_COLUMNS[:3])
        unread = table.index[table["digest"].isna()]
        if len(unread):
            with (
                progress.stage("reading files", len(unread), "images") as advance,
                ThreadPoolExecutor(os.cpu_count()) as pool,
            ):
                found = []
                for facts in pool.map(_inspect, [paths[i] for i in unread]):
                    found.append(facts)
                    advance(1)
            table.loc[unread, ["digest", "error"]] = found
            draft = memory.with_suffix(f".{os.getpid()}")
            table[table["digest"] != _NOT_OPENED].to_parquet(draft)
            os.replace(draft, memory)
    return table


def _nothing_known() -> pd.DataFrame:
    types = {"path": "str", "size": "int64", "mtime_ns": "int64", "digest": "str", "error": "str"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})


def _stat(root: Path, path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except OSError:  # a dangling link: reported as unreadable by _inspect
        return str(path.relative_to(root)), -1, -1
    return str(path.relative_to(root)), stat.st_size, stat.st_mtime_ns


def _inspect(path: Path) -> tuple[str, str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        return _NOT_OPENED, error.strerror or str(error)
    digest = hashlib.sha256(content).hexdigest()
    try:
        decode_bytes(io.BytesIO(content))
    except DataError as error:
        return digest, str(error)
    return digest, ""

"""Reads every image file once: all that an index and an audit need to know of it, remembered."""

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from fakeface_bench.data.facts import FACTS, NOT_OPENED, read_facts
from fakeface_bench.data.images import DECODER
from fakeface_bench.data.signature import SIGNATURE_VERSION
from fakeface_bench.errors import shortened
from fakeface_bench.folders import (
    SMALL_FILE_BYTES,
    cache_folder,
    full_disk_told,
    locked,
    replaced_whole,
)
from fakeface_bench.progress import Progress

#: Raise it with any change of a fact's meaning, or of what a file is known again by.
FACTS_VERSION = 3
#: When a file's entry changed: whoever writes to a file may set its other time back, not this.
_CHANGED = "ctime_ns"
#: A memory ends in the SHA-256 of its table: Parquet's own checksums leave out its footer, where
#: names and types stand.
_DIGEST_BYTES = 32
_KEY = ["path", "size", "mtime_ns", _CHANGED]
_PANDAS_TYPES = {bool: "bool", int: "int64", float: "float64", str: "str", bytes: "object"}
_TYPES = {name: _PANDAS_TYPES[type(absent)] for name, absent in FACTS.items()}


def inspect_files(root: Path, paths: Sequence[Path], progress: Progress) -> pd.DataFrame:
    """Return the facts of each file, remembering them for files of the same size and times.

    Args:
        root: Folder that the paths lie under.
        paths: Absolute files.
        progress: Told of the files read now.

    Returns:
        One row a path, in their order: `path` relative to `root`, `size` in bytes, `mtime_ns`,
        and the columns of `data.facts.FACTS`.
    """
    stats = pd.DataFrame([_stat(path, len(str(root))) for path in paths], columns=_KEY)
    memory = _memory_of(root)
    table, fault = _remembered(stats, memory)
    if table["digest"].isna().any():
        with locked(memory.with_suffix(".lock")):
            table, fault = _remembered(stats, memory)  # another process may have read them
            if fault:
                progress.warn(f"{memory} is broken, and the images are read again: {fault}")
            unread = table.index[table["digest"].isna()]
            if len(unread):
                fresh = _read([paths[i] for i in unread], progress)
                table = _joined(stats, table, fresh, unread)
                _remember(table, memory)
    return table.drop(columns=_CHANGED)


def _remembered(stats: pd.DataFrame, memory: Path) -> tuple[pd.DataFrame, str]:
    """Return the files with what is remembered of them, and what is wrong with the memory."""
    nothing = stats.merge(_nothing_known(stats), how="left", on=_KEY)
    if not memory.exists():
        return nothing, ""
    try:
        kept = memory.read_bytes()
    except OSError as error:
        return nothing, shortened(error)
    table, digest = kept[:-_DIGEST_BYTES], kept[-_DIGEST_BYTES:]
    if hashlib.sha256(table).digest() != digest:
        return nothing, "it is not as it was written"
    known = pd.read_parquet(io.BytesIO(table))
    return stats.merge(known[[*_KEY, *FACTS]], how="left", on=_KEY), ""


def _joined(
    stats: pd.DataFrame, table: pd.DataFrame, fresh: pd.DataFrame, unread: pd.Index
) -> pd.DataFrame:
    """Put the facts of files that were read now among the others."""
    fresh = pd.concat([stats.loc[unread].reset_index(drop=True), fresh], axis=1)
    table = pd.concat([table.drop(unread), fresh.set_index(unread)]).sort_index()
    return table.astype(_TYPES)  # rows without facts have made numbers of them floats


def _nothing_known(stats: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([stats.head(0), _facts_frame([])], axis=1)


def _memory_of(root: Path) -> Path:
    """Name the file that remembers a folder's facts, as these versions read them."""
    read_by = f"{root}|{DECODER}|{SIGNATURE_VERSION}|{FACTS_VERSION}"
    return cache_folder("files") / f"{hashlib.sha256(read_by.encode()).hexdigest()[:16]}.facts"


def _remember(table: pd.DataFrame, memory: Path) -> None:
    """Write all but files that could not be opened: that may be mended without a trace."""
    draft = memory.with_suffix(f".{os.getpid()}")
    with (
        full_disk_told(memory.parent, lambda: SMALL_FILE_BYTES),
        replaced_whole(memory, draft),
    ):
        written = table[table["digest"] != NOT_OPENED].to_parquet()
        draft.write_bytes(written + hashlib.sha256(written).digest())


def _read(paths: Sequence[Path], progress: Progress) -> pd.DataFrame:
    rows = []
    with (
        progress.stage("reading files", len(paths), "images") as advance,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for facts in pool.map(read_facts, paths):
            rows.append(facts)
            advance(1)
    return _facts_frame(rows)


def _facts_frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Return facts as a table whose columns have one type each, with or without rows."""
    return pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in _TYPES.items()}
    )


def _stat(path: Path, root_length: int) -> tuple[str, int, int, int]:
    relative = str(path)[root_length:].lstrip(os.sep)  # much quicker than `Path.relative_to`
    try:
        stat = path.stat()
    except OSError:  # a dangling link: reported as unreadable by read_facts
        return relative, -1, -1, -1
    return relative, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns

"""Makes arrays by rows as extraction does, without a network; processes of their own can use it."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeface_bench.data import array_store
from fakeface_bench.data.array_store import CachedArrays, RowArrays, Warn, cached_arrays

COUNT, BATCH, SHARD = 50, 4, 8
LAYOUT = {"wide": np.dtype((np.float16, (3000,))), "spare": np.dtype((np.int32, (2,)))}

Rows = npt.NDArray[np.int64]


def values_of(rows: Rows) -> dict[str, npt.NDArray[Any]]:
    wide = (rows[:, None] * 31 + np.arange(3000)) % 997
    return {"wide": wide.astype(np.float16), "spare": np.stack([rows, -rows], 1).astype(np.int32)}


def cached_rows(
    folder: Path,
    each: Callable[[Rows], object] = lambda rows: None,
    warn: Warn = lambda line: None,
    start: int = 0,
) -> CachedArrays:
    """Make the rows of a folder, batch by batch; `each` is called before a batch is written."""

    def make(draft: Path) -> Mapping[str, Any]:
        with RowArrays(draft, COUNT, LAYOUT, BATCH) as arrays:
            for number in range(0, len(arrays.missing), BATCH):
                batch = arrays.missing[number : number + BATCH]
                each(batch)
                arrays.add(batch, values_of(batch + start))
        return {"made": arrays.missing.tolist(), "known_seconds": arrays.found_seconds}

    array_store.SHARD_ROWS = SHARD
    return cached_arrays(folder, make, warn, in_parts=True)


def assert_whole(cached: CachedArrays, start: int = 0) -> None:
    for name, values in values_of(np.arange(COUNT) + start).items():
        np.testing.assert_array_equal(cached.arrays[name], values)


def ask(folder: Path, together: Any, answers: Any, start: int = 0) -> None:
    """Make a folder, or wait for it, in a process of its own."""
    together.wait(60)
    cached = cached_rows(folder, lambda rows: time.sleep(0.02), start=start)
    assert_whole(cached, start)
    answers.put((cached.made_now, cached.facts["made"]))


def make_slowly(folder: Path, written: Any) -> None:
    """Warn of each row before it is written, in a process that is to be killed."""

    def description(rows: Rows) -> None:
        written.put(int(rows[0]))
        time.sleep(0.1)

    cached_rows(folder, description)

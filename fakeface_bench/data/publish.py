"""Folders that appear whole or not at all, and arrays in them that are made only once."""

import hashlib
import json
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
from filelock import FileLock

FACTS_FILE = "facts.json"


@contextmanager
def publish_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty draft folder that becomes `folder` when the block ends well.

    A block that raises leaves nothing behind; a killed process leaves a draft whose name
    (`.draft-…`) no reader looks at.
    """
    draft = folder.with_name(f".draft-{folder.name}-{uuid4().hex[:8]}")
    draft.mkdir(parents=True)
    try:
        yield draft
        os.replace(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


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
    """Return the facts of the run that wrote a folder; none where it is absent."""
    file = folder / FACTS_FILE
    return json.loads(file.read_text()) if file.exists() else {}


def cached_arrays(folder: Path, make: Callable[[Path], Mapping[str, Any]]) -> CachedArrays:
    """Return the arrays in `folder`; where it is absent, `make` writes them first, once.

    Two processes that need the same folder at the same time wait for one another.

    Args:
        folder: Named after a hash of all that its content depends on.
        make: Writes `*.npy` files into the folder it is handed and returns facts about them
            that JSON can hold.
    """
    made_now = False
    started = time.perf_counter()
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        waited = time.perf_counter() - started
        if not folder.exists():
            made_now = True
            with publish_folder(folder) as draft:
                facts = make(draft)
                (draft / FACTS_FILE).write_text(json.dumps(facts, indent=1))
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
    return CachedArrays(arrays, json.loads((folder / FACTS_FILE).read_text()), made_now, waited)

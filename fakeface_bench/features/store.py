"""Features of some images, extracted once per image, network, weights, size and preprocessing.

A mixture of datasets, a part of one, or one that holds another's pictures costs no second pass.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fakeface_bench.data.array_store import (
    CachedArrays,
    RowArrays,
    Rows,
    Warn,
    cached_arrays,
    fault_of,
    kept_facts,
    speed_of,
)
from fakeface_bench.data.pictures import Pictures
from fakeface_bench.features.extraction import extracted_by, extracted_here
from fakeface_bench.features.source import FeatureSource
from fakeface_bench.support.executor import THIS_PROCESS, Executor
from fakeface_bench.support.progress import Progress, show_detail

#: One content a line, in the order of the rows of the arrays beside it.
CONTENTS_FILE = "contents.txt"
_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Known:
    """Rows that another folder holds.

    Attributes:
        here: Their numbers among the images that are wanted.
    """

    folder: Path
    there: Rows
    here: Rows

    @property
    def seconds(self) -> float:
        """That were spent on extracting them, by the run that did."""
        return len(self.here) * float(self.facts["seconds_per_image"])

    @property
    def facts(self) -> Mapping[str, Any]:
        """Of the run that extracted them."""
        return kept_facts(self.folder)

    def copy_to(self, arrays: RowArrays) -> None:
        """Copy the rows of every array, some at a time."""
        held = {
            path.stem: np.load(path, mmap_mode="r") for path in sorted(self.folder.glob("*.npy"))
        }
        for start in range(0, len(self.here), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            there = self.there[some]
            arrays.copy(self.here[some], {name: of[there] for name, of in held.items()})


def known_elsewhere(
    network: Path, digests: Sequence[str], missing: Rows, warn: Warn
) -> tuple[list[Known], Rows]:
    """Find which images' features other folders of the same network hold.

    Args:
        network: Folder of all features that one network has made.
        warn: Told of a folder that is broken; nothing is taken out of it.

    Returns:
        The rows to be had from each folder, and the numbers of the images that none holds.
    """
    wanted = pd.Index(digests)
    found = []
    for contents in sorted(network.glob(f"*/{CONTENTS_FILE}")):
        folder = contents.parent
        if folder.name.startswith(".") or not len(missing):
            continue
        held = pd.Index(contents.read_text(errors="replace").split())
        first = np.flatnonzero(~held.duplicated())  # a file may lie there twice
        there = held[first].get_indexer(wanted[missing])
        has = there >= 0
        if not has.any():
            continue
        if fault := fault_of(folder):
            warn(f"nothing is taken out of the cache folder {folder}, which is broken: {fault}")
            continue
        found.append(Known(folder, first[there[has]], missing[has]))
        missing = missing[~has]
    return found, missing


def cached_features(
    source: FeatureSource,
    digests: Sequence[str],
    paths: Sequence[Path],
    progress: Progress,
    executor: Executor = THIS_PROCESS,
) -> CachedArrays:
    """Return the features of some images, in their order; what is known of them is not made again.

    A process that is killed, or finds the disk full, leaves what it made to the next one, but for
    the last images that passed the network.

    Returns:
        float16 arrays `pooled` (n, pooled_width) and, where the layout keeps it, `max2x2`
        (n, max2x2_width), laid out as `FeatureLayout` says; with a cut, `boundary` too. Facts of
        the run that finished them: `images`; `images_extracted`, of them, by it; `seconds` that
        this took, of which `elsewhere_seconds` workers beyond the wall clock; `known_seconds` that
        the others had taken before; `seconds_per_image`, measured on `timed_images`.

    Raises:
        DataError: If a file cannot be decoded any more, or holds another picture.
        DiskError: If there is no room for them, before any image passes the network.
    """

    def make(draft: Path) -> Mapping[str, Any]:
        return extract_to(draft, source, digests, paths, progress, executor)

    return cached_arrays(source.folder(digests), make, progress.warn, in_parts=True)


def extract_to(
    folder: Path,
    source: FeatureSource,
    digests: Sequence[str],
    paths: Sequence[Path],
    progress: Progress,
    executor: Executor = THIS_PROCESS,
) -> dict[str, float]:
    """Write the features of images into arrays in a draft folder, or go on with that.

    Rows that lie elsewhere are copied, the other images streamed through the network. Memory does
    not grow with their number: batches go straight to disk.

    Returns:
        The facts of `cached_features`. `seconds` hold the compilation of the graph;
        `seconds_per_image` does not, unless there was a single batch.
    """
    started = time.perf_counter()
    layout, size = source.extractor.layout, source.image_size
    pictures = Pictures(paths, size, source.fit, size, source.equalisation, digests)
    with RowArrays(folder, len(paths), layout, source.batch_size) as arrays:
        network = source.folder(digests).parent
        known, missing = known_elsewhere(network, digests, arrays.missing, progress.warn)
        for part in known:
            part.copy_to(arrays)
        elsewhere = _extract(source, pictures, missing, arrays, progress, executor)
    (folder / CONTENTS_FILE).write_text("\n".join(digests))
    speed = speed_of(arrays.shards)
    if not speed:  # then nothing was timed, and the best measured speed stands
        facts = max((part.facts for part in known), key=lambda facts: facts["timed_images"])
        speed = {key: facts[key] for key in ("seconds_per_image", "timed_images")}
    return {
        **speed,
        "images": len(paths),
        "images_extracted": len(missing),
        "known_seconds": arrays.found_seconds + sum(part.seconds for part in known),
        "seconds": time.perf_counter() - started + elsewhere,
        "elsewhere_seconds": elsewhere,
    }


def _extract(
    source: FeatureSource,
    pictures: Pictures,
    rows: Rows,
    arrays: RowArrays,
    progress: Progress,
    executor: Executor,
) -> float:
    """Pass some of the images through the network, each to its row.

    Returns:
        Seconds that workers took beyond the wall clock.
    """
    if not len(rows):
        return 0.0
    extractor, began, machines = source.extractor, time.perf_counter(), 0.0
    if executor is THIS_PROCESS:  # without a stop between units
        made = extracted_here(extractor, pictures, rows)
    else:
        made = extracted_by(executor, extractor, pictures, rows)
    title = f"extracting features ({source.title})"
    with progress.stage(title, len(rows), "images") as go, closing(made):
        for some, values, took in made:
            arrays.add(some, values, took)
            machines += took.seconds if took else 0.0
            go(len(some))
            if executor.detail:
                show_detail(go, executor.detail)
    return max(0.0, machines - (time.perf_counter() - began))

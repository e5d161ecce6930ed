"""Features of some images, extracted once per image, network, weights, size and preprocessing."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from fakeface_bench.data.canvases import Pictures
from fakeface_bench.data.pipeline import stream_images
from fakeface_bench.data.publish import CachedArrays, cached_arrays
from fakeface_bench.features.known import CONTENTS_FILE, Rows, known_elsewhere
from fakeface_bench.features.source import FeatureSource
from fakeface_bench.progress import Progress


def cached_features(
    source: FeatureSource, digests: Sequence[str], paths: Sequence[Path], progress: Progress
) -> CachedArrays:
    """Return the features of some images, in their order; what is known of them is not made again.

    Returns:
        float16 arrays `pooled` (n, pooled_width) and, where the layout keeps it, `max2x2`
        (n, max2x2_width), laid out as `FeatureLayout` says; with a cut, `boundary` too. Facts of
        the run that made them: `images`; `images_extracted`, of them; `seconds` that this took;
        `known_seconds` that the others had taken before; `seconds_per_image`, measured on
        `timed_images`.
    """

    def make(draft: Path) -> Mapping[str, Any]:
        return extract_to(draft, source, digests, paths, progress)

    return cached_arrays(source.folder(digests), make)


def extract_to(
    folder: Path,
    source: FeatureSource,
    digests: Sequence[str],
    paths: Sequence[Path],
    progress: Progress,
) -> dict[str, float]:
    """Write the features of images into memory-mapped arrays in `folder`.

    Rows that lie elsewhere are copied, the other images streamed through the network. Memory does
    not grow with their number: batches go straight to disk.

    Returns:
        The facts of `cached_features`. `seconds` hold the compilation of the graph;
        `seconds_per_image` does not, unless there was a single batch.
    """
    started = time.perf_counter()
    known, missing = known_elsewhere(source.folder(digests).parent, digests)
    targets = {
        name: np.lib.format.open_memmap(
            folder / f"{name}.npy", mode="w+", dtype=np.float16, shape=(len(paths), output.shape[1])
        )
        for name, output in source.model.output.items()
    }
    for part in known:
        part.copy_to(targets)
    speed = _stream(source, paths, missing, targets, progress)
    for target in targets.values():
        target.flush()
    (folder / CONTENTS_FILE).write_text("\n".join(digests))
    if not len(missing):  # then nothing was timed, and the best measured speed stands
        facts = max((part.facts for part in known), key=lambda facts: facts["timed_images"])
        speed = {key: facts[key] for key in ("seconds_per_image", "timed_images")}
    return {
        **speed,
        "images": len(paths),
        "images_extracted": len(missing),
        "known_seconds": sum(part.seconds for part in known),
        "seconds": time.perf_counter() - started,
    }


def _stream(
    source: FeatureSource,
    paths: Sequence[Path],
    rows: Rows,
    targets: Mapping[str, np.ndarray[Any, Any]],
    progress: Progress,
) -> dict[str, float]:
    """Send some of the images through the network, each to its row; return how fast they were."""
    if not len(rows):
        return {}
    began = time.perf_counter()
    steady = (0, began)
    files = [paths[row] for row in rows]
    pictures = Pictures(
        files, source.image_size, source.fit, source.image_size, source.jpeg_quality
    )
    done = 0
    with progress.stage(f"extracting features ({source.title})", len(files), "images") as go:
        for batch in stream_images(pictures, source.batch_size):
            if source.mirrored:
                batch = tf.reverse(batch, [2])
            for name, values in source.extract(batch).items():
                targets[name][rows[done : done + len(values)]] = values
            done += len(batch)
            if done == len(batch) < len(files):
                steady = (done, time.perf_counter())
            go(len(batch))
    before, since = steady
    per_image = (time.perf_counter() - since) / (done - before)
    return {"seconds_per_image": per_image, "timed_images": len(files)}

"""Features of some images, extracted once per image, network, weights, size and preprocessing."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from fakeface_bench.data.canvases import Pictures
from fakeface_bench.data.journal import speed_of
from fakeface_bench.data.pipeline import stream_rows
from fakeface_bench.data.publish import CachedArrays, cached_arrays
from fakeface_bench.data.row_file import Rows
from fakeface_bench.data.rows import RowArrays
from fakeface_bench.features.known import CONTENTS_FILE, known_elsewhere
from fakeface_bench.features.source import FeatureSource
from fakeface_bench.progress import Progress


def cached_features(
    source: FeatureSource, digests: Sequence[str], paths: Sequence[Path], progress: Progress
) -> CachedArrays:
    """Return the features of some images, in their order; what is known of them is not made again.

    A process that is killed, or finds the disk full, leaves what it made to the next one, but for
    the last images that passed the network.

    Returns:
        float16 arrays `pooled` (n, pooled_width) and, where the layout keeps it, `max2x2`
        (n, max2x2_width), laid out as `FeatureLayout` says; with a cut, `boundary` too. Facts of
        the run that finished them: `images`; `images_extracted`, of them, by it; `seconds` that
        this took; `known_seconds` that the others had taken before; `seconds_per_image`, measured
        on `timed_images`.

    Raises:
        DataError: If a file cannot be decoded any more, or holds another picture.
        DiskError: If there is no room for them, before any image passes the network.
    """

    def make(draft: Path) -> Mapping[str, Any]:
        return extract_to(draft, source, digests, paths, progress)

    return cached_arrays(source.folder(digests), make, progress.warn, in_parts=True)


def extract_to(
    folder: Path,
    source: FeatureSource,
    digests: Sequence[str],
    paths: Sequence[Path],
    progress: Progress,
) -> dict[str, float]:
    """Write the features of images into arrays in a draft folder, or go on with that.

    Rows that lie elsewhere are copied, the other images streamed through the network. Memory does
    not grow with their number: batches go straight to disk.

    Returns:
        The facts of `cached_features`. `seconds` hold the compilation of the graph;
        `seconds_per_image` does not, unless there was a single batch.
    """
    started = time.perf_counter()
    layout = {
        name: np.dtype((np.float16, (output.shape[1],)))
        for name, output in source.model.output.items()
    }
    size = source.image_size
    pictures = Pictures(paths, size, source.fit, size, source.jpeg_quality, digests)
    with RowArrays(folder, len(paths), layout, source.batch_size) as arrays:
        network = source.folder(digests).parent
        known, missing = known_elsewhere(network, digests, arrays.missing, progress.warn)
        for part in known:
            part.copy_to(arrays)
        _stream(source, pictures, missing, arrays, progress)
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
        "seconds": time.perf_counter() - started,
    }


def _stream(
    source: FeatureSource, pictures: Pictures, rows: Rows, arrays: RowArrays, progress: Progress
) -> None:
    """Send some of the images through the network, each to its row."""
    if not len(rows):
        return
    with progress.stage(f"extracting features ({source.title})", len(rows), "images") as go:
        for of_batch, batch in stream_rows(pictures, rows, source.batch_size):
            seen = tf.reverse(batch, [2]) if source.mirrored else batch
            arrays.add(of_batch, source.extract(seen))
            go(len(batch))

"""Decoded images in a memory-mapped cache, for networks that train end to end."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fakeface_bench.data.images import DECODER
from fakeface_bench.data.pipeline import stream_images
from fakeface_bench.data.publish import CachedArrays, cached_arrays, content_key
from fakeface_bench.folders import cache_folder
from fakeface_bench.progress import Progress

#: Raise it with any change that alters a decoded pixel.
PIXELS_VERSION = 1
_STREAM_BATCH = 32


def cached_pixels(
    digests: Sequence[str], paths: Sequence[Path], size: int, fit: str, progress: Progress
) -> CachedArrays:
    """Return images of these contents, in their order, as the uint8 array `images`.

    Its shape is (n, size, size, 3).
    """
    key = content_key(
        {
            "images": list(digests),
            "size": size,
            "fit": fit,
            "version": PIXELS_VERSION,
            "decoder": DECODER,
        }
    )

    def make(draft: Path) -> Mapping[str, Any]:
        started = time.perf_counter()
        shape = (len(paths), size, size, 3)
        target = np.lib.format.open_memmap(
            draft / "images.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        done = 0
        with progress.stage("decoding images", len(paths), "images") as advance:
            for batch in stream_images(paths, size, fit, _STREAM_BATCH):
                target[done : done + len(batch)] = batch.numpy()
                done += len(batch)
                advance(len(batch))
        target.flush()
        return {"seconds": time.perf_counter() - started, "images": len(paths)}

    return cached_arrays(cache_folder("pixels") / key, make)

"""Decoded images in a memory-mapped cache, for networks that train on pixels."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fakeface_bench.data.canvases import Pictures
from fakeface_bench.data.images import DECODER
from fakeface_bench.data.pipeline import stream_images
from fakeface_bench.data.publish import CachedArrays, cached_arrays, content_key
from fakeface_bench.folders import cache_folder
from fakeface_bench.progress import Progress

#: Raise it with any change that alters a decoded pixel.
PIXELS_VERSION = 2
STREAM_BATCH = 32


def pixels_folder(pictures: Pictures, digests: Sequence[str]) -> Path:
    """Return where pictures of these contents lie decoded, or would."""
    key = content_key(
        {
            "images": list(digests),
            "size": pictures.size,
            "fit": pictures.fit,
            "version": PIXELS_VERSION,
            "decoder": DECODER,
            **({"side": pictures.side} if pictures.side != pictures.size else {}),
            **({"jpeg_quality": pictures.jpeg_quality} if pictures.jpeg_quality else {}),
        }
    )
    return cache_folder("pixels") / key


def cached_pixels(pictures: Pictures, digests: Sequence[str], progress: Progress) -> CachedArrays:
    """Return pictures of these contents, in their order, as arrays.

    They are `images`, uint8 (n, side, side, 3), and `spare`, how far a crop may move, (n, 2).
    """

    def make(draft: Path) -> Mapping[str, Any]:
        started = time.perf_counter()
        count, side = len(pictures.paths), pictures.side
        target = np.lib.format.open_memmap(
            draft / "images.npy", mode="w+", dtype=np.uint8, shape=(count, side, side, 3)
        )
        done = 0
        with progress.stage("decoding images", count, "images") as advance:
            for batch in stream_images(pictures, STREAM_BATCH):
                target[done : done + len(batch)] = batch.numpy()
                done += len(batch)
                advance(len(batch))
        target.flush()
        np.save(draft / "spare.npy", pictures.spare())
        return {"seconds": time.perf_counter() - started, "images": count}

    return cached_arrays(pixels_folder(pictures, digests), make)

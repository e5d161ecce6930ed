"""Decoded images in a memory-mapped cache, for networks that train on pixels."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fakeface_bench.data.canvases import Pictures
from fakeface_bench.data.images import DECODER
from fakeface_bench.data.pipeline import stream_rows
from fakeface_bench.data.publish import CachedArrays, cached_arrays, content_key
from fakeface_bench.data.rows import RowArrays
from fakeface_bench.folders import cache_folder
from fakeface_bench.progress import Progress

#: Raise it with any change that alters a decoded pixel.
PIXELS_VERSION = 2
STREAM_BATCH = 32


def pixels_folder(pictures: Pictures) -> Path:
    """Return where pictures lie decoded, or would; only their contents count, not their paths."""
    key = content_key(
        {
            "images": list(pictures.digests),
            "size": pictures.size,
            "fit": pictures.fit,
            "version": PIXELS_VERSION,
            "decoder": DECODER,
            **({"side": pictures.side} if pictures.side != pictures.size else {}),
            **({"jpeg_quality": pictures.jpeg_quality} if pictures.jpeg_quality else {}),
        }
    )
    return cache_folder("pixels") / key


def cached_pixels(pictures: Pictures, progress: Progress) -> CachedArrays:
    """Return pictures, in their order, as arrays.

    They are `images`, uint8 (n, side, side, 3), and `spare`, how far a crop may move, (n, 2). The
    facts are `images`, `images_extracted`, `seconds` and `known_seconds`, as of
    `features.store.cached_features`.

    Raises:
        DataError: If a file cannot be decoded any more, or holds another picture.
        DiskError: If there is no room for them, before any is decoded.
    """

    def make(draft: Path) -> Mapping[str, Any]:
        started = time.perf_counter()
        count, side = len(pictures.paths), pictures.side
        layout = {
            "images": np.dtype((np.uint8, (side, side, 3))),
            "spare": np.dtype((np.int32, (2,))),
        }
        with (
            RowArrays(draft, count, layout, STREAM_BATCH) as arrays,
            progress.stage("decoding images", len(arrays.missing), "images") as advance,
        ):
            for rows, batch in stream_rows(pictures, arrays.missing, STREAM_BATCH):
                spare = pictures.some(rows).spare()
                arrays.add(rows, {"images": batch.numpy(), "spare": spare})
                advance(len(batch))
        return {
            "seconds": time.perf_counter() - started,
            "images": count,
            "images_extracted": len(arrays.missing),
            "known_seconds": arrays.found_seconds,
        }

    return cached_arrays(pixels_folder(pictures), make, progress.warn, in_parts=True)

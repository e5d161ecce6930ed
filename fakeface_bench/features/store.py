"""Features of one split, extracted once per images, network, weights, size and preprocessing."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fakeface_bench.architectures.architecture import Architecture
from fakeface_bench.architectures.cut import CutBackbone
from fakeface_bench.data.canvases import Pictures
from fakeface_bench.data.images import DECODER
from fakeface_bench.data.pipeline import stream_images
from fakeface_bench.data.publish import CachedArrays, cached_arrays, content_key
from fakeface_bench.features.extractor import Extract, frozen_graph
from fakeface_bench.features.statistics import boundary_scale, feature_model, layout_of
from fakeface_bench.folders import cache_folder
from fakeface_bench.progress import Progress

#: Raise it with any change in data.images, features or architectures that alters a feature.
EXTRACTOR_VERSION = 1


@dataclass(frozen=True)
class FeatureSource:
    """What features are made of, apart from the images.

    Attributes:
        backbone: From pixels to the maps of its blocks.
        architecture: Its row.
        weights: Identity of its weights: all that their values depend on.
        fit: How images meet the input's size.
        batch_size: Images a step; does not enter the key.
        cut: Where the frozen part ends, if the map there is kept too.
        mirrored: Whether each picture is mirrored left to right.
    """

    backbone: keras.Model
    architecture: Architecture
    weights: str
    fit: str
    batch_size: int
    cut: CutBackbone | None = None
    mirrored: bool = False

    @property
    def image_size(self) -> int:
        """Side of the input in pixels."""
        return int(self.backbone.inputs[0].shape[1])

    @cached_property
    def model(self) -> keras.Model:
        """From pixels to the feature arrays."""
        return feature_model(self.backbone, self.cut)

    @cached_property
    def boundary_scale(self) -> float:
        """By which the map at the cut is kept larger."""
        return boundary_scale(self.cut) if self.cut else 1.0

    @cached_property
    def extract(self) -> Extract:
        """The model as a frozen graph, compiled at first use and kept for all splits."""
        return frozen_graph(self.model, self.batch_size)

    def folder(self, digests: Sequence[str]) -> Path:
        """Return where the features of images of these contents lie, or would."""
        return cache_folder("features") / self.key(digests)

    def key(self, digests: Sequence[str]) -> str:
        """Return the hash of everything that the features of images of these contents depend on."""
        return content_key(
            {
                **({"cut": self.cut.position, "scale": self.boundary_scale} if self.cut else {}),
                **({"mirrored": True} if self.mirrored else {}),
                "images": list(digests),
                "architecture": self.architecture.key,
                "preprocessing": self.architecture.preprocessing,
                "blocks": self.architecture.blocks,
                "channels": layout_of(self.backbone.outputs).channels,
                "weights": self.weights,
                "image_size": self.image_size,
                "fit": self.fit,
                "extractor": EXTRACTOR_VERSION,
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
                "decoder": DECODER,
            }
        )


def cached_features(
    source: FeatureSource, digests: Sequence[str], paths: Sequence[Path], progress: Progress
) -> CachedArrays:
    """Return the features of some images, in their order.

    Returns:
        float16 arrays `pooled` (n, pooled_width) and, where the layout keeps it, `max2x2`
        (n, max2x2_width), laid out as `FeatureLayout` says; with a cut, `boundary` too. Facts:
        `seconds`, `seconds_per_image` and `images` of the run that extracted them.
    """

    def make(draft: Path) -> Mapping[str, Any]:
        times = extract_to(draft, source, paths, progress)
        return {**times, "images": len(paths), "architecture": source.architecture.key}

    return cached_arrays(source.folder(digests), make)


def extract_to(
    folder: Path, source: FeatureSource, paths: Sequence[Path], progress: Progress
) -> dict[str, float]:
    """Stream images through the backbone into memory-mapped arrays in `folder`.

    Memory does not grow with the number of images: batches go straight to disk.

    Returns:
        `seconds`, the compilation of the graph included, and `seconds_per_image`, which the first
        batch, that compiles it, is not counted in; of a single batch it is.
    """
    started = time.perf_counter()
    steady = (0, started)
    pictures = Pictures(paths, source.image_size, source.fit, source.image_size)
    targets = {
        name: np.lib.format.open_memmap(
            folder / f"{name}.npy", mode="w+", dtype=np.float16, shape=(len(paths), output.shape[1])
        )
        for name, output in source.model.output.items()
    }
    done = 0
    with progress.stage(
        f"extracting features ({source.architecture.key})", len(paths), "images"
    ) as go:
        for batch in stream_images(pictures, source.batch_size):
            if source.mirrored:
                batch = tf.reverse(batch, [2])
            for name, values in source.extract(batch).items():
                targets[name][done : done + len(values)] = values
            done += len(batch)
            if done == len(batch) < len(paths):
                steady = (done, time.perf_counter())
            go(len(batch))
    for target in targets.values():
        target.flush()
    ended = time.perf_counter()
    before, since = steady
    return {"seconds": ended - started, "seconds_per_image": (ended - since) / (done - before)}

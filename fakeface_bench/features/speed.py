"""How long one picture takes from its file through what is cached in front of the training.

An epoch on cached features is no epoch through the backbone: this is what lies between them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import tensorflow as tf

from fakeface_bench.data.canvases import Pictures
from fakeface_bench.data.pipeline import stream_images
from fakeface_bench.data.pixels import STREAM_BATCH
from fakeface_bench.data.publish import cached_arrays, content_key, kept_facts
from fakeface_bench.features.source import FeatureSource
from fakeface_bench.folders import cache_folder
from fakeface_bench.runtime import machine_facts

#: Pictures that a speed is measured on; those of a smaller dataset pass several times.
SAMPLE_IMAGES = 256


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast pictures pass.

    Attributes:
        seconds_per_image: From the file on.
        amortised_seconds: That an earlier process spent on measuring it; 0 where this one did.
    """

    seconds_per_image: float = 0.0
    amortised_seconds: float = 0.0


def extraction_speed(
    source: FeatureSource, files: Sequence[Path], digests: Sequence[str], digest: str
) -> Speed:
    """Return how fast pictures pass from their files through the frozen layers.

    Known from their extraction where they were enough to tell, else measured.

    Args:
        source: Network and preprocessing.
        files: Of the training pictures.
        digests: Of their contents.
        digest: Of the dataset they belong to.
    """
    known = kept_facts(source.folder(digests))
    if known.get("timed_images", 0) >= SAMPLE_IMAGES:
        return Speed(float(known["seconds_per_image"]))
    what = {"features": source.network, "images": digest, "batch_size": source.batch_size}
    size = source.image_size
    pictures = Pictures(files, size, source.fit, size, source.jpeg_quality, digests)
    return _measured(what, pictures, source.batch_size, source.extract)


def decoding_speed(pictures: Pictures, digest: str) -> Speed:
    """Measure how fast pictures are decoded.

    Args:
        pictures: To sample from.
        digest: Of the dataset they belong to.
    """
    how = {"images": digest, "side": pictures.side, "size": pictures.size, "fit": pictures.fit}
    how |= {"jpeg_quality": pictures.jpeg_quality}
    return _measured(how, pictures, STREAM_BATCH, lambda batch: None)


def _measured(
    what: Mapping[str, Any],
    pictures: Pictures,
    batch_size: int,
    through: Callable[[tf.Tensor], object],
) -> Speed:
    """Measure by a sample of 256 pictures.

    The first batch, which may compile a graph, passes once more before. What was measured for the
    same `what` on this machine is kept.

    Args:
        what: All that the speed depends on, besides the machine, as JSON can hold it.
        pictures: To sample from; at least one.
        batch_size: Pictures a step.
        through: What each batch of pixels passes.
    """

    def passage(count: int) -> float:
        started = time.perf_counter()
        sample = pictures.some(islice(cycle(range(len(pictures.paths))), count))
        for batch in stream_images(sample, batch_size):
            through(batch)
        return time.perf_counter() - started

    def make(draft: Path) -> Mapping[str, Any]:
        first, sample = passage(batch_size), passage(SAMPLE_IMAGES)
        return {"seconds_per_image": sample / SAMPLE_IMAGES, "seconds": first + sample}

    key = content_key({**what, **machine_facts(), "sample": SAMPLE_IMAGES})
    cached = cached_arrays(cache_folder("speeds") / key, make)
    spent = 0.0 if cached.made_now else float(cached.facts["seconds"])
    return Speed(float(cached.facts["seconds_per_image"]), spent)

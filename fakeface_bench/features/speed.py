"""How long one picture takes from its file through what is cached in front of the training.

An epoch on cached features is no epoch through the backbone: this is what lies between them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import tensorflow as tf

from fakeface_bench.data.canvases import Pictures
from fakeface_bench.data.pipeline import stream_images
from fakeface_bench.data.pixels import STREAM_BATCH
from fakeface_bench.data.publish import cached_arrays, content_key
from fakeface_bench.features.store import FeatureSource
from fakeface_bench.folders import cache_folder
from fakeface_bench.runtime import machine_facts

#: Pictures that a speed is measured on; those of a smaller dataset pass several times.
SAMPLE_IMAGES = 256


def extraction_speed(source: FeatureSource, files: Sequence[Path], digest: str) -> float:
    """Return the seconds that one picture takes from its file through the frozen layers.

    Args:
        source: Network and preprocessing.
        files: To sample from.
        digest: Of the dataset they belong to.
    """
    what = {"features": source.key([digest]), "batch_size": source.batch_size}
    pictures = Pictures(files, source.image_size, source.fit, source.image_size)
    return _seconds_per_image(what, pictures, source.batch_size, source.extract)


def decoding_speed(pictures: Pictures, digest: str) -> float:
    """Return the seconds that one picture takes to be decoded.

    Args:
        pictures: To sample from.
        digest: Of the dataset they belong to.
    """
    how = {"images": digest, "side": pictures.side, "size": pictures.size, "fit": pictures.fit}
    return _seconds_per_image(how, pictures, STREAM_BATCH, lambda batch: None)


def _seconds_per_image(
    what: Mapping[str, Any],
    pictures: Pictures,
    batch_size: int,
    through: Callable[[tf.Tensor], object],
) -> float:
    """Return the seconds that one picture takes, by a sample of 256.

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
        sample = replace(pictures, paths=list(islice(cycle(pictures.paths), count)))
        for batch in stream_images(sample, batch_size):
            through(batch)
        return time.perf_counter() - started

    def make(draft: Path) -> Mapping[str, Any]:
        passage(batch_size)
        return {"seconds": passage(SAMPLE_IMAGES) / SAMPLE_IMAGES}

    key = content_key({**what, **machine_facts(), "sample": SAMPLE_IMAGES})
    return float(cached_arrays(cache_folder("speeds") / key, make).facts["seconds"])

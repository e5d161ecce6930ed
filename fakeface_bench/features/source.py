"""What makes features, what they depend on apart from the pictures, and how long one takes.

An epoch on cached features is no epoch through the backbone: the time of one picture is what lies
between them.
"""

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fakeface_bench.backbones.building import Backbone
from fakeface_bench.backbones.cut import CutBackbone
from fakeface_bench.config import TENSORFLOW_ENGINE
from fakeface_bench.data.array_store import cached_arrays, content_key, kept_facts
from fakeface_bench.data.decode import AS_THEY_ARE, DECODER, Equalisation
from fakeface_bench.data.pictures import STREAM_BATCH, Pictures, stream_images
from fakeface_bench.features.engines import engine_identity, scoring_engine
from fakeface_bench.features.extraction import Extractor
from fakeface_bench.features.pooling import boundary_scale, feature_model
from fakeface_bench.features.residual_statistics import RESIDUALS_VERSION
from fakeface_bench.support.disk import cache_folder
from fakeface_bench.support.machine import machine_facts

#: Raise it with any change in data.decode, features or architectures that alters a feature.
EXTRACTOR_VERSION = 1


@dataclass(frozen=True)
class FeatureSource(ABC):
    """A frozen network whose outputs are kept.

    Attributes:
        equalisation: What every picture passes first.
        mirrored: Whether each picture is mirrored left to right.
        engine_name: What pictures pass, one of `config.ENGINES`.
    """

    title: str
    fit: str
    batch_size: int
    equalisation: Equalisation = AS_THEY_ARE
    mirrored: bool = False
    engine_name: str = TENSORFLOW_ENGINE

    @property
    @abstractmethod
    def model(self) -> keras.Model:
        """From pixels to the feature arrays by name."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Hash of what the features depend on, besides images, weights and libraries."""

    @property
    def image_size(self) -> int:
        """Side of the input in pixels."""
        return int(self.model.inputs[0].shape[1])

    @cached_property
    def extractor(self) -> Extractor:
        """What pictures pass, kept for all splits."""
        return Extractor(self.model, self.engine_name, self.batch_size, self.mirrored)

    def for_scoring(self) -> Self:
        """Return it as pictures pass that are scored, and neither trained nor chosen on."""
        name = scoring_engine(self.engine_name)
        return self if name == self.engine_name else replace(self, engine_name=name)

    @cached_property
    def network(self) -> str:
        """Hash of all that a feature depends on besides its image.

        The weights count by their values, so that nobody can pass off one network for another.
        """
        return content_key(
            {
                "identity": self.identity,
                "weights": _digest_of_values(self._values()),
                "extractor": EXTRACTOR_VERSION,
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
                "decoder": DECODER,
                **engine_identity(self.engine_name),
            }
        )

    def folder(self, digests: Sequence[str]) -> Path:
        """Return where the features of images of these contents lie, or would."""
        return cache_folder("features") / self.network / content_key({"images": list(digests)})

    def _values(self) -> Iterator[npt.NDArray[Any]]:
        return (np.asarray(weight) for weight in self.model.weights)


@dataclass(frozen=True, kw_only=True)
class BackboneSource(FeatureSource):
    """The frozen backbone of a study, its blocks pooled.

    Attributes:
        backbone: From pixels to the maps of its blocks.
        cut: Where the frozen part ends, if the map there is kept too.
        residuals: Whether the pictures' residual statistics are kept too.
        maps: Whether the backbone has any; it is none where statistics are all that is kept.
    """

    backbone: Backbone
    cut: CutBackbone | None = None
    residuals: bool = False
    maps: bool = True

    @property
    def image_size(self) -> int:
        """Side of the input in pixels."""
        return self.backbone.image_size

    @cached_property
    def model(self) -> keras.Model:
        """From pixels to the feature arrays."""
        return feature_model(self.backbone.model, self.cut, self.residuals, self.maps)

    @property
    def identity(self) -> str:
        """Hash of network, cut and preprocessing."""
        return content_key(
            {
                **(
                    {"cut": self.cut.position, "scale": boundary_scale(self.cut)}
                    if self.cut
                    else {}
                ),
                **({"mirrored": True} if self.mirrored else {}),
                **({"residuals": RESIDUALS_VERSION} if self.residuals else {}),
                **self.equalisation.definition,
                **self.backbone.identity,
                "fit": self.fit,
            }
        )

    def _values(self) -> Iterator[npt.NDArray[Any]]:
        return self.backbone.values()


@dataclass(frozen=True, kw_only=True)
class LoggedSource(FeatureSource):
    """The frozen part of a model that a study logged.

    Attributes:
        logged_model: From pixels to the feature arrays.
        logged_identity: `BackboneSource.identity` of what the study extracted with.
    """

    logged_model: keras.Model
    logged_identity: str

    @property
    def model(self) -> keras.Model:
        """From pixels to the feature arrays."""
        return self.logged_model

    @property
    def identity(self) -> str:
        """As the study knew it, so that both find the same features."""
        return self.logged_identity


def _digest_of_values(values: Iterable[npt.NDArray[Any]]) -> str:
    """SHA-256 over shapes and values of weights, in their order, which saving a model keeps."""
    digest = hashlib.sha256()
    for value in values:
        digest.update(repr(value.shape).encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


#: Pictures that a speed is measured on; those of a smaller dataset pass several times.
SAMPLE_IMAGES = 256


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast pictures pass.

    Attributes:
        amortised_seconds: That an earlier process spent on measuring it; 0 where this one did.
    """

    seconds_per_image: float = 0.0
    amortised_seconds: float = 0.0


def extraction_speed(
    source: FeatureSource, files: Sequence[Path], digests: Sequence[str], digest: str
) -> Speed:
    """Return how fast pictures pass from their files through the frozen layers.

    Known from their extraction where they were enough to tell, else measured.
    """
    known = kept_facts(source.folder(digests))
    if known.get("timed_images", 0) >= SAMPLE_IMAGES:
        return Speed(float(known["seconds_per_image"]))
    what = {"features": source.network, "images": digest, "batch_size": source.batch_size}
    size = source.image_size
    pictures = Pictures(files, size, source.fit, size, source.equalisation, digests)
    return _measured(what, pictures, source.batch_size, source.extractor)


def decoding_speed(pictures: Pictures, digest: str) -> Speed:
    """Measure how fast pictures are decoded."""
    how = {"images": digest, "side": pictures.side, "size": pictures.size, "fit": pictures.fit}
    how |= {"jpeg_quality": 0} | pictures.equalisation.definition
    return _measured(how, pictures, STREAM_BATCH, lambda batch: None)


def _measured(
    what: Mapping[str, Any],
    pictures: Pictures,
    batch_size: int,
    through: Callable[[npt.NDArray[np.uint8]], object],
) -> Speed:
    """Measure by a sample of 256 pictures.

    The first batch, which may compile a graph, passes once more before. What was measured for the
    same `what` on this machine is kept.

    Args:
        what: All that the speed depends on, besides the machine, as JSON can hold it.
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

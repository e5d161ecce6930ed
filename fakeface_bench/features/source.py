"""What makes features, and all that they depend on apart from the pictures."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from fakeface_bench.architectures.architecture import Architecture
from fakeface_bench.architectures.cut import CutBackbone
from fakeface_bench.data.images import DECODER
from fakeface_bench.data.publish import content_key
from fakeface_bench.features.extractor import Extract, frozen_graph
from fakeface_bench.features.statistics import boundary_scale, feature_model, layout_of
from fakeface_bench.folders import cache_folder

#: Raise it with any change in data.images, features or architectures that alters a feature.
EXTRACTOR_VERSION = 1


@dataclass(frozen=True)
class FeatureSource(ABC):
    """A frozen network whose outputs are kept.

    Attributes:
        title: Of the network, for people.
        fit: How images meet the input's size.
        batch_size: Images a step; enters no key.
        jpeg_quality: Of the JPEG that every picture passes first; 0 for none.
        mirrored: Whether each picture is mirrored left to right.
    """

    title: str
    fit: str
    batch_size: int
    jpeg_quality: int = 0
    mirrored: bool = False

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
    def extract(self) -> Extract:
        """The model as a frozen graph, compiled at first use and kept for all splits."""
        return frozen_graph(self.model, self.batch_size)

    @cached_property
    def network(self) -> str:
        """Hash of all that a feature depends on besides its image.

        The weights count by their values, so that nobody can pass off one network for another.
        """
        return content_key(
            {
                "identity": self.identity,
                "weights": _digest_of_values(self._weights),
                "extractor": EXTRACTOR_VERSION,
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
                "decoder": DECODER,
            }
        )

    def folder(self, digests: Sequence[str]) -> Path:
        """Return where the features of images of these contents lie, or would."""
        return cache_folder("features") / self.network / content_key({"images": list(digests)})

    @property
    def _weights(self) -> list[Any]:
        return list(self.model.weights)


@dataclass(frozen=True, kw_only=True)
class BackboneSource(FeatureSource):
    """The frozen backbone of a study, its blocks pooled.

    Attributes:
        backbone: From pixels to the maps of its blocks.
        architecture: Its row.
        cut: Where the frozen part ends, if the map there is kept too.
    """

    backbone: keras.Model
    architecture: Architecture
    cut: CutBackbone | None = None

    @property
    def image_size(self) -> int:
        """Side of the input in pixels."""
        return int(self.backbone.inputs[0].shape[1])

    @cached_property
    def model(self) -> keras.Model:
        """From pixels to the feature arrays."""
        return feature_model(self.backbone, self.cut)

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
                **({"jpeg_quality": self.jpeg_quality} if self.jpeg_quality else {}),
                "architecture": self.architecture.key,
                "preprocessing": self.architecture.preprocessing,
                "blocks": self.architecture.blocks,
                "channels": layout_of(self.backbone.outputs).channels,
                "image_size": self.image_size,
                "fit": self.fit,
            }
        )

    @property
    def _weights(self) -> list[Any]:
        return list(self.backbone.weights)


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


def _digest_of_values(weights: Sequence[Any]) -> str:
    """SHA-256 over shapes and values of weights, in their order, which saving a model keeps."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(repr(tuple(weight.shape)).encode())
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()

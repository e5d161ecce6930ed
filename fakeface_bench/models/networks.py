"""The two ways to make a classifier: a head on cached features, or a whole network on pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import keras
from keras import ops

from fakeface_bench.architectures.backbones import build_scratch_network
from fakeface_bench.architectures.catalogue import Architecture
from fakeface_bench.config import HeadConfig
from fakeface_bench.features.samples import EVERYTHING, Part, Samples
from fakeface_bench.features.statistics import (
    feature_model,
    layout_of,
    pool_blocks,
    pool_last_2x2,
)
from fakeface_bench.models.head import Calibration, head_logits, probability
from fakeface_bench.models.poolings import POOLINGS
from fakeface_bench.models.standardise import standardisation


class Network(Protocol):
    """What the search trains and what the study keeps of it."""

    @property
    def poolings(self) -> Sequence[str]:
        """Keys of the poolings that this network offers."""
        ...

    def parts(self, head: HeadConfig) -> list[Part]:
        """Return which parts of a row of samples the classifier reads."""
        ...

    def classifier(self, train: Samples, head: HeadConfig, outputs: int) -> keras.Model:
        """Return an untrained model from those parts to logits (n, outputs)."""
        ...

    def complete(self, classifier: keras.Model, head: HeadConfig, how: Calibration) -> keras.Model:
        """Return the model from pixels 0 to 255 to the probability of fake (n, 1)."""
        ...


@dataclass(frozen=True)
class FrozenNetwork:
    """A head on the cached features of a frozen backbone."""

    backbone: keras.Model

    @property
    def poolings(self) -> Sequence[str]:
        """All, less the flattened last map where it is too large to keep."""
        keeps_map = layout_of(self.backbone.outputs).max2x2_width > 0
        return [key for key, row in POOLINGS.items() if keeps_map or not row.last_only]

    def parts(self, head: HeadConfig) -> list[Part]:
        """Return the columns of the feature arrays that the head reads."""
        pooling = POOLINGS[head.pooling]
        if pooling.last_only:
            return [("max2x2", EVERYTHING)]
        layout = layout_of(self.backbone.outputs)
        return [("pooled", c) for c in layout.columns(head.features, pooling.statistics)]

    def classifier(self, train: Samples, head: HeadConfig, outputs: int) -> keras.Model:
        """Return a head whose input is standardised by the train split."""
        scale = standardisation(train, self.parts(head))
        features = keras.Input((len(scale.input_mean),), name="features")
        return keras.Model(features, head_logits(scale(features), head, outputs), name="head")

    def complete(self, classifier: keras.Model, head: HeadConfig, how: Calibration) -> keras.Model:
        """Return backbone, pooling and head as one model."""
        arrays = feature_model(self.backbone)
        pixels = keras.Input(self.backbone.inputs[0].shape[1:], name="pixels")
        values = arrays(pixels)
        read = [values[name][:, columns] for name, columns in self.parts(head)]
        joined = ops.cast(ops.concatenate(read, axis=-1), "float32")
        return keras.Model(pixels, probability(classifier(joined), how), name="detector")


@dataclass(frozen=True)
class ScratchNetwork:
    """A small network trained end to end on pixels."""

    architecture: Architecture
    image_size: int

    @property
    def poolings(self) -> Sequence[str]:
        """All of them."""
        return list(POOLINGS)

    def parts(self, head: HeadConfig) -> list[Part]:
        """Return the pixels, whatever the head."""
        return [("images", EVERYTHING)]

    def classifier(self, train: Samples, head: HeadConfig, outputs: int) -> keras.Model:
        """Return the network with its head; the same options act on its blocks."""
        network = build_scratch_network(self.architecture, self.image_size, head)
        maps = network.outputs if head.features == "all_blocks" else network.outputs[-1:]
        pooling = POOLINGS[head.pooling]
        if pooling.last_only:
            features = pool_last_2x2(maps[-1], 1.0)
        else:
            layout = layout_of(maps)
            pooled = pool_blocks(maps, [1.0] * len(maps))
            columns = layout.columns("all_blocks", pooling.statistics)
            features = ops.concatenate([pooled[:, c] for c in columns], axis=-1)
        logits = head_logits(features, head, outputs)
        return keras.Model(network.inputs[0], logits, name=self.architecture.key)

    def complete(self, classifier: keras.Model, head: HeadConfig, how: Calibration) -> keras.Model:
        """Return the network with its probability."""
        pixels = keras.Input(classifier.inputs[0].shape[1:], name="pixels")
        return keras.Model(pixels, probability(classifier(pixels), how), name="detector")

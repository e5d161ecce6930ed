"""Small networks trained end to end on pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from fakeface_bench.architectures.architecture import Architecture
from fakeface_bench.architectures.backbones import build_scratch_network
from fakeface_bench.config import AUGMENTS, HeadConfig
from fakeface_bench.features.samples import EVERYTHING, Part
from fakeface_bench.features.statistics import layout_of, pool_blocks, pool_last_2x2
from fakeface_bench.models.head import Calibration, head_logits, probability
from fakeface_bench.models.networks import SCRATCH_STAGE, FrozenNetwork
from fakeface_bench.models.poolings import POOLINGS


@dataclass(frozen=True)
class ScratchNetwork:
    """A small network whose blocks follow the searched options, as its head does."""

    architecture: Architecture
    image_size: int

    @property
    def poolings(self) -> Sequence[str]:
        """All of them."""
        return list(POOLINGS)

    @property
    def stages(self) -> tuple[str, ...]:
        """Everything at once."""
        return (SCRATCH_STAGE,)

    @property
    def augments(self) -> tuple[str, ...]:
        """All of them."""
        return AUGMENTS

    @property
    def head_network(self) -> FrozenNetwork | None:
        """None: nothing is there before the training."""
        return None

    @property
    def crops(self) -> bool:
        """Every layer is trained."""
        return True

    def parts(self, head: HeadConfig) -> list[Part]:
        """Return the pixels, whatever the head."""
        return [("images", EVERYTHING)]

    def trainable(
        self, start: keras.Model | None, head: HeadConfig, outputs: int, precision: str
    ) -> keras.Model:
        """Return the network with its head; the same options act on its blocks."""
        network = build_scratch_network(self.architecture, self.image_size, head, precision)
        features = pooled_features(network.outputs, head)
        logits = head_logits(features, head, outputs)
        return keras.Model(network.inputs[0], logits, name=self.architecture.key)

    def complete(self, classifier: keras.Model, head: HeadConfig, how: Calibration) -> keras.Model:
        """Return the network with its probability."""
        return with_probability(classifier, how)


def pooled_features(maps: Sequence[Any], head: HeadConfig) -> Any:
    """Return what a head reads of float32 maps that are still being trained."""
    pooling = POOLINGS[head.pooling]
    if pooling.last_only:
        return pool_last_2x2(maps[-1], 1.0)
    read = list(maps) if head.features == "all_blocks" else list(maps[-1:])
    columns = layout_of(read).columns("all_blocks", pooling.statistics)
    pooled = pool_blocks(read, [1.0] * len(read))
    return ops.concatenate([pooled[:, c] for c in columns], axis=-1)


def with_probability(classifier: keras.Model, how: Calibration) -> keras.Model:
    """Return a classifier of pixels with its probability of fake."""
    pixels = keras.Input(classifier.inputs[0].shape[1:], name="pixels")
    return keras.Model(pixels, probability(classifier(pixels), how), name="detector")

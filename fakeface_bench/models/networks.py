"""What the search trains: a head on cached features, and the protocol that other networks share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import keras
from keras import ops

from fakeface_bench.config import HeadConfig
from fakeface_bench.features.samples import EVERYTHING, Part, Samples
from fakeface_bench.features.statistics import feature_model, layout_of
from fakeface_bench.models.head import Calibration, head_logits, probability
from fakeface_bench.models.poolings import POOLINGS
from fakeface_bench.models.standardise import standardisation

#: Stages of a fit, as its epochs name them.
HEAD_STAGE = "head"
TUNING_STAGE = "fine_tune"
SCRATCH_STAGE = "scratch"


class Network(Protocol):
    """What the search trains and what the study keeps of it."""

    @property
    def poolings(self) -> Sequence[str]:
        """Keys of the poolings that this network offers."""
        ...

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages of a fit, in their order."""
        ...

    @property
    def augments(self) -> tuple[str, ...]:
        """Keys of the augmentations that its training takes; empty where it takes none."""
        ...

    def parts(self, head: HeadConfig) -> list[Part]:
        """Return which parts of a row of samples the fitted classifier reads."""
        ...

    def complete(self, classifier: keras.Model, head: HeadConfig, how: Calibration) -> keras.Model:
        """Return the model from pixels 0 to 255 to the probability of fake (n, 1)."""
        ...


class TrainedNetwork(Network, Protocol):
    """A network of which layers under the head are trained."""

    @property
    def head_network(self) -> "FrozenNetwork | None":
        """What the head is fitted on before; None where everything starts from scratch."""
        ...

    @property
    def image_size(self) -> int:
        """Side of the pictures that training reads, in pixels; 0 where it reads a map of them."""
        ...

    @property
    def crops(self) -> bool:
        """Whether training pictures are augmented in every way, and not only mirrored."""
        ...

    def trainable(
        self, start: keras.Model | None, head: HeadConfig, outputs: int, precision: str
    ) -> keras.Model:
        """Return a model to logits (n, outputs), all that is to be trained unfrozen.

        Args:
            start: The fitted head of `head_network`, a copy of which becomes part of it.
            head: Options of the head.
            outputs: Width of the output layer.
            precision: One of `config.PRECISIONS`; the head computes in float32 all the same.
        """
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

    @property
    def stages(self) -> tuple[str, ...]:
        """The head alone."""
        return (HEAD_STAGE,)

    @property
    def augments(self) -> tuple[str, ...]:
        """None: features are extracted once."""
        return ()

    def parts(self, head: HeadConfig) -> list[Part]:
        """Return the columns of the feature arrays that the head reads."""
        pooling = POOLINGS[head.pooling]
        if pooling.last_only:
            return [("max2x2", EVERYTHING)]
        layout = layout_of(self.backbone.outputs)
        return [("pooled", c) for c in layout.columns(head.features, pooling.statistics)]

    def classifier(self, train: Samples, head: HeadConfig, outputs: int) -> keras.Model:
        """Return an untrained head whose input is standardised by the train split."""
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

"""A pretrained backbone of which some or all layers are trained, with the head on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
from keras import ops

from fakeface_bench.backbones.cut import CutBackbone
from fakeface_bench.config import AUGMENTS, HeadConfig
from fakeface_bench.features.pooling import (
    FeatureLayout,
    block_scales,
    boundary_scale,
    layout_of,
    lower_features,
    pool_blocks,
    pool_last_2x2,
)
from fakeface_bench.features.samples import EVERYTHING, Part
from fakeface_bench.training.head import Calibration, head_logits, probability
from fakeface_bench.training.networks import (
    HEAD_STAGE,
    SCRATCH_STAGE,
    TUNING_STAGE,
    FrozenNetwork,
    with_probability,
)
from fakeface_bench.training.poolings import POOLINGS

#: Augmentations where layers below the trained ones are frozen: mirrored pictures at most.
MIRRORED_AT_MOST = ("none", "light")


@dataclass(frozen=True)
class TunedNetwork:
    """Trains what lies above a cut, on the cached map there, or on pixels.

    Attributes:
        cut: The backbone, and where it is cut.
        everything: Whether every layer is trained.
        scratch: Whether it starts from random values: then no head is fitted before, and
            BatchNorm learns its statistics.
    """

    cut: CutBackbone
    everything: bool
    scratch: bool = False

    @property
    def poolings(self) -> Sequence[str]:
        """As of the frozen backbone."""
        return FrozenNetwork(self.cut.backbone).poolings

    @property
    def stages(self) -> tuple[str, ...]:
        """The head alone, then the unfrozen layers with it; or all at once from scratch."""
        return (SCRATCH_STAGE,) if self.scratch else (HEAD_STAGE, TUNING_STAGE)

    @property
    def augments(self) -> tuple[str, ...]:
        """All where every layer is trained; mirroring where some are frozen."""
        return AUGMENTS if self.everything else MIRRORED_AT_MOST

    @property
    def head_network(self) -> FrozenNetwork | None:
        """The frozen backbone, whose features the head is fitted on first."""
        return None if self.scratch else FrozenNetwork(self.cut.backbone)

    @property
    def image_size(self) -> int:
        """Side of the input where the cut is there; 0 where training reads a cached map."""
        return 0 if self._on_map else int(self.cut.backbone.inputs[0].shape[1])

    @property
    def crops(self) -> bool:
        """Whether every layer is trained: frozen ones are to see each picture the same way."""
        return self.everything

    def parts(self, head: HeadConfig) -> list[Part]:
        """Return the pixels, or the map at the cut and the columns of what lies below it."""
        if not self._on_map:
            return [("images", EVERYTHING)]
        return [("boundary", EVERYTHING), *(("pooled", c) for c in self._lower_columns(head))]

    def trainable(
        self, start: keras.Model | None, head: HeadConfig, outputs: int, precision: str
    ) -> keras.Model:
        """Return what is trained, as one model; see `TrainedNetwork`."""
        # First, so that its dropout is seeded alike whatever else is built.
        fitted = None if start is None else _copied(start)
        lower: list[Any] = []
        if self._on_map:
            shape = self.cut.above.inputs[0].shape[1:]
            width = shape[0] * shape[1] * shape[2]
            columns = self._lower_columns(head)
            read = sum(c.stop - c.start for c in columns)
            entry = keras.Input((width + read,), name="rows")
            boundary = entry[:, :width] * (1 / self._boundary_scale)
            maps = self._upper(keras.layers.Reshape(shape)(boundary), precision)
            lower = [entry[:, width:]] if columns else []
        else:
            entry = keras.Input(self.cut.backbone.inputs[0].shape[1:], name="pixels")
            maps = self._upper(entry, precision)
        upper = [self._last_2x2(maps)] if self._reads_positions(head) else self._pooled(maps, head)
        features = ops.concatenate([*lower, *upper], axis=-1)
        logits = fitted(features) if fitted else head_logits(features, head, outputs)
        return keras.Model(entry, logits, name=self.cut.backbone.name)

    def complete(self, classifier: keras.Model, head: HeadConfig, how: Calibration) -> keras.Model:
        """Return the model from pixels to the probability of fake."""
        if not self._on_map:
            return with_probability(classifier, how)
        pixels = keras.Input(self.cut.backbone.inputs[0].shape[1:], name="pixels")
        values = lower_features(self.cut, self._scales)(pixels)
        read = [values[name][:, columns] for name, columns in self.parts(head)]
        joined = ops.cast(ops.concatenate(read, axis=-1), "float32")
        return keras.Model(pixels, probability(classifier(joined), how), name="detector")

    @property
    def _on_map(self) -> bool:
        return self.cut.below is not None

    @cached_property
    def _scales(self) -> tuple[float, ...]:
        """As of the cached features; from scratch BatchNorm brings every map near 1 itself."""
        if self.scratch:
            return (1.0,) * len(self.cut.backbone.outputs)
        return block_scales(self.cut.backbone)

    @cached_property
    def _boundary_scale(self) -> float:
        return boundary_scale(self.cut)

    def _upper(self, entry: Any, precision: str) -> list[Any]:
        return self.cut.upper_maps(entry, precision, scratch=self.scratch)

    def _reads_positions(self, head: HeadConfig) -> bool:
        return POOLINGS[head.pooling].last_only

    def _last_2x2(self, maps: Sequence[Any]) -> Any:
        return pool_last_2x2(maps[-1], self._scales[-1])

    def _pooled(self, maps: Sequence[Any], head: HeadConfig) -> list[Any]:
        """Return what the head reads of the upper blocks, in the order of the cached features."""
        lower = self._layout.width_below(self.cut.lower_blocks)
        pooled = pool_blocks(maps, self._scales[self.cut.lower_blocks :])
        return [
            pooled[:, c.start - lower : c.stop - lower]
            for c in self._columns(head)
            if c.start >= lower
        ]

    def _lower_columns(self, head: HeadConfig) -> list[slice]:
        lower = self._layout.width_below(self.cut.lower_blocks)
        return [c for c in self._columns(head) if c.stop <= lower]

    def _columns(self, head: HeadConfig) -> list[slice]:
        statistics = POOLINGS[head.pooling].statistics
        return self._layout.columns(head.features, statistics) if statistics else []

    @property
    def _layout(self) -> FeatureLayout:
        return layout_of(self.cut.backbone.outputs)


def _copied(model: keras.Model) -> keras.Model:
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy

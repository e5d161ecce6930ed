"""What is trained: a head on cached features, layers of a backbone, or a network from scratch.

A logged frozen detector is taken apart into features and head: many heads on one backbone then cost
one pass through it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Protocol

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from fakeface_bench.backbones.building import build_scratch_network
from fakeface_bench.backbones.catalogue import Architecture
from fakeface_bench.backbones.cut import CutBackbone, replayed
from fakeface_bench.config import AUGMENTS, RESIDUAL, RGB, HeadConfig, logistic_regression
from fakeface_bench.features.pooling import (
    FeatureLayout,
    block_scales,
    boundary_scale,
    feature_model,
    layout_of,
    lower_features,
    pool_blocks,
    pool_last_2x2,
)
from fakeface_bench.features.quick_layers import QuickBatchNormalization, QuickPooling
from fakeface_bench.features.residuals import RESIDUALS
from fakeface_bench.features.samples import EVERYTHING, Part, Samples
from fakeface_bench.records.study import EpochRecord, FloatArray, LabelArray
from fakeface_bench.training.head import Calibration, head_logits, probability
from fakeface_bench.training.head_fit import HeadRows
from fakeface_bench.training.poolings import FEATURES, POOLINGS, POOLINGS_OF_MAPS, features_with

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
    def features(self) -> Sequence[str]:
        """Keys of the features that this network offers, the usual first."""
        ...

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages of a fit, in their order."""
        ...

    @property
    def augments(self) -> tuple[str, ...]:
        """Keys of the augmentations that its training takes; empty where it takes none."""
        ...

    @property
    def head_network(self) -> "FrozenNetwork | None":
        """What the head is fitted on before the layers under it; None where nothing comes before.

        Nothing does of a head alone, and where everything starts from scratch.
        """
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
            precision: One of `config.PRECISIONS`; the head computes in float32 all the same.
        """
        ...

    def served(self, start: keras.Model | None, head: HeadConfig, outputs: int) -> keras.Model:
        """Return the same model in float32 and of layers that can be saved."""
        ...


@dataclass(frozen=True)
class FrozenNetwork:
    """A head on the cached features of a frozen backbone.

    Attributes:
        backbone: None where heads are fitted alone, which need its layout and nothing else.
        residuals: Whether the pictures' residual statistics are among them.
        maps: Whether those of the backbone are read; it is none where they are not.
        layout: Of the features; that of the backbone's maps, unless it is given.
    """

    backbone: keras.Model | None
    residuals: bool = False
    maps: bool = True
    layout: FeatureLayout = field(default=None)  # type: ignore[assignment]  # made of the maps
    stages: ClassVar[tuple[str, ...]] = (HEAD_STAGE,)
    #: None: features are extracted once.
    augments: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if self.layout is None and self.backbone is not None:
            object.__setattr__(self, "layout", layout_of(self.backbone.outputs))

    def __reduce__(self) -> tuple[type["FrozenNetwork"], tuple[Any, ...]]:
        """Let it travel without its backbone: what travels is fitted, and completed at home."""
        return type(self), (None, self.residuals, self.maps, self.layout)

    @property
    def head_network(self) -> "FrozenNetwork | None":
        """None: there is the head alone."""
        return None

    @property
    def poolings(self) -> Sequence[str]:
        """All of what is kept: the flattened last map is not where it is too large.

        None without maps.
        """
        if not self.maps:
            return ()
        return [
            key
            for key, row in POOLINGS.items()
            if set(row.statistics) <= set(self.layout.statistics)
            and (self.layout.max2x2_width or not row.last_only)
        ]

    @property
    def features(self) -> Sequence[str]:
        """All, less those with statistics where they are not kept."""
        return features_with(residual=self.residuals) if self.maps else (RESIDUAL,)

    @property
    def baseline(self) -> HeadConfig:
        """Logistic regression as it comes, on the usual features."""
        return logistic_regression(features=self.features[0])

    def parts(self, head: HeadConfig) -> list[Part]:
        """Return the columns of the feature arrays that the head reads."""
        pooling, features = POOLINGS[head.pooling], FEATURES[head.features]
        residual: list[Part] = [(RESIDUALS, EVERYTHING)] if features.residual else []
        if not features.maps:
            return residual
        if pooling.last_only:
            return [("max2x2", EVERYTHING), *residual]
        columns = self.layout.columns(features.all_blocks, pooling.statistics)
        return [*(("pooled", c) for c in columns), *residual]

    def classifier(self, train: HeadRows, head: HeadConfig, outputs: int) -> keras.Model:
        """Return an untrained head whose input is standardised by the train split."""
        scale = train.scale(self.parts(head))
        features = keras.Input((len(scale.input_mean),), name="features")
        return keras.Model(features, head_logits(scale(features), head, outputs), name="head")

    def complete(self, classifier: keras.Model, head: HeadConfig, how: Calibration) -> keras.Model:
        """Return backbone, pooling and head as one model.

        Raises:
            ValueError: If the backbone is elsewhere.
        """
        if self.backbone is None:
            raise ValueError("a network that has travelled left its backbone behind")
        arrays = feature_model(self.backbone, residuals=self.residuals, maps=self.maps)
        pixels = keras.Input(self.backbone.inputs[0].shape[1:], name="pixels")
        values = arrays(pixels)
        read = [values[name][:, columns] for name, columns in self.parts(head)]
        joined = ops.cast(ops.concatenate(read, axis=-1), "float32")
        return keras.Model(pixels, probability(classifier(joined), how), name="detector")


def warn_nobody(line: str) -> None:
    """Let go of a warning."""


Objective = Callable[[LabelArray, FloatArray], float]
OnEpoch = Callable[[EpochRecord], None]


@dataclass(frozen=True, slots=True)
class FitTask:
    """What to fit.

    Attributes:
        epochs: At most this many in each stage.
        seed: Of initial weights, dropout, augmentation and the order of batches.
        objective: From labels and margins of validation to the metric to maximise.
        precision: One of `config.PRECISIONS`, for layers under the head.
        checkpoints: Folder for what a killed fit goes on from; nothing is kept where None.
        warn: Called with what a reader of the results must not miss.
        heads: The train split as heads read it, shared by all fits of a search.
        patience: Epochs without a better objective after which a stage ends; 0: none do.
        lengths: Epochs of each stage that is to run for so many, whatever validation says, and to
            keep the last.
        folds: Fits of parts of `train`, each validated on the part that it leaves out; none where
            `valid` was held out.
        part: Tells fits of the same options apart, in the names of what is kept of them.
        places: Numbers of the rows of `valid` among those of all folds; none without folds.
    """

    network: Network
    train: Samples
    valid: Samples | None  # None where nothing is left to validate on
    epochs: int
    seed: int
    objective: Objective
    precision: str = "float32"
    checkpoints: Path | None = None
    warn: Callable[[str], None] = warn_nobody
    heads: HeadRows | None = None
    patience: int = 5
    lengths: Mapping[str, int] = field(default_factory=dict)
    folds: tuple["FitTask", ...] = ()
    part: str = ""
    places: npt.NDArray[np.int64] | None = None

    @property
    def held_out(self) -> Samples:
        """What it is validated on.

        Raises:
            ValueError: If that is nothing, which only a fit on all that there is may ask for.
        """
        if self.valid is None:
            raise ValueError("nothing was held out to validate on")
        return self.valid

    def travelling(self) -> "FitTask":
        """Return it without what belongs to this process alone: who is to be warned."""
        return self.changed(warn=warn_nobody)

    def changed(self, **changes: Any) -> "FitTask":
        """Return it with some attributes replaced, in its folds too."""
        folds = tuple(replace(fold, **changes) for fold in self.folds)
        return replace(self, folds=folds, **changes)


@dataclass(frozen=True)
class ScratchNetwork:
    """A small network whose blocks follow the searched options, as its head does.

    Attributes:
        reads: Key of `backbones.catalogue.INPUTS`.
    """

    architecture: Architecture
    image_size: int
    reads: str = RGB
    poolings: ClassVar[Sequence[str]] = POOLINGS_OF_MAPS
    features: ClassVar[Sequence[str]] = features_with(residual=False)
    stages: ClassVar[tuple[str, ...]] = (SCRATCH_STAGE,)
    augments: ClassVar[tuple[str, ...]] = AUGMENTS
    #: Nothing is there before the training.
    head_network: ClassVar[FrozenNetwork | None] = None
    crops: ClassVar[bool] = True

    def parts(self, head: HeadConfig) -> list[Part]:
        """Return the pixels, whatever the head."""
        return [("images", EVERYTHING)]

    def trainable(
        self, start: keras.Model | None, head: HeadConfig, outputs: int, precision: str
    ) -> keras.Model:
        """Return the network with its head; the same options act on its blocks."""
        network = self._blocks(head, precision, QuickBatchNormalization)
        statistics = POOLINGS[head.pooling].statistics
        if not statistics:
            return self._with_head(network, pool_last_2x2(network.outputs[-1], 1.0), head, outputs)
        read = network.outputs if FEATURES[head.features].all_blocks else network.outputs[-1:]
        features = ops.concatenate([QuickPooling(statistics)(block) for block in read], axis=-1)
        return self._with_head(network, features, head, outputs)

    def served(self, start: keras.Model | None, head: HeadConfig, outputs: int) -> keras.Model:
        """Return the same of Keras's own layers."""
        network = self._blocks(head, "float32", keras.layers.BatchNormalization)
        return self._with_head(network, pooled_features(network.outputs, head), head, outputs)

    def _blocks(
        self, head: HeadConfig, precision: str, normalisation: type[keras.Layer]
    ) -> keras.Model:
        return build_scratch_network(
            self.architecture, self.image_size, head, precision, normalisation, self.reads
        )

    def _with_head(
        self, network: keras.Model, features: Any, head: HeadConfig, outputs: int
    ) -> keras.Model:
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
    read = list(maps) if FEATURES[head.features].all_blocks else list(maps[-1:])
    columns = layout_of(read).columns(True, pooling.statistics)
    pooled = pool_blocks(read, [1.0] * len(read))
    return ops.concatenate([pooled[:, c] for c in columns], axis=-1)


def with_probability(classifier: keras.Model, how: Calibration) -> keras.Model:
    """Return a classifier of pixels with its probability of fake."""
    pixels = keras.Input(classifier.inputs[0].shape[1:], name="pixels")
    return keras.Model(pixels, probability(classifier(pixels), how), name="detector")


#: Arrays of which every study of a frozen network extracts one or both.
_FEATURES = ("pooled", RESIDUALS)
#: Array that only a study with a cut extracts: what lies above it was trained.
_CUT = "boundary"


@dataclass(frozen=True)
class DetectorParts:
    """A detector as two models.

    Attributes:
        features: From pixels to the feature arrays by name.
        head: From a list of those arrays to the probability of fake (n, 1).
        names: Of the arrays, in the order of that list.
    """

    features: keras.Model
    head: keras.Model
    names: tuple[str, ...]


def detector_parts(detector: keras.Model) -> DetectorParts | None:
    """Take a detector apart as `FrozenNetwork.complete` joins it; None for any other.

    Args:
        detector: From pixels to the probability of fake.
    """
    found = [x for x in detector.layers if isinstance(x, keras.Model) and _is_frozen(x.output)]
    if not found:
        return None
    arrays: dict[str, Any] = {}

    def call(layer: Any, *given: Any, **options: Any) -> Any:
        made = layer(*given, **options)
        if layer is found[0]:
            arrays.update(made)
        return made

    clone = replayed(detector, call)
    names = tuple(sorted(arrays))
    head = keras.Model([arrays[name] for name in names], clone.output)
    return DetectorParts(found[0], head, names)


def _is_frozen(outputs: object) -> bool:
    names = outputs.keys() if isinstance(outputs, dict) else set()
    return not names.isdisjoint(_FEATURES) and _CUT not in names


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

    #: Residual statistics are of pictures as they are, and training reads others.
    features: ClassVar[Sequence[str]] = features_with(residual=False)

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
            width = prod(shape)
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

    def served(self, start: keras.Model | None, head: HeadConfig, outputs: int) -> keras.Model:
        """Return the same model in float32."""
        return self.trainable(start, head, outputs, "float32")

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
        all_blocks = FEATURES[head.features].all_blocks
        return self._layout.columns(all_blocks, statistics) if statistics else []

    @property
    def _layout(self) -> FeatureLayout:
        return layout_of(self.cut.backbone.outputs)


def _copied(model: keras.Model) -> keras.Model:
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy

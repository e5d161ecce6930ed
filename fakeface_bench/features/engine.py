"""From pixels to arrays: models frozen to graphs, and what is pooled of their maps."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import ops
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.framework.ops import gradient_registry

from fakeface_bench.backbones.cut import CutBackbone


@contextmanager
def models_let_go() -> Iterator[None]:
    """Let go, when the block ends, of the models made in it that nobody else holds.

    TensorFlow registers every `tf.custom_gradient` that a graph traces under a name of its own,
    never takes one back, and each holds its whole graph
    (https://github.com/tensorflow/tensorflow/issues/97697). Keras's optimizers trace one a model,
    some activations further ones. Names from before the block stay. A model that is kept goes on
    working and training as it was compiled; only a gradient through one of its graphs that was not
    traced yet would look a name up.

    Models are cycles of references, so they are collected. What was there before the block is kept
    out of that: looking at it would cost as much as half the training of a small head.
    """
    before = set(gradient_registry.list())
    gc.freeze()
    try:
        yield
    finally:
        for name in set(gradient_registry.list()) - before:
            del gradient_registry._registry[name]  # no public method takes one back
        gc.collect()
        gc.unfreeze()


#: From a batch to a model's outputs.
Forward = Callable[[Any], Any]
Extract = Callable[[tf.Tensor], dict[str, npt.NDArray[np.float16]]]


def frozen_graph(model: keras.Model, batch_size: int) -> Extract:
    """Compile a model to one graph with its variables frozen to constants.

    Constants let TensorFlow fold BatchNorm into convolutions and lay weights out once; measured
    on CPUs in benchmarks/first_study.py. The graph takes batches of exactly `batch_size`; a
    smaller last one is filled up with zeros and cut again.

    Returns:
        A function from a uint8 batch (b, size, size, 3), b ≤ batch_size, to the model's outputs by
        name.
    """
    frozen = _frozen(model, batch_size)
    names = sorted(model.output)

    def extract(images: tf.Tensor) -> dict[str, npt.NDArray[np.float16]]:
        missing = batch_size - images.shape[0]
        if missing:
            images = tf.pad(images, [[0, missing], [0, 0], [0, 0], [0, 0]])
        outputs = frozen(tf.cast(images, tf.float32))
        return {
            name: output.numpy()[: batch_size - missing]
            for name, output in zip(names, outputs, strict=True)
        }

    return extract


def frozen_forward(model: keras.Model) -> Forward:
    """Compile a model like `frozen_graph`, for batches of any size, as fast.

    Returns:
        A function from a batch (b, size, size, 3) to the list of the model's outputs; it may be
        called from several threads.
    """
    frozen = _frozen(model, None)
    return lambda images: frozen(tf.cast(images, tf.float32))


def compiled_forward(model: keras.Model) -> Forward:
    """Compile a model's prediction for batches of any size; it follows the model's weights."""
    shape = (None, *model.inputs[0].shape[1:])
    traced = tf.function(
        lambda batch: model(batch, training=False),
        input_signature=[tf.TensorSpec(shape, tf.float32)],
    )
    return lambda batch: traced(tf.cast(batch, tf.float32))


def _frozen(model: keras.Model, batch_size: int | None) -> Any:
    shape = (batch_size, *model.inputs[0].shape[1:])

    def forward(pixels: tf.Tensor) -> Any:
        return model(pixels, training=False)

    traced = tf.function(forward, input_signature=[tf.TensorSpec(shape, tf.float32)])
    return convert_variables_to_constants_v2(traced.get_concrete_function())


#: Statistics of each block, in the order in which they are stored.
STATISTICS = ("avg", "std", "max")
#: The 2×2-max-pooled last map is kept up to this many values an image (24 KiB in float16).
MAX2X2_LIMIT = 12_288
#: Largest finite float16; larger values are clipped to it.
FLOAT16_MAX = 65_504.0
#: Keeps the gradient of the standard deviation finite where a channel is constant.
VARIANCE_FLOOR = 1e-12
_PROBE_IMAGES = 4


@dataclass(frozen=True, slots=True)
class FeatureLayout:
    """Where the pooled values of a backbone lie in its feature arrays.

    Attributes:
        channels: Of each block, the last map at the end.
        max2x2_width: Values of the flattened, 2×2-max-pooled last map; 0 where it is too large
            to keep.
    """

    channels: tuple[int, ...]
    max2x2_width: int

    @property
    def pooled_width(self) -> int:
        """Width of the array `pooled`: block after block, statistic after statistic."""
        return self.width_below(len(self.channels))

    def width_below(self, block: int) -> int:
        """Width of that part of `pooled` which the first `block` blocks fill."""
        return len(STATISTICS) * sum(self.channels[:block])

    def columns(self, features: str, statistics: Sequence[str]) -> list[slice]:
        """Return the columns of `pooled` that hold some statistics of the last or all blocks."""
        blocks = range(len(self.channels)) if features == "all_blocks" else [len(self.channels) - 1]
        slices: list[slice] = []
        for block in blocks:
            start = self.width_below(block)
            for number, statistic in enumerate(STATISTICS):
                if statistic in statistics:
                    first = start + number * self.channels[block]
                    slices.append(slice(first, first + self.channels[block]))
        return slices


def layout_of(maps: Sequence[Any]) -> FeatureLayout:
    """Return the layout for a backbone's maps, each of shape (n, height, width, channels)."""
    _, height, width, channels = maps[-1].shape
    flat = -(-height // 2) * -(-width // 2) * channels
    return FeatureLayout(
        channels=tuple(int(m.shape[-1]) for m in maps),
        max2x2_width=int(flat) if flat <= MAX2X2_LIMIT else 0,
    )


def block_scales(backbone: keras.Model) -> tuple[float, ...]:
    """Return a power of two for each map of a model that brings its pooled values near 1.

    Activations differ by many orders of magnitude between networks and depths (a random
    MobileNetV3 falls below float16's smallest number half-way, VGG comes near its largest), and
    float16 holds three digits only near 1. The factors follow from the weights alone: a fixed
    noise picture at four contrasts is sent through the backbone.
    """
    shape = (1, *backbone.inputs[0].shape[1:])
    noise = np.random.default_rng(0).uniform(-1, 1, shape)
    contrasts = np.linspace(16, 127, _PROBE_IMAGES).reshape(-1, 1, 1, 1)
    maps = backbone((127.5 + contrasts * noise).astype(np.float32), training=False)
    largest = [float(ops.max(ops.abs(block))) for block in keras.tree.flatten(maps)]
    return tuple(float(2.0 ** -np.round(np.log2(peak))) if peak else 1.0 for peak in largest)


def pool_blocks(maps: Sequence[Any], scales: Sequence[float]) -> Any:
    """Pool every map as average, standard deviation and maximum; shape (n, pooled_width)."""
    pooled = []
    for block, scale in zip(maps, scales, strict=True):
        average = ops.mean(block, axis=(1, 2), keepdims=True)
        variance = ops.mean(ops.square(block - average), axis=(1, 2)) * scale**2
        deviation = ops.sqrt(variance + VARIANCE_FLOOR)
        peak = ops.max(block, axis=(1, 2))
        pooled += [ops.squeeze(average, axis=(1, 2)) * scale, deviation, peak * scale]
    return ops.concatenate(pooled, axis=-1)


def pool_last_2x2(last: Any, scale: float) -> Any:
    """Max-pool a map by 2×2 and flatten it; shape (n, max2x2_width)."""
    pooled = keras.layers.MaxPooling2D(2, padding="same")(last)
    return keras.layers.Flatten()(pooled) * scale


def to_float16(values: Any) -> Any:
    """Round to float16, clipping what it cannot hold.

    Serving rounds as the cache did, so that both see the same features.
    """
    return ops.cast(ops.clip(values, -FLOAT16_MAX, FLOAT16_MAX), "float16")


def feature_model(backbone: keras.Model, cut: CutBackbone | None = None) -> keras.Model:
    """Return the model from pixels to the float16 feature arrays, `pooled` and `max2x2`.

    With a cut there is a third, `boundary`: its map, flattened. One pass gives all of them.
    """
    if cut is None or cut.below is None:
        pixels, maps, outputs = backbone.inputs[0], list(backbone.outputs), {}
    else:
        pixels = cut.below.inputs[0]
        *lower, entry = cut.below.outputs
        maps = [*lower, *keras.tree.flatten(cut.above(entry))]
        outputs = {"boundary": flat_boundary(cut, entry)}
    layout = layout_of(maps)
    scales = block_scales(backbone)
    outputs["pooled"] = to_float16(pool_blocks(maps, scales))
    if layout.max2x2_width:
        outputs["max2x2"] = to_float16(pool_last_2x2(maps[-1], scales[-1]))
    return keras.Model(pixels, outputs, name=f"{backbone.name}_features")


def lower_features(cut: CutBackbone, scales: Sequence[float]) -> keras.Model:
    """Return the model from pixels to what lies below a cut: `boundary`, and `pooled` so far.

    Args:
        cut: Not at the input.
        scales: Of the backbone's blocks.
    """
    if cut.below is None:
        raise ValueError("nothing lies below a cut at the input")
    *lower, entry = cut.below.outputs
    outputs = {"boundary": flat_boundary(cut, entry)}
    if lower:
        outputs["pooled"] = to_float16(pool_blocks(lower, scales[: len(lower)]))
    return keras.Model(cut.below.inputs[0], outputs, name=f"{cut.below.name}_features")


def flat_boundary(cut: CutBackbone, entry: Any) -> Any:
    """Flatten the map at a cut, in float16 and scaled to be near 1."""
    return to_float16(keras.layers.Flatten()(entry) * boundary_scale(cut))


def boundary_scale(cut: CutBackbone) -> float:
    """Return the power of two by which the map at a cut is kept larger."""
    if cut.below is None:
        return 1.0
    (scale,) = block_scales(keras.Model(cut.below.inputs[0], cut.below.outputs[-1]))
    return scale

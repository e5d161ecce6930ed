"""Pools maps over their positions, in one place for extraction, training and serving."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
from keras import ops

from fakeface_bench.backbones.cut import CutBackbone
from fakeface_bench.features.residuals import RESIDUALS, ResidualStatistics

#: Statistics of each map, in the order in which they are stored.
STATISTICS = ("avg", "std", "max")
#: Of a class token, which stands for the whole picture, there is only itself.
CLASS_TOKEN = "cls"
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
        channels: Of each output, the last map at the end.
        max2x2_width: Values of the flattened, 2×2-max-pooled last map; 0 where it is too large
            to keep.
        tokens: Of each output, whether it is a class token; it comes before its block's map.
    """

    channels: tuple[int, ...]
    max2x2_width: int
    tokens: tuple[bool, ...]

    @property
    def pooled_width(self) -> int:
        """Width of the array `pooled`: block after block, statistic after statistic."""
        return self.width_below(len(self.channels))

    @property
    def statistics(self) -> tuple[str, ...]:
        """What is kept of the last block."""
        return (*STATISTICS, CLASS_TOKEN) if self._has_token else STATISTICS

    def width_below(self, output: int) -> int:
        """Width of that part of `pooled` which the first `output` outputs fill."""
        return sum(
            len(kept_of(token)) * channels
            for token, channels in zip(self.tokens[:output], self.channels[:output], strict=True)
        )

    def columns(self, all_blocks: bool, statistics: Sequence[str]) -> list[slice]:
        """Return the columns of `pooled` that hold some statistics of the last or all blocks."""
        count = len(self.channels)
        slices: list[slice] = []
        for output in range(0 if all_blocks else count - 1 - self._has_token, count):
            first, width = self.width_below(output), self.channels[output]
            for statistic in kept_of(self.tokens[output]):
                if statistic in statistics:
                    slices.append(slice(first, first + width))
                first += width
        return slices

    @property
    def _has_token(self) -> bool:
        return len(self.tokens) > 1 and self.tokens[-2]


def kept_of(token: bool) -> tuple[str, ...]:
    """Return what is kept of a class token, or of a map."""
    return (CLASS_TOKEN,) if token else STATISTICS


def is_token(output: Any) -> bool:
    """Whether an output of a backbone is a class token (n, channels), and no map."""
    return len(output.shape) == 2


def layout_of(outputs: Sequence[Any]) -> FeatureLayout:
    """Return the layout for a backbone's outputs.

    Args:
        outputs: Maps (n, height, width, channels), each after its class token if it has one.
    """
    _, height, width, channels = outputs[-1].shape
    flat = -(-height // 2) * -(-width // 2) * channels
    return FeatureLayout(
        channels=tuple(int(output.shape[-1]) for output in outputs),
        max2x2_width=int(flat) if flat <= MAX2X2_LIMIT else 0,
        tokens=tuple(map(is_token, outputs)),
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
    """Pool every map as average, standard deviation and maximum; shape (n, pooled_width).

    A class token is taken as it is.
    """
    pooled = []
    for block, scale in zip(maps, scales, strict=True):
        if is_token(block):
            pooled.append(block * scale)
            continue
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


def feature_model(
    backbone: keras.Model,
    cut: CutBackbone | None = None,
    residuals: bool = False,
    maps: bool = True,
) -> keras.Model:
    """Return the model from pixels to the float16 feature arrays, `pooled` and `max2x2`.

    With a cut there is a third, `boundary`: its map, flattened; with residuals the picture's
    statistics, `residual`, which are all that there is without maps. One pass gives all of them.
    """
    pixels, outputs = _of_maps(backbone, cut) if maps else (backbone.inputs[0], {})
    if residuals:
        outputs[RESIDUALS] = to_float16(ResidualStatistics()(pixels))
    return keras.Model(pixels, outputs, name=f"{backbone.name}_features")


def _of_maps(backbone: keras.Model, cut: CutBackbone | None) -> tuple[Any, dict[str, Any]]:
    """Return the pixels, and what is kept of the maps that they give."""
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
    return pixels, outputs


def lower_features(cut: CutBackbone, scales: Sequence[float]) -> keras.Model:
    """Return the model from pixels to what lies below a cut: `boundary`, and `pooled` so far."""
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


#: By what lies below a cut: a forward pass finds a scale, frozen weights keep it.
_BOUNDARY_SCALES: WeakKeyDictionary[keras.Model, float] = WeakKeyDictionary()


def boundary_scale(cut: CutBackbone) -> float:
    """Return the power of two by which the map at a cut is kept larger."""
    if cut.below is None:
        return 1.0
    if cut.below not in _BOUNDARY_SCALES:
        (scale,) = block_scales(keras.Model(cut.below.inputs[0], cut.below.outputs[-1]))
        _BOUNDARY_SCALES[cut.below] = scale
    return _BOUNDARY_SCALES[cut.below]

"""Layers that a small network trains with: what Keras's own compute, in fewer passes over a map.

The maps of a batch are far larger than a CPU's cache, so a step costs as many passes as its
operations make over them; Keras's batch normalisation and the gradients of pooling make dozens.
These layers are never saved: a model that is scored has the same variables in Keras's own.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from fakeface_bench.features.pooling import STATISTICS, VARIANCE_FLOOR


class QuickBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]  # Keras has no types
    """Batch normalisation of maps, which trains by TensorFlow's one fused operation."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise a map; in training by its own statistics, which the moving ones follow."""
        if not training:  # TensorFlow would fuse it with an activation that it has no code for
            return super().call(inputs, training=False, mask=mask)
        normalised, *batch = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=[],
            variance=[],
            epsilon=self.epsilon,
        )[:3]
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], batch[1].dtype)
        batch[1] *= (count - 1) / count  # Keras's has no Bessel correction
        for kept, value in zip((self.moving_mean, self.moving_variance), batch, strict=True):
            kept.assign(kept * self.momentum + value * (1 - self.momentum))
        return normalised


class QuickPooling(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Some statistics of a map, as `features.pooling.pool_blocks` gives them at scale 1."""

    def __init__(self, statistics: Sequence[str]) -> None:
        super().__init__(dtype="float32")
        self._statistics = statistics

    def call(self, block: Any) -> Any:
        """Return shape (n, statistics × channels), in the order of `pooling.STATISTICS`."""
        window = block.shape[1:3]
        pooled = {}
        if "std" in self._statistics:
            pooled["avg"], pooled["std"] = _average_and_deviation(block)
        elif "avg" in self._statistics:
            pooled["avg"] = tf.nn.avg_pool2d(block, window, 1, "VALID")[:, 0, 0]
        if "max" in self._statistics:
            pooled["max"] = tf.nn.max_pool2d(block, window, 1, "VALID")[:, 0, 0]
        wanted = [pooled[name] for name in STATISTICS if name in self._statistics]
        return tf.concat(wanted, axis=-1)

    def compute_output_shape(self, shape: Sequence[int | None]) -> tuple[int | None, int]:
        """Return the shape of what `call` returns."""
        return shape[0], len(self._statistics) * int(shape[-1] or 0)


@tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has none
def _average_and_deviation(block: Any) -> tuple[list[Any], Callable[..., Any]]:
    """Both of a map, each (n, channels), with a gradient of one product and one sum."""
    positions = float(block.shape[1] * block.shape[2])
    average = tf.reduce_mean(block, [1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(block, average), [1, 2], keepdims=True)
    deviation = tf.sqrt(variance + VARIANCE_FLOOR)

    def gradient(of_average: Any, of_deviation: Any) -> Any:
        slope = of_deviation[:, None, None] / (deviation * positions)
        return block * slope + (of_average[:, None, None] / positions - average * slope)

    return [average[:, 0, 0], deviation[:, 0, 0]], gradient

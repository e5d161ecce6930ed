"""Residual statistics as a layer of Keras, for networks that are saved and served with them."""

from typing import Any

import keras
from keras import ops

from fakeface_bench.features.residual_statistics import BLOCK, WIDTH, statistics_of

#: Name of their array among the features.
RESIDUALS = "residual"


@keras.saving.register_keras_serializable(package="fakeface_bench")
class ResidualStatistics(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """From pixels 0 to 255, shape (n, size, size, 3), to their statistics, (n, `WIDTH`).

    Nothing is learned, and no gradient passes: counts have none.
    """

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the transforms of one picture; counting is not among them."""
        side = int(self.input.shape[1])
        return 2 * side**3 + 3 * (side // BLOCK) ** 2 * BLOCK**4

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Return (n, `WIDTH`)."""
        return input_shape[0], WIDTH

    def call(self, pixels: Any) -> Any:
        """Return the statistics, the columns as `groups` says."""
        return ops.stop_gradient(statistics_of(pixels, ops))

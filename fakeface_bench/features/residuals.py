"""Residual statistics as a layer of Keras, for networks that are saved and served with them."""

from typing import Any

import keras
import numpy as np
from keras import ops

from fakeface_bench.features.residual_statistics import (
    BANDS,
    BLOCK,
    BLOCK_FLOOR,
    LEVELS,
    LUMINANCE,
    MOST,
    SPECTRUM_FLOOR,
    TRIPLES,
    WIDTH,
    dct_matrix,
)

#: Name of their array among the features.
RESIDUALS = "residual"


@keras.saving.register_keras_serializable(package="fakeface_bench")
class ResidualStatistics(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """From pixels 0 to 255, shape (n, size, size, 3), to their statistics, (n, `WIDTH`).

    The numbers of `quick_residuals.statistics_of`, in whole batches and on any device. Nothing
    is learned, and no gradient passes: counts have none.
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
        whole, values = ops.cast(pixels, "int16"), ops.cast(pixels, "float32")
        shares = [share for axis in (2, 1) for share in _co_occurrences(whole, axis)]
        parts = [*(ops.sqrt(share) for share in shares), _spectrum(values), _blocks(values)]
        return ops.stop_gradient(ops.concatenate(parts, axis=-1))


def _co_occurrences(pixels: Any, axis: int) -> list[Any]:
    """Return shares of triples of differences along an axis: of each channel, then over them."""
    last = pixels.shape[axis] - 1
    differences = _along(pixels, axis, 1, last + 1) - _along(pixels, axis, 0, last)
    quantised = ops.clip(differences, -MOST, MOST) + MOST
    first, second, third = (_along(quantised, axis, n, last - 2 + n) for n in range(3))
    neighbours = first * LEVELS**2 + second * LEVELS + third
    channels = [neighbours[..., channel] for channel in range(3)]
    weights = [LEVELS**2, LEVELS, 1]
    over = sum(quantised[..., channel] * weights[channel] for channel in range(3))
    return [_shares(codes) for codes in (*channels, over)]


def _along(values: Any, axis: int, start: int, stop: int) -> Any:
    return values[:, :, start:stop] if axis == 2 else values[:, start:stop]


def _shares(codes: Any) -> Any:
    """Return how often each code occurs in each picture, (n, 125), adding up to 1."""
    places = int(np.prod(codes.shape[1:]))
    rows = ops.reshape(ops.cast(codes, "int32"), (-1, places))
    counts = ops.bincount(rows, minlength=TRIPLES)
    return ops.reshape(ops.cast(counts, "float32") / places, (-1, TRIPLES))


def _spectrum(pixels: Any) -> Any:
    """Return log-magnitudes of the luminance's DCT, averaged over bands, (n, `BANDS`²)."""
    size = pixels.shape[1]
    luminance = sum(pixels[..., channel] * LUMINANCE[channel] for channel in range(3))
    matrix = ops.convert_to_tensor(dct_matrix(size))
    transformed = ops.matmul(ops.matmul(matrix, luminance), ops.transpose(matrix))
    magnitudes = ops.log(ops.abs(transformed) + SPECTRUM_FLOOR)
    width = size // BANDS
    within = magnitudes[:, : BANDS * width, : BANDS * width]
    bands = ops.mean(ops.reshape(within, (-1, BANDS, width, BANDS, width)), axis=(2, 4))
    return ops.reshape(bands, (-1, BANDS**2))


def _blocks(pixels: Any) -> Any:
    """Return log mean magnitudes of block coefficients, by channel, (n, 3 · 64)."""
    count = pixels.shape[1] // BLOCK
    within = pixels[:, : count * BLOCK, : count * BLOCK]
    blocks = ops.reshape(within, (-1, count, BLOCK, count, BLOCK, 3))
    blocks = ops.reshape(ops.transpose(blocks, (0, 5, 1, 3, 2, 4)), (-1, 3, count**2, BLOCK**2))
    matrix = dct_matrix(BLOCK)
    both = np.einsum("ui,vj->ijuv", matrix, matrix).reshape(BLOCK**2, BLOCK**2)
    magnitudes = ops.abs(ops.matmul(blocks, ops.convert_to_tensor(both)))
    return ops.reshape(ops.log(ops.mean(magnitudes, axis=2) + BLOCK_FLOOR), (-1, 3 * BLOCK**2))

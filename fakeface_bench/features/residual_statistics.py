"""Residual statistics: what a picture's finest differences tell, without any network.

Neighbouring pixels of a photograph differ as sensor, demosaicing and compression have it, those of
a generated picture as its last layers have it. Three kinds of numbers describe that, over the whole
picture, none of which resamples it:

- co-occurrences of first differences, cut off at ±2: how often each triple of neighbours along rows
  or columns occurs in a channel, and each triple over the channels at one place. Sources: Pevný,
  Bas & Fridrich (2010), "Steganalysis by subtractive pixel adjacency matrix"; Fridrich & Kodovský
  (2012), "Rich models for steganalysis of digital images"; of generated pictures Nataraj et al.
  (2019), "Detecting GAN generated fake images using co-occurrence matrices".
- the spectrum of luminance: log-magnitudes of its DCT, averaged over a grid of bands. Source: Frank
  et al. (2020), "Leveraging frequency analysis for deep fake image recognition".
- block spectra: mean magnitude of each coefficient of the 8×8 DCT that JPEG uses, by channel, which
  also shows how a picture was compressed.

They read a picture's processing history best of all, which is why a score of theirs needs
`equalise` and another dataset beside it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

#: Raise it with any change of a number; it is part of the identity of features.
RESIDUALS_VERSION = 1
#: Differences are cut off here; beyond it they are as much edge as noise.
MOST = 2
LEVELS = 2 * MOST + 1
#: Bands of the spectrum along each axis.
BANDS = 16
BLOCK = 8
_TRIPLES = LEVELS**3
_CHANNELS = ("red", "green", "blue")
_LUMINANCE = (0.299, 0.587, 0.114)
#: Keeps logarithms finite: of a magnitude in the spectrum, and of a mean one of blocks.
_SPECTRUM_FLOOR, _BLOCK_FLOOR = 1.0, 0.01


def groups() -> Mapping[str, slice]:
    """Return which columns hold what, by name, in their order."""
    names = [
        (f"{where}, {what}", _TRIPLES)
        for where in ("along rows", "along columns")
        for what in (*_CHANNELS, "over channels")
    ]
    names += [("spectrum", BANDS**2)]
    names += [(f"8×8 blocks, {channel}", BLOCK**2) for channel in _CHANNELS]
    ends = np.cumsum([width for _, width in names]).tolist()
    return {name: slice(end - width, end) for (name, width), end in zip(names, ends, strict=True)}


#: Parts of the spectrum that are told apart, by the higher frequency of the two axes.
_QUARTERS = ("lowest", "second", "third", "highest")


def columns_by_group() -> dict[str, npt.NDArray[np.int64]]:
    """Return the columns of each group, the spectrum by how high its frequencies are."""
    found = {}
    for name, columns in groups().items():
        numbers = np.arange(columns.start, columns.stop)
        if name != "spectrum":
            found[name] = numbers
            continue
        quarters = 4 * np.maximum(*np.indices((BANDS, BANDS))).ravel() // BANDS
        for number, quarter in enumerate(_QUARTERS):
            found[f"spectrum, {quarter} quarter"] = numbers[quarters == number]
    return found


#: Numbers of a picture.
WIDTH = list(groups().values())[-1].stop


def statistics_of(pixels: Any, ops: Any) -> Any:
    """Return the statistics (n, `WIDTH`) of pixels 0 to 255, (n, size, size, 3), as `groups` says.

    Args:
        ops: `keras.ops`, or `NumpyOps` where nothing of Keras is to be loaded.
    """
    whole = ops.cast(pixels, "int16")
    counted = [share for axis in (2, 1) for share in _co_occurrences(whole, axis, ops)]
    values = ops.cast(pixels, "float32")
    parts = [ops.sqrt(share) for share in counted]
    return ops.concatenate([*parts, _spectrum(values, ops), _blocks(values, ops)], axis=-1)


class NumpyOps:
    """What of `keras.ops` the statistics need, by numpy."""

    clip, sqrt, abs, log, mean = np.clip, np.sqrt, np.abs, np.log, np.mean
    concatenate, reshape, transpose, matmul = np.concatenate, np.reshape, np.transpose, np.matmul
    convert_to_tensor = np.asarray

    @staticmethod
    def cast(values: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
        """Return values of another type."""
        return values.astype(dtype)

    @staticmethod
    def bincount(rows: npt.NDArray[Any], minlength: int) -> npt.NDArray[np.int64]:
        """Count each of the first whole numbers in each row."""
        counts = [np.bincount(row, minlength=minlength) for row in rows]
        return np.asarray(counts, np.int64)


def _co_occurrences(pixels: Any, axis: int, ops: Any) -> list[Any]:
    """Return shares of triples of differences along an axis: of each channel, then over them."""
    last = pixels.shape[axis] - 1
    differences = _along(pixels, axis, 1, last + 1) - _along(pixels, axis, 0, last)
    quantised = ops.clip(differences, -MOST, MOST) + MOST
    first, second, third = (_along(quantised, axis, n, last - 2 + n) for n in range(3))
    neighbours = first * LEVELS**2 + second * LEVELS + third
    channels = [neighbours[..., channel] for channel in range(3)]
    weights = [LEVELS**2, LEVELS, 1]
    over = sum(quantised[..., channel] * weights[channel] for channel in range(3))
    return [_shares(codes, ops) for codes in (*channels, over)]


def _along(values: Any, axis: int, start: int, stop: int) -> Any:
    return values[:, :, start:stop] if axis == 2 else values[:, start:stop]


def _shares(codes: Any, ops: Any) -> Any:
    """Return how often each code occurs in each picture, (n, 125), adding up to 1."""
    places = int(np.prod(codes.shape[1:]))
    rows = ops.reshape(ops.cast(codes, "int32"), (-1, places))
    counts = ops.bincount(rows, minlength=_TRIPLES)
    return ops.reshape(ops.cast(counts, "float32") / places, (-1, _TRIPLES))


def _dct_matrix(size: int) -> npt.NDArray[np.float32]:
    """Return the orthonormal DCT-II, (size, size)."""
    frequency, place = np.indices((size, size))
    matrix = np.sqrt(2 / size) * np.cos(np.pi * (2 * place + 1) * frequency / (2 * size))
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, np.float32)


def _spectrum(pixels: Any, ops: Any) -> Any:
    """Return log-magnitudes of the luminance's DCT, averaged over bands, (n, `BANDS`²)."""
    size = pixels.shape[1]
    luminance = sum(pixels[..., channel] * _LUMINANCE[channel] for channel in range(3))
    matrix = ops.convert_to_tensor(_dct_matrix(size))
    transformed = ops.matmul(ops.matmul(matrix, luminance), ops.transpose(matrix))
    magnitudes = ops.log(ops.abs(transformed) + _SPECTRUM_FLOOR)
    width = size // BANDS
    within = magnitudes[:, : BANDS * width, : BANDS * width]
    bands = ops.mean(ops.reshape(within, (-1, BANDS, width, BANDS, width)), axis=(2, 4))
    return ops.reshape(bands, (-1, BANDS**2))


def _blocks(pixels: Any, ops: Any) -> Any:
    """Return log mean magnitudes of block coefficients, by channel, (n, 3 · 64)."""
    count = pixels.shape[1] // BLOCK
    within = pixels[:, : count * BLOCK, : count * BLOCK]
    blocks = ops.reshape(within, (-1, count, BLOCK, count, BLOCK, 3))
    blocks = ops.reshape(ops.transpose(blocks, (0, 5, 1, 3, 2, 4)), (-1, 3, count**2, BLOCK**2))
    matrix = _dct_matrix(BLOCK)
    both = np.einsum("ui,vj->ijuv", matrix, matrix).reshape(BLOCK**2, BLOCK**2)
    magnitudes = ops.abs(ops.matmul(blocks, ops.convert_to_tensor(both)))
    return ops.reshape(ops.log(ops.mean(magnitudes, axis=2) + _BLOCK_FLOOR), (-1, 3 * BLOCK**2))

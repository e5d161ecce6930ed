"""The residual statistics of a picture without TensorFlow, as fast as a processor has them.

`residuals.ResidualStatistics` gives the same numbers, inside a network that is saved and served;
tests hold the two together.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

from fakeface_bench.features.residual_statistics import (
    BANDS,
    BLOCK,
    BLOCK_FLOOR,
    LEVELS,
    LUMINANCE,
    MOST,
    SPECTRUM_FLOOR,
    TRIPLES,
    dct_matrix,
)


def statistics_of(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the statistics (`WIDTH`,) of a picture (size, size, 3), the columns as `groups` says.

    One picture at a time, in the bytes that it has, so that all of it stays in the nearest cache.
    The layer of Keras takes twice as long on two cores for the same numbers
    (benchmarks/residual_statistics.py).
    """
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
    return np.concatenate([_co_occurrences(planes), _spectrum(planes), _blocks(planes)])


def _co_occurrences(planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return roots of shares of triples of differences, (8 · 125,).

    All rows of all channels are taken as one long row. What is not of two neighbours, where a row
    or a channel ends, is computed too, and left out when counting.
    """
    size, counts = planes.shape[1], []
    for step, right, below in ((1, 1, 0), (size, 0, 1)):
        found = _differences(planes.ravel(), step)
        neighbours = _triples(found[: -2 * step], found[step:-step], found[2 * step :], found.size)
        for channel in neighbours.reshape(planes.shape):
            counts.append(_counted(channel, size - 3 * right, size - 3 * below))
        red, green, blue = found.reshape(3, -1)
        over = _triples(red, green, blue, size**2)
        counts.append(_counted(over.reshape(size, size), size - right, size - below))
    shares = np.array(counts, np.float32)
    shares /= shares.sum(axis=1, keepdims=True)
    return np.sqrt(shares).ravel()


def _differences(values: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.uint8]:
    """Return by how much the value a step on is larger, cut off at ±`MOST`, plus `MOST`.

    Bytes neither overflow nor are widened: the value a step on is cut off first. (numpy takes the
    larger of two arrays twenty times as fast as that of an array and a number.)
    """
    found = np.zeros_like(values)
    here, there, cut = values[:-step], values[step:], found[:-step]
    least, most = np.full_like(here, MOST), np.full_like(here, np.iinfo(np.uint8).max - MOST)
    np.maximum(here, least, out=cut)
    cut -= least
    np.maximum(cut, there, out=cut)
    np.minimum(here, most, out=most)
    most += least
    np.minimum(cut, most, out=cut)
    cut -= here
    cut += least
    return found


def _triples(
    first: npt.NDArray[np.uint8],
    second: npt.NDArray[np.uint8],
    third: npt.NDArray[np.uint8],
    size: int,
) -> npt.NDArray[np.uint8]:
    """Return the number of each triple of levels, 0 to 124, filled up to a size."""
    found = np.zeros(size, np.uint8)
    triples = found[: len(first)]
    np.multiply(first, np.uint8(LEVELS), out=triples)
    triples += second
    triples *= np.uint8(LEVELS)
    triples += third
    return found


def _counted(triples: npt.NDArray[np.uint8], width: int, height: int) -> list[int]:
    """Return how often each triple occurs in the first columns and rows."""
    stride = triples.shape[1]
    # Pillow counts bytes as they are, numpy's `bincount` widens each to eight.
    picture = Image.frombuffer("L", (width, height), triples, "raw", "L", stride, 1)
    return picture.histogram()[:TRIPLES]


def _spectrum(planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return log-magnitudes of the luminance's DCT, averaged over bands, (`BANDS`²,)."""
    red, green, blue = np.asarray(LUMINANCE, np.float32)
    luminance = planes[0] * red
    luminance += planes[1] * green
    luminance += planes[2] * blue
    transformed = dctn(luminance, norm="ortho")
    magnitudes = np.log(np.abs(transformed) + SPECTRUM_FLOOR)
    width = len(luminance) // BANDS
    within = magnitudes[: BANDS * width, : BANDS * width]
    of_rows = within.reshape(BANDS, width, BANDS * width).mean(axis=1)
    return np.asarray(of_rows.reshape(BANDS, BANDS, width).mean(axis=2).ravel())


def _blocks(planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return log mean magnitudes of block coefficients, by channel, (3 · 64,)."""
    count = planes.shape[1] // BLOCK
    within = planes[:, : count * BLOCK, : count * BLOCK].reshape(3, count, BLOCK, count, BLOCK)
    blocks = within.transpose(0, 4, 2, 1, 3).astype(np.float32).reshape(3, BLOCK, BLOCK, count**2)
    matrix = dct_matrix(BLOCK)
    # Products this small are not shared among threads, of which each has its own picture.
    down = np.matmul(matrix, blocks).transpose(0, 2, 1, 3)
    magnitudes = np.abs(np.matmul(matrix, down)).mean(axis=3)
    return np.asarray(np.log(magnitudes + BLOCK_FLOOR).ravel())

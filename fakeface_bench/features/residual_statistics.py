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

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

#: Raise it with any change of a number; it is part of the identity of features.
RESIDUALS_VERSION = 2
#: Differences are cut off here; beyond it they are as much edge as noise.
MOST = 2
LEVELS = 2 * MOST + 1
#: Bands of the spectrum along each axis.
BANDS = 16
BLOCK = 8
TRIPLES = LEVELS**3
_CHANNELS = ("red", "green", "blue")
#: Of red, green and blue.
LUMINANCE = (0.299, 0.587, 0.114)
#: Keeps logarithms finite: of a magnitude in the spectrum, and of a mean one of blocks.
SPECTRUM_FLOOR, BLOCK_FLOOR = 1.0, 0.01


def groups() -> Mapping[str, slice]:
    """Return which columns hold what, by name, in their order."""
    names = [
        (f"{where}, {what}", TRIPLES)
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


def dct_matrix(size: int) -> npt.NDArray[np.float32]:
    """Return the orthonormal DCT-II, (size, size)."""
    frequency, place = np.indices((size, size))
    matrix = np.sqrt(2 / size) * np.cos(np.pi * (2 * place + 1) * frequency / (2 * size))
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, np.float32)

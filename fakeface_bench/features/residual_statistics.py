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


def dct_matrix(size: int) -> npt.NDArray[np.float32]:
    """Return the orthonormal DCT-II, (size, size)."""
    frequency, place = np.indices((size, size))
    matrix = np.sqrt(2 / size) * np.cos(np.pi * (2 * place + 1) * frequency / (2 * size))
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, np.float32)

"""Tells copies of a picture from twins, other pictures that look the same, by looking at both.

A generator draws nearly the same face again now and then: hair, edges and texture differ, which a
perceptual hash does not see. A copy, however it was processed, keeps them. Both bounds were set by
looking at every near pair of 3,400 real and generated pictures, and at 17 kinds of processing
(`benchmarks/audit.py`): twins that StyleGAN drew correlate by 0.79 to 0.93 in detail, copies by
0.95 and more but for JPEG of quality 10 (0.88), strangers as near in looks by 0.5 at most.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter

from fakeface_bench.data.decode import decode_bytes
from fakeface_bench.support.errors import DataError

#: Correlation of details from which a pair is one picture.
COPY_DETAIL = 0.94
#: Likewise from which two pictures that look less alike than copies do show one face all the same.
TWIN_DETAIL = 0.65

#: Side at which both are laid over each other: with a third of a pixel of 256 to spare.
_READ_SIDE, _SIDE = 256, 64
#: Width of the Gaussian below which something is a detail, in pixels of `_SIDE`.
_DETAIL = 2.0
#: Margins that may have been cut off, as shares, and turns in degrees.
_CUTS, _TURNS = (0.01, 0.02, 0.03), (-1.0, 1.0)
#: Pixels of `_SIDE` by which one may be shifted, and what is left out at the rim for it.
_SHIFT, _RIM = 1, 5

Details = npt.NDArray[np.float64]


def detail_correlation(first: Path, second: Path, mirrored: bool) -> float:
    """Return how well the details of two pictures correlate, laid over each other.

    One may be shifted by up to 1/64 of its side, turned by a degree, or have lost up to 3 % on each
    side: so much a copy may have been changed.

    Args:
        mirrored: Whether the second is compared as in a mirror.

    Returns:
        From -1 to 1; not a number where either cannot be read.
    """
    try:
        ours, theirs = _read(first), _read(second)
    except DataError:  # a file that is gone, or broken since: nothing is known of it
        return float("nan")
    theirs = ImageOps.mirror(theirs) if mirrored else theirs
    best = -1.0
    for one, other in _laid_over(ours, theirs):
        best = max(best, _correlation(one, other))
        if best >= COPY_DETAIL:
            break
    return best


def _read(path: Path) -> Image.Image:
    image = decode_bytes(path).convert("L")
    return image.resize((_READ_SIDE, _READ_SIDE), Image.Resampling.BOX, reducing_gap=2.0)


def _laid_over(ours: Image.Image, theirs: Image.Image) -> Iterator[tuple[Details, Details]]:
    """Yield the details of both, as they are, then with one of them cut or turned."""
    one, other = _details(ours), _details(theirs)
    yield one, other
    for cut in _CUTS:
        yield one, _details(theirs, cut)
        yield _details(ours, cut), other
    for turn in _TURNS:
        yield one, _details(theirs.rotate(turn, Image.Resampling.BICUBIC))


def _details(image: Image.Image, cut: float = 0.0) -> Details:
    """Return what a Gaussian leaves of a small copy, without a margin of some share."""
    low, high = cut * _READ_SIDE, (1 - cut) * _READ_SIDE
    small = image.resize((_SIDE, _SIDE), Image.Resampling.BOX, (low, low, high, high))
    pixels = np.asarray(small, np.float64)
    return np.asarray(pixels - gaussian_filter(pixels, _DETAIL))


def _correlation(one: Details, other: Details) -> float:
    """Return the highest Pearson correlation over small shifts of the other."""
    ours = one[_RIM:-_RIM, _RIM:-_RIM].ravel()
    shifts = range(-_SHIFT, _SHIFT + 1)
    shifted = [
        other[_RIM + y : _SIDE - _RIM + y, _RIM + x : _SIDE - _RIM + x].ravel()
        for y in shifts
        for x in shifts
    ]
    stacked = np.stack([ours, *shifted])
    stacked -= stacked.mean(axis=1, keepdims=True)
    norms = np.sqrt((stacked**2).sum(axis=1))
    norms[norms == 0] = np.inf  # no detail at all correlates with nothing
    return float(np.max(stacked[1:] @ stacked[0] / (norms[1:] * norms[0])))

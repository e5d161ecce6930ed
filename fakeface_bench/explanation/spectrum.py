"""How strong each spatial frequency is in real, fake and misjudged pictures.

Upsampling inside generators leaves traces there: too much or too little power at high
frequencies (Durall et al. 2020, arXiv:2003.01826), and a grid of peaks (Frank et al. 2020,
arXiv:2003.08685).
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.records import FloatArray, ScoredSplit, Spectrum

#: Images a group, at most.
MOST_IMAGES = 500
#: Brightness of red, green and blue (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: In grey levels². Rounding to 8 bits alone makes 0.04; without a floor a blank picture has none.
_LEAST_POWER = 1e-3
#: What of the images a band holds.
_BAND = (0.025, 0.975)


class SpectrumSum:
    """Adds up the spectra of a group's images, of which it keeps the profiles alone."""

    def __init__(self) -> None:
        self._total: FloatArray | float = 0.0
        self._profiles: list[FloatArray] = []

    def add(self, log_power: npt.NDArray[np.float32]) -> None:
        """Add one image's spectrum, (size, size)."""
        self._total = self._total + log_power.astype(np.float64)
        self._profiles.append(radial_profile(log_power))

    def result(self) -> Spectrum | None:
        """Return what was added, or nothing where nothing was.

        Over images logarithms are averaged, not powers: each image counts alike, whatever its
        contrast, and the difference of two groups is the ratio of their typical powers.
        """
        count = len(self._profiles)
        if not count:
            return None
        low, high = np.quantile(self._profiles, _BAND, axis=0)
        mean = np.mean(self._profiles, axis=0)
        error = np.std(self._profiles, axis=0) / np.sqrt(max(1, count - 1))
        return Spectrum(count, np.asarray(self._total) / count, mean, low, high, error)


def log_power(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return log10 of the power spectrum of a picture's brightness, frequency 0 in the middle.

    The mean is taken out, and a Hann window lets the picture fade towards its edges, which would
    else be steps from one side to the other and spread over all frequencies.

    Args:
        pixels: 0 to 255, shape (size, size, 3).

    Returns:
        Shape (size, size), of grey levels² a pixel.
    """
    grey = pixels.astype(np.float32) @ _LUMA
    window = _window(len(grey))
    windowed = (grey - np.average(grey, weights=window)) * window
    power = np.abs(np.fft.fft2(windowed)) ** 2 / np.sum(np.square(window))
    return np.fft.fftshift(np.log10(power + _LEAST_POWER)).astype(np.float32)


def radial_profile(log_power: npt.NDArray[np.float32]) -> FloatArray:
    """Return log10 of the power averaged over directions, at `Spectrum.frequencies`.

    Powers are averaged, as in Durall et al. 2020: a trace in a few directions is not to be
    outnumbered by the rest of its ring.
    """
    rings, counts = _rings(len(log_power))
    power = 10.0 ** log_power.ravel().astype(np.float64)
    means = np.bincount(rings, weights=power, minlength=len(counts)) / counts
    return np.asarray(np.log10(means[1 : len(log_power) // 2 + 1]))


def draw_groups(split: ScoredSplit, seed: int = 0) -> Mapping[str, npt.NDArray[np.int64]]:
    """Draw up to 500 images of each group: `real`, `fake` and `misjudged`; positions, rising."""
    called = split.y_score >= split.threshold
    members = {
        "real": split.y_true == REAL,
        "fake": split.y_true == FAKE,
        "misjudged": called != split.y_true.astype(bool),
    }
    rng = np.random.default_rng(seed)
    found = {group: np.flatnonzero(is_member) for group, is_member in members.items()}
    return {
        group: np.sort(rng.permutation(positions)[:MOST_IMAGES])
        for group, positions in found.items()
    }


@lru_cache(maxsize=4)
def _window(size: int) -> npt.NDArray[np.float32]:
    hann = np.hanning(size + 2)[1:-1]
    return np.outer(hann, hann).astype(np.float32)


@lru_cache(maxsize=4)
def _rings(size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the ring, counted from the middle, of each place of a spectrum, and rings' sizes."""
    offsets = np.arange(size) - size // 2
    rings = np.round(np.hypot(offsets[:, None], offsets)).astype(np.int64).ravel()
    return rings, np.bincount(rings)

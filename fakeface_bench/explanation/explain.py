"""Explains a finished study: evidence on chosen test images, a check of it, and spectra.

Upsampling inside generators leaves traces in spectra: too much or too little power at high
frequencies (Durall et al. 2020, arXiv:2003.01826), and a grid of peaks (Frank et al. 2020,
arXiv:2003.08685).
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

import keras
import numpy as np
import numpy.typing as npt

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.explanation.attribution import attribute, attribute_and_check, reads_places
from fakeface_bench.explanation.statistics import (
    features_of,
    group_effects,
    parts_with_statistics,
)
from fakeface_bench.records.explanation import ExplainedImage, Explanation, Spectrum
from fakeface_bench.records.study import FloatArray, ScoredSplit
from fakeface_bench.support.errors import DataError

#: Images a group, at most.
MOST_IMAGES = 500
#: Brightness of red, green and blue (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: Of each class, that residual statistics are explained on.
STATISTICS_IMAGES = 64
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


_Number = TypeVar("_Number", bound=np.generic)

#: From a position of the test split to the picture as the network sees it.
Load = Callable[[int], npt.NDArray[np.uint8]]

#: Spectra made ahead of the one that is added; bounds the memory.
_AHEAD = 32


def explain_study(
    model: keras.Model,
    split: ScoredSplit,
    examples: Mapping[str, tuple[int, ...]],
    load: Load,
    seed: int = 0,
    features: Mapping[str, Any] | None = None,
) -> Explanation:
    """Explain a detector on a split that it has scored.

    Args:
        examples: Positions by kind, as `report.explanation.choose_examples` returns them.
        load: Returns uint8 pixels (size, size, 3), all of the model's size; a `DataError` of it
            costs the picture, nothing else. Called from several threads.
        seed: Of the images drawn for spectra, and of the shuffled head.
        features: What the study read of the split's pictures, by name, each in their order; what
            is not among it is computed.
    """
    places = reads_places(model)
    chosen = sorted({position for of_kind in examples.values() for position in of_kind})
    pictures = dict(_in_threads(load, chosen))
    images: dict[int, ExplainedImage] = {}
    dependence = None
    if pictures:
        evidence, dependence = attribute_and_check(model, np.stack(list(pictures.values())), seed)
        images = dict(zip(pictures, map(ExplainedImage, pictures.values(), evidence), strict=True))
        places = places and bool(np.ptp(evidence, axis=(1, 2)).any())
    drawn = draw_groups(split, seed)
    sampled = [*drawn["real"][:STATISTICS_IMAGES], *drawn["fake"][:STATISTICS_IMAGES]]
    effects, counts = _statistics(model, split, load, sampled, features or {})
    return Explanation(
        examples=examples,
        images=images,
        head_dependence=dependence if places else None,
        spectra=group_spectra(split, load, seed),
        statistics=effects,
        statistics_images=counts,
        places=places,
    )


def _statistics(
    model: keras.Model,
    split: ScoredSplit,
    load: Load,
    positions: Sequence[int],
    features: Mapping[str, Any],
) -> tuple[dict[str, tuple[float, float]], tuple[int, int]]:
    """Return the mean effects of residual statistics on real and fake pictures, and how many."""
    parts = parts_with_statistics(model)
    if parts is None:
        return {}, (0, 0)
    pictures: list[npt.NDArray[np.uint8]] = []
    if not set(parts.names) <= set(features):
        read = dict(_in_threads(load, positions))
        positions, pictures = list(read), list(read.values())
    fake = split.y_true[list(positions)] == FAKE
    counts = (int((~fake).sum()), int(fake.sum()))
    if not all(counts):
        return {}, (0, 0)
    if pictures:
        arrays = features_of(parts, pictures)
    else:
        rows = np.asarray(positions)
        arrays = {name: np.asarray(features[name][rows], np.float32) for name in parts.names}
    effects = group_effects(parts, arrays)
    means = {
        group: (float(effect[~fake].mean()), float(effect[fake].mean()))
        for group, effect in effects.items()
    }
    return means, counts


def explain_pictures(
    model: keras.Model, pictures: Iterable[npt.NDArray[np.uint8]]
) -> list[ExplainedImage]:
    """Return pictures (size, size, 3), all of the model's size, with their evidence."""
    pixels = list(pictures)
    if not pixels:
        return []
    evidence = attribute(model, np.stack(pixels))
    return [ExplainedImage(p, e) for p, e in zip(pixels, evidence, strict=True)]


def group_spectra(split: ScoredSplit, load: Load, seed: int = 0) -> dict[str, Spectrum | None]:
    """Return the spectra of real, fake and misjudged images; each image is read once."""
    groups = {group: set(drawn.tolist()) for group, drawn in draw_groups(split, seed).items()}
    sums = {group: SpectrumSum() for group in groups}
    positions = sorted(set().union(*groups.values()))
    for position, spectrum in _in_threads(lambda p: log_power(load(p)), positions):
        for group, members in groups.items():
            if position in members:
                sums[group].add(spectrum)
    return {group: total.result() for group, total in sums.items()}


def _in_threads(
    work: Callable[[int], npt.NDArray[_Number]], positions: Sequence[int]
) -> Iterator[tuple[int, npt.NDArray[_Number]]]:
    """Yield what work makes of images that can be read, in order."""

    def attempt(position: int) -> npt.NDArray[_Number] | None:
        try:
            return work(position)
        except DataError:
            return None

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(positions), _AHEAD):
            some = positions[start : start + _AHEAD]
            for position, made in zip(some, threads.map(attempt, some), strict=True):
                if made is not None:
                    yield position, made

"""Explains a finished study: evidence on chosen test images, a check of it, and spectra."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import keras
import numpy as np
import numpy.typing as npt

from fakeface_bench.errors import DataError
from fakeface_bench.explanation.attribution import attribute
from fakeface_bench.explanation.sanity import head_dependence
from fakeface_bench.explanation.spectrum import SpectrumSum, draw_groups, log_power
from fakeface_bench.records import ExplainedImage, Explanation, ScoredSplit, Spectrum

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
) -> Explanation:
    """Explain a detector on a split that it has scored.

    Args:
        model: The complete detector.
        split: Its scores.
        examples: Positions by kind, as `report.explanation.choose_examples` returns them.
        load: Returns uint8 pixels (size, size, 3), all of the model's size; a `DataError` of it
            costs the picture, nothing else. Called from several threads.
        seed: Of the images drawn for spectra, and of the shuffled head.
    """
    images = _explained(model, sorted({p for chosen in examples.values() for p in chosen}), load)
    pictures = [image.pixels for image in images.values()]
    return Explanation(
        examples=examples,
        images=images,
        head_dependence=head_dependence(model, np.stack(pictures), seed) if pictures else None,
        spectra=group_spectra(split, load, seed),
    )


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


def _explained(
    model: keras.Model, positions: Sequence[int], load: Load
) -> dict[int, ExplainedImage]:
    pictures = dict(_in_threads(load, positions))
    return dict(zip(pictures, explain_pictures(model, pictures.values()), strict=True))


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

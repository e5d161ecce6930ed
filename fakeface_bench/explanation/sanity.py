"""Whether evidence comes from what was learned: it has to change where the head is shuffled.

Adebayo et al. 2018 (arXiv:1810.03292): maps that look the same with random weights tell of edges
in the picture, not of the model.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from fakeface_bench.explanation.attribution import BATCH, FloatMaps, evidence_of, read_maps
from fakeface_bench.explanation.cut import CutDetector, cut_detector

#: Places a side at which two maps are compared; they are smooth in between.
_PLACES = 56


@contextmanager
def shuffled_head(model: keras.Model, seed: int) -> Iterator[None]:
    """Shuffle the weights of a detector's Dense layers for the time of the block."""
    with _shuffled(cut_detector(model), seed):
        yield


def head_dependence(model: keras.Model, pixels: npt.NDArray[Any], seed: int = 0) -> float:
    """Return how alike evidence is with the head as it is and shuffled.

    Args:
        model: A complete detector; it is left as it was.
        pixels: 0 to 255, shape (n, size, size, 3), n ≥ 1.
        seed: Of the shuffling.

    Returns:
        Spearman's correlation of how far evidence lies from the picture's mean, averaged over the
        pictures. 1 means that the head does not matter.
    """
    cut = cut_detector(model)
    alike: list[float] = []
    for start in range(0, len(pixels), BATCH):
        maps = read_maps(cut, pixels[start : start + BATCH])
        with _shuffled(cut, seed):
            shuffled = evidence_of(cut, maps)
        alike += map(_rank_correlation, evidence_of(cut, maps), shuffled)
    return float(np.mean(alike))


@contextmanager
def _shuffled(cut: CutDetector, seed: int) -> Iterator[None]:
    kernels = [layer.kernel for layer in cut.dense_layers]
    before = [keras.ops.convert_to_numpy(kernel) for kernel in kernels]
    rng = np.random.default_rng(seed)
    try:
        for kernel, values in zip(kernels, before, strict=True):
            kernel.assign(rng.permutation(values.ravel()).reshape(values.shape))
        yield
    finally:
        for kernel, values in zip(kernels, before, strict=True):
            kernel.assign(values)


def _rank_correlation(one: FloatMaps, other: FloatMaps) -> float:
    """Compare two maps; one without any difference in it is no evidence of a dependence."""
    step = max(1, len(one) // _PLACES)
    ranks = [
        rankdata(np.abs(evidence - evidence.mean())[::step, ::step].ravel())
        for evidence in (one, other)
    ]
    if min(np.ptp(rank) for rank in ranks) == 0:
        return 1.0
    return float(np.corrcoef(ranks)[0, 1])

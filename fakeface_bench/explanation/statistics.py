"""Which residual statistics spoke for real or fake: what each group of them adds to the score.

They belong to no place of a picture, so no map can show them.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import numpy.typing as npt

from fakeface_bench.features.residual_statistics import columns_by_group
from fakeface_bench.features.residuals import RESIDUALS
from fakeface_bench.records.study import FloatArray
from fakeface_bench.training.networks import DetectorParts, detector_parts

#: Name of all else that a classifier reads: the maps of its network.
MAPS = "maps of the network"
#: Probabilities nearer to 0 and 1 than float32 tells apart.
_LEAST = 1e-7
_AT_ONCE = 8


def parts_with_statistics(model: keras.Model) -> DetectorParts | None:
    """Take a detector apart whose pass counts residual statistics; None for any other."""
    parts = detector_parts(model)
    return parts if parts is not None and RESIDUALS in parts.names else None


def group_effects(
    parts: DetectorParts, arrays: Mapping[str, npt.NDArray[np.float32]]
) -> Mapping[str, FloatArray]:
    """Return by group how much it moves the log-odds of fake of each picture, (n,).

    A group is taken out by giving every picture the mean of all of them: what its log-odds lose is
    what it had from being different there. Groups that correlate share what they know, so effects
    do not add up.

    Args:
        parts: Of a detector, as `parts_with_statistics` returns them.
        arrays: What its head reads of at least one picture, by name, as many real as fake.

    Returns:
        Nothing where the head reads none of the statistics that are counted.
    """
    given = _log_odds(parts, arrays)
    effects = {}
    for group, columns in columns_by_group().items():
        without = arrays[RESIDUALS].copy()
        without[:, columns] = without[:, columns].mean(axis=0)
        effects[group] = given - _log_odds(parts, {**arrays, RESIDUALS: without})
    if not any(effect.any() for effect in effects.values()):
        return {}
    means = {
        name: np.broadcast_to(array.mean(axis=0), array.shape)
        for name, array in arrays.items()
        if name != RESIDUALS
    }
    of_maps = given - _log_odds(parts, {**arrays, **means})
    return {**effects, **({MAPS: of_maps} if of_maps.any() else {})}


def features_of(
    parts: DetectorParts, pictures: Sequence[npt.NDArray[np.uint8]]
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the feature arrays of pictures, of which a few pass at once: maps are large."""
    passed = []
    for start in range(0, len(pictures), _AT_ONCE):
        pixels = np.stack(pictures[start : start + _AT_ONCE]).astype(np.float32)
        passed.append(parts.features(pixels, training=False))
    return {
        name: np.concatenate([np.asarray(some[name], np.float32) for some in passed])
        for name in parts.names
    }


def _log_odds(parts: DetectorParts, arrays: Mapping[str, npt.NDArray[np.float32]]) -> FloatArray:
    scores = parts.head([arrays[name].astype(np.float16) for name in parts.names], training=False)
    fake = np.clip(np.asarray(scores, np.float64)[:, 0], _LEAST, 1 - _LEAST)
    return np.asarray(np.log(fake) - np.log1p(-fake))

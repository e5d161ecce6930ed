"""One split as a finished model sees it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import FAKE

FloatArray = npt.NDArray[np.float64]
LabelArray = npt.NDArray[np.uint8]

#: Bins of equal width of the probability, in which calibration is judged.
ECE_BINS = 15
#: Begins the name of a part that is a tier; no source's name holds a slash.
TIER_PART = "tier/"


@dataclass(frozen=True, slots=True)
class ScoredSplit:
    """One split as the finished model sees it.

    Attributes:
        y_true: 1 for fake, shape (n,).
        y_score: Probability of fake, within 0 and 1, shape (n,).
        paths: Of the images, relative to their source's folder, length n.
        sources: Name of the dataset that each image comes from, length n.
        tiers: Tier that each image's name states, else empty, length n.
        threshold: Score from which an image is called fake.
        metrics: Rows of `METRICS` by key.
        parts: Figures of one source (its name) or tier (`tier/` and its name) alone, by key;
            empty where there is one source and no tier.
        seconds: Spent on predicting, from what was read of the pictures; 0 where not measured.
        categories: Generator, or what each image shows, length n; none where that is not known.
    """

    y_true: LabelArray
    y_score: FloatArray
    paths: tuple[str, ...]
    sources: tuple[str, ...]
    tiers: tuple[str, ...]
    threshold: float
    metrics: Mapping[str, float]
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    seconds: float = 0.0
    categories: tuple[str, ...] = ()


def part_members(
    y_true: LabelArray, sources: Iterable[str], tiers: Iterable[str]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return which of n images are in each part, the parts named as in MLflow's metrics.

    Parts are the sources, where there are several, and the tiers of fakes, each `tier/` and its
    name.
    """
    source = np.array(list(sources), dtype=object)
    tier = np.where(y_true == FAKE, np.array(list(tiers), dtype=object), "")
    names = sorted(set(source)) if len(set(source)) > 1 else []
    of_tiers = {f"{TIER_PART}{name}": tier == name for name in sorted(set(tier) - {""})}
    return {name: source == name for name in names} | of_tiers

"""One split as a finished model sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
LabelArray = npt.NDArray[np.uint8]


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
    """

    y_true: LabelArray
    y_score: FloatArray
    paths: tuple[str, ...]
    sources: tuple[str, ...]
    tiers: tuple[str, ...]
    threshold: float
    metrics: Mapping[str, float]
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

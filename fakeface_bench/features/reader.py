"""Samples of a split, however the network wants them, and what making them cost."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.publish import CachedArrays
from fakeface_bench.features.balance import sample_weights
from fakeface_bench.features.samples import Samples
from fakeface_bench.records import StageCost


@dataclass(frozen=True, slots=True)
class SplitArrays:
    """All that is read of the rows of one split.

    Attributes:
        arrays: As in `Samples`.
        mirrored: As in `Samples`.
        images: Pictures that were passed through the network, or decoded, for them.
        images_made: Those of them that had to be now.
        amortised_seconds: Spent on the others, by the run that made what was found in the cache.
    """

    arrays: Mapping[str, Any]
    mirrored: Mapping[str, Any] = field(default_factory=dict)
    images: int = 0
    images_made: int = 0
    amortised_seconds: float = 0.0

    def with_arrays(self, cached: CachedArrays) -> "SplitArrays":
        """Return these and some more arrays of the same pictures."""
        return self._charged(cached, arrays={**self.arrays, **cached.arrays})

    def with_mirrored(self, cached: CachedArrays) -> "SplitArrays":
        """Return these and the arrays of the mirrored pictures."""
        return self._charged(cached, mirrored=cached.arrays)

    def _charged(self, cached: CachedArrays, **changes: Mapping[str, Any]) -> "SplitArrays":
        facts = cached.facts
        images, made = int(facts["images"]), 0
        earlier = float(facts.get("known_seconds", 0.0))
        if cached.made_now:
            made = int(facts.get("images_extracted", images))
        else:  # what this process waited for is spent already
            earlier += max(0.0, float(facts["seconds"]) - cached.waited_seconds)
        return replace(
            self,
            **changes,
            images=self.images + images,
            images_made=self.images_made + made,
            amortised_seconds=self.amortised_seconds + earlier,
        )


#: From the name and rows of one split to its arrays.
LoadArrays = Callable[[str, pd.DataFrame], SplitArrays]


class SplitReader:
    """Hands out one split at a time, and only when asked: test stays unread until the end.

    Attributes:
        costs: What reading each split took, by its name.
        images_made: Pictures that had to be passed through the network, or decoded, now.
    """

    def __init__(self, index: ImageIndex, load: LoadArrays, balance: str = "none") -> None:
        self.costs: dict[str, StageCost] = {}
        self.images_made = 0
        self._index = index
        self._load = load
        self._balance = balance

    def read(self, split: str) -> Samples:
        """Return the samples of `train`, `valid` or `test`, in the order of the index.

        Those of train carry their weights.
        """
        started = time.perf_counter()
        rows = self._index.split(split)
        read = self._load(split, rows)
        spent = time.perf_counter() - started
        self.costs[split] = StageCost("extraction", spent, read.amortised_seconds, read.images)
        self.images_made += read.images_made
        weights = sample_weights(rows, self._balance) if split == "train" else None
        return Samples(read.arrays, rows["label"].to_numpy(np.uint8), weights, read.mirrored)

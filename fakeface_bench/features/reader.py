"""Samples of a split, however the network wants them, and what making them cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.publish import CachedArrays
from fakeface_bench.features.balance import sample_weights
from fakeface_bench.features.samples import Samples


@dataclass(frozen=True, slots=True)
class SplitArrays:
    """All that is read of the rows of one split.

    Attributes:
        arrays: As in `Samples`.
        mirrored: As in `Samples`.
        seconds: Spent on making them; for those found in the cache, by the run that made them.
        images_made: Images that had to be passed through the network, or decoded, now.
    """

    arrays: Mapping[str, Any]
    mirrored: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    images_made: int = 0

    def with_arrays(self, cached: CachedArrays) -> "SplitArrays":
        """Return these and some more arrays of the same pictures."""
        return self._charged(cached, arrays={**self.arrays, **cached.arrays})

    def with_mirrored(self, cached: CachedArrays) -> "SplitArrays":
        """Return these and the arrays of the mirrored pictures."""
        return self._charged(cached, mirrored=cached.arrays)

    def _charged(self, cached: CachedArrays, **changes: Mapping[str, Any]) -> "SplitArrays":
        return replace(
            self,
            **changes,
            seconds=self.seconds + float(cached.facts["seconds"]),
            images_made=self.images_made + (int(cached.facts["images"]) if cached.made_now else 0),
        )


#: From the name and rows of one split to its arrays.
LoadArrays = Callable[[str, pd.DataFrame], SplitArrays]


class SplitReader:
    """Hands out one split at a time, and only when asked: test stays unread until the end.

    Attributes:
        seconds: Spent on making the arrays of all splits read so far; for those found in the
            cache, by the run that made them.
        images_made: Images that had to be passed through the network, or decoded, now.
    """

    def __init__(self, index: ImageIndex, load: LoadArrays, balance: str = "none") -> None:
        self.seconds = 0.0
        self.images_made = 0
        self._index = index
        self._load = load
        self._balance = balance

    def read(self, split: str) -> Samples:
        """Return the samples of `train`, `valid` or `test`, in the order of the index.

        Those of train carry their weights.
        """
        rows = self._index.split(split)
        read = self._load(split, rows)
        self.seconds += read.seconds
        self.images_made += read.images_made
        weights = sample_weights(rows, self._balance) if split == "train" else None
        return Samples(read.arrays, rows["label"].to_numpy(np.uint8), weights, read.mirrored)

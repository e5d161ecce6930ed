"""Samples of a split, however the network wants them, and what making them cost."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.publish import CachedArrays
from fakeface_bench.features.balance import sample_weights
from fakeface_bench.features.samples import Samples

#: From the rows of one split to its arrays: `cached_features` or `cached_pixels`, bound.
LoadArrays = Callable[[pd.DataFrame], CachedArrays]


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
        cached = self._load(rows)
        self.seconds += float(cached.facts["seconds"])
        self.images_made += len(rows) if cached.made_now else 0
        weights = sample_weights(rows, self._balance) if split == "train" else None
        return Samples(cached.arrays, rows["label"].to_numpy(np.uint8), weights)

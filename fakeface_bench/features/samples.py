"""One split as rows that training can gather, what each weighs, and what making them cost."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fakeface_bench.data.array_store import CachedArrays
from fakeface_bench.data.index import ImageIndex, made_by
from fakeface_bench.records.ledger import StageCost
from fakeface_bench.records.study import LabelArray


def sample_weights(rows: pd.DataFrame, balance: str) -> npt.NDArray[np.float32] | None:
    """Return the weight of each row in the training loss, 1 on average.

    Args:
        rows: Columns `source` and `label`, for `generators` also `generator` and `category`.
        balance: `classes`: real and fake weigh the same; `sources`: each class of each dataset
            (one with a single class has half the weight of the others); `generators`: both classes,
            each generator among the fakes (those of unknown ones are one a dataset) and each source
            among the real images, by dataset and category; `none`: every image.

    Returns:
        Shape (n,): n over (number of cells × images in the row's cell), as scikit-learn's
        `class_weight="balanced"`, of `generators` within each class; None where every image weighs
        the same.
    """
    if balance == "none":
        return None
    if balance == "generators":
        return _weights_by_generator(rows)
    cells = rows.groupby(["label"] if balance == "classes" else ["source", "label"])["label"]
    weights = len(rows) / (cells.ngroups * cells.transform("size"))
    return weights.to_numpy(np.float32)


def _weights_by_generator(rows: pd.DataFrame) -> npt.NDArray[np.float32]:
    made = made_by(rows)
    sizes = made.groupby([rows["label"], made]).transform("size")
    cells = made.groupby(rows["label"]).transform("nunique")
    weights = len(rows) / (rows["label"].nunique() * cells * sizes)
    return weights.to_numpy(np.float32)


#: A part of a row: an array's name and the columns wanted of it, or all of it.
Part = tuple[str, slice]
EVERYTHING = slice(None)


class ChosenRows:
    """Reads like an array of rows chosen from others, and copies nothing but what it is asked for.

    Args:
        arrays: Arrays of rows of one shape, one after another.
        numbers: Of the chosen among all their rows.
    """

    def __init__(self, arrays: Sequence[Any], numbers: npt.NDArray[np.int64]) -> None:
        self._arrays, self._numbers = arrays, numbers
        self._starts = np.cumsum([0, *(len(array) for array in arrays)])[:-1]

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def shape(self) -> tuple[int, ...]:
        """As of the array that it stands for."""
        return len(self), *self._arrays[0].shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """As of the array that it stands for."""
        kind: np.dtype[Any] = self._arrays[0].dtype
        return kind

    def __getitem__(self, rows: Any) -> npt.NDArray[Any]:
        """Return one row (a number) or several (numbers, or a slice)."""
        wanted = self._numbers[rows]
        numbers = np.atleast_1d(wanted)
        which = np.searchsorted(self._starts, numbers, side="right") - 1
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for place, (array, start) in enumerate(zip(self._arrays, self._starts, strict=True)):
            here = which == place
            if here.any():
                found[here] = array[numbers[here] - start]
        return found[0] if np.ndim(wanted) == 0 else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return all rows."""
        return self[np.arange(len(self))].astype(dtype or self.dtype)


@dataclass(frozen=True, slots=True)
class Samples:
    """Rows of one split.

    Attributes:
        arrays: By name, each with n rows; memory-mapped or decoded on demand, read only where
            asked.
        labels: 1 for fake, shape (n,).
        weights: Of each row in the training loss, shape (n,); None where all weigh the same.
        mirrored: The same arrays of the mirrored pictures, where they are kept.
    """

    arrays: Mapping[str, Any]
    labels: LabelArray
    weights: npt.NDArray[np.float32] | None = None
    mirrored: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def subset(
        self, numbers: npt.NDArray[np.int64], weights: npt.NDArray[np.float32] | None
    ) -> "Samples":
        """Return some of the rows, which are read where they are; `weights` are theirs."""
        return Samples(
            {name: ChosenRows([array], numbers) for name, array in self.arrays.items()},
            self.labels[numbers],
            weights,
            {name: ChosenRows([array], numbers) for name, array in self.mirrored.items()},
        )

    def followed_by(self, other: "Samples", weights: npt.NDArray[np.float32] | None) -> "Samples":
        """Return these rows and then another's, which are read where they are."""
        numbers = np.arange(len(self) + len(other))

        def joined(mine: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, ChosenRows]:
            return {name: ChosenRows([mine[name], others[name]], numbers) for name in mine}

        return Samples(
            joined(self.arrays, other.arrays),
            np.concatenate([self.labels, other.labels]),
            weights,
            joined(self.mirrored, other.mirrored),
        )

    def rows(
        self,
        numbers: npt.NDArray[np.int64],
        parts: Sequence[Part],
        mirror: npt.NDArray[np.bool_] | None = None,
    ) -> npt.NDArray[Any]:
        """Gather rows; several parts are joined along their columns.

        Pixels keep their uint8; features become float32.

        Args:
            mirror: Which of them are read from `mirrored` instead; None for none.
        """
        joined = self.raw(numbers, parts, mirror)
        return joined.astype(np.float32) if joined.dtype == np.float16 else joined

    def raw(
        self,
        numbers: npt.NDArray[np.int64],
        parts: Sequence[Part],
        mirror: npt.NDArray[np.bool_] | None = None,
    ) -> npt.NDArray[Any]:
        """Gather rows as `rows` does, in the type in which they are kept."""
        gathered = {name: self.arrays[name][numbers] for name in {name for name, _ in parts}}
        if mirror is not None and mirror.any():
            for name, values in gathered.items():
                values[mirror] = self.mirrored[name][numbers[mirror]]
        columns = [gathered[name][:, wanted] for name, wanted in parts]
        return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=-1)

    def width_bytes(self, part: Part) -> int:
        """Return how many bytes of each row a part takes."""
        name, wanted = part
        array = self.arrays[name]
        width = len(range(*wanted.indices(array.shape[1])))
        return int(width * np.prod(array.shape[2:], dtype=int) * array.dtype.itemsize)


@dataclass(frozen=True, slots=True)
class Charge:
    """What reading one folder of the cache is charged.

    Attributes:
        images: Pictures that were passed through the network, or decoded, for it.
        images_made: Those of them that had to be now.
        amortised_seconds: Spent on the others, by the run that made what was found in the cache.
        elsewhere_seconds: Of workers, beyond what passed on the wall clock.
    """

    images: int = 0
    images_made: int = 0
    amortised_seconds: float = 0.0
    elsewhere_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SplitArrays:
    """All that is read of the rows of one split.

    Attributes:
        arrays: As in `Samples`.
        mirrored: As in `Samples`.
        charges: By the folder that each was read from.
    """

    arrays: Mapping[str, Any]
    mirrored: Mapping[str, Any] = field(default_factory=dict)
    charges: Mapping[Path, Charge] = field(default_factory=dict)

    def with_arrays(self, cached: CachedArrays) -> "SplitArrays":
        """Return these and some more arrays of the same pictures."""
        return self._charged(cached, arrays={**self.arrays, **cached.arrays})

    def with_mirrored(self, cached: CachedArrays) -> "SplitArrays":
        """Return these and the arrays of the mirrored pictures."""
        return self._charged(cached, mirrored=cached.arrays)

    def _charged(self, cached: CachedArrays, **changes: Mapping[str, Any]) -> "SplitArrays":
        facts = cached.facts
        images, made, elsewhere = int(facts["images"]), 0, 0.0
        earlier = float(facts.get("known_seconds", 0.0))
        if cached.made_now:
            made = int(facts.get("images_extracted", images))
            elsewhere = float(facts.get("elsewhere_seconds", 0.0))
        else:  # what this process waited for is spent already
            earlier += max(0.0, float(facts["seconds"]) - cached.waited_seconds)
        charge = Charge(images, made, earlier, elsewhere)
        return replace(self, **changes, charges={**self.charges, cached.folder: charge})


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
        self._charged: set[Path] = set()
        self._index = index
        self._load = load
        self._balance = balance

    def read(self, split: str, read_as: str = "") -> Samples:
        """Return the samples of `train`, `valid` or `test`, in the order of the index.

        Those of train carry their weights. What was read before is not charged once more.

        Args:
            read_as: The split as which they are read, where that is another: training may see more
                of a picture than validation.
        """
        started = time.perf_counter()
        rows = self._index.split(split)
        read = self._load(read_as or split, rows)
        spent = time.perf_counter() - started
        new = [charge for place, charge in read.charges.items() if place not in self._charged]
        self._charged |= set(read.charges)
        before = self.costs.get(split, StageCost("extraction", 0.0))
        self.costs[split] = StageCost(
            "extraction",
            before.spent_seconds + spent,
            before.amortised_seconds + sum(charge.amortised_seconds for charge in new),
            before.images + sum(charge.images for charge in new),
            before.elsewhere_seconds + sum(charge.elsewhere_seconds for charge in new),
        )
        self.images_made += sum(charge.images_made for charge in new)
        weights = sample_weights(rows, self._balance) if split == "train" else None
        return Samples(read.arrays, rows["label"].to_numpy(np.uint8), weights, read.mirrored)

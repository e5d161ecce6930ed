"""One split as rows that training can gather: arrays on disk, labels beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeface_bench.records import LabelArray

#: A part of a row: an array's name and the columns wanted of it, or all of it.
Part = tuple[str, slice]
EVERYTHING = slice(None)


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

    def rows(
        self,
        numbers: npt.NDArray[np.int64],
        parts: Sequence[Part],
        mirror: npt.NDArray[np.bool_] | None = None,
    ) -> npt.NDArray[Any]:
        """Gather rows; several parts are joined along their columns.

        Pixels keep their uint8; features become float32.

        Args:
            numbers: Of the rows.
            parts: What of each is read.
            mirror: Which of them are read from `mirrored` instead; None for none.
        """
        gathered = {name: self.arrays[name][numbers] for name in {name for name, _ in parts}}
        if mirror is not None and mirror.any():
            for name, values in gathered.items():
                values[mirror] = self.mirrored[name][numbers[mirror]]
        columns = [gathered[name][:, wanted] for name, wanted in parts]
        joined = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=-1)
        return joined.astype(np.float32) if joined.dtype == np.float16 else joined

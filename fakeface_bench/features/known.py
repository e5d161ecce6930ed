"""Features that are known already: of the same network, extracted with another set of images.

A mixture of datasets, a part of one, or one that holds another's pictures costs no second pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fakeface_bench.data.publish import kept_facts

#: One content a line, in the order of the rows of the arrays beside it.
CONTENTS_FILE = "contents.txt"
_ROWS_AT_ONCE = 256

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Known:
    """Rows that another folder holds.

    Attributes:
        folder: Which.
        there: Their numbers in its arrays.
        here: Their numbers among the images that are wanted.
    """

    folder: Path
    there: Rows
    here: Rows

    @property
    def seconds(self) -> float:
        """That were spent on extracting them, by the run that did."""
        return len(self.here) * float(self.facts["seconds_per_image"])

    @property
    def facts(self) -> Mapping[str, Any]:
        """Of the run that extracted them."""
        return kept_facts(self.folder)

    def copy_to(self, targets: Mapping[str, npt.NDArray[Any]]) -> None:
        """Copy the rows of every array, some at a time."""
        for name, target in targets.items():
            held = np.load(self.folder / f"{name}.npy", mmap_mode="r")
            for start in range(0, len(self.here), _ROWS_AT_ONCE):
                some = slice(start, start + _ROWS_AT_ONCE)
                target[self.here[some]] = held[self.there[some]]


def known_elsewhere(network: Path, digests: Sequence[str]) -> tuple[list[Known], Rows]:
    """Find which images' features other folders of the same network hold.

    Args:
        network: Folder of all features that one network has made.
        digests: Of the contents of the images that are wanted.

    Returns:
        The rows to be had from each folder, and the numbers of the images that none holds.
    """
    wanted = pd.Index(digests)
    missing = np.arange(len(wanted))
    found = []
    for contents in sorted(network.glob(f"*/{CONTENTS_FILE}")):
        if contents.parent.name.startswith(".") or not len(missing):
            continue
        held = pd.Index(contents.read_text().split())
        first = np.flatnonzero(~held.duplicated())  # a file may lie there twice
        there = held[first].get_indexer(wanted[missing])
        has = there >= 0
        if has.any():
            found.append(Known(contents.parent, first[there[has]], missing[has]))
            missing = missing[~has]
    return found, missing

"""Features that are known already: of the same network, extracted with another set of images.

A mixture of datasets, a part of one, or one that holds another's pictures costs no second pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fakeface_bench.data.checksums import fault_of
from fakeface_bench.data.publish import Tell, kept_facts
from fakeface_bench.data.row_file import Rows
from fakeface_bench.data.rows import RowArrays

#: One content a line, in the order of the rows of the arrays beside it.
CONTENTS_FILE = "contents.txt"
_ROWS_AT_ONCE = 256


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

    def copy_to(self, arrays: RowArrays) -> None:
        """Copy the rows of every array, some at a time."""
        held = {
            path.stem: np.load(path, mmap_mode="r") for path in sorted(self.folder.glob("*.npy"))
        }
        for start in range(0, len(self.here), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            there = self.there[some]
            arrays.copy(self.here[some], {name: of[there] for name, of in held.items()})


def known_elsewhere(
    network: Path, digests: Sequence[str], missing: Rows, tell: Tell
) -> tuple[list[Known], Rows]:
    """Find which images' features other folders of the same network hold.

    Args:
        network: Folder of all features that one network has made.
        digests: Of the contents of all images.
        missing: Numbers of those that are wanted.
        tell: Told of a folder that is broken; nothing is taken out of it.

    Returns:
        The rows to be had from each folder, and the numbers of the images that none holds.
    """
    wanted = pd.Index(digests)
    found = []
    for contents in sorted(network.glob(f"*/{CONTENTS_FILE}")):
        folder = contents.parent
        if folder.name.startswith(".") or not len(missing):
            continue
        held = pd.Index(contents.read_text(errors="replace").split())
        first = np.flatnonzero(~held.duplicated())  # a file may lie there twice
        there = held[first].get_indexer(wanted[missing])
        has = there >= 0
        if not has.any():
            continue
        if fault := fault_of(folder):
            tell(f"nothing is taken out of the cache folder {folder}, which is broken: {fault}")
            continue
        found.append(Known(folder, first[there[has]], missing[has]))
        missing = missing[~has]
    return found, missing

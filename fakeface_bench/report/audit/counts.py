"""What an audit found, counted once: every sentence, metric and table of figures reads these."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.layout import SPLITS

UNREADABLE = "unreadable"
BOTH_LABELS = "both labels"
COPY = "copy of a held-out image"

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Some of the pairs of duplicates, and what becomes of their images.

    Attributes:
        pairs: Number of pairs.
        leaving: Images among them left out as copies of held-out images, by split.
        both_used: Pairs of which a study would use both images.
    """

    pairs: int
    leaving: Mapping[str, int]
    both_used: int


@dataclass(frozen=True, slots=True)
class Counts:
    """The single figures of an audit.

    Attributes:
        found: Image files, readable or not.
        images: Those that a study would use.
        cells: Those by split and label, zeros included.
        left_out: The others by reason.
        wrong_extensions: Files whose name promises another format.
        animated: Files of several frames.
        skipped: Paths that were not read as images.
        identical_within: Pairs of equal bytes in one split.
        identical_across: Pairs of equal bytes in two splits.
        near_within: Similar or mirrored pairs in one split.
        near_across: Similar or mirrored pairs in two splits.
        opposite_near: Similar or mirrored pairs of a real and a fake image.
        opposite_identical: Pairs of equal bytes with both labels.
    """

    found: int
    images: int
    cells: Mapping[tuple[str, int], int]
    left_out: Mapping[str, int]
    wrong_extensions: int
    animated: int
    skipped: int
    identical_within: PairCounts
    identical_across: PairCounts
    near_within: PairCounts
    near_across: PairCounts
    opposite_near: PairCounts
    opposite_identical: PairCounts

    @property
    def unreadable(self) -> int:
        """Files that cannot be decoded."""
        return self.left_out.get(UNREADABLE, 0)

    @property
    def pairs(self) -> int:
        """All pairs of duplicates."""
        return sum(
            some.pairs
            for some in (
                *(self.identical_within, self.identical_across),
                *(self.near_within, self.near_across),
            )
        )

    def of_split(self, split: str) -> tuple[int, int]:
        """Return the numbers of real and fake images of a split."""
        return self.cells[split, 0], self.cells[split, 1]


def used(audit: Audit) -> pd.DataFrame:
    """Return the files that a study would use."""
    return audit.files[audit.files["left_out"] == ""]


def count(audit: Audit) -> Counts:
    """Count all that an audit found."""
    files, pairs = audit.files, audit.pairs
    identical = (pairs["kind"] == "identical").to_numpy(dtype=bool)
    across = pairs["across_splits"].to_numpy(dtype=bool)
    opposite = pairs["opposite_labels"].to_numpy(dtype=bool)
    left_out = files.loc[files["left_out"] != "", "left_out"].value_counts()
    return Counts(
        found=len(files),
        images=len(files) - int(left_out.sum()),
        cells=_cells(used(audit)),
        left_out={str(reason): int(number) for reason, number in left_out.items()},
        wrong_extensions=int(files["wrong_extension"].sum()),
        animated=int((files["frames"] > 1).sum()),
        skipped=len(audit.skipped),
        identical_within=_pair_counts(audit, identical & ~across),
        identical_across=_pair_counts(audit, identical & across),
        near_within=_pair_counts(audit, ~identical & ~across),
        near_across=_pair_counts(audit, ~identical & across),
        opposite_near=_pair_counts(audit, ~identical & opposite),
        opposite_identical=_pair_counts(audit, identical & opposite),
    )


def cell_name(split: str, label: int) -> str:
    """Name a split's class, as `train_fake`."""
    return f"{split}_{CLASS_NAMES[label]}"


def _cells(files: pd.DataFrame) -> dict[tuple[str, int], int]:
    sizes = files.groupby(["split", "label"]).size()
    return {
        (split, label): int(sizes.get((split, label), 0))
        for split in SPLITS
        for label in range(len(CLASS_NAMES))
    }


def _pair_counts(audit: Audit, chosen: Mask) -> PairCounts:
    ends = audit.pairs.loc[chosen, ["first", "second"]].to_numpy(dtype=np.int64)
    reasons = audit.files["left_out"].to_numpy(dtype=object)
    among = audit.files.iloc[np.unique(ends)]
    leaving = among.loc[among["left_out"] == COPY, "split"].value_counts()
    return PairCounts(
        pairs=len(ends),
        leaving={split: int(leaving[split]) for split in SPLITS if split in leaving.index},
        both_used=int((reasons[ends] == "").all(axis=1).sum()),
    )

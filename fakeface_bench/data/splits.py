"""Divides images into train, valid and test without ever dividing a group."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.errors import DataError

#: Numbers the draw of groups that hold both labels, after those of one label each.
_BOTH = len(CLASS_NAMES)
#: Numbers the order in which groups are moved to a split that lacks them.
_MOVED = _BOTH + 1
#: The order in which splits get what they lack.
_FILLED = ("test", "valid", "train")


@dataclass(frozen=True, slots=True)
class SplitFractions:
    """Requested shares of the splits, adding up to 1; a split of no share is not made."""

    train: float = 0.70
    valid: float = 0.15
    test: float = 0.15

    def among(self, *splits: str) -> "SplitFractions":
        """Return the shares of some splits alone, in the same proportion."""
        shares = {split: getattr(self, split) for split in splits}
        return SplitFractions(
            **{split: shares.get(split, 0.0) / sum(shares.values()) for split in SPLITS}
        )

    @property
    def wanted(self) -> tuple[str, ...]:
        """The splits that are made."""
        return tuple(split for split in SPLITS if getattr(self, split))


def split_by_group(index: pd.DataFrame, fractions: SplitFractions, seed: int) -> pd.DataFrame:
    """Label each image train, valid or test, never dividing a group between two splits.

    Whole groups are drawn within each label, and those that hold both labels among themselves, so
    realised fractions are close to, not equal to, the request; a group of copies larger than the
    share of test goes to train. A split that would lack a label gets a small group from where
    others remain. The result depends on groups, labels and seed, not on the order of rows.

    Args:
        index: Columns `label` and `group`.
        fractions: Requested shares.
        seed: Of the draw.

    Returns:
        A copy with the column `split` set.

    Raises:
        DataError: If any split would hold a single class.
    """
    labels = index.groupby("group")["label"].nunique()
    drawn_with = index["label"].where(index["group"].map(labels) == 1, _BOTH)
    split = pd.Series("", index=index.index, dtype="str")
    for stratum, rows in index.groupby(drawn_with):
        rng = np.random.default_rng([seed, int(str(stratum))])
        split.loc[rows.index] = rows["group"].map(_drawn(rows["group"], fractions, rng))
    result = _filled(index.assign(split=split), fractions.wanted, seed)
    counts = result.groupby("split")["label"].nunique()
    for name in fractions.wanted:
        if counts.get(name, 0) < len(CLASS_NAMES):
            wanted = len(fractions.wanted)
            raise DataError(f"split {name!r} would lack a class: {too_few(index, wanted)}.")
    return result


def too_few(index: pd.DataFrame, splits: int = len(SPLITS)) -> str:
    """Say which classes show too few different pictures for so many splits, and what is needed.

    Args:
        index: Columns `label` and `group`.
        splits: How many have to hold both classes.
    """
    needed = f"{splits} of each class are needed, and copies of one picture count once"
    short = []
    for label, name in enumerate(CLASS_NAMES):
        rows = index[index["label"] == label]
        if (pictures := rows["group"].nunique()) < splits:
            what = "picture" if pictures == 1 else "pictures"
            files = "" if len(rows) == pictures else f" (in {len(rows):,} files)"
            short.append(f"{pictures:,} different {name} {what}{files}")
    if short:
        return f"it shows {' and '.join(short)}; {needed}"
    return f"its copies hang together in {index['group'].nunique():,} groups; {needed}"


def _drawn(
    groups: pd.Series, fractions: SplitFractions, rng: np.random.Generator
) -> Mapping[str, str]:
    """Draw the split of each group, by the groups of all images that are drawn together."""
    sizes = groups.groupby(groups).size().sort_index()
    rest = "train" if fractions.train else "valid"
    least = min(getattr(fractions, split) for split in fractions.wanted if split != "train")
    too_large = (sizes > 1) & (sizes > least * len(groups))
    large = dict.fromkeys(sizes.index[too_large], rest)
    sizes = sizes[~too_large]
    sizes = sizes.iloc[rng.permutation(len(sizes))]
    middle = (sizes.cumsum() - sizes / 2) / sizes.sum()
    held_out = np.where(middle < fractions.test + fractions.valid, "valid", rest)
    names = np.where(middle < fractions.test, "test", held_out)
    return large | dict(zip(sizes.index, names, strict=True))


def _filled(index: pd.DataFrame, wanted: tuple[str, ...], seed: int) -> pd.DataFrame:
    """Move groups to splits that lack a label, from splits where others have it."""
    there = index.groupby("split")["label"].nunique()
    if all(there.get(name, 0) == len(CLASS_NAMES) for name in wanted):
        return index
    holds = pd.crosstab(index["group"], index["label"]) > 0
    sizes = index.groupby("group").size()
    placed = index.groupby("group")["split"].first()
    ranks = np.random.default_rng([seed, _MOVED]).permutation(len(sizes))
    for name in (split for split in _FILLED if split in wanted):
        for label in holds.columns:
            if holds.loc[placed == name, label].any():
                continue
            # Of each group: how many of its split hold each label.
            beside = holds.groupby(placed).sum().loc[placed].set_axis(placed.index)
            spare = holds[label] & ((beside > 1) | ~holds).all(axis=1)
            free = pd.DataFrame({"beside": -beside[label], "size": sizes, "rank": ranks})[spare]
            if len(free):
                placed[free.sort_values(["beside", "size", "rank"]).index[0]] = name
    return index.assign(split=index["group"].map(placed).astype("str"))

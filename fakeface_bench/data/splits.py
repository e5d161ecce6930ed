"""Divides images into train, valid and test without ever dividing a group."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fakeface_bench.errors import DataError


@dataclass(frozen=True, slots=True)
class SplitFractions:
    """Requested shares of the splits, adding up to 1."""

    train: float = 0.70
    valid: float = 0.15
    test: float = 0.15


def split_by_group(index: pd.DataFrame, fractions: SplitFractions, seed: int) -> pd.DataFrame:
    """Label each image train, valid or test, never dividing a group between two splits.

    Whole groups are drawn within each label, so realised fractions are close to, not equal to,
    the request; a group of copies larger than the share of test goes to train. The result depends
    on groups, labels and seed, not on the order of rows.

    Args:
        index: Columns `label` and `group`; a group has one label.
        fractions: Requested shares.
        seed: Of the draw.

    Returns:
        A copy with the column `split` set.

    Raises:
        DataError: If any split would hold a single class.
    """
    split = pd.Series("", index=index.index, dtype="str")
    for label, rows in index.groupby("label"):
        sizes = rows.groupby("group").size().sort_index()
        too_large = (sizes > 1) & (sizes > min(fractions.test, fractions.valid) * len(rows))
        split.loc[rows.index] = "train"
        rows = rows[~rows["group"].map(too_large)]
        sizes = sizes[~too_large]
        order = np.random.default_rng([seed, int(str(label))]).permutation(len(sizes))
        sizes = sizes.iloc[order]
        middle = (sizes.cumsum() - sizes / 2) / sizes.sum()
        names = np.where(
            middle < fractions.test,
            "test",
            np.where(middle < fractions.test + fractions.valid, "valid", "train"),
        )
        split.loc[rows.index] = rows["group"].map(dict(zip(sizes.index, names, strict=True)))
    result = index.assign(split=split)
    counts = result.groupby("split")["label"].nunique()
    for name in ("train", "valid", "test"):
        if counts.get(name, 0) < 2:
            raise DataError(
                f"{len(index)} images in {index['group'].nunique()} groups are too few: split "
                f"{name!r} would not hold both classes."
            )
    return result

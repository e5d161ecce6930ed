"""Compares the classes by facts of their files, which may tell them apart without a picture."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fakeface_bench.config import CLASS_NAMES

#: The facts that are one of a few values, in the order in which they are told.
FACTS = {
    "format": "file format",
    "mode": "colour mode",
    "dimensions": "size in pixels",
    "quantisation": "JPEG quantisation table",
    "subsampling": "chroma subsampling",
    "progressive": "progressive JPEG",
    "exif": "EXIF data",
    "icc": "ICC profile",
}
#: Smallest difference between the classes worth a word.
_WORTH_A_WORD = 0.05


@dataclass(frozen=True)
class Fact:
    """How often each class has each value of a fact.

    Attributes:
        key: Of `FACTS`.
        counts: Columns `real` and `fake`, a row a value, the most frequent first.
    """

    key: str
    counts: pd.DataFrame

    @property
    def name(self) -> str:
        """The fact in words."""
        return FACTS[self.key]

    @property
    def shares(self) -> pd.DataFrame:
        """Share of each value in its class; 0 for a class without images."""
        return self.counts / self.counts.sum().clip(lower=1)

    @property
    def difference(self) -> float:
        """Share of one class that would have to change for the classes to be alike, 0 to 1.

        This is the total variation distance of the two distributions.
        """
        shares = self.shares
        return float((shares["real"] - shares["fake"]).abs().sum() / 2)

    @property
    def differs(self) -> bool:
        """Whether the classes differ by more than they would if drawn alike.

        Drawn alike, a value of share p differs by sqrt(2 p (1 - p) (1/n + 1/m) / pi) on average
        (the mean of a folded normal distribution); twice the sum is held to be no chance. Many
        rare values differ much by chance alone, so no fixed limit would do.
        """
        sizes = self.counts.sum()
        if (sizes == 0).any():
            return False
        share = self.counts.sum(axis=1) / sizes.sum()
        apart = np.sqrt(2 * share * (1 - share) * (1 / sizes).sum() / np.pi).sum() / 2
        return self.difference > max(2 * float(apart), _WORTH_A_WORD)

    @property
    def most_telling(self) -> str:
        """The value whose share differs most between the classes; `yes` of yes and no."""
        shares = self.shares
        if "yes" in shares.index:
            return "yes"
        return str((shares["real"] - shares["fake"]).abs().idxmax())


def facts_of(files: pd.DataFrame) -> tuple[Fact, ...]:
    """Count the values of every fact; those of JPEG alone are counted among JPEG files."""
    shown = pd.DataFrame(dict(_texts(files)), index=files.index)
    is_jpeg = files["format"] == "JPEG"
    among = {key: is_jpeg for key in ("quantisation", "subsampling", "progressive")}
    return tuple(
        Fact(key, _counts(shown.loc[among[key], key] if key in among else shown[key], files))
        for key in FACTS
    )


def fact_named(facts: tuple[Fact, ...], key: str) -> Fact:
    """Return the fact of a key."""
    return next(fact for fact in facts if fact.key == key)


def _texts(files: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """Yield each fact as a column of texts."""
    for key in FACTS:
        if key == "dimensions":
            yield key, files["width"].astype("str") + "×" + files["height"].astype("str")
        elif key in ("progressive", "exif", "icc"):
            yield key, files[key].map({True: "yes", False: "no"})
        else:
            yield key, files[key].replace("", "none")


def _counts(values: pd.Series, files: pd.DataFrame) -> pd.DataFrame:
    """Count values by class, the most frequent first, equally frequent ones by name."""
    by_label = values.groupby([values, files["label"].reindex(values.index)]).size()
    table = by_label.unstack(fill_value=0).reindex(columns=range(len(CLASS_NAMES)), fill_value=0)
    table = table.set_axis(list(CLASS_NAMES), axis="columns").rename_axis(index="value")
    order = (-table.sum(axis=1)).argsort(kind="stable")
    return table.iloc[order].astype(np.int64)

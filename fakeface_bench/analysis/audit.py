"""What an audit found, counted once, and how the files of the two classes compare."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.duplicates import MOST_PAIRS
from fakeface_bench.data.selection import (
    HELD_OUT_COPY,
    UNREADABLE,
    Loss,
    counts_of_twins,
    losses,
)

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
    def strongest(self) -> str:
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


Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Some of the pairs of duplicates, and what becomes of their images.

    Attributes:
        at_least: Whether there may be more: only a connected set of many copies is listed.
        leaving: Images among them left out as copies of held-out images, by split.
        both_used: Pairs of which a study would use both images.
    """

    pairs: int
    at_least: bool
    leaving: Mapping[str, int]
    both_used: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many images, files and pairs an audit found, by what is wrong with them.

    Attributes:
        cells: Those by split and label, zeros included.
        unsplit: Numbers of real and fake ones by source, of sources too small to be split.
        skipped: Paths that were not read as images.
        identical: Pairs of equal bytes, or at least pixels.
        near_within: Those in one split with one label.
        contradicting: Pairs of equal pixels with both labels.
        manipulated: Similar or mirrored pairs of a real and a fake image.
        twins: Pairs of different pictures that show one face.
        test_twins: Test images that have a twin in train or valid, by the name of their class.
        losses: As `data.selection.losses` returns them.
        unplaced: Pairs of which an image is in no split.
        leaving_otherwise: Copies of held-out images left out that stand in no pair across splits:
            a chain of copies leads there.
    """

    found: int
    images: int
    cells: Mapping[tuple[str, int], int]
    unsplit: Mapping[str, tuple[int, int]]
    left_out: Mapping[str, int]
    wrong_extensions: int
    animated: int
    skipped: int
    identical: PairCounts
    identical_within: PairCounts
    identical_across: PairCounts
    near: PairCounts
    near_within: PairCounts
    near_across: PairCounts
    contradicting: PairCounts
    manipulated: PairCounts
    twins: PairCounts
    twins_across: PairCounts
    test_twins: Mapping[str, int]
    losses: tuple[Loss, ...]
    unplaced: int
    leaving_otherwise: int

    @property
    def unreadable(self) -> int:
        """Files that cannot be decoded."""
        return self.left_out.get(UNREADABLE, 0)

    @property
    def pairs(self) -> int:
        """All listed pairs of duplicates."""
        return self.identical.pairs + self.near.pairs + self.twins.pairs

    def of_split(self, split: str) -> tuple[int, int]:
        """Return the numbers of real and fake images of a split."""
        return self.cells[split, 0], self.cells[split, 1]


def count(audit: Audit) -> Counts:
    """Count all that an audit found."""
    files, pairs = audit.files, audit.pairs
    identical, twin = (
        (pairs["kind"] == kind).to_numpy(dtype=bool) for kind in ("identical", "twin")
    )
    near = ~identical & ~twin
    across = pairs["across_splits"].to_numpy(dtype=bool)
    opposite = pairs["opposite_labels"].to_numpy(dtype=bool)
    within = ~across & _are_placed(audit)
    of_many = _are_of_many(audit, identical)
    left_out = files.loc[files["left_out"] != "", "left_out"].value_counts()
    chosen = {
        "identical": identical,
        "identical_within": identical & within,
        "identical_across": identical & across,
        "near": near,
        "near_within": near & within & ~opposite,
        "near_across": near & across,
        "contradicting": identical & opposite,
        "manipulated": near & opposite,
        "twins": twin,
        "twins_across": twin & across,
    }
    return Counts(
        found=len(files),
        images=len(files) - int(left_out.sum()),
        cells=_cells(audit.used),
        unsplit=_unsplit(audit.used),
        left_out={str(reason): int(number) for reason, number in left_out.items()},
        wrong_extensions=int(files["wrong_extension"].sum()),
        animated=int((files["frames"] > 1).sum()),
        skipped=len(audit.skipped),
        unplaced=int((~across & ~within).sum()),
        leaving_otherwise=_leaving_otherwise(audit, across),
        test_twins=counts_of_twins(audit.used),
        losses=losses(files),
        **{name: _pair_counts(audit, mask, of_many) for name, mask in chosen.items()},
    )


def cell_name(split: str, label: int) -> str:
    """Name a split's class, as `train_fake`."""
    return f"{split}_{CLASS_NAMES[label]}"


def pairs_of_many(audit: Audit) -> Mask:
    """Tell of each pair whether there may be more like it than are listed."""
    return _are_of_many(audit, (audit.pairs["kind"] == "identical").to_numpy(dtype=bool))


def _cells(files: pd.DataFrame) -> dict[tuple[str, int], int]:
    sizes = files.groupby(["split", "label"]).size()
    return {
        (split, label): int(sizes.get((split, label), 0))
        for split in SPLITS
        for label in range(len(CLASS_NAMES))
    }


def _unsplit(files: pd.DataFrame) -> dict[str, tuple[int, int]]:
    of_source = files[files["split"] == ""].groupby("source")["label"]
    return {
        str(source): (int((labels == 0).sum()), int((labels == 1).sum()))
        for source, labels in of_source
    }


def _ends(audit: Audit, chosen: Mask) -> npt.NDArray[np.int64]:
    """Return the row numbers of the files of pairs, shape (pairs, 2)."""
    return audit.pairs.loc[chosen, ["first", "second"]].to_numpy(dtype=np.int64)


def _are_placed(audit: Audit) -> Mask:
    """Tell of each pair whether both files are in a split."""
    every = np.ones(len(audit.pairs), bool)
    split = audit.files["split"].to_numpy(dtype=object)
    return np.asarray((split[_ends(audit, every)] != "").all(axis=1), dtype=bool)


def _are_of_many(audit: Audit, identical: Mask) -> Mask:
    """Tell of each pair whether a file of it stands in so many that others are not listed."""
    of_many = np.zeros(len(audit.pairs), bool)
    for kind in (identical, ~identical):
        ends = _ends(audit, kind)
        times = np.bincount(ends.ravel(), minlength=len(audit.files))
        of_many[kind] = (times[ends] >= MOST_PAIRS).any(axis=1)
    return of_many


def _leaving_otherwise(audit: Audit, across: Mask) -> int:
    leaving = np.flatnonzero(audit.files["left_out"] == HELD_OUT_COPY)
    return len(np.setdiff1d(leaving, _ends(audit, across)))


def _pair_counts(audit: Audit, chosen: Mask, of_many: Mask) -> PairCounts:
    ends = _ends(audit, chosen)
    reasons = audit.files["left_out"].to_numpy(dtype=object)
    among = audit.files.iloc[np.unique(ends)]
    leaving = among.loc[among["left_out"] == HELD_OUT_COPY, "split"].value_counts()
    return PairCounts(
        pairs=len(ends),
        at_least=bool(of_many[chosen].any()),
        leaving={split: int(leaving[split]) for split in SPLITS if split in leaving.index},
        both_used=int((reasons[ends] == "").all(axis=1).sum()),
    )

"""A dataset as one table: path, label, split, group and content digest of every image."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.files import inspect_files
from fakeface_bench.data.layout import SPLITS, ClassFolder, find_class_folders, image_files
from fakeface_bench.data.splits import SplitFractions, split_by_group
from fakeface_bench.errors import DataError
from fakeface_bench.progress import Progress

#: Above this share of unreadable images a split is taken for broken.
MAX_UNREADABLE = 0.05


@dataclass(frozen=True)
class ImageIndex:
    """The images of one dataset, in an order that depends on their contents alone.

    Attributes:
        name: Of the dataset, for people.
        root: Absolute folder that the paths are relative to.
        frame: Columns `path`, `label` (fake = 1), `split`, `group`, `digest`; sorted by split
            and digest.
        unreadable: Number of files left out because they cannot be decoded.
        conflicts: Number of files left out because a byte-identical one has the other label.
        leaks: Number of train images left out because valid or test holds the same bytes, and
            of valid images left out because test does.
    """

    name: str
    root: Path
    frame: pd.DataFrame
    unreadable: int
    conflicts: int
    leaks: int

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the contents and labels of all images, not their paths or order."""
        return _digest(self.frame[["digest", "label"]])

    def split_digest(self, split: str) -> str:
        """SHA-256 over the contents and labels of one split."""
        return self._split_digests[split]

    @cached_property
    def _split_digests(self) -> dict[str, str]:
        return {name: _digest(self.split(name)[["digest", "label"]]) for name in SPLITS}

    def split(self, name: str) -> pd.DataFrame:
        """Return the rows of one split."""
        return self.frame[self.frame["split"] == name].reset_index(drop=True)


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How to read a dataset: `limit` images per split and class (0 = all), `seed` of a split."""

    limit: int = 0
    seed: int = 0


def build_index(name: str, root: Path, options: IndexOptions, progress: Progress) -> ImageIndex:
    """Read a folder of real and fake faces into an index.

    Unreadable files are named in a warning and left out; so are byte-identical images with both
    labels, and images whose bytes a later split (of train, valid, test) holds as well: a copy in
    train would be learned by heart, a copy in valid would let test choose among the trials.

    Raises:
        DataError: If the folder's layout is not understood, a class or split is empty, or more
            than 5 % of a split cannot be read.
    """
    table = _read_table(root, find_class_folders(root), progress)
    readable = table[table["error"] == ""]
    _report_unreadable(table, progress)
    conflicting = readable.groupby("digest")["label"].transform("nunique") > 1
    frame = readable[~conflicting].assign(group=lambda rows: rows["digest"])
    _require_both_classes(frame.assign(split="dataset"), root)
    if frame["split"].isna().all():
        frame = split_by_group(frame, SplitFractions(), options.seed)
    leaking = _is_in_a_later_split(frame)
    frame = frame[~leaking].sort_values(["split", "digest", "path"])
    if options.limit:
        frame = frame.groupby(["split", "label"]).head(options.limit)
    _require_both_classes(frame, root)
    index = ImageIndex(
        name=name,
        root=root,
        frame=frame[["path", "label", "split", "group", "digest"]].reset_index(drop=True),
        unreadable=len(table) - len(readable),
        conflicts=int(conflicting.sum()),
        leaks=int(leaking.sum()),
    )
    _report_left_out(index, progress)
    return index


def _read_table(root: Path, folders: Iterable[ClassFolder], progress: Progress) -> pd.DataFrame:
    files = [(path, folder) for folder in folders for path in image_files(folder.path)]
    if not files:
        raise DataError(f"the class folders of {root} hold no JPEG, PNG or WebP image.")
    table = inspect_files(root, [path for path, _ in files], progress)
    return table.assign(
        label=[folder.label for _, folder in files],
        split=pd.Series([folder.split for _, folder in files], dtype="str"),
    )


def _report_unreadable(table: pd.DataFrame, progress: Progress) -> None:
    broken = table[table["error"] != ""]
    for row in broken.head(10).itertuples():
        progress.warn(f"left out {row.path!r}: {row.error}")
    if len(broken) > 10:
        progress.warn(f"left out {len(broken) - 10} more unreadable images")
    split = table["split"].fillna("dataset")
    shares = (table["error"] != "").groupby(split).mean()
    for name, share in shares[shares > MAX_UNREADABLE].items():
        first = broken[split[broken.index] == name].iloc[0]["path"]
        raise DataError(
            f"{share:.0%} of the images of {name!r} cannot be read (the first: "
            f"{first!r}); up to {MAX_UNREADABLE:.0%} are left out, more means "
            "a broken download."
        )


def _is_in_a_later_split(frame: pd.DataFrame) -> pd.Series:
    order = frame["split"].map(SPLITS.index)
    return order < order.groupby(frame["digest"]).transform("max")


def _require_both_classes(frame: pd.DataFrame, root: Path) -> None:
    counts = frame.groupby(["split", "label"]).size()
    names = SPLITS if set(frame["split"]) != {"dataset"} else ("dataset",)
    for split in names:
        for label, class_name in enumerate(CLASS_NAMES):
            if counts.get((split, label), 0) == 0:
                raise DataError(f"no readable {class_name} image in {split!r} of {root}.")


def _report_left_out(index: ImageIndex, progress: Progress) -> None:
    if index.conflicts:
        progress.warn(f"left out {index.conflicts} images whose bytes carry both labels")
    if index.leaks:
        progress.warn(
            f"left out {index.leaks} train or valid images that test (or valid) holds as well"
        )


def _digest(rows: pd.DataFrame) -> str:
    lines = sorted(f"{row.digest} {row.label}" for row in rows.itertuples())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

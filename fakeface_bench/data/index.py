"""A dataset as one table: path, label, split, group and content digest of every image."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.layout import SPLITS
from fakeface_bench.data.selection import BOTH_LABELS, HELD_OUT_COPY, UNREADABLE, unreadable_shares
from fakeface_bench.data.survey import NAMED_PARTS, Survey
from fakeface_bench.errors import DataError, UsageError
from fakeface_bench.progress import Progress

#: Above this share of unreadable images a split is taken for broken.
MAX_UNREADABLE = 0.05
#: Warnings that name a file each; the rest are counted.
_NAMED_FILES = 10

_COLUMNS = ["source", "path", "label", "split", "group", "digest", *NAMED_PARTS]


@dataclass(frozen=True)
class ImageIndex:
    """The images that a study uses, in an order that depends on their contents alone.

    Attributes:
        name: Of the dataset, for people.
        folders: Absolute folder of each source, by its name.
        frame: Columns `source`, `path` (relative to the source's folder), `label` (fake = 1),
            `split`, `group`, `digest`, `tier`, `eyes`, `nose`, `mouth`; sorted by split and digest.
    """

    name: str
    folders: Mapping[str, Path]
    frame: pd.DataFrame

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the contents and labels of all images, not their paths or order."""
        return content_digest(self.frame[["digest", "label"]])

    @cached_property
    def source_digests(self) -> list[str]:
        """The same of each source alone, in no order: which images come together."""
        frame = self.frame
        return sorted(content_digest(rows) for _, rows in frame.groupby("source"))

    def split_digest(self, split: str) -> str:
        """SHA-256 over the contents and labels of one split."""
        return self._split_digests[split]

    @cached_property
    def _split_digests(self) -> dict[str, str]:
        return {name: content_digest(self.split(name)[["digest", "label"]]) for name in SPLITS}

    def split(self, name: str) -> pd.DataFrame:
        """Return the rows of one split."""
        return self.frame[self.frame["split"] == name].reset_index(drop=True)

    def files(self, rows: pd.DataFrame) -> list[Path]:
        """Return the absolute path of each row."""
        return [
            self.folders[source] / path
            for source, path in zip(rows["source"], rows["path"], strict=True)
        ]


def index_name(data: str, left_out: Sequence[str]) -> str:
    """Return what a dataset is called of which some tiers or sources are left out."""
    return f"{data} without {' and '.join(left_out)}" if left_out else data


def build_index(
    survey: Survey,
    files: pd.DataFrame,
    limit: int,
    progress: Progress,
    left_out: Sequence[str] = (),
) -> ImageIndex:
    """Keep of a survey what a study uses; what is left out is named or counted in a warning.

    Args:
        survey: Its files.
        files: The same with their splits, as `data.selection.select_files` returns them.
        limit: At most this many images per split and class; 0 for all.
        progress: Warned of all that is left out.
        left_out: Names of sources and tiers whose images are not used; the others keep the splits
            that they have beside them.

    Raises:
        UsageError: If no source or tier has such a name.
        DataError: If a class of a split is empty, or more than 5 % of a split cannot be read.
    """
    report_skipped(survey, progress)
    report_unreadable(files, progress)
    _report_copies(files, progress)
    frame = _without(files[files["left_out"] == ""], left_out)
    frame = frame.sort_values(["split", "digest", "source", "path"])
    if limit:
        frame = frame.groupby(["split", "label"]).head(limit)
    _require_splits(frame)
    name = index_name(survey.name, left_out)
    _require_both_classes(frame, name)
    return indexed(survey, name, frame)


def indexed(survey: Survey, name: str, rows: pd.DataFrame) -> ImageIndex:
    """Return rows of a survey's files as an index, in their order."""
    folders = {source.name: source.folder for source in survey.sources}
    return ImageIndex(name, folders, rows[_COLUMNS].reset_index(drop=True))


def _without(files: pd.DataFrame, left_out: Sequence[str]) -> pd.DataFrame:
    known = sorted({*files["source"], *files["tier"]} - {""})
    for name in left_out:
        if name not in known:
            raise UsageError(
                f"leave_out {name!r} is no source or tier of this dataset; there is "
                f"{', '.join(known)}."
            )
    return files[~files["source"].isin(left_out) & ~files["tier"].isin(left_out)]


def report_skipped(survey: Survey, progress: Progress) -> None:
    """Name the files that were not read, or how many there are."""
    for row in survey.skipped.head(_NAMED_FILES).itertuples():
        progress.warn(f"not read: {row.path!r}: {row.reason}")
    if len(survey.skipped) > _NAMED_FILES:
        progress.warn(f"{len(survey.skipped) - _NAMED_FILES} more files were not read")


def report_unreadable(files: pd.DataFrame, progress: Progress) -> None:
    """Name the files that cannot be decoded, or how many there are.

    Raises:
        DataError: If they are more than 5 % of a split.
    """
    broken = files[files["left_out"] == UNREADABLE]
    for row in broken.head(_NAMED_FILES).itertuples():
        progress.warn(f"left out {row.path!r} of {row.source}: {row.error}")
    if len(broken) > _NAMED_FILES:
        progress.warn(f"left out {len(broken) - _NAMED_FILES} more unreadable images")
    shares = unreadable_shares(files)
    for place, share in shares[shares > MAX_UNREADABLE].items():
        first = broken[broken["place"] == place].iloc[0]["path"]
        raise DataError(
            f"{share:.0%} of the images of {place!r} cannot be read (the first: "
            f"{first!r}); up to {MAX_UNREADABLE:.0%} are left out, more means "
            "a broken download."
        )


def _report_copies(files: pd.DataFrame, progress: Progress) -> None:
    counts = files["left_out"].value_counts()
    if conflicts := counts.get(BOTH_LABELS, 0):
        progress.warn(f"left out {conflicts} images that were found with both labels")
    if leaks := counts.get(HELD_OUT_COPY, 0):
        progress.warn(
            f"left out {leaks} train or valid images of which test (or valid) holds a copy"
        )


def _require_splits(frame: pd.DataFrame) -> None:
    for source, rows in frame[frame["split"] == ""].groupby("source"):
        raise DataError(
            f"{source} is too small to be split into train, valid and test with both classes in "
            f"each, no copies divided: its {len(rows)} usable images show "
            f"{rows['group'].nunique()} different pictures."
        )


def _require_both_classes(frame: pd.DataFrame, name: str) -> None:
    counts = frame.groupby(["split", "label"]).size()
    for split in SPLITS:
        for label, class_name in enumerate(CLASS_NAMES):
            if counts.get((split, label), 0) == 0:
                raise DataError(f"no usable {class_name} image in {split!r} of {name}.")


def content_digest(rows: pd.DataFrame) -> str:
    """SHA-256 over the columns `digest` and `label`, in no order."""
    lines = sorted(f"{row.digest} {row.label}" for row in rows.itertuples())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

"""A dataset as one table: path, label, split, group and content digest of every image."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from fakeface_bench.config import CLASS_NAMES, FAKE
from fakeface_bench.data.catalogue import DATASETS
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.selection import (
    drawn_splits,
    report_copies,
    report_drawn,
    report_skipped,
    report_unreadable,
    too_few,
)
from fakeface_bench.data.sources import source_names, split_data
from fakeface_bench.data.survey import DESCRIBED, Survey
from fakeface_bench.support.errors import DataError, UsageError
from fakeface_bench.support.progress import Progress

_COLUMNS = ["source", "path", "label", "split", "group", "kin", "digest", *DESCRIBED]


@dataclass(frozen=True)
class ImageIndex:
    """The images that a study uses, in an order that depends on their contents alone.

    Attributes:
        frame: Columns `source`, `path` (relative to the source's folder), `label` (fake = 1),
            `split`, `group`, `kin`, `digest`, `category`, `generator`, `released`, `tier`, `eyes`,
            `nose`, `mouth`; sorted by split and digest.
    """

    name: str
    folders: Mapping[str, Path]  # absolute folder of each source, by its name
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

    @cached_property
    def generators_digest(self) -> str:
        """The same over which images of a class one generator, or one source of them, made.

        Empty where no generator is known.
        """
        if not self.frame["generator"].any():
            return ""
        made = self.frame.groupby([self.frame["label"], made_by(self.frame)])
        digests = sorted(content_digest(rows) for _, rows in made)
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

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


#: Of what `leave_out` names, a column may stand before the name: `generator/stylegan3`.
PART_SEPARATOR = "/"
#: The columns whose values it may name, in this order where no column stands before.
_PARTS = ("source", "tier", "generator")
_MOST_NAMED = 4


def qualified(column: str, value: str) -> str:
    """Return what `leave_out` calls the images with a value in a column, whatever else it names."""
    return f"{column}{PART_SEPARATOR}{value}"


def index_name(data: str, left_out: Sequence[str]) -> str:
    """Return what a dataset is called of which some parts are left out; many are counted."""
    if not left_out:
        return data
    names = [name.rpartition(PART_SEPARATOR)[2] or "unknown generators" for name in left_out]
    more = len(names) - _MOST_NAMED
    shown = [*names[:_MOST_NAMED], f"{more:,} more"] if more > 1 else names
    return f"{data} without {' and '.join(shown)}"


def build_index(
    survey: Survey,
    files: pd.DataFrame,
    limit: int,
    progress: Progress,
    left_out: Sequence[str] = (),
) -> ImageIndex:
    """Keep of a survey what a study uses; what is left out is named or counted in a warning.

    Args:
        limit: At most this many images per split and class; 0 for all.
        left_out: Names of sources, tiers and generators whose images are not used, with or without
            their column (`generator/stylegan3`); the others keep the splits that they have beside
            them.
    """
    report_skipped(survey, progress)
    report_unreadable(files, progress)
    report_drawn(files, progress)
    report_copies(files, progress)
    frame = _without(files[files["left_out"] == ""], left_out)
    frame = frame.sort_values(["split", "digest", "source", "path"])
    if limit:
        frame = frame.groupby(["split", "label"]).head(limit)
    _require_splits(frame)
    name = index_name(survey.name, left_out)
    _require_both_classes(frame, files, name)
    _warn_of_one_class(frame, progress)
    return indexed(survey, name, frame)


def indexed(survey: Survey, name: str, rows: pd.DataFrame) -> ImageIndex:
    """Return rows of a survey's files as an index, in their order."""
    folders = {source.name: source.folder for source in survey.sources}
    return ImageIndex(name, folders, rows[_COLUMNS].reset_index(drop=True))


def _without(files: pd.DataFrame, left_out: Sequence[str]) -> pd.DataFrame:
    gone = pd.Series(False, index=files.index)
    for name in left_out:
        gone |= _part(files, name)
    return files[~gone]


def _part(files: pd.DataFrame, name: str) -> pd.Series:
    """Return which files a name of `leave_out` means; an empty generator is of unknown ones."""
    stated, separator, value = name.partition(PART_SEPARATOR)
    columns = (stated,) if separator and stated in _PARTS else _PARTS
    value = value if len(columns) == 1 else name
    for column in columns:
        of = (files[column] == value) & ((column == "source") | (files["label"] == FAKE))
        if of.any() or (columns, value) == (("generator",), ""):
            return of
    known = sorted({part for column in _PARTS for part in files[column]} - {""})
    raise UsageError(
        f"leave_out {name!r} is no source, tier or generator of this dataset; there is "
        f"{', '.join(known)}."
    )


def _warn_of_one_class(frame: pd.DataFrame, progress: Progress) -> None:
    """Tell of joined datasets whose own look is that of a class."""
    for source, labels in frame.groupby("source")["label"]:
        if labels.nunique() == 1:
            progress.warn(
                f"{source} holds {CLASS_NAMES[labels.iloc[0]]} images alone: whatever tells it "
                "from the other datasets tells the classes apart; mind the shortcut floor"
            )


def _require_splits(frame: pd.DataFrame) -> None:
    for source, rows in frame[frame["split"] == ""].groupby("source"):
        raise DataError(
            f"{source} is too small to be split into train, valid and test with both classes in "
            f"each: {too_few(rows)}. Add pictures, or join another dataset with '+'."
        )


def _require_both_classes(frame: pd.DataFrame, files: pd.DataFrame, name: str) -> None:
    counts = frame.groupby(["split", "label"]).size()
    for split in SPLITS:
        for label, class_name in enumerate(CLASS_NAMES):
            if counts.get((split, label), 0) == 0:
                why = _why_missing(frame, files, split)
                raise DataError(f"no usable {class_name} image in {split!r} of {name}{why}.")


def _why_missing(frame: pd.DataFrame, files: pd.DataFrame, split: str) -> str:
    """Say of a split that was to be drawn which class of its donor is too small for it."""
    for source, donors in drawn_splits(files).items():
        if donor := donors.get(split):
            here = (frame["source"] == source) & (frame["split"] == donor)
            parts = 1 + list(donors.values()).count(donor)
            return f", which is drawn from {donor!r}: {too_few(frame[here], parts)}"
    return ""


def content_digest(rows: pd.DataFrame) -> str:
    """SHA-256 over the columns `digest` and `label`, in no order."""
    lines = sorted(f"{row.digest} {row.label}" for row in rows.itertuples())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def made_by(rows: pd.DataFrame) -> pd.Series:
    """Return what made each image: a fake's generator, else its dataset; of real ones the category.

    Args:
        rows: Columns `source`, `label`, `category` and `generator`.
    """
    is_fake = rows["label"] == FAKE
    unknown = rows["source"] + PART_SEPARATOR + rows["category"].mask(is_fake, "")
    return rows["generator"].where(is_fake & (rows["generator"] != ""), unknown)


def generators_seen(index: ImageIndex) -> dict[str, int]:
    """Return how many fakes of train and valid each generator made; those of others are missing."""
    frame = index.frame
    fakes = frame[(frame["split"] != "test") & (frame["generator"] != "")]
    counts = fakes["generator"].value_counts().sort_index()
    return {str(name): int(images) for name, images in counts.items()}


#: What names such as `mid_161_0110` are made for: parts of a face replaced by hand.
COMPOSITE = "composite (Photoshop)"


def fake_kinds(data: str, index: ImageIndex) -> dict[str, str]:
    """Return how the fakes of each source were made, by its name; empty where that is not known.

    Args:
        data: As in `StudyConfig`: a folder may bear a known dataset's name and be something else.
    """
    rows = {row.key: row.kind for row in DATASETS}
    named = {
        name: rows[part]
        for name, part in zip(source_names(data), split_data(data), strict=True)
        if part in rows
    }
    tiered = set(index.frame.loc[index.frame["tier"] != "", "source"])
    return {
        source: named.get(source) or (COMPOSITE if source in tiered else "")
        for source in map(str, index.frame["source"].unique())
    }

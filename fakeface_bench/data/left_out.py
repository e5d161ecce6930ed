"""Says which files of a dataset a study does not use, and which split it makes of them itself."""

import pandas as pd

from fakeface_bench.data.selection import (
    BOTH_LABELS,
    HELD_OUT_COPY,
    UNREADABLE,
    drawn_splits,
    manipulated,
    unreadable_shares,
)
from fakeface_bench.data.survey import Survey
from fakeface_bench.errors import DataError
from fakeface_bench.progress import Progress

#: Above this share of unreadable images a split is taken for broken.
MAX_UNREADABLE = 0.05
#: Warnings that name a file each; the rest are counted.
_NAMED_FILES = 10


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
        first = broken[broken["place"] == place].iloc[0]
        raise DataError(
            f"{share:.0%} of the images of {place!r} cannot be read (the first: "
            f"{first['path']!r}: {first['error']}); up to {MAX_UNREADABLE:.0%} are left out: "
            "fetch or convert them anew."
        )


def report_copies(files: pd.DataFrame, progress: Progress) -> None:
    counts = files["left_out"].value_counts()
    if conflicts := counts.get(BOTH_LABELS, 0):
        progress.warn(f"left out {conflicts} images that were found with both labels")
    if leaks := counts.get(HELD_OUT_COPY, 0):
        progress.warn(
            f"left out {leaks} train or valid images of which test (or valid) holds a copy"
        )
    used = files[files["left_out"] == ""]
    if manipulations := int(manipulated(used).sum()):
        progress.say(
            f"{manipulations:,} images are manipulations and their originals, by their looks and "
            "labels: what belongs together is in one split"
        )


def report_drawn(files: pd.DataFrame, progress: Progress) -> None:
    """Warn of official splits that are missing, and say from which one each was drawn."""
    for source, donors in drawn_splits(files).items():
        of_source = files[(files["source"] == source) & (files["left_out"] == "")]
        for missing, donor in donors.items():
            images = int((of_source["split"] == missing).sum())
            of = int((of_source["place"] == f"{source}/{donor}").sum())
            told = (
                f"{source} has no labelled {missing} split: {images:,} of the {of:,} images of its "
                f"{donor} are drawn for it, copies kept together"
            )
            if missing == "test":
                told += "; test figures are not those of a published protocol"
            progress.warn(told)

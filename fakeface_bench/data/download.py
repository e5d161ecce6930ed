"""What downloads have in common, wherever they come from: what is told of them, and how."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fakeface_bench.data.dataset import Dataset
from fakeface_bench.data.expected import by_hand, differences
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.progress import Advance, Progress

MEGABYTE = 1_000_000


def announce(row: Dataset, host: str, place: Path, progress: Progress) -> None:
    """Say what is about to come from where, and under what terms."""
    progress.say(f"{row.key}: {row.images:,} images from {host} ({row.source}) into {place}")
    progress.say(f"{row.key}: licence and terms: {row.licence}; {row.url}")


def warn_of_differences(row: Dataset, folder: Path, progress: Progress) -> None:
    """Tell what of a fetched dataset is not as its row says."""
    for line in differences(row, folder):
        progress.warn(f"{row.key}: {line}")


def damaged(row: Dataset, why: str, archive: str = "archive") -> DataError:
    """Say that an archive was damaged and is gone, so that the next attempt is a fresh one."""
    return DataError(
        f"the {archive} of {row.key} arrived damaged ({' '.join(why.split())}) and was removed; "
        f"the same command fetches it again. {by_hand(row)}"
    )


def megabytes(size: int) -> int:
    """Return whole megabytes, rounded up."""
    return -(-size // MEGABYTE)


class MegabyteBar:
    """Takes bytes as tqdm does, and tells whole megabytes.

    Args:
        initial: Bytes that were there before.
    """

    def __init__(self, advance: Advance, initial: int = 0) -> None:
        self._advance = advance
        self._bytes = 0
        self.update(initial)

    def __enter__(self) -> "MegabyteBar":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was drawn."""

    def update(self, count: int) -> None:
        """Count further bytes; fewer where a download starts again."""
        before = megabytes(self._bytes)
        self._bytes += count
        self._advance(megabytes(self._bytes) - before)


@contextmanager
def quiet(library: str, level: int) -> Iterator[None]:
    """Keep back what a library logs below a level: our own lines say the same."""
    logger = logging.getLogger(library)
    usual = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(usual)

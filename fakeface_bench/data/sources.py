"""What a user names as data: rows of the catalogue and folders, one or several joined by `+`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, permutations
from pathlib import Path

from fakeface_bench.data.catalogue import DATASETS, dataset_folder
from fakeface_bench.data.listing import printable
from fakeface_bench.errors import UsageError, unknown_name
from fakeface_bench.folders import existing_path
from fakeface_bench.progress import Progress

JOINT = "+"
#: What every store takes within the name of a metric.
_NO_NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Source:
    """One dataset among those studied together: its name, and its absolute folder."""

    name: str
    folder: Path


def check_data(data: str) -> None:
    """Refuse what is neither a row of the catalogue nor a folder, and what is named twice.

    Raises:
        UsageError: With what is known.
    """
    known = [row.key for row in DATASETS]
    for part in split_data(data):
        if part not in known and _folder(part) is None:
            raise unknown_name("dataset or folder", part, known)
    identities = [part if part in known else str(_folder(part)) for part in split_data(data)]
    twice = [part for part in identities if identities.count(part) > 1]
    if twice:
        raise UsageError(f"data names {twice[0]!r} twice; name each dataset once.")
    folders = [folder for part in split_data(data) if (folder := _folder(part)) is not None]
    for outer, inner in permutations(folders, 2):
        if inner.is_relative_to(outer):
            raise UsageError(
                f"{inner} lies within {outer}, so its images would count twice; name one of them."
            )
    for folder in folders:
        if printable(folder) != str(folder):
            raise UsageError(
                f"the folder {printable(folder)!r} has a name that is not UTF-8, which no MLflow "
                "store takes; rename it."
            )


def source_names(data: str) -> list[str]:
    """Return the name of each dataset: its key, or its folder's name as a metric may carry it.

    Folders of the same name are told apart by a number.
    """
    names: list[str] = []
    for part in split_data(data):
        folder = _folder(part)
        known = any(row.key == part for row in DATASETS)
        name = part if known or folder is None else _NO_NAME.sub("_", folder.name) or "root"
        names.append(next(free for free in _numbered(name) if free not in names))
    return names


def prepare_sources(data: str, progress: Progress) -> Iterator[Source]:
    """Yield each dataset with its folder, drawn or fetched first where it is a row.

    Raises:
        UsageError: As `check_data`.
        DataError: If a dataset cannot be fetched.
    """
    check_data(data)
    for name, part in zip(source_names(data), split_data(data), strict=True):
        yield Source(name, dataset_folder(part, progress))


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def split_data(data: str) -> list[str]:
    """Return the datasets that are joined by `+`, save in a folder's own name."""
    whole = existing_path(data)
    return [data] if whole and whole.is_dir() else [part.strip() for part in data.split(JOINT)]


def _folder(part: str) -> Path | None:
    path = existing_path(part)
    return path.resolve() if part and path and path.is_dir() else None

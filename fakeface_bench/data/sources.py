"""What a user names as data: rows of the catalogue and folders, one or several joined by `+`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, permutations
from pathlib import Path

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.catalogue import DATASETS, dataset_named
from fakeface_bench.data.class_words import named_classes, stored_name
from fakeface_bench.data.listing import printable
from fakeface_bench.support.disk import existing_path
from fakeface_bench.support.errors import UsageError, unknown_name
from fakeface_bench.support.progress import Progress

JOINT = "+"
_KEYS = [row.key for row in DATASETS]


@dataclass(frozen=True, slots=True)
class Source:
    """One dataset among those studied together.

    Attributes:
        classes: Labels that the user gives to names.
        generators: As in `Dataset`; empty for a folder.
        only: The one label of all its pictures; None where folders or a table tell.
    """

    name: str
    folder: Path
    classes: Mapping[str, int] = field(default_factory=dict)
    generators: Mapping[str, str] = field(default_factory=dict)
    only: int | None = None


def check_data(data: str, classes: str = "") -> None:
    """Refuse what is neither a row of the catalogue nor a folder, and what is named twice."""
    named_classes(classes)
    parts = [(part, _folder(part)) for part in split_data(data)]
    for part, folder in parts:
        if part not in _KEYS and folder is None:
            raise unknown_name("dataset or folder", part, _KEYS)
    identities = source_identities(data)
    twice = [identity for identity in identities if identities.count(identity) > 1]
    if twice:
        raise UsageError(f"data names {twice[0]!r} twice; name each dataset once.")
    folders = [folder for _, folder in parts if folder]
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

    Folders of the same name get a number.
    """
    names: list[str] = []
    for part in split_data(data):
        folder = _folder(part)
        name = part if folder is None else stored_name(folder.name) or "root"
        names.append(next(free for free in _numbered(name) if free not in names))
    return names


def source_identities(data: str) -> list[str]:
    """Return what each dataset is, however it is named: its key, or its absolute folder."""
    return [str(_folder(part) or part) for part in split_data(data)]


def prepare_sources(data: str, progress: Progress, classes: str = "") -> Iterator[Source]:
    """Yield each dataset with its folder, drawn or fetched first where it is a row."""
    check_data(data, classes)
    named = named_classes(classes)
    for name, part in zip(source_names(data), split_data(data), strict=True):
        if folder := _folder(part):
            yield Source(name, folder, named)
        else:
            row = dataset_named(part)
            only = CLASS_NAMES.index(row.only) if row.only else None
            yield Source(name, row.prepare(row, progress), named, row.generators, only)


def local_sources(data: str, classes: str = "") -> list[Source]:
    """Return those datasets that are folders, which need no preparing; arguments as there."""
    named = named_classes(classes)
    parts = zip(source_names(data), map(_folder, split_data(data)), strict=True)
    return [Source(name, folder, named) for name, folder in parts if folder]


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def split_data(data: str) -> list[str]:
    """Return the datasets that are joined by `+`; a folder that has it in its name is one.

    Of names that could be read both ways the longest that exists is taken.
    """
    if _is_folder(data):
        return [data]
    pieces = data.split(JOINT)
    found = []
    while pieces:
        ends = range(len(pieces), 1, -1)
        names = ((end, JOINT.join(pieces[:end]).strip()) for end in ends)
        end, name = next(filter(lambda named: _is_folder(named[1]), names), (1, pieces[0].strip()))
        found.append(name)
        pieces = pieces[end:]
    return found


def _is_folder(name: str) -> bool:
    path = existing_path(name)
    return path is not None and path.is_dir()


def _folder(part: str) -> Path | None:
    """Return the folder that a part names; None for a row of the catalogue, and for nothing."""
    path = existing_path(part) if part and part not in _KEYS else None
    return path.resolve() if path and path.is_dir() else None

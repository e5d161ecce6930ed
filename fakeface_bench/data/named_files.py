"""Picture files as a user names them: files, folders and patterns, on any system's shell."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from fakeface_bench.data.listing import IMAGE_SUFFIXES, list_images, printable
from fakeface_bench.errors import UsageError
from fakeface_bench.folders import existing_path

_LONGEST_LIST = 3


def named_files(names: Sequence[str]) -> list[Path]:
    """Return the files that are named, each once, in the order of their names.

    A file is taken whatever it is called. Of a folder, and of one that a pattern matches, all
    JPEG, PNG and WebP files below are; so are a pattern's own matches, unless it spells the
    ending out, as `*.bmp` does. A name that exists is no pattern, whatever it holds.

    Args:
        names: Files, folders, and patterns with `*`, `?`, `[...]` and `**`.

    Raises:
        UsageError: If a name leads to no file; all such are told of, or how many there are.
    """
    files: dict[str, Path] = {}
    missing = []
    for name in names:
        found = list(_files_of(name))
        if not found:
            missing.append(name)
        for path in found:
            files.setdefault(os.path.abspath(path), path)
    if missing:
        raise UsageError(_nothing_there(missing))
    return list(files.values())


def _files_of(name: str) -> Iterator[Path]:
    path = existing_path(name)
    if path is not None:
        yield from _files_at(path)
    elif glob.has_magic(name):
        takes_all = not glob.has_magic(Path(name).suffix or "*")
        for match in sorted(glob.iglob(os.path.expanduser(name), recursive=True)):
            path = Path(match)
            if path.is_dir() or takes_all or path.suffix.lower() in IMAGE_SUFFIXES:
                yield from _files_at(path)


def _files_at(path: Path) -> Iterator[Path]:
    """Yield a file or what lies below a folder; nothing for pipes and devices, which may hang."""
    if path.is_dir():
        yield from list_images(path).images
    elif path.is_file():
        yield path


def _nothing_there(missing: Sequence[str]) -> str:
    shown = ", ".join(repr(printable(Path(name))) for name in missing[:_LONGEST_LIST])
    more = len(missing) - _LONGEST_LIST
    return (
        f"no picture at {shown}{f' and {more:,} more names' if more > 0 else ''}. Name files, "
        "folders with JPEG, PNG or WebP files below, or patterns such as 'faces/**/*.jpg'."
    )

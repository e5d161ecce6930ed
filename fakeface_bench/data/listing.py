"""Lists picture files: those below a folder, and those that a user names."""

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fakeface_bench.data.class_words import split_of
from fakeface_bench.support.disk import existing_path
from fakeface_bench.support.errors import DataError, UsageError

#: Endings of the files that a study reads, each with Pillow's names of what it promises.
IMAGE_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    ".jpg": ("JPEG", "MPO"),
    ".jpeg": ("JPEG", "MPO"),
    ".png": ("PNG",),
    ".webp": ("WEBP",),
}
#: Of pictures too, but in formats that a study does not read.
OTHER_SUFFIXES = frozenset(
    {".jpe", ".jfif", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".jxl"}
)
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v"})


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies below a class folder.

    Attributes:
        skipped: Paths (printable, whatever their bytes) that may hold pictures and are not read,
            each with its reason.
    """

    images: tuple[Path, ...]  # JPEG, PNG and WebP files, by their names, in order
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """A picture, and where it belongs."""

    path: Path
    split: str | None
    label: int
    category: str  # its generator, or what it shows; mostly empty
    released: str = ""  # when its generator was, where a table says so


@dataclass(frozen=True, slots=True)
class Placed:
    """The pictures of a dataset."""

    images: tuple[PlacedImage, ...]
    skipped: tuple[tuple[str, str], ...]
    description: str = ""  # where the labels come from, where that is not folder names


def list_images(folder: Path) -> Listing:
    """List the files below a class folder, links to folders followed, each folder once."""
    images: list[Path] = []
    skipped: list[tuple[str, str]] = []
    for path, reason in sorted(_files_below(folder), key=lambda found: os.fsencode(found[0])):
        reason = reason or _why_skipped(path)
        if reason:
            skipped.append((printable(path), reason))
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            images.append(path)
    return Listing(tuple(images), tuple(skipped))


def require_listable(folder: Path) -> None:
    """Refuse a folder that cannot be listed."""
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}.") from error


def visible_in(folder: Path) -> list[Path]:
    """Return what is not hidden in a folder; of one that cannot be listed, nothing is known."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (PermissionError, FileNotFoundError, NotADirectoryError):
        return []


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder that are not hidden."""
    return [path for path in visible_in(folder) if path.is_dir()]


def only_folder_in(folder: Path) -> Path | None:
    """Return the folder that lies alone in a folder, besides what is no picture; None for others.

    It looks no further than it must: class folders hold very many files.
    """
    only: Path | None = None
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = Path(entry)
                if path.name.startswith(".") or not may_hold_images(path):
                    continue
                if only or not path.is_dir():
                    return None
                only = path
    except PermissionError:
        return None
    return only


def may_hold_images(path: Path) -> bool:
    """Whether something in a folder is a picture by its name, or a folder."""
    return path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES


def pictures_outside(root: Path, listed: Sequence[Path]) -> list[tuple[str, str]]:
    """Return the folders beside some class folders that hold pictures, each with how many."""
    found: list[tuple[str, str]] = []
    if root in listed:
        return found
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if Path(place, name) not in listed)
        pictures = sum(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in files)
        if pictures:
            held = "1 picture" if pictures == 1 else f"{pictures:,} pictures"
            inner = Path(place).relative_to(root).parts
            split = next(filter(None, map(split_of, inner)), None)
            where = f"of {split} without a label" if split else "outside of the class folders"
            found.append((printable(Path(place)), f"holds {held} {where}"))
    return found


def _why_skipped(path: Path) -> str:
    """Return why a file that may hold a picture is not read; empty for images and all others."""
    suffix = path.suffix.lower()
    if path.name.startswith("._"):
        return "metadata of macOS beside a file"
    if (suffix in IMAGE_SUFFIXES or suffix in OTHER_SUFFIXES) and printable(path) != str(path):
        return "its name is not UTF-8"
    if suffix in OTHER_SUFFIXES:
        return f"{suffix} is not read; JPEG, PNG and WebP are"
    if suffix in VIDEO_SUFFIXES:
        return "a video: save its frames as PNG files first"
    if suffix not in IMAGE_SUFFIXES and _begins_as_picture(path):
        return "a picture whose name does not end in .jpg, .jpeg, .png or .webp"
    return ""


def _begins_as_picture(path: Path) -> bool:
    """Look into a file of another name: a download cut short, or one without its suffix."""
    try:
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            begin = file.read(12)
    except OSError:  # whatever it is, it is not called a picture
        return False
    return begin.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n")) or begin[8:12] == b"WEBP"


def printable(path: Path) -> str:
    """Return a path as text that any file or store takes: other bytes as `\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def holds_pictures(folder: Path) -> bool:
    """Whether a picture of a format that is read lies anywhere below a folder."""
    names = (name for _, _, files in os.walk(folder) for name in files)
    return any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names)


def _files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield files with an empty reason, and folders that cannot be listed with theirs."""
    obstacles: list[OSError] = []
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, onerror=obstacles.append, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link to a folder that was listed already, or to one above
            folders.clear()
            continue
        seen.add(real)
        here = Path(place)
        for name in [name for name in folders if name.startswith(".")]:
            folders.remove(name)
            if holds_pictures(here / name):
                yield here / name, "a hidden folder, whose pictures are not read"
        folders.sort(key=os.fsencode)  # a folder under two names is listed by its first
        yield from ((here / name, "") for name in files)
    for obstacle in obstacles:
        yield Path(obstacle.filename), f"cannot be listed: {obstacle.strerror}"


_LONGEST_LIST = 3


def named_files(names: Sequence[str]) -> list[Path]:
    """Return the files that are named, each once, in the order of their names.

    A file is taken whatever it is called. Of a folder, and of one that a pattern matches, all
    JPEG, PNG and WebP files below are; so are a pattern's own matches, unless it spells the
    ending out, as `*.bmp` does. A name that exists is no pattern, whatever it holds.
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

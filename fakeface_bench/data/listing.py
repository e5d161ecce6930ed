"""Lists the picture files below a folder, and says of what it does not list why."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
#: Of pictures too, but in formats that a study does not read.
OTHER_SUFFIXES = frozenset(
    {".jpe", ".jfif", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".jxl"}
)


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies below a class folder.

    Attributes:
        images: JPEG, PNG and WebP files, by their names, in order.
        skipped: Paths (printable, whatever their bytes) that may hold pictures and are not read,
            each with its reason.
    """

    images: tuple[Path, ...]
    skipped: tuple[tuple[str, str], ...]


def list_images(folder: Path) -> Listing:
    """List the files below a class folder, links to folders followed, each folder once."""
    images: list[Path] = []
    skipped: list[tuple[str, str]] = []
    for path, reason in sorted(_files_below(folder), key=lambda found: os.fsencode(found[0])):
        suffix = path.suffix.lower()
        if not reason and suffix in IMAGE_SUFFIXES | OTHER_SUFFIXES:
            reason = "" if _is_text(path) else "its name is not UTF-8"
        if not reason and suffix in OTHER_SUFFIXES:
            reason = f"{suffix} is not read; JPEG, PNG and WebP are"
        if not reason and suffix in IMAGE_SUFFIXES and path.exists() and not path.is_file():
            reason = "it is no regular file"  # a pipe or a device, which might never end
        if reason:
            skipped.append((printable(path), reason))
        elif suffix in IMAGE_SUFFIXES:
            images.append(path)
    return Listing(tuple(images), tuple(skipped))


def printable(path: Path) -> str:
    """Return a path as text that any file or store takes: other bytes as `\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _is_text(path: Path) -> bool:
    return printable(path) == str(path)


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
        folders.sort(key=os.fsencode)  # a folder under two names is listed by its first
        yield from ((Path(place, name), "") for name in files)
    for obstacle in obstacles:
        yield Path(obstacle.filename), f"cannot be listed: {obstacle.strerror}"

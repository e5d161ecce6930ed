"""Checksums of a cached folder's files, so that nothing rotten or cut short is ever used."""

import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CHECKSUMS_FILE = "checksums.json"
#: One file as it is on the disk: name, checksum, size, times of content and entry, number.
_Stamp = tuple[str, str, int, int, int, int]
#: Folders whose files have been read by this process, as they were then.
_sound: set[tuple[Path, tuple[_Stamp, ...]]] = set()


def write_checksums(folder: Path, names: list[str]) -> None:
    """Write the SHA-256 of some files of a folder beside them."""
    text = json.dumps(dict(zip(names, _digests(folder, names), strict=True)), indent=1)
    (folder / CHECKSUMS_FILE).write_text(text)


def fault_of(folder: Path) -> str | None:
    """Return what is wrong with a cached folder; None where every file is as it was written.

    The files are read once per process, and again only where they have been written to since.
    """
    if not folder.exists():
        return "it is not there"
    try:
        kept = json.loads((folder / CHECKSUMS_FILE).read_bytes())
        if not isinstance(kept, Mapping):
            return f"{CHECKSUMS_FILE} holds no checksums"
        unknown = {path.name for path in folder.glob("*.npy")} - kept.keys()
        if unknown:
            return f"{min(unknown)} has no checksum"
        stamps = _stamps(folder, kept)
        if (folder, stamps) in _sound:
            return None
        digests = _digests(folder, list(kept))
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError) as error:
        return f"it cannot be read: {error}"
    for name, digest in zip(kept, digests, strict=True):
        if kept[name] != digest:
            return f"{name} is not as it was written"
    _sound.add((folder, stamps))
    return None


def take_as_sound(folder: Path) -> None:
    """Spare a folder that this process has just written from being read for its checksums."""
    kept = json.loads((folder / CHECKSUMS_FILE).read_bytes())
    _sound.add((folder, _stamps(folder, kept)))


def _digests(folder: Path, names: list[str]) -> list[str]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda name: _digest(folder / name), names))


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamps(folder: Path, kept: Mapping[str, str]) -> tuple[_Stamp, ...]:
    stats = {name: (folder / name).stat() for name in kept}
    return tuple(
        (name, str(kept[name]), of.st_size, of.st_mtime_ns, of.st_ctime_ns, of.st_ino)
        for name, of in stats.items()
    )

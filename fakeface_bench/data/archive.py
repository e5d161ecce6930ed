"""What a downloaded archive holds, before anything of it is unpacked."""

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from fakeface_bench.support.errors import DataError

#: What a broken archive makes those who unpack it raise.
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    gzip.BadGzipFile,
    EOFError,
    ValueError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class ArchiveContents:
    """How much an archive unpacks to."""

    files: int
    unpacked_bytes: int


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    kind: str
    unpacked_bytes: int


def check_archive(path: Path) -> ArchiveContents:
    """Read the table of a zip or tar archive and refuse what could write outside its folder.

    Nothing is unpacked. Plain files and folders with relative names are all that may be in it.

    Raises:
        zipfile.BadZipFile, tarfile.TarError: If its table is damaged, or it is neither.
    """
    files = unpacked_bytes = 0
    for entry in _entries(path):
        wrong = _why_unsafe(entry)
        if wrong:
            raise DataError(
                f"the archive {path.name} holds {entry.name!r}, {wrong}; only plain files and "
                "folders below its own folder are unpacked, and nothing of it was."
            )
        files += entry.kind == "file"
        unpacked_bytes += entry.unpacked_bytes
    return ArchiveContents(files, unpacked_bytes)


def check_room(needed_bytes: int, folder: Path) -> None:
    """Refuse to write more than the disk of a folder has room for."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free_bytes = shutil.disk_usage(existing).free
    if needed_bytes > free_bytes:
        raise DataError(
            f"{folder} needs {needed_bytes:,} bytes and its disk has {free_bytes:,} free; make "
            "room there and try again."
        )


def _entries(path: Path) -> Iterator[_Entry]:
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                yield _Entry(member.name, _tar_kind(member), member.size)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                # `orig_filename`: `filename` has lost whatever follows a null byte.
                yield _Entry(info.orig_filename, _zip_kind(info), info.file_size)
    else:
        raise zipfile.BadZipFile("it is neither a zip nor a tar archive")


def _tar_kind(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "folder"
    if member.issym() or member.islnk():
        return "link"
    return "file" if member.isreg() else "device"


def _zip_kind(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16  # 0 where the archive was made on Windows
    if stat.S_ISLNK(mode):
        return "link"
    if info.is_dir():
        return "folder"
    return "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "device"


def _why_unsafe(entry: _Entry) -> str:
    """Return what is wrong with an entry, read as any system would read it, or an empty text."""
    windows = PureWindowsPath(entry.name)
    if PurePosixPath(entry.name).is_absolute() or windows.root or windows.drive:
        return "an absolute path"
    if ".." in windows.parts:  # splits at both slashes
        return "a path out of its folder"
    if "\0" in entry.name:
        return "a name with a null byte"
    return {"link": "a link", "device": "a device"}.get(entry.kind, "")

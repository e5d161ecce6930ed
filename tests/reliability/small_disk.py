"""A small disk of its own, which a test may fill or make read-only."""

import errno
import io
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a file system of that size on a new folder; skip where that is not permitted."""
    folder.mkdir()
    options = f"size={size_bytes}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs the command mount")
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a file system: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def make_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk to its last byte with one file; return that."""
    filler = disk / "filler"
    with open(filler, "ab", buffering=0) as file:
        for length in (2**20, 4096, 1):
            while _write(file, length):
                pass
    return filler


def _write(file: io.FileIO, length: int) -> int:
    try:
        return file.write(b"x" * length) or 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return 0

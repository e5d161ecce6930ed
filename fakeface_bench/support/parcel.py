"""Packs values for other machines: what lies on a disk that they see travels by its place."""

import io
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


class UnseenError(Exception):
    """A folder of the machine that packed something is not seen where it is unpacked."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file that has travelled: it is read like a path, and named as it was."""

    name: str
    content: bytes

    def read_bytes(self) -> bytes:
        """Return what it holds."""
        return self.content

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Parcel:
    """A value as bytes, its arrays apart, so that an object store hands them on uncopied.

    Attributes:
        folders: That whoever unpacks it must see, since files travel by their paths.
    """

    content: bytes
    arrays: tuple[Any, ...]
    folders: frozenset[str] = frozenset()


def pack(value: Any, by_path: bool) -> Parcel:
    """Pack a value.

    Args:
        by_path: Whether whoever unpacks it sees this machine's files: arrays that are mapped from
            one, and pictures, then travel as the path. Otherwise as what they hold, and
            folders, where something might be kept, as None.
    """
    stream, arrays = io.BytesIO(), list[Any]()
    packer = _Packer(stream, by_path, _keep_in(arrays))
    packer.dump(value)
    return Parcel(stream.getvalue(), tuple(arrays), frozenset(packer.folders))


def pack_as_it_is(value: Any) -> Parcel:
    """Pack a value that names no file: what a unit returns.

    Whoever hands a parcel on, as Ray Client's server does, packs bytes once more, not the value: a
    network of Keras does not survive that.
    """
    arrays = list[Any]()
    content = pickle.dumps(value, protocol=5, buffer_callback=_keep_in(arrays))
    return Parcel(content, tuple(arrays))


def unpack(parcel: Parcel) -> Any:
    """Return what was packed; its arrays cannot be written to.

    Raises:
        UnseenError: If files travelled by their paths, and are not seen here.
    """
    for folder in sorted(parcel.folders):
        if not os.path.isdir(folder):
            raise UnseenError(folder)
    return pickle.loads(parcel.content, buffers=parcel.arrays)


def _keep_in(arrays: list[Any]) -> Callable[[pickle.PickleBuffer], None]:
    """Return how a pickler keeps what lies in buffers apart from its stream."""
    return lambda buffer: arrays.append(np.frombuffer(buffer.raw(), np.uint8))


class _Packer(pickle.Pickler):
    def __init__(
        self, stream: io.BytesIO, by_path: bool, apart: Callable[[pickle.PickleBuffer], None]
    ) -> None:
        super().__init__(stream, protocol=5, buffer_callback=apart)
        self._by_path = by_path
        self.folders: set[str] = set()

    def reducer_override(self, value: Any) -> Any:
        """Say how files travel; NotImplemented for all else."""
        if isinstance(value, np.memmap):
            if self._by_path and _is_whole(value):
                self.folders.add(os.path.dirname(str(value.filename)))
                return _mapped, (str(value.filename),)
            return np.asarray, (np.ascontiguousarray(value).view(np.ndarray),)
        if isinstance(value, Path) and self._by_path:
            self.folders.add(str(value.parent))
        elif isinstance(value, Path):
            if value.is_file():
                return FileContent, (str(value), value.read_bytes())
            return _nowhere, ()
        return NotImplemented


def _nowhere() -> None:
    """Return what a folder of this machine is on another."""


def _mapped(path: str) -> Any:
    return np.load(path, mmap_mode="r")


def _is_whole(array: Any) -> bool:
    """Whether a map is all that its file holds, as it holds it, and not some rows of it."""
    file = array.filename
    if file is None or array.offset + array.nbytes != os.path.getsize(file):
        return False
    return bool(array.flags.c_contiguous and _mapped(str(file)).shape == array.shape)

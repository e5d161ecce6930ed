"""Pictures that kill the process that decodes them: found one by one, remembered, never decoded.

A library of C that is given a picture made to break it ends the process; no exception tells of it.
"""

import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fakeface_bench.data.class_words import and_joined
from fakeface_bench.data.decode import decode_bytes
from fakeface_bench.support.disk import cache_folder, disk_errors_named, locked
from fakeface_bench.support.errors import (
    ClusterError,
    DataError,
    FakefaceError,
    WorkerDiedError,
)
from fakeface_bench.support.executor import Executor, Result, Tell, Unit
from fakeface_bench.support.processes import own_path

#: Why such a picture is left out, as the audit tells it.
DEADLY = "it killed the process that decoded it"
_FILE = "deadly.txt"


def deadly_contents() -> frozenset[str]:
    """Return the SHA-256 of all contents that are known to kill what decodes them."""
    file = cache_folder("files") / _FILE
    return frozenset(file.read_text().split()) if file.exists() else frozenset()


def results_over_pictures(
    executor: Executor,
    units: Iterable[Unit[Result]],
    read: Callable[[int], tuple[Sequence[Path], Sequence[str]]],
) -> Generator[tuple[int, Result], None, None]:
    """Run units that read pictures; yield the number and result of each, as they end.

    Args:
        read: From the number of a unit to the pictures that it reads, and the SHA-256 of each.

    Raises:
        DataError: If a picture kills every process that decodes it; it is remembered.
        ClusterError: If process after process dies over some, and no picture is why.
    """
    with closing(executor.results(units)) as results:
        for ended in results:
            if isinstance(ended.ended_by, WorkerDiedError):
                raise _cause_of_death(executor, *read(ended.number), ended.ended_by)
            if ended.result is None:
                raise ValueError(f"unit {ended.number} has no result: {ended.ended_by}")
            yield ended.number, ended.result


def _cause_of_death(
    executor: Executor, paths: Sequence[Path], digests: Sequence[str], died: WorkerDiedError
) -> FakefaceError:
    """Find out why workers died over some pictures; a picture that is why is remembered.

    Args:
        digests: SHA-256 of each.

    Returns:
        What is to be raised.
    """
    units: list[Unit[list[int]]] = [Decoding(paths)]
    with closing(executor.results(units)) as results:
        deadly = [row for ended in results for row in ended.result or ()]
    if not deadly:
        return ClusterError(
            f"{died}. None of the {len(paths):,} pictures that they read kills what decodes it: "
            "the network may want more memory than a worker has."
        )
    _note(digests[row] for row in deadly)
    names = and_joined([str(paths[row]) for row in deadly])
    them, are = ("them", "are") if len(deadly) > 1 else ("it", "is")
    return DataError(
        f"{names} killed every process that decoded {them}, and {are} left out of the dataset from "
        "now on: run the same command again."
    )


def _note(digests: Iterable[str]) -> None:
    file = cache_folder("files") / _FILE
    with locked(file.with_suffix(".lock")), disk_errors_named(file.parent), open(file, "a") as kept:
        kept.writelines(f"{digest}\n" for digest in digests)


@dataclass(frozen=True, slots=True)
class Decoding:
    """Finds which of some pictures kill, each decoded in a process that may die of it."""

    paths: Sequence[Path]
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> list[int]:
        """Return their numbers."""
        contents = [path.read_bytes() for path in self.paths]
        deadly: list[int] = []
        begin = 0
        while begin < len(contents):
            last = _decoded_apart(contents[begin:])
            if last is None:
                break
            deadly.append(begin + last)
            begin += last + 1
        return deadly


def _decoded_apart(contents: Sequence[bytes]) -> int | None:
    """Decode pictures in a process of their own; return which it died of, None for none."""
    child = subprocess.run(
        [sys.executable, "-m", __name__],
        input=pickle.dumps(contents),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | own_path(),
        check=False,
    )
    begun = child.stdout.split()
    return int(begun[-1]) if child.returncode and begun else None


def _decode_all(contents: Sequence[bytes]) -> None:
    """Say of each picture that it is begun, and decode it."""
    for number, content in enumerate(contents):
        print(number, flush=True)
        try:
            decode_bytes(io.BytesIO(content))
        except DataError as error:  # it is damaged, and harms nobody
            print(error, file=sys.stderr)


if __name__ == "__main__":
    _decode_all(pickle.load(sys.stdin.buffer))

"""Writes pictures as PNG: at once, or in a second process while this one goes on.

A study explains its winner while the pictures of its report are drawn. Processes of
`multiprocessing` would run the caller's main module again, and import TensorFlow with it.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from fakeface_bench.support.processes import own_path

DPI = 120


def save(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the picture alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if helper := _HELPER.get():
        helper.take(figure, path.absolute())
    else:
        _draw(figure, path)


@contextmanager
def drawn_apart() -> Iterator[None]:
    """Have a second process write what is saved in the block; when it ends, all is written.

    Raises:
        OSError: What kept a picture from being written.
        RuntimeError: If the process ended before its work.
    """
    with _Helper() as helper:
        before = _HELPER.set(helper)
        try:
            yield
            helper.wait()
        finally:
            _HELPER.reset(before)


def _draw(figure: Figure, path: Path) -> None:
    # level 6, the default, takes a study 0.7 s longer and saves 6 % of the bytes
    figure.savefig(path, dpi=DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 3})


class _Helper:
    """A process that draws one picture after another, and a thread that hands them over."""

    def __init__(self) -> None:
        self._line, end = Pipe()
        self._thread = ThreadPoolExecutor(1)
        self._handed: list[Future[None]] = []
        with end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(end.fileno())],
                env=os.environ | own_path(),
                pass_fds=[end.fileno()],
            )

    def __enter__(self) -> "_Helper":
        return self

    def take(self, figure: Figure, path: Path) -> None:
        """Have a picture drawn as it is now."""
        handed = pickle.dumps((figure, path))
        self._handed.append(self._thread.submit(self._exchange, handed, path))

    def wait(self) -> None:
        """Wait for all that was taken."""
        for each in self._handed:
            each.result()

    def _exchange(self, handed: bytes, path: Path) -> None:
        try:
            self._line.send_bytes(handed)
            error = self._line.recv()
        except (EOFError, ConnectionError) as ended:
            raise RuntimeError(f"the process that draws {path.name} has ended") from ended
        if error is not None:
            raise error

    def __exit__(self, *_: Any) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._process.kill()  # it has nothing left to do, and its leave would be waited for
        self._process.wait()
        self._line.close()


_HELPER: ContextVar[_Helper | None] = ContextVar("helper", default=None)


def _serve(line: Connection) -> None:
    """Draw what arrives until the other side is gone, and answer each with what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side ends by it, and this one then
    while True:
        try:
            figure, path = line.recv()
        except EOFError:
            return
        try:
            _draw(figure, path)
        except OSError as error:
            line.send(error)
        else:
            line.send(None)


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))

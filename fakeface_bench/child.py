"""A command in a process of its own, which does not outlive the one that waits for it."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

#: That a process has to write down where it stopped.
GRACE_SECONDS = 30
Handler = Callable[[int, FrameType | None], object] | signal.Handlers
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def wait_for(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit code.

    An interruption (Ctrl-C, or SIGTERM) is passed on to it once; what does not end in half a
    minute then is killed.

    Args:
        command: Words.
        variables: Of its environment, beside those of this process.

    Raises:
        KeyboardInterrupt: If this process was interrupted.
        OSError: If the command cannot be started.
    """
    # In a session of its own it gets no second Ctrl-C from the terminal.
    process = subprocess.Popen(command, env=os.environ | variables, start_new_session=True)
    with _signals(_interrupt):
        try:
            return process.wait()
        except BaseException:
            with _signals(signal.SIG_IGN):
                _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _signals(handler: Handler) -> Iterator[None]:
    """Handle both signals so within the block; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)

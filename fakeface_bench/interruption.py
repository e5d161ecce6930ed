"""Ctrl-C, and the end that a cluster gives notice of: the work stops within seconds."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from fakeface_bench.errors import INTERRUPTED

#: A step of a library may not hear of an interruption for long; what is kept is safe by then.
GIVE_UP_SECONDS = 3.0
_ASKED = threading.Event()


def listen(give_up: Callable[[], None]) -> None:
    """Turn SIGINT and SIGTERM into `KeyboardInterrupt`; end the process where that is not heard.

    Args:
        give_up: Called then, from another thread, before the process is ended.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_number, signal.SIG_IGN)  # once is enough
        _ASKED.set()
        timer = threading.Timer(GIVE_UP_SECONDS, _end, [give_up])
        timer.daemon = True
        timer.start()
        # A connection, a finaliser or a function in C that this is raised in tells a traceback.
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
        sys.unraisablehook = _say_nothing
        raise KeyboardInterrupt

    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, interrupt)


@contextmanager
def as_interruption() -> Iterator[None]:
    """Take whatever goes wrong within the block after an interruption for the interruption.

    Code in C in whose midst `KeyboardInterrupt` is raised may make another error of it, as
    TensorFlow does while it traces a function.

    Raises:
        KeyboardInterrupt: In place of that error.
    """
    try:
        yield
    except Exception as error:
        if _ASKED.is_set():
            raise KeyboardInterrupt from error
        raise


def _say_nothing(unraisable: object) -> None:
    """Let go of an interruption that nothing can hear of; the process is ended all the same."""


def _end(give_up: Callable[[], None]) -> None:
    try:
        give_up()
    finally:
        os._exit(INTERRUPTED)

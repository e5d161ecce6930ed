"""Ctrl-C, and the end that a cluster gives notice of: the work stops within seconds."""

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from fakeface_bench.errors import INTERRUPTED

#: A step of a library may not hear of an interruption for long; what is kept is safe by then.
GIVE_UP_SECONDS = 4.0


def listen(give_up: Callable[[], None]) -> None:
    """Turn SIGINT and SIGTERM into `KeyboardInterrupt`; end the process where that is not heard.

    Args:
        give_up: Called then, from another thread, before the process is ended.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_number, signal.SIG_IGN)  # once is enough
        timer = threading.Timer(GIVE_UP_SECONDS, _end, [give_up])
        timer.daemon = True
        timer.start()
        # A connection in whose midst this is raised tells of it with a traceback.
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
        raise KeyboardInterrupt

    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, interrupt)


def _end(give_up: Callable[[], None]) -> None:
    try:
        give_up()
    finally:
        os._exit(INTERRUPTED)

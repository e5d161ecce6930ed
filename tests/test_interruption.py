"""Ctrl-C: what libraries say of a call that it cut short is nobody's news."""

import subprocess
import sys

from fakeface_bench.errors import INTERRUPTED
from tests.command import ROOT

CUT_SHORT = f"""
import logging, os, signal, sys, threading
from fakeface_bench.interruption import listen

listen(lambda: None)
pool = logging.getLogger("sqlalchemy.pool.impl.QueuePool")
pool.error("before")
try:
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(30)
except KeyboardInterrupt:
    try:
        raise OSError("Cannot operate on a closed database.")
    except OSError:
        pool.error("Error closing cursor", exc_info=True)
    sys.exit({INTERRUPTED})
"""


def test_what_a_connection_says_that_was_cut_short_is_not_shown() -> None:
    command = [sys.executable, "-c", CUT_SHORT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == INTERRUPTED
    assert done.stderr == "before\n"

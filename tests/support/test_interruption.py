"""Ctrl-C: what libraries make of a call that it cut short is nobody's news."""

import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from fakeface_bench.support.errors import INTERRUPTED
from tests.command import ROOT, SECONDS_TO_STOP

CUT_SHORT = f"""
import logging, os, signal, sys, threading
from fakeface_bench.support.processes import listen

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

IN_A_FINALISER = """
import os, signal, threading, time
from fakeface_bench.support.processes import listen

listen(lambda: os.write(1, f"given up after {time.monotonic() - asked:.2f} s".encode()))


class Held:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass  # a signal is heard between two steps of Python


asked = time.monotonic()
Held()
threading.Event().wait(30)
"""

MADE_ANOTHER_ERROR_OF = """
import os, signal, threading
from fakeface_bench import __main__
from fakeface_bench.cli import cli
from fakeface_bench.tracking.lifetime import tracked_run


@cli.command()
def job():
    with tracked_run("study", "interrupted", {}):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(30)
        except KeyboardInterrupt:
            raise SystemError("bad argument to internal function") from None


__main__.main()
"""


def test_what_a_connection_says_that_was_cut_short_is_not_shown() -> None:
    command = [sys.executable, "-c", CUT_SHORT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == INTERRUPTED
    assert done.stderr == "before\n"


def test_a_finaliser_that_was_interrupted_says_nothing_and_the_process_ends_in_time() -> None:
    command = [sys.executable, "-c", IN_A_FINALISER]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (INTERRUPTED, "")
    seconds = float(done.stdout.removeprefix("given up after ").removesuffix(" s"))
    assert seconds < SECONDS_TO_STOP - 1  # to mark a run as killed takes some of them


def test_an_error_that_a_library_makes_of_an_interruption_is_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    command = [sys.executable, "-W", "ignore", "-c", MADE_ANOTHER_ERROR_OF, "job"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == INTERRUPTED, done.stderr
    assert "Traceback" not in done.stderr
    (run,) = mlflow.MlflowClient(store).search_runs(["0"])
    assert (run.info.status, run.data.tags["fakeface.failure"]) == ("KILLED", "interrupted")

"""Processes: which one this is, how one is ended, and one that waits for another."""

import gc
import logging
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from fakeface_bench.support.errors import INTERRUPTED

#: Why a run or a trial failed that a kill, an interrupt or a full disk cut off.
CUT_OFF = "its process ended before it did"
#: By this MLflow tells the process that `mlflow run` starts which run it opened for it.
RUN_VARIABLE = "MLFLOW_RUN_ID"
#: Holds the package where it is not installed.
_PROJECT = Path(__file__).resolve().parents[2]


def collect_seldom() -> None:
    """Have Python look for garbage seldom, in new objects and in older ones.

    The libraries make a million objects while they are imported, none of them garbage; at Python's
    own 700 a study walks them for two seconds.
    """
    gc.set_threshold(50_000, 20, 100)


def own_path() -> dict[str, str]:
    """Return the variable by which a fresh interpreter imports what this one would."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def this_process() -> dict[str, Any]:
    """Return what tells this process from any other, as JSON can hold it."""
    process = psutil.Process(os.getpid())
    return {"host": platform.node(), "pid": process.pid, "started": process.create_time()}


def is_dead(process: Mapping[str, Any]) -> bool:
    """Whether a process of this machine has ended; of those on others nothing is known."""
    if process["host"] != platform.node():
        return False
    try:
        found = psutil.Process(process["pid"])
        ended = found.status() == psutil.STATUS_ZOMBIE
        return bool(ended or found.create_time() != process["started"])
    except psutil.Error:
        return True


def work_where_called() -> str:
    """Go to the folder in which `mlflow run` was called, whose relative paths a user means.

    MLflow starts a project in the project's own folder, or in a clone of it that will be gone.
    Anything else is left where it is. What this process starts finds the package all the same.

    Returns:
        What to warn of; empty where there is nothing.
    """
    if RUN_VARIABLE not in os.environ or Path.cwd() != _PROJECT:
        return ""
    try:
        folder = _folder_of_caller(os.environ[RUN_VARIABLE])
        os.chdir(folder)
    except (psutil.Error, OSError) as error:
        return f"relative paths are taken from {_PROJECT}: where 'mlflow run' was called is {error}"
    paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    return ""


def _folder_of_caller(run_id: str) -> str:
    """Return where the nearest ancestor works that was not itself started for this run."""
    for ancestor in psutil.Process().parents():
        if ancestor.environ().get(RUN_VARIABLE) != run_id:
            return str(ancestor.cwd())
    raise psutil.NoSuchProcess(0, msg="not known")


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
        timer = threading.Timer(GIVE_UP_SECONDS, _give_up_and_end, [give_up])
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


def _give_up_and_end(give_up: Callable[[], None]) -> None:
    try:
        give_up()
    finally:
        os._exit(INTERRUPTED)


#: That a process has to write down where it stopped.
GRACE_SECONDS = 30
Handler = Callable[[int, FrameType | None], object] | signal.Handlers
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


#: Who is told what commands print that are waited for.
_TOLD: ContextVar[Callable[[str], None] | None] = ContextVar("told", default=None)
#: Let a command take what it prints to for a terminal; a notebook sets the first.
_LIKE_A_TERMINAL = ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


@contextmanager
def commands_told_to(tell: Callable[[str], None]) -> Iterator[None]:
    """Within the block, hand on how far commands are, line by line; their results are not shown.

    Args:
        tell: Takes a line of a command's standard error.
    """
    before = _TOLD.set(tell)
    try:
        yield
    finally:
        _TOLD.reset(before)


def wait_for(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit code.

    It prints where this process does, unless `commands_told_to` says otherwise. An interruption
    (Ctrl-C, or SIGTERM) is passed on to it once; what does not end in half a minute then is killed.

    Args:
        variables: Of its environment, beside those of this process; an empty one is not set there.

    Raises:
        KeyboardInterrupt: If this process was interrupted.
        OSError: If the command cannot be started.
    """
    # In a session of its own it gets no second Ctrl-C from the terminal.
    tell = _TOLD.get()
    environment = dict(os.environ)
    for name, text in variables.items():
        environment.pop(name, None)
        environment |= {name: text} if text else {}
    out = err = None
    if tell is not None:
        environment = {k: text for k, text in environment.items() if k not in _LIKE_A_TERMINAL}
        out, err = subprocess.DEVNULL, subprocess.PIPE
    with (
        subprocess.Popen(
            command, env=environment, stdout=out, stderr=err, start_new_session=True
        ) as process,
        _signals(_interrupt),
    ):
        _RUNNING.add(process)
        try:
            for line in process.stderr or ():
                if tell and (words := line.decode(errors="replace").rstrip()):
                    tell(words)
            return process.wait()
        except BaseException:
            with _signals(signal.SIG_IGN):
                _end_child(process)
            raise
        finally:
            _RUNNING.discard(process)


#: Commands that are waited for, by whatever thread.
_RUNNING: set["subprocess.Popen[bytes]"] = set()


def end_commands() -> None:
    """End all commands that threads wait for, as an interruption ends the one of this thread."""
    with _signals(signal.SIG_IGN):
        running = list(_RUNNING)
        for process in running:
            process.send_signal(signal.SIGINT)
        end = time.monotonic() + GRACE_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()


def _end_child(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=GRACE_SECONDS)  # what it prints now must not hold it up
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

"""A session of Ray: begun at an address, or on this machine; quiet; and ended after its use."""

import io
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any

import ray
from ray.exceptions import RayError

from fakeface_bench.support.errors import ClusterError
from fakeface_bench.support.executor import LOCAL

#: To find out whether anything answers at an address.
ANSWER_SECONDS = 8.0
#: Ray Client's server starts a process for each driver, of which 2 in 10 hung (Ray 2.60.0).
_CLIENT_TRIES = 3
#: Loggers of Ray Client that tell how a session ends, which is told in one line instead.
_TELL_OF_AN_END = ("ray.util.client.dataclient", "ray.util.client.logsclient")


@contextmanager
def session_at(address: str) -> Iterator[str]:
    """Begin a session for the block, or use the one that this process has.

    Args:
        address: As in `ClusterConfig.cluster`, but `none`.

    Yields:
        Host and port of the cluster's dashboard, where it is begun and has one; else nothing.

    Raises:
        ClusterError: If nothing of Ray is there, or the process has a session somewhere else.
    """
    began, dashboard = not ray.is_initialized(), ""
    if began:
        dashboard = _connect(address)
    elif ":" in address and not address.startswith("ray://"):
        known = own_address()
        if known != address:
            raise ClusterError(
                f"cluster {address}: this process is connected to {known} already; "
                "'ray.shutdown()' ends that."
            )
    try:
        with redirect_stdout(NotRays(sys.stdout)), redirect_stderr(NotRays(sys.stderr)):
            yield dashboard
    finally:
        if began:
            held = io.StringIO()  # what it has held back of the same
            with redirect_stdout(held), redirect_stderr(held):
                ray.shutdown()


def own_address() -> str:
    """Return where other processes of this machine find the cluster of the session."""
    return str(ray.get_runtime_context().gcs_address)


class NotRays:
    """A stream without what Ray prints of dead workers, which is told in one line instead.

    Ray prints it from a thread of its own, whatever `log_to_driver` and its loggers say.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Hand on what any other thread writes."""
        if threading.current_thread().name.startswith("ray_"):
            return len(text)
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _connect(address: str) -> str:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        options |= {"num_cpus": os.cpu_count(), "include_dashboard": False}
    else:
        _check_answers(address)
    for name in _TELL_OF_AN_END:
        logging.getLogger(name).disabled = True  # one sets its level again by itself
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        context = _initialised(address, options)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise ClusterError(f"{_nothing_at(address)} {in_one_line(error)}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)  # Ray puts its own in place
    return str(context.dashboard_url or "")


def _initialised(address: str, options: dict[str, Any]) -> Any:
    """Begin the session; one of Ray Client, whose server's process hangs at times, by trying."""
    for _ in range(_CLIENT_TRIES - 1 if address.startswith("ray://") else 0):
        with suppress(ConnectionError):
            return ray.init(address=address, **options)
    return ray.init(address=address, **options)


def _check_answers(address: str) -> None:
    """Refuse an address at which nothing listens, which Ray itself waits for long at."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto" or not colon:
        return
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ClusterError(f"{_nothing_at(address)} {error}.") from error


def _nothing_at(address: str) -> str:
    where = "found" if address == "auto" else f"at {address}"
    return (
        f"no cluster {where}: 'ray start --head' starts one, and cluster='local' needs none beyond "
        "this machine."
    )


def in_one_line(error: BaseException) -> str:
    """Return an error's first line, and its last too where the first announces a traceback."""
    first, *others = str(error).strip().splitlines() or [type(error).__name__]
    return f"{first} {others[-1].strip()}" if others and first.endswith(":") else first

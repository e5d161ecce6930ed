"""Starts real commands in moments: this process has imported all they need, and forks.

It reads a command a line from standard input, as JSON, and tells beginnings and ends on standard
output. TensorFlow is imported here, and started by each command.
"""

import json
import os
import platform
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import mlflow.pyfunc  # noqa: F401

import fakeface_bench.study.run  # imported before the fork
import fakeface_bench.tracking.store  # noqa: F401
from fakeface_bench.__main__ import main
from fakeface_bench.api.progress import ConsoleProgress
from fakeface_bench.search import storage
from fakeface_bench.support.progress import Advance

_STAGE = ConsoleProgress.stage


@contextmanager
def _announced(self: ConsoleProgress, title: str, total: int, unit: str) -> Iterator[Advance]:
    """Tell when a stage begins, as a terminal's bar would; lines tell only its end."""
    self.say(f"BEGINS {title}")
    with _STAGE(self, title, total, unit) as advance:

        def description(units: int) -> None:
            advance(units)
            self.say(f"ADVANCES {title}")

        yield description


def _run(command: dict[str, Any]) -> None:
    """Become the command."""
    os.setsid()
    log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdin.close()
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["environment"])
    ConsoleProgress.stage = _announced  # type: ignore[method-assign]
    if command["host"]:
        platform.node = lambda: command["host"]  # type: ignore[assignment]
    storage.HEARTBEAT_SECONDS, storage.GRACE_SECONDS = command["heartbeat"]
    if command["patience"]:
        from fakeface_bench.tracking import lifetime

        lifetime.PATIENCE_SECONDS = command["patience"]
    if command["threads"]:
        from fakeface_bench.data import pictures
        from fakeface_bench.features import epochs

        pictures.PARALLEL_CALLS = epochs.PARALLEL_CALLS = command["threads"]
    sys.argv = ["fakeface-bench", *command["arguments"]]
    main()


def serve() -> None:
    """Fork a process a command, and tell how each ended."""
    living = 0
    print("READY", flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        watcher = os.fork()
        if watcher:
            living += 1
            continue
        pid = os.fork()
        if not pid:
            try:
                _run(command)
            except SystemExit as end:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(int(end.code or 0))
            except BaseException:
                traceback.print_exc()
                os._exit(70)
        print(json.dumps({"name": command["name"], "pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps({"name": command["name"], "code": code}), flush=True)
        os._exit(0)


if __name__ == "__main__":
    serve()

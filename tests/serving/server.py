"""The real `mlflow models serve` in a process of its own, and requests to it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JSON = "application/json"
SECONDS_TO_START = 90


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    text: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The verdicts; NaN is no JSON, and is refused here."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"the answer holds {constant}, which is no JSON")

        assert self.status == 200, self.text
        return json.loads(self.text, parse_constant=refuse)["predictions"]

    @property
    def message(self) -> str:
        return json.loads(self.text)["message"]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int

    def ask(self, body: bytes, content_type: str | None = JSON) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            headers = {"Content-Type": content_type} if content_type else {}
            connection.request("POST", "/invocations", body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode())
        finally:
            connection.close()

    def ask_json(self, content: object) -> Answer:
        return self.ask(json.dumps(content).encode())

    def ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@contextmanager
def served(address: str, store: str, folder: Path, **more: str) -> Iterator[Server]:
    """Serve a model as README says, until the block ends.

    Args:
        address: Of the model.
        store: Of MLflow.
        folder: To work in; the log is left there.
        more: Further variables of the server's environment.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", address]
    command += ["--env-manager", "local", "--port", str(port)]
    log = folder / "server.log"
    with open(log, "w") as written:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(store, more),
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        server = Server(port)
        deadline = time.monotonic() + SECONDS_TO_START
        while not server.ready():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the command's own group: it starts uvicorn
        process.wait()


def _environment(store: str, more: Mapping[str, str]) -> dict[str, str]:
    scripts = str(Path(sys.executable).parent)  # where the server's command is found
    path = os.pathsep.join([scripts, os.environ["PATH"]])
    return {**os.environ, "MLFLOW_TRACKING_URI": store, "PATH": path, **more}

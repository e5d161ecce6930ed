"""A real PostgreSQL that a test starts, restarts and stops; the test skips where there is none."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from tests.reliability.servers import free_port

#: PostgreSQL refuses to run as root.
_USER = "postgres"


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    named = shutil.which("initdb")
    if not found and not named:
        pytest.skip("PostgreSQL is not installed")
    return found[-1] if found else Path(str(named)).parent


class Database:
    """A cluster of its own on a free port of loopback.

    Its folder lies beside pytest's, which are root's alone.
    """

    def __init__(self) -> None:
        self._programs = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._port = free_port()
        if os.getuid() == 0:
            user = pwd.getpwnam(_USER)
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "-D", str(self._folder / "data"), "-U", "ann", "--auth=trust", "-N")
        self.start()

    @property
    def address(self) -> str:
        return f"postgresql://ann@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        data = str(self._folder / "data")
        self._run("pg_ctl", "-D", data, "-o", options, "-l", f"{data}.log", "-w", "start")

    def stop(self) -> None:
        """Stop it at once, as a crash would."""
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")

    def close(self) -> None:
        """Stop it and delete all that it held."""
        self.stop()
        shutil.rmtree(self._folder)

    def restart(self, after_seconds: float) -> None:
        self.stop()
        time.sleep(after_seconds)
        self.start()

    def ask(self, query: str) -> list[tuple[object, ...]]:
        connection = psycopg.connect(self.address)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.getuid() == 0:
            command = [
                "setpriv",
                f"--reuid={_USER}",
                f"--regid={_USER}",
                "--clear-groups",
                *command,
            ]
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

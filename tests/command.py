"""The real command in a process of its own, and what is expected of one that fails."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import mlflow

ROOT = Path(__file__).resolve().parents[1]
#: How long a command may take to end after Ctrl-C.
SECONDS_TO_STOP = 5.0
#: Puts a stop to the import of TensorFlow, so that a test fails that would load it.
NO_TENSORFLOW = "raise SystemExit('TensorFlow was loaded')"
#: Imports the command line once, and forks for each request: starting takes most of its time.
_FORKING = """
import json, os, sys
import fakeface_bench.__main__ as command
import fakeface_bench.resolve
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv = ["fakeface_bench", *asked["arguments"]]
        for number, file in enumerate(asked["printed"], start=1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
        command.main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Command:
    """Runs `python -m fakeface_bench` with a store and a cache of its own.

    Args:
        folder: For all that it leaves.
        environment: Further variables.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment or {}
        self.store = f"sqlite:///{folder / 'mlflow.db'}"
        self.cache = folder / "cache"
        self.folder = folder / "work"
        self.folder.mkdir()
        self._blocked = folder / "blocked"
        for name in ("tensorflow", "keras", "mlflow"):
            (self._blocked / name / name).mkdir(parents=True)
            (self._blocked / name / name / "__init__.py").write_text(NO_TENSORFLOW)

    def __call__(
        self, *arguments: str, tensorflow: bool = False, mlflow: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; what it may not load ends it."""
        return subprocess.run(
            [sys.executable, "-m", "fakeface_bench", *arguments],
            cwd=self.folder,
            env=self.environment(tensorflow, mlflow),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def refused(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command that is to end before it loads TensorFlow, Keras or MLflow.

        In a process that is forked from one that has the command line imported.
        """
        starter = _starter()
        printed = [self.folder.parent / name for name in ("stdout", "stderr")]
        for file in printed:
            file.write_text("")
        asked = {
            "folder": str(self.folder),
            "environment": self.environment(),
            "arguments": arguments,
            "printed": [str(file) for file in printed],
        }
        assert starter.stdin is not None
        assert starter.stdout is not None
        starter.stdin.write(json.dumps(asked) + "\n")
        starter.stdin.flush()
        code = int(starter.stdout.readline())
        out, err = (file.read_text(encoding="utf-8") for file in printed)
        return subprocess.CompletedProcess(arguments, code, out, err)

    def environment(self, tensorflow: bool = False, mlflow: bool = False) -> dict[str, str]:
        """Return the variables of a command that may not load what is not named."""
        blocked = [] if tensorflow else ["tensorflow", "keras", *([] if mlflow else ["mlflow"])]
        paths = [*(str(self._blocked / name) for name in blocked), str(ROOT)]
        return {
            **{k: v for k, v in os.environ.items() if k not in ("MLFLOW_RUN_ID", "COLUMNS")},
            "MLFLOW_TRACKING_URI": self.store,
            "FAKEFACE_CACHE": str(self.cache),
            "FAKEFACE_STUDIES": str(self.folder.parent / "studies"),
            "PYTHONPATH": os.pathsep.join(paths),
            **self._environment,
        }


@cache
def _starter() -> subprocess.Popen[str]:
    """Start what forks for each request; it ends with this process."""
    folder = tempfile.TemporaryDirectory()  # of what it may not import
    started = subprocess.Popen(
        [sys.executable, "-c", _FORKING],
        env=Command(Path(folder.name)).environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def end() -> None:
        started.communicate()
        folder.cleanup()

    atexit.register(end)
    return started


def run_mlflow(store: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of MLflow's on a store, in a folder."""
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_RUN_ID"}
    return subprocess.run(
        [sys.executable, "-m", "mlflow", *arguments],
        cwd=folder,
        env=environment | {"MLFLOW_TRACKING_URI": store, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def words(text: str) -> str:
    """Undo the breaking of lines."""
    return " ".join(text.split())


def only_run(store: str) -> mlflow.entities.Run:
    client = mlflow.MlflowClient(tracking_uri=store)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments)
    assert len(runs) == 1
    return runs[0]


def assert_failed(command: Command, process: subprocess.CompletedProcess[str], says: str) -> None:
    """The process ended with one line that says why, and so did its MLflow run."""
    assert process.returncode == 1, process.stderr
    assert f"Error: {says}" in words(process.stderr)
    assert "Traceback" not in process.stderr
    run = only_run(command.store)
    assert run.info.status == "FAILED"
    assert says in run.data.tags["fakeface.failure"]
    assert list((command.cache / "features").rglob("*.npy")) == []

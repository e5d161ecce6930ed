"""The real command in a process of its own, and what is expected of one that fails."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import mlflow

ROOT = Path(__file__).resolve().parents[1]
#: How long a command may take to end after Ctrl-C.
SECONDS_TO_STOP = 5.0
#: Puts a stop to the import of TensorFlow, so that a test fails that would load it.
NO_TENSORFLOW = "raise SystemExit('TensorFlow was loaded')"


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

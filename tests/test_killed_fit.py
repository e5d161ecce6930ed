"""A study whose process is killed while layers train goes on, and ends as if it had not been."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from tests.command import ROOT

ARGUMENTS = (
    "run --model mobilenetv3_small --weights random --image-size 64 --fine-tune last_block "
    "--augment light --precision float32 --batch-size 8 --trials 2 --epochs 8"
).split()
WITHIN_SECONDS = 240


class Study:
    """The same command in a folder of its own, with its own store and cache."""

    def __init__(self, folder: Path, faces: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.fits = folder / "cache" / "fits"
        self._command = [sys.executable, "-m", "fakeface_bench", *ARGUMENTS, "--data", str(faces)]
        self._environment = {
            **{k: v for k, v in os.environ.items() if k != "MLFLOW_RUN_ID"},
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
            "FAKEFACE_CACHE": str(folder / "cache"),
            "PYTHONPATH": str(ROOT),
        }

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command,
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self) -> None:
        process = self.start()
        printed, _ = process.communicate(timeout=WITHIN_SECONDS)
        assert process.returncode == 0, printed

    def kill_in_second_stage(self, epochs: int) -> None:
        """Kill it without a warning once a fit has kept some epochs of its layers."""
        process = self.start()
        deadline = time.monotonic() + WITHIN_SECONDS
        try:
            while time.monotonic() < deadline and process.poll() is None:
                if self._kept_epochs() >= epochs:
                    break
                time.sleep(0.005)
            else:
                pytest.fail("the study ended before it could be killed")
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert process.returncode == -signal.SIGKILL

    def _kept_epochs(self) -> int:
        for file in self.fits.glob("*/*.npz"):
            with np.load(file) as kept:
                return str(kept["facts"]).count('"fine_tune"')
        return 0

    def parents(self) -> list[mlflow.entities.Run]:
        client = mlflow.MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")
        return client.search_runs(["0"], "tags.`fakeface.kind` = 'study'")

    def finished(self) -> mlflow.entities.Run:
        (run,) = (run for run in self.parents() if run.info.status == "FINISHED")
        return run

    def trials(self) -> list[mlflow.entities.Run]:
        client = mlflow.MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")
        query = f"tags.`mlflow.parentRunId` = '{self.finished().info.run_id}'"
        runs = client.search_runs(["0"], query)
        return sorted(runs, key=lambda run: int(run.data.tags["fakeface.trial"]))

    def predictions(self) -> pd.DataFrame:
        client = mlflow.MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")
        path = client.download_artifacts(self.finished().info.run_id, "test/predictions.parquet")
        return pd.read_parquet(path)


@pytest.mark.slow
def test_a_fit_killed_in_its_second_stage_ends_with_the_same_figures(
    tmp_path: Path, tiny_faces: Path
) -> None:
    undisturbed = Study(tmp_path / "undisturbed", tiny_faces)
    undisturbed.run()
    killed = Study(tmp_path / "killed", tiny_faces)
    killed.kill_in_second_stage(epochs=2)
    killed.run()

    expected, found = (study.finished().data.metrics for study in (undisturbed, killed))
    figures = [key for key in expected if key.startswith(("test/", "val/", "train/"))]
    assert len(figures) > 20
    assert {key: found[key] for key in figures} == {key: expected[key] for key in figures}
    pd.testing.assert_frame_equal(killed.predictions(), undisturbed.predictions())

    states = [run.data.tags["fakeface.state"] for run in killed.trials()]
    assert states.count("failed") == 1, "the killed trial"
    assert len(states) - 1 == len(undisturbed.trials()) == 2
    assert all(run.info.status != "RUNNING" for run in killed.trials())
    dead, again = killed.trials()[:2]
    assert dead.data.tags["fakeface.failure"] == "its process was killed"
    assert again.data.params == {**dead.data.params}
    left = list(killed.fits.glob("*/*"))
    assert len(left) == 1, f"only the winner's fit is kept, not {left}"

"""A script of ten lines does what `mlflow run` does, and logs the same figures."""

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from tests.command import ROOT

SCRIPT = """
import fakeface_bench as fb

study = fb.run_study(
    model="mobilenetv3_small",
    data="synthetic",
    weights="random",
    trials=3,
    limit=60,
)
print(study.metrics)
"""
COMMAND = (
    *("mlflow", "run", str(ROOT), "--env-manager", "local", "-P", "model=mobilenetv3_small"),
    *("-P", "data=synthetic", "-P", "weights=random", "-P", "trials=3", "-P", "limit=60"),
)
#: What a machine or a moment decides.
MEASURED = ("system/", "cost/", "seconds", "epoch", "peak", "predict_", "energy")


def ran(command: tuple[str, ...], folder: Path, cache: Path) -> mlflow.entities.Run:
    """Run a command with a store of its own; return the study's run."""
    folder.mkdir()
    store = f"sqlite:///{folder / 'mlflow.db'}"
    own = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "FAKEFACE_CACHE": str(cache),
        "MLFLOW_TRACKING_URI": store,
    }
    done = subprocess.run(
        command, cwd=folder, env=os.environ | own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    client = mlflow.MlflowClient(store)
    (study,) = client.search_runs(["0"], "tags.`fakeface.kind` = 'study'")
    return study


def scores(run: mlflow.entities.Run, folder: Path) -> pd.DataFrame:
    """Return the test predictions that a run logged."""
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    path = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="test/predictions.parquet", tracking_uri=uri
    )
    return pd.read_parquet(path)


def read(text: str) -> float | str:
    """Return a param's value: `mlflow run` writes some itself, in quotes, without points."""
    unquoted = text.strip("'")
    try:
        return float(unquoted)
    except ValueError:
        return unquoted


@pytest.mark.slow
def test_a_script_logs_what_the_command_logs(tmp_path: Path) -> None:
    assert len(SCRIPT.strip().splitlines()) <= 10
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    cache = tmp_path / "cache"
    commanded = ran(COMMAND, tmp_path / "commanded", cache)
    scripted = ran((sys.executable, str(script)), tmp_path / "scripted", cache)
    told = {
        run.info.run_id: {
            key: value
            for key, value in run.data.metrics.items()
            if not any(word in key for word in MEASURED)
        }
        for run in (commanded, scripted)
    }
    first, second = told.values()
    assert len(first) > 20
    assert first == second
    first_params, second_params = (
        {key: read(text) for key, text in run.data.params.items()} for run in (commanded, scripted)
    )
    first_params.pop("again")  # which says how it is run, and is none of the study
    assert first_params == second_params
    pd.testing.assert_frame_equal(
        scores(commanded, tmp_path / "commanded"), scores(scripted, tmp_path / "scripted")
    )

"""`mlflow run` starts the project in its own folder; relative paths are the caller's even so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from tests.command import ROOT, Command, run_mlflow, words

#: As MLflow starts a project: in a shell, in the project's folder, with the run in a variable.
LAUNCH = """
import os, subprocess, sys
folder, run_id, program = sys.argv[1:]
environment = os.environ | {"MLFLOW_RUN_ID": run_id}
command = ["bash", "-c", "true && " + program]
sys.exit(subprocess.run(command, cwd=folder, env=environment).returncode)
"""
#: Says where it works, and starts another that says the same, as a suite starts its studies.
WORKS = """
import json, os, subprocess, sys
from fakeface_bench.processes import work_where_called
warned = work_where_called()
again = subprocess.run([sys.executable, "-c", sys.argv[1], ""], capture_output=True, text=True) \\
    if sys.argv[1] else None
print(json.dumps([os.getcwd(), warned, json.loads(again.stdout) if again else None]))
"""


def launched(caller: Path, project: Path, run_id: str = "1" * 32) -> list[object]:
    """Return where a program works that `caller` had MLflow start in `project`."""
    program = caller / "works.py"
    program.write_text(WORKS)
    shell = f'"{sys.executable}" "{program}" "$(cat "{program}")"'
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(project), run_id, shell],
        cwd=caller,
        env={k: v for k, v in os.environ.items() if k != "MLFLOW_RUN_ID"}
        | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout))


def test_a_project_works_where_it_was_called_and_so_does_what_it_starts(tmp_path: Path) -> None:
    place, warned, child = launched(tmp_path, ROOT)
    assert (place, warned) == (str(tmp_path), "")
    assert child == [str(tmp_path), "", None]


def test_what_is_started_elsewhere_stays_there(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert launched(tmp_path, elsewhere)[:2] == [str(elsewhere), ""]


def test_a_parameter_under_two_spellings_is_refused(tmp_path: Path) -> None:
    command = Command(tmp_path, {"MLFLOW_RUN_ID": "0" * 32})
    process = command("run", "--image-size", "0", "--image-size", "96", mlflow=True)
    assert process.returncode == 2
    assert "Error: image_size arrived twice, since MLproject has no parameter" in process.stderr
    assert "write -P image_size=VALUE." in words(process.stderr)


@pytest.mark.slow
@pytest.mark.filterwarnings(  # MLflow's use of SQLAlchemy
    "ignore::DeprecationWarning:mlflow", "ignore::DeprecationWarning:sqlalchemy"
)
def test_near_spellings_fail_their_run_with_the_right_one(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    for name, says in (
        ("image-size", "image_size arrived twice"),
        ("imagesize", "No such option '--imagesize'"),
    ):
        asked = ("run", str(ROOT), "--env-manager", "local", "-P", f"{name}=96")
        process = run_mlflow(store, tmp_path, *asked)
        assert process.returncode == 1
        assert says in process.stderr
        (newest, *_) = mlflow.MlflowClient(store).search_runs(["0"])
        assert newest.info.status == "FAILED"
        assert says in newest.data.tags["fakeface.failure"]

"""`mlflow run` starts the project in its own folder; relative paths are the caller's even so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from tests.command import ROOT, Command, run_mlflow, words
from tests.reliability.servers import TrackingServer

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
from fakeface_bench.support.processes import work_where_called
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


@pytest.mark.slow
@pytest.mark.filterwarnings(  # MLflow's use of SQLAlchemy
    "ignore::DeprecationWarning:mlflow", "ignore::DeprecationWarning:sqlalchemy"
)
def test_a_project_from_git_goes_on_with_its_study_and_leaves_one_parent(
    tmp_path: Path, tiny_faces: Path
) -> None:
    """Twice, each time in another clone, against a server; all paths are the caller's."""
    repository, caller = tmp_path / "project.git", tmp_path / "caller"
    subprocess.run(["git", "clone", "-q", "--bare", str(ROOT), str(repository)], check=True)
    caller.mkdir()
    (caller / "faces").symlink_to(tiny_faces)
    address = "https://faces.example/project.git"  # which git looks up on this disk
    server = TrackingServer(tmp_path / "server")
    server.start()
    try:
        client = mlflow.MlflowClient(server.address)
        for trials, again in ((2, False), (2, True), (3, False)):
            small = {"trials": trials, "epochs": 2, "image_size": 64, "weights": "random"}
            asked = {"model": "mobilenetv3_small", "data": "faces", **small}
            process = run_fetched(address, repository, caller, server.address, "main", asked)
            assert process.returncode == 0, process.stderr
            if again:
                assert "Finished before: the run of" in words(process.stdout)
        process = run_fetched(address, repository, caller, server.address, "compare", {})
        assert process.returncode == 0, process.stderr
        assert f"Report: {caller / 'comparison' / 'report.html'}" in process.stdout
        runs = client.search_runs(["0"])
    finally:
        server.kill()
    assert [path.name for path in sorted(caller.iterdir())] == ["comparison", "faces"]
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    kinds = {run.data.tags["fakeface.kind"]: run for run in parents}
    assert sorted(kinds) == ["comparison", "study"]
    assert len(parents) == 2
    trials = [run for run in runs if run.data.tags["fakeface.kind"] == "trial"]
    under = {run.data.tags["mlflow.parentRunId"] for run in trials}
    assert len(trials) == 3
    assert under == {kinds["study"].info.run_id}


def run_fetched(
    address: str,
    repository: Path,
    caller: Path,
    store: str,
    entry_point: str,
    params: dict[str, object],
) -> subprocess.CompletedProcess[str]:
    """Run an entry point of a project that MLflow fetches by git."""
    given = [word for key, value in params.items() for word in ("-P", f"{key}={value}")]
    kept = {k: v for k, v in os.environ.items() if k not in ("MLFLOW_RUN_ID", "PYTHONPATH")}
    return subprocess.run(
        [
            *(sys.executable, "-m", "mlflow", "run", address, "-e", entry_point),
            *("--env-manager", "local", *given),
        ],
        cwd=caller,
        env={
            **kept,
            "MLFLOW_TRACKING_URI": store,
            "FAKEFACE_STUDIES": str(caller.parent / "studies"),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{repository}.insteadOf",
            "GIT_CONFIG_VALUE_0": address,
        },
        capture_output=True,
        text=True,
        check=False,
    )

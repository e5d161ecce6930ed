"""Several processes on one study: each trial once, the dead ones' too, whatever the database."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import optuna
import pytest
from mlflow.entities import Dataset

from fakeface_bench.tracking.entries import Input
from fakeface_bench.tracking.outbox import Outbox
from tests.reliability.commands import Launcher, Place, Running
from tests.reliability.conftest import Count
from tests.reliability.databases import Database

TRIALS = 10
#: Seconds between heartbeats, and of silence before a process counts as dead.
QUICK = (1, 3)


@pytest.fixture
def database() -> Iterator[Database]:
    started = Database()
    yield started
    started.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}"
    return str(request.getfixturevalue("database").address)


def command(study: list[str], storage: str) -> list[str]:
    shared = ["--trials", str(TRIALS), "--storage", storage]
    return [*study, *shared]


def trials_of(storage: str) -> list[optuna.trial.FrozenTrial]:
    opened = optuna.storages.RDBStorage(storage)
    try:
        (study,) = opened.get_all_studies()
        return opened.get_all_trials(study._study_id)
    finally:
        opened.engine.dispose()


def assert_shared(storage: str, workers: list[Running], place: Place) -> None:
    for worker in workers:
        assert worker.finish() == 0, worker.printed
    trials = trials_of(storage)
    assert len({trial.number for trial in trials}) == len(trials)
    useful = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(useful) == TRIALS
    assert len(place.finished_trials_of_newest()) == TRIALS
    assert "RUNNING" not in {run.info.status for run in place.client.search_runs(["0"])}


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_trials_of_a_study(
    launcher: Launcher,
    study: list[str],
    storage: str,
    tmp_path: Path,
    processes: int,
    record_property: Count,
) -> None:
    record_property("processes on one study", processes)
    place = Place(tmp_path / "place")
    asked = command(study, storage)
    workers = [launcher.start(place, *asked) for _ in range(processes)]
    assert_shared(storage, workers, place)
    pids = {trial.user_attrs["process"]["pid"] for trial in trials_of(storage)}
    assert len(pids) > 1, "one process ran them all"


def test_a_dataset_that_several_log_at_once_is_an_input_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow looks whether it has it, and writes it; another may have between the two."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    client, writers, datasets = mlflow.MlflowClient(), 4, 20
    outboxes = [Outbox(client.create_run("0").info.run_id) for _ in range(writers)]
    together = threading.Barrier(writers)

    def write(outbox: Outbox, run_id: str) -> None:
        for number in range(datasets):
            dataset = Dataset(f"faces {number}", "digest", "local", "{}")
            together.wait(30)
            outbox.send(Input(run_id, dict(dataset), "training"))

    runs = [run.info.run_id for run in client.search_runs(["0"])]
    with ThreadPoolExecutor(writers) as pool:
        for done in [pool.submit(write, *each) for each in zip(outboxes, runs, strict=True)]:
            done.result()
    for run_id in runs:
        inputs = client.get_run(run_id).inputs.dataset_inputs
        assert {i.dataset.name for i in inputs} == {f"faces {n}" for n in range(datasets)}


@pytest.mark.slow
def test_a_dead_process_of_another_machine_is_missed_and_its_trial_repeated_once(
    launcher: Launcher,
    study: list[str],
    database: Database,
    tmp_path: Path,
    record_property: Count,
) -> None:
    """Its host is another, so that no process table tells of its death, only its heart."""
    record_property("processes killed", 1)
    place, asked = Place(tmp_path / "place"), command(study, database.address)
    elsewhere = launcher.start(place, *asked, host="elsewhere", heartbeat=QUICK)
    elsewhere.wait_for("ADVANCES searching")
    running = (
        "select count(*) from trials join trial_user_attributes using (trial_id) "
        "where state = 'RUNNING' and key = 'head'"
    )
    elsewhere.until(lambda: database.ask(running) == [(1,)], "a trial that runs")
    elsewhere.kill()
    here = launcher.start(place, *asked, heartbeat=QUICK)
    assert here.finish() == 0, here.printed
    trials = trials_of(database.address)
    assert sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in trials) == TRIALS
    (dead,) = (trial for trial in trials if trial.state.name == "FAIL")
    again = [trial for trial in trials if trial.user_attrs.get("repeated")]
    assert [trial.params for trial in again] == [dead.params]


@pytest.mark.slow
def test_a_restarted_database_is_waited_for(
    launcher: Launcher,
    study: list[str],
    database: Database,
    tmp_path: Path,
    record_property: Count,
) -> None:
    record_property("outages of a study's database", 1)
    place, asked = Place(tmp_path / "place"), command(study, database.address)
    workers = [launcher.start(place, *asked) for _ in range(2)]
    workers[0].wait_for("ADVANCES searching")
    database.restart(after_seconds=5)
    assert_shared(database.address, workers, place)

"""Whatever runs of one study end in whatever order: one stays, with all trials under it."""

from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Run

from fakeface_bench.tracking import names, succession
from fakeface_bench.tracking.entries import Batch, Recipient, as_json
from fakeface_bench.tracking.outbox import Spool, send_spool
from fakeface_bench.tracking.succession import Succession

STUDY = {names.STUDY: "a study", names.MODEL: "vgg16", names.TEST_DIGEST: "abc"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}")


@pytest.fixture
def experiment(client: mlflow.MlflowClient, request: pytest.FixtureRequest) -> str:
    return str(client.create_experiment(request.node.name))


def opened(client: mlflow.MlflowClient, experiment: str, kind: str, began: int) -> str:
    tags = {names.KIND: kind, **STUDY}
    return str(client.create_run(experiment, start_time=began, tags=tags).info.run_id)


def ends(client: mlflow.MlflowClient, experiment: str, run: str) -> None:
    recipient = Recipient({})
    recipient.client = client
    Succession(run, experiment, "study", "asked", STUDY).deliver(recipient, None, False)
    client.set_terminated(run, "FINISHED")


def superseded_by(client: mlflow.MlflowClient, run: str) -> str | None:
    return client.get_run(run).data.tags.get(names.SUPERSEDED_BY)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_newest_of_those_that_finished_stays(
    client: mlflow.MlflowClient, experiment: str, order: tuple[int, ...]
) -> None:
    runs = [opened(client, experiment, "study", began) for began in (1, 2, 3)]
    at_work = opened(client, experiment, "study", 4)
    trial = opened(client, experiment, "trial", 1)
    for number in order:
        ends(client, experiment, runs[number])
    assert [superseded_by(client, run) for run in runs] == [runs[2], runs[2], None]
    assert superseded_by(client, at_work) is None
    assert client.get_run(trial).data.tags[names.PARENT] == runs[2]
    above = [client.get_run(run).data.tags.get(names.PARENT) for run in runs]
    assert above == [runs[2], runs[2], None], "MLflow's table shows one"


def test_a_study_of_a_suite_stays_under_it(client: mlflow.MlflowClient, experiment: str) -> None:
    first, second = (opened(client, experiment, "study", began) for began in (1, 2))
    client.set_tag(first, names.PARENT, "a suite")
    for run in (first, second):
        ends(client, experiment, run)
    assert superseded_by(client, first) == second
    assert client.get_run(first).data.tags[names.PARENT] == "a suite"


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_that_finish_at_once_one_stays(
    client: mlflow.MlflowClient, experiment: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other finishes between what this one sees and what it does then."""
    runs = [opened(client, experiment, "study", 1) for _ in range(2)]
    trial = opened(client, experiment, "trial", 1)
    searched, other = succession.all_runs, [runs[1 - first]]

    def interrupted(client: mlflow.MlflowClient, experiment: str, query: str) -> list[Run]:
        found = list(searched(client, experiment, query))
        if other and names.STUDY in query:
            ends(client, experiment, other.pop())
        return found

    monkeypatch.setattr(succession, "all_runs", interrupted)
    ends(client, experiment, runs[first])
    (stays,) = (run for run in runs if superseded_by(client, run) is None)
    assert client.get_run(trial).data.tags[names.PARENT] == stays


def test_one_that_ends_after_it_was_seen_to_run_is_not_taken_for_cut_off(
    client: mlflow.MlflowClient, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process ends with it, before anybody looks whether that lives."""
    first, last = (opened(client, experiment, "study", began) for began in (1, 2))
    client.set_tag(last, names.PROCESS, "{}")
    client.set_tag(last, names.CONCLUDED, "true")

    def ended(process: object) -> bool:
        client.set_terminated(last, "FINISHED")
        return True

    monkeypatch.setattr(succession, "is_dead", ended)
    ends(client, experiment, first)
    stays = client.get_run(last)
    assert (stays.info.lifecycle_stage, stays.info.status) == ("active", "FINISHED")
    assert [superseded_by(client, run) for run in (first, last)] == [last, None]


def test_what_is_kept_of_a_deleted_run_stays_and_is_told(
    client: mlflow.MlflowClient, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = opened(client, experiment, "study", 1)
    client.delete_run(run)
    spool = Spool(tmp_path / run)
    spool.take()
    spool.describe({"store": client.tracking_uri})
    spool.mark_sent(0, {})
    spool.keep(as_json(Batch(run, tags={"a": "b"})), None)
    spool.release()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", client.tracking_uri)
    description = send_spool(spool)
    assert description.startswith(
        "it was deleted from MLflow, as runs are whose request another run"
    )
    assert f"delete {spool.folder}, or let 'mlflow runs restore --run-id {run}'" in description
    assert len(spool) == 1
    client.restore_run(run)
    assert send_spool(spool) == ""
    assert client.get_run(run).data.tags["a"] == "b"
    assert not spool.folder.exists()

"""MLflow's server goes away in the middle of a study, for a while or for good: nothing is lost."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.commands import Launcher, Place, assert_same_study
from tests.reliability.conftest import TRIALS, Count
from tests.reliability.servers import TrackingServer

UNSENT = 4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TrackingServer]:
    started = TrackingServer(tmp_path / "server")
    started.start()
    yield started
    started.kill()


def place_at(server: TrackingServer, folder: Path) -> Place:
    further = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    return Place(folder / "study", tracking=server.address, further=further)


def assert_nothing_is_missing(found: Place, expected: Place) -> None:
    assert_same_study(found, expected, TRIALS)
    mine, other = found.parent().data, expected.parent().data
    assert set(mine.params) == set(other.params)
    assert {tag for tag in other.tags if tag.startswith("fakeface.")} <= set(mine.tags)
    epochs = [key for key in other.metrics if key.startswith(("val/", "train/"))]
    runs = [(found, found.parent()), (expected, expected.parent())]
    of_both = [
        {key: len(place.client.get_metric_history(run.info.run_id, key)) for key in epochs}
        for place, run in runs
    ]
    assert of_both[0] == of_both[1], "no step is missing, none is there twice"
    for one, another in zip(found.finished_trials(), expected.finished_trials(), strict=True):
        assert set(one.data.metrics) == set(another.data.metrics)
        assert set(one.data.tags) == set(another.data.tags)
    inputs = [place.parent().inputs.dataset_inputs for place in (found, expected)]
    assert [entry.dataset.digest for entry in inputs[0]] == [
        entry.dataset.digest for entry in inputs[1]
    ]


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        pytest.param("ADVANCES searching", 30, marks=pytest.mark.slow),
        pytest.param("recording results", 30, marks=pytest.mark.slow),
    ],
)
def test_a_server_that_was_away_misses_nothing(
    launcher: Launcher,
    study: list[str],
    undisturbed: Place,
    server: TrackingServer,
    tmp_path: Path,
    moment: str,
    seconds: float,
    record_property: Count,
) -> None:
    record_property("outages of MLflow's server", 1)
    place = place_at(server, tmp_path)
    running = launcher.start(place, *study)
    running.wait_for(moment)
    server.kill()
    time.sleep(seconds)
    server.start()
    assert running.finish() == 0, running.printed
    assert_nothing_is_missing(place, undisturbed)
    assert list((place.folder / "studies").rglob("entries.jsonl")) == []


@pytest.mark.slow
def test_what_a_server_never_took_is_kept_and_sent_once(
    launcher: Launcher,
    study: list[str],
    undisturbed: Place,
    server: TrackingServer,
    tmp_path: Path,
    record_property: Count,
) -> None:
    record_property("outages of MLflow's server", 1)
    record_property("processes killed", 1)
    place = place_at(server, tmp_path)
    running = launcher.start(place, *study, patience=1)
    running.wait_for("ADVANCES searching")
    server.kill()
    assert running.finish() == UNSENT, running.printed
    assert "roc_auc" in running.printed, "its results are printed all the same"
    assert "'fakeface-bench sync' sends them" in " ".join(running.printed.split())
    assert "Traceback" not in running.printed
    early = launcher.start(place, "sync")
    assert early.finish() == 1, "the server is still away"
    server.start()
    killed = launcher.start(place, "sync")
    killed.wait_for("BEGINS sending")
    time.sleep(0.5)
    killed.kill()
    again = launcher.start(place, "sync")
    assert again.finish() == 0, again.printed
    assert_nothing_is_missing(place, undisturbed)
    assert list((place.folder / "studies").rglob("entries.jsonl")) == []

"""A study whose trials run on a cluster of several nodes is the study of one process."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import mlflow
import numpy as np
import optuna
import pandas as pd
import psutil
import pytest
from optuna.trial import FrozenTrial, TrialState

from tests.command import Command
from tests.conftest import shared
from tests.support.clusters import started_nodes

#: One core each, since sums depend on how many a trial computes with.
HEADS = (
    *("--model", "residual", "--trials", "8", "--parallel", "4", "--trial-cores", "1"),
    *("--epochs", "5", "--image-size", "64"),
)
LAYERS = (
    *("--model", "mobilenetv3_small", "--weights", "random", "--image-size", "64"),
    *("--fine-tune", "last_2_blocks", "--precision", "float32", "--trials", "2", "--epochs", "4"),
    *("--parallel", "2", "--trial-cores", "1", "--patience", "0", "--pruner", "none"),
)
WEIGHTS = "weights/mobilenetv3_small_imagenet_notop.weights.h5"
Found = tuple[list[tuple[object, ...]], pd.DataFrame]


class Study:
    """The command, run in a folder of its own."""

    def __init__(self, folder: Path, faces: Path, options: tuple[str, ...]) -> None:
        folder.mkdir()
        self.command = Command(folder)
        self._options = ("run", "--data", str(faces), *options)
        self._storage = f"sqlite:///{folder / 'fakeface_studies.db'}"

    def run(self, cluster: str) -> CompletedProcess[str]:
        """Run it to its end."""
        return self.command(*self._options, "--cluster", cluster, tensorflow=True)

    def trials(self) -> list[FrozenTrial]:
        """Return its trials so far; none before there is a study."""
        try:
            (name,) = optuna.get_all_study_names(self._storage)
            return optuna.load_study(study_name=name, storage=self._storage).trials
        except (ValueError, OSError):
            return []

    def until(self, reached: Callable[[list[FrozenTrial]], bool]) -> None:
        """Wait for its trials to come so far."""
        end = time.monotonic() + 200
        while not reached(self.trials()):
            assert time.monotonic() < end, [trial.state for trial in self.trials()]
            time.sleep(0.2)

    def ended(self) -> list[tuple[object, ...]]:
        """Return its trials, epoch by epoch."""
        rows = [
            (
                trial.user_attrs["position"],
                trial.state,
                trial.params,
                trial.value,
                [(e["train_loss"], e["val_loss"]) for e in trial.user_attrs["epochs"]],
            )
            for trial in self.trials()
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        ]
        return sorted(rows, key=lambda row: row[0])

    def found(self) -> Found:
        """Return its trials, and the scores of the test split."""
        mlflow.set_tracking_uri(self.command.store)
        (run,) = mlflow.search_runs(
            filter_string="tags.`fakeface.kind` = 'study' and attributes.status = 'FINISHED'",
            output_format="list",
            search_all_experiments=True,
        )
        path = mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path="test/predictions.parquet"
        )
        return self.ended(), pd.read_parquet(path)


def same(one: Found, other: Found) -> bool:
    """Whether trials and scores are equal, bit for bit."""
    return one[0] == other[0] and np.array_equal(one[1]["y_score"], other[1]["y_score"])


def done_alone(folder: Path, faces: Path, options: tuple[str, ...]) -> Study:
    study = Study(folder, faces, options)
    ended = study.run("none")
    assert ended.returncode == 0, ended.stderr
    return study


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Path) -> Study:
    """Heads, fitted by one process."""
    return done_alone(tmp_path_factory.mktemp("alone") / "heads", tiny_faces, HEADS)


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Path) -> Study:
    """Layers, fitted by one process."""
    return done_alone(tmp_path_factory.mktemp("alone") / "layers", tiny_faces, LAYERS)


@pytest.fixture
def at_once() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def complete(count: int) -> Callable[[list[FrozenTrial]], bool]:
    return lambda trials: (
        sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials) >= count
    )


@pytest.mark.slow
def test_heads_on_three_nodes_of_which_one_dies_are_those_of_one_process(
    tmp_path: Path, tiny_faces: Path, at_once: ThreadPoolExecutor, heads: Study
) -> None:
    study = Study(tmp_path / "cluster", tiny_faces, HEADS)
    with started_nodes(1, 1, 1) as nodes:
        running = at_once.submit(study.run, nodes.address)
        study.until(complete(2))
        nodes.kill(1)
        ended = running.result()
    assert ended.returncode == 0, ended.stderr
    assert "a cluster of 3 nodes, 3 units at once" in ended.stderr
    assert same(study.found(), heads.found())


@pytest.mark.slow
def test_the_usual_study_on_three_nodes_of_which_one_dies_is_that_of_one_process(
    tmp_path: Path, at_once: ThreadPoolExecutor
) -> None:
    faces = shared("data/140k_subset")
    options = (
        *("--model", "mobilenetv3_small", "--weights", str(shared(WEIGHTS))),
        *("--parallel", "4", "--trial-cores", "1"),
    )
    alone = done_alone(tmp_path / "alone", faces, options)
    study = Study(tmp_path / "cluster", faces, options)
    with started_nodes(1, 1, 1) as nodes:
        running = at_once.submit(study.run, nodes.address)
        study.until(complete(1))  # 20 such trials take seconds
        nodes.kill(1)
        ended = running.result()
    assert ended.returncode == 0, ended.stderr
    assert "the cluster has lost" in ended.stderr
    assert same(study.found(), alone.found())
    assert len(study.ended()) == 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["heads", "layers"])
def test_a_driver_outside_the_cluster_finds_what_one_process_does(
    tmp_path: Path, tiny_faces: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    study = Study(tmp_path / "cluster", tiny_faces, {"heads": HEADS, "layers": LAYERS}[kind])
    with started_nodes(1, 1, client=True) as nodes:
        ended = study.run(nodes.client_address)
    assert ended.returncode == 0, ended.stderr
    assert "a cluster of 2 nodes, 2 units at once" in ended.stderr
    assert same(study.found(), request.getfixturevalue(kind).found())


@pytest.mark.slow
@pytest.mark.parametrize("share", ["paths", "bytes"])
def test_layers_whose_worker_dies_in_an_epoch_go_on_elsewhere(
    tmp_path: Path, tiny_faces: Path, at_once: ThreadPoolExecutor, layers: Study, share: str
) -> None:
    study = Study(tmp_path / "cluster", tiny_faces, (*LAYERS, "--share", share))
    with started_nodes(1, 1) as nodes:
        running = at_once.submit(study.run, nodes.address)
        study.until(lambda trials: any(trial.user_attrs.get("epochs") for trial in trials))
        killed = kill_a_worker()
        ended = running.result()
    assert killed
    assert ended.returncode == 0, ended.stderr
    assert same(study.found(), layers.found())


def kill_a_worker() -> bool:
    """Kill one process that fits, as a machine without memory would."""
    for process in psutil.process_iter(["cmdline"]):
        if process.info["cmdline"] and "ray::work" in process.info["cmdline"][0]:
            process.kill()
            return True
    return False


@pytest.mark.slow
def test_a_driver_that_is_killed_and_started_again_loses_no_trial(
    tmp_path: Path, tiny_faces: Path, at_once: ThreadPoolExecutor, heads: Study
) -> None:
    study = Study(tmp_path / "cluster", tiny_faces, HEADS)
    with started_nodes(1, 1) as nodes:
        running: Future[Any] = at_once.submit(study.run, nodes.address)
        study.until(complete(2))
        driver = next(
            process
            for process in psutil.process_iter(["cmdline"])
            if str(tiny_faces) in (process.info["cmdline"] or [])
        )
        driver.kill()
        assert running.result().returncode < 0
        ended = study.run(nodes.address)
        assert ended.returncode == 0, ended.stderr
    assert same(study.found(), heads.found())
    positions = [t.user_attrs["position"] for t in study.trials() if t.state != TrialState.FAIL]
    assert len(positions) == len(set(positions)), "no trial is there twice"


@pytest.mark.slow
def test_two_drivers_of_one_study_share_its_trials(
    tmp_path: Path, tiny_faces: Path, at_once: ThreadPoolExecutor, heads: Study
) -> None:
    study = Study(tmp_path / "cluster", tiny_faces, HEADS)
    with started_nodes(1, 1) as nodes:
        running = at_once.submit(study.run, nodes.address)
        study.until(lambda trials: bool(trials))
        ended = [study.run(nodes.address), running.result()]
    assert [one.returncode for one in ended] == [0, 0], [one.stderr for one in ended]
    trials = [trial for trial in study.trials() if trial.state != TrialState.FAIL]
    assert len({trial.user_attrs["position"] for trial in trials}) == len(trials) == 8
    assert study.ended() == heads.ended()


@pytest.mark.slow
def test_processes_of_this_machine_cost_what_they_ran(tmp_path: Path, tiny_faces: Path) -> None:
    study = Study(tmp_path / "local", tiny_faces, HEADS)
    ended = study.run("local")
    assert ended.returncode == 0, ended.stderr
    mlflow.set_tracking_uri(study.command.store)
    (run,) = mlflow.search_runs(
        filter_string="tags.`fakeface.kind` = 'study'",
        output_format="list",
        search_all_experiments=True,
    )
    metrics = run.data.metrics
    searching = sum(value for key, value in metrics.items() if key.startswith("cost/search_"))
    ran = sum(trial.user_attrs["ran_seconds"] for trial in study.trials())
    assert searching == pytest.approx(ran, rel=1e-3)
    wall = (run.info.end_time - run.info.start_time) / 1000
    assert metrics["cost/total_warm_seconds"] < wall + 60
    assert metrics["cost/total_cold_seconds"] > metrics["cost/total_warm_seconds"] - wall

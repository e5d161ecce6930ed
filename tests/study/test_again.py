"""A finished study that is asked for again: told at once, without TensorFlow, and never doubled."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import ViewType

from fakeface_bench import __version__
from fakeface_bench.config import METRICS_VERSION, StudyConfig
from fakeface_bench.resolve import Checked
from fakeface_bench.study import find_or_run
from fakeface_bench.study.find_or_run import find_finished
from fakeface_bench.support.errors import UsageError
from fakeface_bench.tracking.studies import StudyRun
from tests.command import ROOT, Command, run_mlflow, words
from tests.conftest import RecordedProgress

SMALL = ("--trials", "2", "--epochs", "1", "--image-size", "64", "--weights", "random")


class Asked:
    """One study that was run for real, and the same command again."""

    def __init__(self, command: Command, faces: Path) -> None:
        self.command = command
        self.faces = faces
        self.options = ("--model", "mobilenetv3_small", "--data", str(faces), *SMALL)
        self.first = command("run", *self.options, tensorflow=True)
        assert self.first.returncode == 0, self.first.stderr
        (run,) = self.runs("study")
        self.run_id = run.info.run_id

    @property
    def client(self) -> mlflow.MlflowClient:
        return mlflow.MlflowClient(self.command.store)

    def runs(self, kind: str, view: int = ViewType.ACTIVE_ONLY) -> list[mlflow.entities.Run]:
        return list(self.client.search_runs(["0"], f"tags.`fakeface.kind` = '{kind}'", view))

    def again(self, *further: str) -> subprocess.CompletedProcess[str]:
        """Ask again, where TensorFlow cannot be loaded."""
        return self.command("run", *self.options, *further, mlflow=True)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Path) -> Asked:
    folder = tmp_path_factory.mktemp("again")
    shutil.copytree(tiny_faces, folder / "faces")
    return Asked(Command(folder), folder / "faces")


def figures_in(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith("│") and "weights" not in line]


def assert_told(asked: Asked, process: subprocess.CompletedProcess[str]) -> None:
    """It ended well, told figures and link of the study, and nothing was added to MLflow."""
    assert process.returncode == 0, process.stderr
    assert "Finished before: the run of " in words(process.stdout)
    assert "2 trials" in words(process.stdout)
    first = [row.split() for row in figures_in(asked.first.stdout)]
    description = [row.split() for row in figures_in(process.stdout)]
    assert len(description) >= 8
    assert all(row in first for row in description)
    assert f"runs/{asked.run_id}" in process.stdout
    assert [run.info.run_id for run in asked.runs("study", ViewType.ALL)] == [asked.run_id]
    trials = asked.runs("trial")
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {asked.run_id}
    assert len(trials) == 2


def test_a_finished_study_is_told_and_not_run_and_its_model_registered(asked: Asked) -> None:
    process = asked.again("--register", "later")
    assert_told(asked, process)
    assert asked.client.get_model_version("later", "1").run_id == asked.run_id
    last = process.stdout.strip().splitlines()[-1]
    assert last.startswith("models:/later/1 is registered, but not the champion: ")


def test_asked_to_run_again_it_is_run(asked: Asked) -> None:
    assert "TensorFlow was loaded" in asked.again("--again", "true").stderr


@pytest.fixture
def here(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> StudyConfig:
    """What was asked, for this process."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", asked.command.store)
    monkeypatch.setenv("FAKEFACE_CACHE", str(asked.command.cache))
    monkeypatch.chdir(asked.command.folder)
    return StudyConfig(
        model="mobilenetv3_small",
        data=str(asked.faces),
        trials=2,
        epochs=1,
        image_size=64,
        weights="random",
    )


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, True),
        ({"trials": 1, "cache_gb": 3.0, "limit": 1000}, True),
        ({"trials": 3}, False),
        ({"seeds": 2}, False),
        ({"refits": 2}, False),
        ({"epochs": 2}, False),
        ({"limit": 5}, False),
        ({"study": "another"}, False),
        ({"dollars_per_hour": 2.0}, False),
        ({"weights": __file__}, False),
    ],
)
def test_only_what_was_asked_before_is_found(
    asked: Asked, here: StudyConfig, changes: dict[str, Any], found: bool
) -> None:
    request = Checked(replace(here, **changes))  # a file of weights is compared, not looked into
    finished, _ = find_finished(request, RecordedProgress())
    assert (finished is not None) is found
    assert not finished or finished.run.run_id == asked.run_id


def test_other_pictures_in_the_folder_make_another_study(
    asked: Asked, here: StudyConfig, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(asked.faces, moved)
    config = replace(here, data=str(moved))
    assert find_finished(config, RecordedProgress())[0]
    next(p for p in moved.rglob("*") if p.is_file() and "train" in p.parts).unlink()
    progress = RecordedProgress()
    finished, dataset = find_finished(config, progress)
    assert finished is None
    assert dataset is not None, "and what was read of it is not read again"
    assert len(dataset.survey.files) == 79


def test_a_study_whose_files_are_gone_is_run_again(
    asked: Asked, here: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*arguments: object) -> None:
        raise UsageError("the study has no study.json in MLflow.")

    monkeypatch.setattr(find_or_run, "read_studies", gone)
    progress = RecordedProgress()
    assert find_finished(here, progress)[0] is None
    assert progress.warnings == ["the study has no study.json in MLflow. It is run again."]


def test_the_run_that_mlflow_opened_stands_for_the_finished_one(
    asked: Asked, tmp_path: Path
) -> None:
    given = [f"{name[2:].replace('-', '_')}={value}" for name, value in pairs(asked.options)]
    words_of = [word for option in given for word in ("-P", option)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKEFACE_CACHE", str(asked.command.cache))
        process = run_mlflow(
            asked.command.store, tmp_path, "run", str(ROOT), "--env-manager", "local", *words_of
        )
    assert_told(asked, process)
    (pointer,) = asked.runs("pointer")
    assert pointer.info.status == "FINISHED"
    assert pointer.data.tags["mlflow.parentRunId"] == asked.run_id
    assert f"finished before, by run {asked.run_id}" in pointer.data.tags["mlflow.note.content"]
    assert f"Run (ID '{pointer.info.run_id}') succeeded" in process.stderr


def pairs(options: tuple[str, ...]) -> list[tuple[str, str]]:
    return list(zip(options[::2], options[1::2], strict=True))


CONFIG = StudyConfig(model="mobilenetv3_small")
#: What a run of it holds.
PARAMS = {
    **{key: str(value) for key, value in CONFIG.as_params().items()},
    "version_fakeface_bench": __version__,
    "version_figures": METRICS_VERSION,
}


def earlier(weights: str = "imagenet", **params: str) -> StudyRun:
    named = ("x", "FINISHED", "mobilenetv3_small", "frozen", weights, "d", "1", "2", 0, "", "0")
    return StudyRun(*named, PARAMS | params, {})


@pytest.mark.parametrize(
    ("study", "config", "same"),
    [
        (earlier(), CONFIG, True),
        (earlier(version_figures="study 0"), CONFIG, False),
        (earlier(study="mine"), CONFIG, True),
        (earlier(study="mine"), replace(CONFIG, study="mine"), True),
        (earlier(study="mine"), replace(CONFIG, study="other"), False),
        (earlier(dollars_per_hour="2"), replace(CONFIG, dollars_per_hour=2.0), True),
        (earlier(dollars_per_hour="2"), replace(CONFIG, dollars_per_hour=3.0), False),
        (earlier(seeds="3"), CONFIG, True),
        (earlier(seeds="3"), replace(CONFIG, seeds=3), True),
        (earlier(seeds="3"), replace(CONFIG, refits=2), False),
        (earlier(refits="3"), replace(CONFIG, refits=2), True),
        (earlier(anytime="True"), CONFIG, True),
        (earlier(), replace(CONFIG, anytime=True), False),
        (earlier(anytime="True"), replace(CONFIG, anytime=True), True),
        (earlier(timeout_minutes="5"), replace(CONFIG, timeout_minutes=5.0), False),
        (earlier(timeout_minutes="5"), replace(CONFIG, timeout_minutes=5.0, trials=7), True),
    ],
)
def test_the_same_is_what_was_asked_and_holds_as_much(
    study: StudyRun, config: StudyConfig, same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_or_run, "useful_trials", lambda experiment_id, parent: 7)
    assert find_or_run._is_same(config, study) is same


@pytest.mark.parametrize(
    ("asked_for", "same"), [({}, True), ({"seeds": 2}, False), ({"refits": 3}, True)]
)
def test_seeds_once_named_what_refits_does(asked_for: dict[str, int], same: bool) -> None:
    study = earlier(seeds="3")
    params = {key: value for key, value in study.params.items() if key != "refits"}
    config = replace(CONFIG, **asked_for)
    assert find_or_run._is_same(config, replace(study, params=params)) is same


@pytest.mark.parametrize(("to_be_had", "same"), [(True, False), (False, True)])
def test_random_weights_do_where_no_others_are_to_be_had(
    to_be_had: bool, same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_or_run, "weights_may_be_had", lambda architecture: to_be_had)
    assert find_or_run._is_same(CONFIG, earlier("random")) is same
    assert find_or_run._is_same(CONFIG, earlier("imagenet"))
    study = replace(earlier("random"), params=PARAMS | {"weights": "random"})
    assert find_or_run._is_same(replace(CONFIG, weights="random"), study)


def test_an_experiment_still_to_be_made_holds_nothing_and_is_not_made(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", asked.command.store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "still to be made")
    config = StudyConfig(model="mobilenetv3_small", data=str(asked.faces))
    assert find_finished(config, RecordedProgress()) == (None, None)
    assert asked.client.get_experiment_by_name("still to be made") is None

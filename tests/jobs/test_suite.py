"""A suite in real processes: what fails does not stop it, what is finished is not run again."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import mlflow
import numpy as np
import pandas as pd
import pytest

from fakeface_bench import __version__
from fakeface_bench.config import METRICS_VERSION, StudyConfig, SuiteConfig
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.resolve import checked, named_weights, suite_studies
from fakeface_bench.study.find_or_run import matches_request, uses_images
from fakeface_bench.support.errors import UsageError
from fakeface_bench.tracking.studies import GENERATORS_DIGEST, StudyRun
from tests.command import Command, words
from tests.freeze.frozen import assert_frozen
from tests.freeze.run_names import names_of_run

SMALL = ("--trials", "1", "--epochs", "1", "--image-size", "64", "--weights", "random")


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def studied(command: Command, tiny_faces: Path) -> float:
    """Run one study in a process; return its wall clock as seen from outside."""
    options = ("--model", "mobilenetv3_small", "--data", str(tiny_faces), *SMALL)
    started = time.perf_counter()
    process = command("run", *options, tensorflow=True)
    assert process.returncode == 0, process.stderr
    return time.perf_counter() - started


def client_of(command: Command) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(command.store)


def runs_of(command: Command, kind: str) -> list[mlflow.entities.Run]:
    return list(client_of(command).search_runs(["0"], f"tags.`fakeface.kind` = '{kind}'"))


def test_stages_add_up_to_the_wall_clock_of_the_process(command: Command, studied: float) -> None:
    (run,) = runs_of(command, "study")
    client = client_of(command)
    path = client.download_artifacts(run.info.run_id, "cost_ledger.json")
    ledger = Ledger.from_json(json.loads(Path(path).read_text()))
    # The ledger is closed before the run ends and the interpreter leaves: a moment that does not
    # grow with the study, and is longer where another process works beside it.
    assert 0 <= studied - ledger.total_warm_seconds < 1.5
    assert all(cost.spent_seconds >= 0 for cost in ledger.stages)
    for stage, parts in (
        ("startup", ("imports", "store")),
        ("overhead", ("model", "report", "explanation")),
    ):
        seconds = [ledger.other[f"{stage}_{part}_seconds"] for part in parts]
        assert min(seconds) > 0
        assert sum(seconds) <= ledger.stage(stage).spent_seconds + 1e-6
    assert 0 < ledger.other["processor_seconds"] < 4 * ledger.total_warm_seconds
    assert 0 <= ledger.other["others_share"] < 1
    assert ledger.other["energy_kwh"] > 0
    assert run.data.metrics["cost/total_warm_seconds"] == ledger.total_warm_seconds


@pytest.fixture(scope="module")
def suited(command: Command, studied: float, tiny_faces: Path) -> subprocess.CompletedProcess[str]:
    """A suite of a study that was run before, a new one, and one that must fail."""
    broken = command.folder / "broken.weights.h5"
    with h5py.File(broken, "w") as file:  # as many values as that network has, in another shape
        file["layers/heap/vars/0"] = np.zeros(2_257_984, np.float16)
    models = ("--models", "mobilenetv3_small,simple_cnn,mobilenetv2", "--data", str(tiny_faces))
    weights = f"mobilenetv3_small=random,mobilenetv2={broken}"
    return command("suite", *models, *SMALL[:-1], weights, tensorflow=True)


def test_one_that_fails_does_not_stop_the_others(command: Command, suited) -> None:
    assert suited.returncode == 1
    assert "Traceback" not in suited.stderr
    assert "Error: 1 of 3 studies failed. mobilenetv2: it failed:" in words(suited.stderr)
    assert "does not hold weights of mobilenetv2: layer 'Conv1' needs" in words(suited.stderr)
    status = {run.data.tags["fakeface.model"]: run.info.status for run in runs_of(command, "study")}
    assert status == {
        "mobilenetv3_small": "FINISHED",
        "simple_cnn": "FINISHED",
        "mobilenetv2": "FAILED",
    }


def test_what_was_finished_is_not_run_again(command: Command, suited) -> None:
    assert "mobilenetv3_small was finished before" in words(suited.stderr)
    assert len(runs_of(command, "study")) == 3


def test_the_suite_ends_in_one_comparison_of_what_finished(command: Command, suited) -> None:
    (run,) = runs_of(command, "comparison")
    assert run.info.status == "FAILED"
    assert run.data.tags["fakeface.failure"].startswith("1 of 3 studies failed.")
    finished = {r.info.run_id for r in runs_of(command, "study") if r.info.status == "FINISHED"}
    assert set(run.data.tags["fakeface.compared"].split(",")) == finished
    assert run.data.params["models"] == "mobilenetv3_small,simple_cnn,mobilenetv2"
    parents = {r.data.tags.get("mlflow.parentRunId") for r in runs_of(command, "study")}
    assert parents == {None, run.info.run_id}, "a study that was there stays where it was"
    assert_frozen("runs/suite", names_of_run(client_of(command), run.info.run_id))
    page = (command.folder / "comparison" / "report.html").read_text()
    assert "simple_cnn" in page
    assert "Left out: mobilenetv2" in words(suited.stdout)


@pytest.mark.slow
def test_an_interrupted_suite_leaves_nothing_running_and_goes_on(
    tmp_path: Path, tiny_faces: Path
) -> None:
    command = Command(tmp_path)
    options = ("suite", "--models", "simple_cnn,mobilenetv3_small", "--data", str(tiny_faces))
    process = subprocess.Popen(
        [sys.executable, "-m", "fakeface_bench", *options, *SMALL],
        cwd=command.folder,
        env=command.environment(tensorflow=True),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "study 2 of 2" in line:
            break
    time.sleep(6)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    client = mlflow.MlflowClient(command.store)
    assert "RUNNING" not in {run.info.status for run in client.search_runs(["0"])}
    again = command(*options, *SMALL, tensorflow=True)
    assert again.returncode == 0, again.stderr
    assert "simple_cnn was finished before" in words(again.stderr)


def suite(models: str, **study: object) -> SuiteConfig:
    return SuiteConfig(models, study=replace(StudyConfig(), **study))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "match"),
    [
        (suite(" , "), "models is empty"),
        (suite("vgg16,vgg99"), "no architecture 'vgg99'"),
        (suite("mobilenetv3,mobilenetv3_large"), "names 'mobilenetv3_large' twice"),
        (suite("vgg16", weights="vgg19=random"), "weights are given for 'vgg19'"),
        (suite("vgg16", weights="vgg16=nowhere.h5"), r"weights 'nowhere\.h5' is no file"),
        (suite("vgg16", data="nope"), "no dataset or folder 'nope'"),
        (suite("simple_cnn", weights=f"simple_cnn={__file__}"), "takes no weights"),
        (suite("vgg16", fine_tune="last_99_blocks"), "has .* blocks, not 99"),
    ],
)
def test_a_suite_that_cannot_begin_is_refused(config: SuiteConfig, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        checked(config)


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError, match="is a file; name a folder"):
        checked(replace(suite("vgg16"), output=str(file)))


def test_a_network_is_not_asked_what_it_has_no_use_for() -> None:
    tuned = suite("simple_cnn,vgg16", fine_tune="last_block", weights="imagenet", augment="none")
    scratch, pretrained = suite_studies(tuned)
    assert (scratch.weights, scratch.fine_tune, scratch.augment) == ("auto", "frozen", "none")
    assert (pretrained.weights, pretrained.fine_tune) == ("imagenet", "last_block")
    (frozen,) = suite_studies(suite("vgg16", augment="none", precision="float32"))
    assert (frozen.augment, frozen.precision) == ("search", "auto")
    by_onnx = suite_studies(suite("simple_cnn,convnext_tiny,vgg16", engine="onnxruntime"))
    assert [study.engine for study in by_onnx] == ["auto", "auto", "onnxruntime"]


@pytest.mark.parametrize(
    ("changes", "answers"),
    [
        ({}, True),
        ({"trials": 3, "cache_gb": 5.0, "dollars_per_hour": 2.0}, True),
        ({"trials": 50}, False),
        ({"seeds": 2}, False),
        ({"epochs": 5}, False),
        ({"weights": "imagenet"}, False),
        ({"weights": __file__}, False),
        ({"timeout_minutes": 5.0}, True),
        ({"data": "other"}, True),
        ({"classes": "real:nature"}, True),
        ({"data": "other", "balance": "sources"}, False),
    ],
)
def test_a_finished_study_answers_what_it_holds(changes: dict[str, object], answers: bool) -> None:
    params = StudyConfig().as_params() | {
        "version_fakeface_bench": __version__,
        "version_figures": METRICS_VERSION,
    }
    balance = {key: changes[key] for key in ("balance",) if key in changes}
    params |= balance
    shown = {key: str(value) for key, value in params.items()}
    earlier = StudyRun(
        "x", "FINISHED", "m", "frozen", "random", "d", "1", "2", 0, "", "0", shown, {}
    )
    assert matches_request(replace(StudyConfig(), **changes), earlier) is answers  # type: ignore[arg-type]
    older = replace(earlier, params=shown | {"version_figures": "study 0"})
    assert not matches_request(replace(StudyConfig(), **changes), older)  # type: ignore[arg-type]
    hurried = replace(earlier, params=shown | {"timeout_minutes": "1.0"})
    assert not matches_request(replace(StudyConfig(), **changes), hurried)  # type: ignore[arg-type]


def test_a_study_that_knew_no_generators_does_not_answer_for_what_they_made() -> None:
    """A `generators.csv` that was added changes no image, but what is told of each generator."""
    frame = pd.DataFrame(
        {
            "digest": ["a", "b", "c", "d"],
            "label": [0, 1, 0, 1],
            "split": ["train", "train", "test", "test"],
            "source": "faces",
            "category": "",
            "generator": "",
        }
    )
    plain = ImageIndex("faces", {}, frame)
    told = ImageIndex("faces", {}, frame.assign(generator=["", "sd", "", "gan"]))
    other = ImageIndex("faces", {}, frame.assign(generator=["", "sd", "", "sd"]))
    named = ("x", "FINISHED", "m", "frozen", "random", "d", plain.digest)
    for first in (plain, told, other):
        params = {GENERATORS_DIGEST: first.generators_digest} if first is not plain else {}
        study = StudyRun(*named, plain.split_digest("test"), 0, "", "0", params, {})
        assert [uses_images(study, index) for index in (plain, told, other)] == [
            index is first for index in (plain, told, other)
        ]


def test_a_longer_search_is_enough_but_not_the_same() -> None:
    params = StudyConfig().as_params() | {
        "version_fakeface_bench": __version__,
        "version_figures": METRICS_VERSION,
        "trials": 21,
    }
    shown = {key: str(value) for key, value in params.items()}
    named = ("x", "FINISHED", "m", "frozen", "random", "d", "1", "2")
    longer = StudyRun(*named, 0, "", "0", shown, {})
    assert matches_request(StudyConfig(), longer)
    assert not matches_request(StudyConfig(), longer, same_trials=True)


def test_the_storage_is_shown_without_its_password() -> None:
    config = suite("vgg16", storage="postgresql://ann:secret@host/studies")
    assert config.shown_params()["storage"] == "postgresql://host/studies"
    assert config.study.shown_params()["storage"] == "postgresql://host/studies"


def test_weights_by_model_are_those_of_that_model() -> None:
    config = suite("mobilenetv3,vgg16,vgg19", weights="mobilenetv3_large=a.h5, vgg16=b.h5")
    assert [study.weights for study in suite_studies(config)] == ["a.h5", "b.h5", "auto"]
    assert named_weights("imagenet") == {}
    assert named_weights("file.h5") == {}

"""Which studies are compared, out of a real MLflow store, and what is said of the others."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import mlflow
import numpy as np
import pytest
from mlflow.entities import LoggedModelOutput

from fakeface_bench.analysis.results import results_of
from fakeface_bench.config import CompareConfig
from fakeface_bench.jobs.compare import run_comparison
from fakeface_bench.records.ledger import STAGES, Ledger, StageCost
from fakeface_bench.report.saved_study import write_predictions, write_study_json
from fakeface_bench.report.study_report import write_costs
from fakeface_bench.support.disk import unused_folder
from fakeface_bench.support.errors import UsageError
from tests.conftest import RecordedProgress
from tests.freeze.frozen import assert_frozen
from tests.freeze.run_names import names_of_run
from tests.report.conftest import ORIGIN, study_record

DIGEST, OTHER = "a" * 64, "b" * 64


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> mlflow.MlflowClient:
    """A real store, made once: its tables take longer than any test here."""
    return mlflow.MlflowClient(f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}")


@pytest.fixture
def store(
    server: mlflow.MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> mlflow.MlflowClient:
    """An experiment of its own, its artifacts in a folder that is the working folder too."""
    monkeypatch.chdir(tmp_path)
    folder = (tmp_path / "artifacts").as_uri()
    number = server.create_experiment(tmp_path.name, artifact_location=folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.tracking_uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", number)
    return server


def here() -> str:
    """The experiment of the running test."""
    return os.environ["MLFLOW_EXPERIMENT_ID"]


Keep = Callable[..., str]


@pytest.fixture
def keep(store: mlflow.MlflowClient, tmp_path: Path) -> Keep:
    """Log a made-up finished study; return its run."""
    clock = iter(range(1_000_000, 2_000_000, 1000))

    def keep_study(
        model: str,
        distance: float = 2.0,
        cost: float = 60.0,
        params: Mapping[str, object] = MappingProxyType({}),
        **changes: str,
    ) -> str:
        record = study_record(model, distance)
        tags = {
            "fakeface.kind": "study",
            "fakeface.model": model,
            "fakeface.fine_tune": "frozen",
            "fakeface.weights": "imagenet",
            "fakeface.dataset": "faces",
            "fakeface.dataset_digest": DIGEST,
            "fakeface.test_digest": DIGEST,
            **{f"fakeface.{key}": value for key, value in changes.items() if key != "status"},
        }
        began = next(clock)
        run = store.create_run(here(), start_time=began, tags=tags).info.run_id
        for key, value in params.items():
            store.log_param(run, key, value)
        folder = tmp_path / f"study-{run}"
        (folder / "test").mkdir(parents=True)
        write_study_json(record, results_of(record), folder)
        write_predictions(record, folder)
        write_costs(record, results_of(record), ledger_of(cost), ORIGIN, folder)
        store.log_artifacts(run, str(folder))
        store.set_terminated(run, changes.get("status", "FINISHED"), began + 500)
        return str(run)

    return keep_study


def ledger_of(seconds: float) -> Ledger:
    """All of it overhead."""
    stages = [StageCost(stage, seconds if stage == "overhead" else 0.0) for stage in STAGES]
    return Ledger(tuple(stages))


def compare(**options: object) -> object:
    return run_comparison(CompareConfig(**options), RecordedProgress())  # type: ignore[arg-type]


def test_the_newest_of_each_is_compared_and_the_rest_is_named(keep: Keep, store, tmp_path) -> None:
    older = keep("vgg16", 1.0)
    other_digest = keep("vgg16", 1.0, dataset_digest=OTHER)
    other_split = keep("xception", 1.0, test_digest=OTHER)
    elsewhere = keep("xception", dataset="ciplab", dataset_digest=OTHER)
    repeated = keep("densenet121")
    store.set_tag(repeated, "fakeface.superseded_by", keep("densenet121", test_digest=OTHER))
    failed = keep("resnet50v2", status="FAILED", failure="out of memory.")
    good = keep("vgg16", 3.0, cost=500.0)
    tuned = keep("vgg16", 3.0, cost=900.0, fine_tune="last_block")
    cheap = keep("simple_cnn", 1.0, cost=50.0)
    outcome = compare()
    compared = {s.study.identity.run_id for s in outcome.result.entries}
    assert compared == {good, tuned, cheap}
    description = {study.run_id: study.reason for study in outcome.result.left_out}
    assert description == {
        older: "an older study of the same.",
        other_digest: "its dataset has another digest (bbbbbbbbbbbb).",
        other_split: "its test split is another one, drawn with another seed.",
        failed: "it failed: out of memory.",
        store.get_run(repeated).data.tags["fakeface.superseded_by"]: description[other_split],
        "": "of another dataset; data= chooses it.",
    }
    assert not {elsewhere, repeated} & description.keys()
    run = store.get_run(outcome.run_id)
    assert run.info.status == "FINISHED"
    tags = run.data.tags
    assert tags["fakeface.kind"] == "comparison"
    assert tags["fakeface.dataset_digest"] == DIGEST
    assert set(tags["fakeface.compared"].split(",")) == compared
    assert tags["fakeface.best_run"] in (good, tuned)
    assert "simple_cnn" in tags["mlflow.note.content"]
    files = {file.path for file in store.list_artifacts(outcome.run_id)}
    assert {"report.html", "leaderboard.csv", "front.png"} <= files
    assert files == {path.name for path in (tmp_path / "comparison").iterdir()}
    assert all(path.stat().st_mode & 0o044 for path in (tmp_path / "comparison").iterdir())
    assert_frozen("runs/comparison", names_of_run(store, outcome.run_id))


def test_what_an_older_study_was_asked_otherwise_is_told(keep: Keep) -> None:
    sized = keep("vgg16", params={"image_size": "96", "trials": "5"})
    same = keep("vgg16")
    newest = keep("vgg16")
    outcome = compare(output="")
    assert [s.study.identity.run_id for s in outcome.result.entries] == [newest]
    assert {study.run_id: study.reason for study in outcome.result.left_out} == {
        same: "an older study of the same.",
        sized: "an older study of the same, with 96 px, 5 trials.",
    }
    both = compare(output="", runs=f"{sized},{newest}").result
    assert {entry.label for entry in both.entries} == {
        "vgg16, 96 px",
        "vgg16, usual size",
    }


def test_studies_of_a_limit_stand_apart_from_whole_ones(keep: Keep) -> None:
    whole = keep("vgg16")
    part = keep("simple_cnn", params={"limit": 150}, dataset_digest=OTHER, test_digest=OTHER)
    outcome = compare(output="")
    assert [s.study.identity.run_id for s in outcome.result.entries] == [whole]
    (left_out,) = outcome.result.left_out
    assert left_out.run_id == part
    assert left_out.reason == (
        "it used at most 150 images of each split and class (limit=150), not all images."
    )
    outcome = compare(output="", data=OTHER[:8])
    assert [s.study.identity.run_id for s in outcome.result.entries] == [part]


def test_a_second_report_lies_beside_the_first(keep: Keep, tmp_path: Path) -> None:
    keep("vgg16")
    first = compare()
    here = Path.cwd()
    assert first.folder == here / "comparison"
    kept = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    keep("simple_cnn")
    progress = RecordedProgress()
    second = run_comparison(CompareConfig(), progress)
    assert second.folder == here / "comparison-2"
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == kept
    assert "simple_cnn" in (second.folder / "leaderboard.md").read_text()
    assert progress.lines == [
        f"{here / 'comparison'} holds files already, which are kept; this report is in "
        f"{here / 'comparison-2'}"
    ]
    assert compare(output=str(tmp_path / "new" / "folder")).folder == tmp_path / "new" / "folder"


def test_a_folder_that_is_empty_is_filled_and_a_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert unused_folder(tmp_path / "empty") == tmp_path / "empty"
    (tmp_path / "empty" / "mine.txt").touch()
    (tmp_path / "empty-2").touch()
    assert unused_folder(tmp_path / "empty") == tmp_path / "empty-3"


@pytest.mark.parametrize("data", ["other", OTHER[:8]])
def test_a_dataset_is_chosen_by_name_or_digest(keep: Keep, data: str) -> None:
    wanted = keep("vgg16", dataset="other", dataset_digest=OTHER)
    keep("vgg16")
    outcome = compare(data=data, output="")
    assert [s.study.identity.run_id for s in outcome.result.entries] == [wanted]


def test_runs_that_are_named_are_compared_whatever_is_newer(keep: Keep) -> None:
    one, two = keep("vgg16"), keep("simple_cnn")
    keep("vgg16")
    outcome = compare(runs=f"{one}, {two},{one}", output="")
    assert {s.study.identity.run_id for s in outcome.result.entries} == {one, two}


def test_files_that_were_renamed_between_studies_are_the_same_images(
    keep: Keep, store, tmp_path
) -> None:
    keep("vgg16")
    moved = keep("simple_cnn")
    record = study_record("simple_cnn", 2.0)
    test = replace(record.test, paths=tuple(f"moved/{path}" for path in record.test.paths))
    (tmp_path / "moved" / "test").mkdir(parents=True)
    write_predictions(replace(record, test=test), tmp_path / "moved")
    store.log_artifacts(moved, str(tmp_path / "moved"))
    outcome = compare(output="")
    assert outcome.result.agreement.same_predictions[0, 1] == pytest.approx(1.0)


def test_another_price_replaces_that_of_the_studies(keep: Keep) -> None:
    keep("vgg16", cost=3600.0)
    outcome = compare(dollars_per_hour=3.0, output="")
    (entry,) = outcome.result.entries
    assert entry.study.ledger.price(entry.cold_seconds) == 3.0


def assert_refused(store: mlflow.MlflowClient, match: str, **options: str) -> None:
    """It is told with exit code 2, and the run says so too."""
    with pytest.raises(UsageError, match=match) as caught:
        compare(**options)
    assert caught.value.exit_code == 2
    runs = store.search_runs([here()], "tags.`fakeface.kind` = 'comparison'")
    assert runs[0].info.status == "FAILED"
    assert runs[0].data.tags["fakeface.failure"] == str(caught.value)


def test_an_empty_store_is_told_with_what_to_run(store) -> None:
    assert_refused(store, r"holds no finished study\. Run some first: mlflow run \. -e suite")


def test_unfinished_studies_are_counted(keep: Keep, store) -> None:
    keep("vgg16", status="FAILED")
    assert_refused(store, r"no finished study \(1 failed or still running\)")


def test_unknown_data_is_told_with_what_there_is(keep: Keep, store) -> None:
    keep("vgg16")
    assert_refused(store, r"no .*'nope'; there are studies of faces \(aaaaaaaaaaaa\)", data="nope")


def test_studies_of_different_digests_are_not_mixed(keep: Keep, store) -> None:
    runs = [keep("vgg16"), keep("simple_cnn", dataset_digest=OTHER)]
    assert_refused(store, "different datasets and cannot be compared", runs=",".join(runs))
    runs = [keep("vgg16"), keep("vgg16", dataset_digest=OTHER)]
    assert_refused(store, "different datasets and cannot be compared", runs=",".join(runs))
    runs = [keep("vgg16"), keep("simple_cnn", test_digest=OTHER)]
    assert_refused(store, "different test splits", runs=",".join(runs))


@pytest.mark.parametrize("file", ["test/predictions.parquet", "study.json", "cost_ledger.json"])
def test_a_study_without_a_file_is_named(keep: Keep, store, tmp_path: Path, file: str) -> None:
    run = keep("vgg16")
    (path,) = (p for p in tmp_path.rglob(f"artifacts/{file}") if run in p.parts)
    path.unlink()
    assert_refused(store, rf"the study of vgg16, frozen, imagenet has no {file}.*{run}")


def test_a_study_whose_model_was_deleted_is_named(keep: Keep, store) -> None:
    run = keep("vgg16")
    model = store.create_logged_model(here(), source_run_id=run)
    store.log_outputs(run, [LoggedModelOutput(model.model_id, 0)])
    compare(output="")
    store.delete_logged_model(model.model_id)
    assert_refused(store, f"the model of the study of vgg16.*was deleted.*{run}")


def test_runs_that_are_no_finished_studies_are_told(keep: Keep, store) -> None:
    assert_refused(store, "MLflow knows no run 'abc'", runs="abc")
    run = keep("vgg16")
    store.delete_run(run)
    assert_refused(store, f"was deleted; 'mlflow runs restore --run-id {run}'", runs=run)
    assert_refused(store, "is no finished study: it is failed", runs=keep("vgg16", status="FAILED"))
    trial = keep("vgg16", kind="trial")
    assert_refused(store, "is no finished study: it is a trial", runs=trial)


def test_a_study_whose_repetition_failed_or_is_gone_still_counts(keep: Keep, store) -> None:
    good = keep("vgg16")
    store.set_tag(good, "fakeface.superseded_by", keep("vgg16", status="FAILED"))
    other = keep("simple_cnn")
    gone = keep("simple_cnn")
    store.set_tag(other, "fakeface.superseded_by", gone)
    store.delete_run(gone)
    outcome = compare(output="")
    assert {s.study.identity.run_id for s in outcome.result.entries} == {good, other}


def test_a_study_whose_files_are_broken_is_named(keep: Keep, store, tmp_path: Path) -> None:
    run = keep("vgg16")
    (path,) = (p for p in tmp_path.rglob("artifacts/study.json") if run in p.parts)
    path.write_text(path.read_text()[:100])
    assert_refused(store, f"files of the study of vgg16, frozen, imagenet cannot be read.*{run}")


def test_no_runs_and_no_home_are_told(store) -> None:
    with pytest.raises(UsageError, match="names none; give ids"):
        compare(runs=" ,")
    with pytest.raises(UsageError, match="is no folder"):
        compare(output="~nobody_at_all/here")


def test_data_and_runs_do_not_go_together(store) -> None:
    with pytest.raises(UsageError, match="give one of them"):
        compare(data="faces", runs="abc")


def test_the_leaderboard_has_what_the_records_say(keep: Keep, tmp_path: Path) -> None:
    run = keep("vgg16", 2.0, cost=75.0)
    compare(output=str(tmp_path / "out"))
    import pandas as pd

    (row,) = pd.read_csv(tmp_path / "out" / "leaderboard.csv").to_dict("records")
    assert row["run_id"] == run
    assert row["total_cold_seconds"] == 75
    record = study_record("vgg16", 2.0)
    assert row["accuracy"] == pytest.approx(record.test.metrics["accuracy"])
    assert row["roc_auc"] == pytest.approx(record.test.metrics["roc_auc"])
    assert np.isfinite(row["accuracy_low_95"])
    assert json.loads(json.dumps(row))

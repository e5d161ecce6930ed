"""One whole study on drawn faces, in a real MLflow store and a real study file."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import optuna
import pandas as pd
import pytest

from fakeface_bench.config import HeadConfig, logistic_regression
from fakeface_bench.evaluation import detector
from fakeface_bench.evaluation.metrics import METRICS
from fakeface_bench.features.residual_statistics import columns_by_group
from fakeface_bench.features.samples import Samples, SplitReader
from fakeface_bench.jobs.trained_model import open_trained
from fakeface_bench.records.study import StudyRecord
from fakeface_bench.search import trial as one_trial
from fakeface_bench.study import run as study
from fakeface_bench.study.run import StudyOutcome
from fakeface_bench.support.errors import StudyError, UsageError
from fakeface_bench.tracking.succession import useful_trials
from tests.conftest import NEEDS_BFLOAT16, RecordedProgress
from tests.freeze.frozen import assert_frozen
from tests.freeze.run_names import names_of_run, names_of_study
from tests.workplace import Workplace, workplace


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Path) -> Workplace:
    return workplace(tmp_path_factory.mktemp("workplace"), tiny_faces)


@pytest.fixture(scope="module")
def first(place: Workplace) -> tuple[StudyOutcome, RecordedProgress]:
    return place.run()


@pytest.fixture(scope="module")
def second(
    place: Workplace, first: tuple[StudyOutcome, RecordedProgress]
) -> tuple[StudyOutcome, RecordedProgress]:
    return place.run(explained=True, seeds=2, dollars_per_hour=3.6, register="faces")


@pytest.fixture(scope="module")
def artifacts(place: Workplace, second: tuple[StudyOutcome, RecordedProgress]) -> Path:
    return Path(place.client.download_artifacts(second[0].run_id, ""))


def test_parent_run_says_what_was_studied(place: Workplace, first) -> None:
    run = place.client.get_run(first[0].run_id)
    tags = run.data.tags
    assert run.info.status == "FINISHED"
    assert tags["fakeface.kind"] == "study"
    assert tags["fakeface.model"] == "mobilenetv3_small"
    assert tags["fakeface.weights"] == "random"
    assert tags["fakeface.study"].startswith("mobilenetv3_small-")
    assert "Results" in tags["mlflow.note.content"]
    assert run.data.params["trials"] == "3"
    assert int(run.data.params["hardware_threads"]) >= 1
    assert run.data.params["version_keras"]
    dataset = run.inputs.dataset_inputs[0].dataset
    assert tags["fakeface.dataset_digest"].startswith(dataset.digest)


def test_parent_run_holds_every_metric(place: Workplace, first) -> None:
    logged = place.client.get_run(first[0].run_id).data.metrics
    for split in ("val", "test"):
        told = [key for key, row in METRICS.items() if row.least_real == 1]
        assert {f"{split}/{key}" for key in (*told, "threshold")} <= logged.keys()
    stages = ("preparation", "extraction", "search_complete", "final_fit", "evaluation", "overhead")
    figures = ("first_epoch", "steady_epoch", "epoch_end_to_end", "total_cold", "total_warm")
    assert all(logged[f"cost/{name}_seconds"] > 0 for name in (*stages, *figures))
    assert logged["data/unreadable_images"] == 0
    assert logged["cost/extracted_images"] == 80


def test_epochs_are_steps_and_the_latest_figure_is_the_kept_one(place: Workplace, first) -> None:
    outcome = first[0]
    history = place.client.get_metric_history(outcome.run_id, "val/roc_auc")
    epochs = outcome.record.final_fit.epochs
    assert [point.step for point in history] == list(range(len(epochs) + 1))
    assert [point.value for point in history][:-1] == [epoch.val_roc_auc for epoch in epochs]
    assert history[-1].value == pytest.approx(outcome.record.final_fit.best.val_roc_auc)
    latest = place.client.get_run(outcome.run_id).data.metrics["val/accuracy"]
    assert latest == outcome.record.valid.metrics["accuracy"]


def test_running_again_gives_the_same_figures_and_extracts_nothing(
    place: Workplace, first, second
) -> None:
    before, after = (place.client.get_run(o.run_id).data.metrics for o, _ in (first, second))
    figures = [key for key in before if key.startswith(("test/", "val/"))]
    assert {key: after[key] for key in figures} == {key: before[key] for key in figures}
    assert after["cost/extracted_images"] == 0
    # Making the engine, which a cache spares, is not charged again: half a second, more under load.
    assert after["cost/extraction_seconds"] >= before["cost/extraction_seconds"] - 1.0
    assert not any("extracting" in title for title, _ in second[1].stages)


def test_what_the_first_run_did_is_charged_to_the_second(first, second) -> None:
    before, after = first[0].ledger, second[0].ledger
    for stage in ("preparation", "extraction", "search_complete", "overhead"):
        assert after.stage(stage).amortised_seconds > 0, stage
    assert after.stage("search_complete").spent_seconds == 0
    searched = before.stage("search_complete").seconds
    assert after.stage("search_complete").seconds == pytest.approx(searched)
    assert before.stage("extraction").amortised_seconds == 0
    work = ("preparation", "extraction", "search_complete")
    then, now = (sum(ledger.stage(s).spent_seconds for s in work) for ledger in (before, after))
    assert now < then
    assert after.total_cold_seconds > after.total_warm_seconds
    assert after.targets.keys() == before.targets.keys()


def test_a_further_seed_is_another_study_beside_the_one_that_is_kept(
    place: Workplace, second, artifacts: Path
) -> None:
    record = second[0].record
    (repeat,) = record.repeats
    assert repeat.seed == 1
    uids = [{trial.uid for trial in search.trials} for search in (record.search, repeat.search)]
    assert [len(of_seed) for of_seed in uids] == [3, 3]
    assert not uids[0] & uids[1]
    drawn = [search.trials[-1].config for search in (record.search, repeat.search)]
    assert drawn[0] != drawn[1], "the sampler draws from the seed"
    assert repeat.fit_seconds > 0
    assert not np.array_equal(repeat.test.y_score, record.test.y_score)
    predictions = pd.read_parquet(artifacts / "test" / "predictions.parquet")
    np.testing.assert_array_equal(predictions["y_score"], record.test.y_score)
    np.testing.assert_array_equal(predictions["y_score_seed_1"], repeat.test.y_score)
    logged = place.client.get_run(second[0].run_id).data.metrics
    both = [fit.metrics["roc_auc"] for fit in (record.test, repeat.test)]
    assert logged["test/roc_auc_mean"] == pytest.approx(np.mean(both))
    assert logged["test/roc_auc_std"] == pytest.approx(np.std(both, ddof=1))
    assert second[0].ledger.stage("repeats").spent_seconds > 0
    seconds = logged["cost/total_warm_seconds"]
    assert logged["cost/total_warm_dollars"] == pytest.approx(seconds / 1000)


def test_trials_hang_under_the_newest_parent(place: Workplace, first, second) -> None:
    assert place.trials_of(first[0].run_id) == []
    trials = place.trials_of(second[0].run_id)
    first_seed = [trial for trial in trials if "fakeface.seed" not in trial.data.tags]
    assert [trial.data.tags["fakeface.trial"] for trial in first_seed] == ["0", "1", "2"]
    others = [trial for trial in trials if trial not in first_seed]
    names = [trial.info.run_name for trial in others]
    assert names == ["trial 0, seed 1", "trial 1, seed 1", "trial 2, seed 1"]
    with place.here():
        assert useful_trials("0", second[0].run_id) == 3
    older = place.client.get_run(first[0].run_id).data.tags
    assert older["fakeface.superseded_by"] == second[0].run_id


def test_a_trial_holds_its_options_epochs_and_state(place: Workplace, second) -> None:
    record = second[0].record.search
    runs = place.trials_of(second[0].run_id)
    runs = [run for run in runs if "fakeface.seed" not in run.data.tags]
    for run, trial in zip(runs, record.trials, strict=True):
        assert run.data.tags["fakeface.kind"] == "trial"
        assert run.data.tags["fakeface.state"] == trial.state
        assert run.data.params.keys() >= trial.config.as_params().keys()
        history = place.client.get_metric_history(run.info.run_id, "train/loss")
        assert [point.step for point in history] == list(range(len(trial.epochs)))
    usual = logistic_regression(features="all_blocks+residual")
    assert record.trials[0].config.head == usual, "the baseline comes first"


def test_names_of_a_study_are_what_they_were(place: Workplace, first, second) -> None:
    client, run_id = place.client, second[0].run_id
    baseline = place.trials_of(run_id)[0].info.run_id
    version = client.get_model_version("faces", "1")
    file = f"sqlite:///{place.folder / 'fakeface_studies.db'}"
    study = optuna.load_study(study_name=second[0].record.study, storage=file)
    assert_frozen(
        "runs/study",
        {
            "run": names_of_run(client, run_id),
            "superseded run": names_of_run(client, first[0].run_id),
            "trial": names_of_run(client, baseline),
            "storage": names_of_study(study),
            "registered version": sorted(version.tags),
        },
    )


def test_artifacts_answer_without_code(artifacts: Path, second) -> None:
    names = {str(path.relative_to(artifacts)) for path in artifacts.rglob("*") if path.is_file()}
    assert {
        "results.csv",
        "results.md",
        "test/confusion_matrix.png",
        "test/confusion_matrix.json",
        "test/classification_report.csv",
        "test/roc_curve.png",
        "test/precision_recall_curve.png",
        "test/gallery_right.png",
        "test/gallery_wrong.png",
        "training/learning_curves.png",
        "search/history.png",
        "search/importances.png",
        "search/trials.csv",
    } <= names
    counts = np.array(json.loads((artifacts / "test/confusion_matrix.json").read_text())["counts"])
    assert counts.sum() == len(second[0].record.test.y_true)


def test_the_study_is_explained_and_has_a_model_card(artifacts: Path, place, second) -> None:
    pictures = ("evidence_right", "evidence_wrong", "evidence_uncertain", "reliability_diagram")
    for name in (*pictures, "frequency_spectrum"):
        assert (artifacts / f"explain/{name}.png").stat().st_size > 10_000
    metrics = place.client.get_run(second[0].run_id).data.metrics
    assert -1 <= metrics["explain/head_dependence"] < 0.9
    card = (artifacts / "model_card.md").read_text()
    record = second[0].record
    assert f"ROC AUC: {record.test.metrics['roc_auc']:.3f} (" in card
    assert f"MLflow run `{second[0].run_id}`" in card
    assert "fakeface-bench run --model mobilenetv3\\_small" not in card
    assert "--trials 3 \\\n" in card
    assert "train 28 real and 28 fake; valid 6 real and 6 fake; test 6 real and 6 fake" in card


def test_a_study_registers_its_model_and_a_refusal_leaves_it_finished(place, second) -> None:
    outcome = second[0]
    registration = outcome.registration
    assert registration.address == "models:/faces/1"
    assert not registration.is_champion
    refused = "its study tested 12 images; its scores are checked on 64."
    assert registration.refused.startswith(refused)
    run = place.client.get_run(outcome.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["fakeface.registered"] == "models:/faces/1"
    version = place.client.get_model_version("faces", "1")
    assert version.run_id == outcome.run_id
    assert version.aliases == []


def test_the_logged_model_scores_pictures_as_the_study_did(
    place: Workplace, artifacts: Path, second, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, run_id = second[0].record, second[0].run_id
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.store)
    predictions = pd.read_parquet(artifacts / "test/predictions.parquet")
    model = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    rows = model.predict(raw_pictures(record))
    np.testing.assert_allclose(rows["probability_fake"], predictions["y_score"], atol=1e-4)
    assert (rows["threshold"] == record.test.threshold).all()
    called = np.where(predictions["y_score"] >= record.test.threshold, "fake", "real")
    assert (rows["label"] == called).all()
    band = record.test.unsure
    assert (rows["unsure"] == band.holds(record.test.y_score)).all()
    metrics = place.client.get_run(run_id).data.metrics
    assert (metrics["unsure/low"], metrics["unsure/high"]) == (band.low, band.high)
    assert metrics["test/unsure_share"] == pytest.approx(rows["unsure"].mean())
    assert rows["error"].isna().all()
    assert [column.name for column in model.metadata.signature.inputs.inputs] == ["image"]
    (logged,) = place.client.get_run(run_id).outputs.model_outputs
    figures = place.client.get_logged_model(logged.model_id).metrics
    description = {figure.key: figure.value for figure in figures}
    assert description["test/roc_auc"] == record.test.metrics["roc_auc"]


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        ("onnxruntime", r"onnxruntime [\d.]+, float32"),
        pytest.param("tensorflow", r"tensorflow [\d.]+, float32", marks=pytest.mark.slow),
        pytest.param(
            "tensorflow_bf16",
            r"tensorflow [\d.]+, bfloat16, test in float32",
            marks=(NEEDS_BFLOAT16, pytest.mark.slow),
        ),
    ],
)
def test_a_study_of_each_engine_is_scored_as_it_is_served(
    place: Workplace, engine: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, progress = place.run(engine=engine, trials=1, weights="random")
    run = place.client.get_run(outcome.run_id)
    assert re.fullmatch(says, run.data.params["extracted_on"])
    assert run.data.params["engine"] == engine
    assert not progress.warnings
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.store)
    model = mlflow.pyfunc.load_model(f"runs:/{outcome.run_id}/model")
    served = model.predict(raw_pictures(outcome.record))["probability_fake"]
    np.testing.assert_allclose(served, outcome.record.test.y_score, atol=1e-4)
    with place.here():
        trained = open_trained(f"runs:/{outcome.run_id}/model", "0", progress)
    assert trained.classifier.facts.engine == engine.removesuffix("_bf16")


def test_a_study_may_be_of_statistics_alone_and_of_no_band(
    place: Workplace, tmp_path: Path
) -> None:
    outcome, _ = place.run(True, model="residual", trials=3, unsure_error=0.0, weights="auto")
    run = place.client.get_run(outcome.run_id)
    assert run.data.tags["fakeface.weights"] == "none"
    assert run.data.metrics["cost/parameters"] < 1_448 * 600
    assert not any("unsure" in name for name in run.data.metrics)
    assert "best_pooling" not in run.data.params
    assert run.data.params["best_features"] == "residual"
    assert "extracted_on" not in run.data.params, "nothing of it is a network"
    assert "explain/head_dependence" not in run.data.metrics
    place.client.download_artifacts(outcome.run_id, "explain", str(tmp_path))
    assert (tmp_path / "explain/residual_statistics.png").stat().st_size > 10_000
    shown = json.loads((tmp_path / "explain/explanation.json").read_text())
    assert shown["residual_statistics"].keys() == columns_by_group().keys()


def raw_pictures(record: StudyRecord) -> pd.DataFrame:
    """The files of the test split, as they are."""
    (folder,) = map(Path, record.data_folders.values())
    return pd.DataFrame({"image": [(folder / path).read_bytes() for path in record.test.paths]})


@pytest.mark.slow  # tests/search holds the sampler to it, in seconds
def test_topping_up_adds_trials_as_if_never_stopped(
    place: Workplace, second, tmp_path: Path, tiny_faces: Path, session_cache: Path
) -> None:
    topped, _ = place.run(trials=5)
    straight, _ = workplace(tmp_path, tiny_faces, session_cache).run(trials=5)
    assert len(place.trials_of(topped.run_id)) == 5
    assert [t.value for t in topped.record.search.trials] == [
        t.value for t in straight.record.search.trials
    ]
    assert topped.record.test.metrics == straight.record.test.metrics


def test_nothing_reads_test_before_the_last_fit_and_then_once(
    tmp_path: Path, tiny_faces: Path, session_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    read, fit_winner, fit_trial = SplitReader.read, detector.fit, one_trial.fit_record

    def counted_read(self: SplitReader, split: str) -> Samples:
        events.append(f"read {split}")
        return read(self, split)

    def counted(fit: Callable[..., object]) -> Callable[..., object]:
        def counted_fit(*args: object, **kwargs: object) -> object:
            events.append("fit")
            return fit(*args, **kwargs)

        return counted_fit

    monkeypatch.setattr(SplitReader, "read", counted_read)
    monkeypatch.setattr(detector, "fit", counted(fit_winner))
    monkeypatch.setattr(one_trial, "fit_record", counted(fit_trial))
    workplace(tmp_path, tiny_faces, session_cache).run(trials=2)
    trials, winner, baseline = ["fit"] * 2, ["fit"], ["fit"]
    assert events == ["read train", "read valid", *trials, *winner, *baseline, "read test"]


def test_a_lost_mlflow_store_gets_its_trials_back(
    tmp_path: Path, tiny_faces: Path, session_cache: Path
) -> None:
    place = workplace(tmp_path, tiny_faces, session_cache)
    first, _ = place.run(trials=2)
    place.store_file = "another.db"
    second, _ = place.run(trials=2)
    trials = place.trials_of(second.run_id)
    assert len(trials) == 2
    for run, trial in zip(trials, first.record.search.trials, strict=True):
        assert run.data.tags["fakeface.state"] == trial.state
        assert run.data.metrics["cost/trial_seconds"] == pytest.approx(trial.seconds)
        lasted = (run.info.end_time - run.info.start_time) / 1000
        assert lasted == pytest.approx(trial.seconds, abs=0.01)


def test_a_failing_trial_says_why_and_the_study_goes_on(
    tmp_path: Path, tiny_faces: Path, session_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, calls = one_trial.fit_record, []

    def failing_first(*args: object, **kwargs: object) -> object:
        calls.append(args)
        if len(calls) == 1:
            raise ValueError("Input contains NaN.")
        return fit(*args, **kwargs)

    monkeypatch.setattr(one_trial, "fit_record", failing_first)
    place = workplace(tmp_path, tiny_faces, session_cache)
    outcome, _ = place.run(trials=2)
    trials = place.trials_of(outcome.run_id)
    assert [trial.info.status for trial in trials] == ["FAILED", "FINISHED", "FINISHED"]
    assert trials[0].data.tags["fakeface.failure"] == "ValueError: Input contains NaN."


def test_a_study_that_always_fails_fails_its_run(
    tmp_path: Path, tiny_faces: Path, session_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*args: object, **kwargs: object) -> object:
        raise MemoryError("no memory left")

    monkeypatch.setattr(one_trial, "fit_record", failing)
    place = workplace(tmp_path, tiny_faces, session_cache)
    with pytest.raises(StudyError, match=r"3 trials in a row failed.*no memory left"):
        place.run(trials=5)
    run = place.client.search_runs(["0"], "tags.`fakeface.kind` = 'study'")[0]
    assert run.info.status == "FAILED"
    assert "no memory left" in run.data.tags["fakeface.failure"]


def test_the_same_name_with_another_definition_is_refused(place: Workplace, second) -> None:
    name = second[0].record.study
    with pytest.raises(StudyError, match="epochs was 3 and is 2"):
        place.run(study=name, epochs=2)


def test_a_trial_whose_process_was_killed_is_failed_and_replaced(
    tmp_path: Path, tiny_faces: Path, session_cache: Path
) -> None:
    place = workplace(tmp_path, tiny_faces, session_cache)
    outcome, _ = place.run(trials=1)
    file = f"sqlite:///{tmp_path / 'fakeface_studies.db'}"
    killed = optuna.load_study(study_name=outcome.record.study, storage=file).ask()
    killed.set_user_attr("head", HeadConfig().as_params())
    killed.set_user_attr("uid", "0" * 32)
    killed.set_user_attr("process", {"host": os.uname().nodename, "pid": 2**22 + 1, "started": 0.0})
    resumed, _ = place.run(trials=2)
    states = [trial.state for trial in resumed.record.search.trials]
    assert states == ["complete", "failed", "complete"]
    assert resumed.record.search.trials[1].reason == "its process ended before it did"


@pytest.fixture(scope="module")
def tuned_place(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Path) -> Workplace:
    return workplace(tmp_path_factory.mktemp("tuned"), tiny_faces)


@pytest.fixture(scope="module")
def tuned(tuned_place: Workplace) -> tuple[StudyOutcome, RecordedProgress]:
    """Of a machine that has bfloat16, whatever this one has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fakeface_bench.training.fit.may_have_bfloat16", lambda: True)
        return tuned_place.run(fine_tune="last_block", trials=2)


def test_a_tuned_study_says_what_it_trained_and_on_what(tuned_place: Workplace, tuned) -> None:
    run = tuned_place.client.get_run(tuned[0].run_id)
    assert run.data.tags["fakeface.fine_tune"] == "last_block"
    assert run.data.params["fine_tune"] == "last_block"
    assert run.data.params["trained_on"].startswith("the map after expanded_conv_9_add (3×3×96)")
    assert run.data.params["trained_in"] in ("float32", "mixed_bfloat16")
    assert run.data.params["best_augment"] in ("none", "light")
    assert "last block trained" in run.data.tags["mlflow.note.content"]
    metrics = run.data.metrics
    assert metrics["cost/step_seconds_float32"] > 0
    assert metrics["cost/step_seconds_mixed_bfloat16"] > 0
    head = metrics["cost/parameters_trained"]
    assert 300_000 < head < metrics["cost/parameters"]


def test_both_stages_of_a_tuned_trial_are_steps(tuned_place: Workplace, tuned) -> None:
    for run, trial in zip(
        tuned_place.trials_of(tuned[0].run_id), tuned[0].record.search.trials, strict=True
    ):
        history = tuned_place.client.get_metric_history(run.info.run_id, "val/roc_auc")
        assert [point.step for point in history] == list(range(len(trial.epochs)))
        assert {epoch.stage for epoch in trial.epochs} == {"head", "fine_tune"}
        assert run.data.params.keys() >= {"fine_learning_rate", "fine_batch_size", "augment"}
        first = next(epoch for epoch in trial.epochs if epoch.stage == "fine_tune")
        assert run.data.metrics["cost/first_epoch_seconds"] == first.seconds


def test_a_tuned_study_run_again_trains_nothing_and_says_the_same(
    tuned_place: Workplace, tuned
) -> None:
    again, progress = tuned_place.run(fine_tune="last_block", trials=2)
    assert again.record.test.metrics == tuned[0].record.test.metrics
    assert again.record.final_fit == tuned[0].record.final_fit, "loaded, with the epochs it had"
    assert not any("extracting" in title for title, _ in progress.stages)
    run = tuned_place.client.get_run(again.run_id)
    assert "cost/step_seconds_float32" not in run.data.metrics, "precision is not chosen twice"


def test_a_tuned_search_is_held_against_its_first_trial(tuned_place: Workplace, tuned) -> None:
    """Of whose fit the weights are still there, so that scoring it trains nothing."""
    record = tuned[0].record
    first = record.search.trials[0]
    assert record.baseline is not None
    assert record.baseline.title == "the first trial"
    assert record.baseline.valid.metrics["roc_auc"] == pytest.approx(first.value, abs=0.05)
    metrics = tuned_place.client.get_run(tuned[0].run_id).data.metrics
    gain = metrics["test/roc_auc"] - metrics["baseline/roc_auc"]
    assert metrics["search/gain_roc_auc"] == pytest.approx(gain)
    assert (gain == 0) == (record.search.best.number == 0)
    kept = {trial.config for trial in (first, record.search.best)}
    (fits,) = (tuned_place.cache / "fits").iterdir()
    assert len(list(fits.glob("*.npz"))) == len(kept)


@pytest.mark.slow
def test_another_store_pays_for_its_own_trials(
    tuned_place: Workplace, tuned, tmp_path: Path, tiny_faces: Path
) -> None:
    """What one study kept of its fits is not taken by another, even with the same definition."""
    other = workplace(tmp_path, tiny_faces, tuned_place.cache)
    outcome, _ = other.run(fine_tune="last_block", trials=1)
    (trial,) = outcome.record.search.trials
    assert trial.seconds > 0.8 * sum(epoch.seconds for epoch in trial.epochs)
    assert len(list((tuned_place.cache / "fits").iterdir())) == 2


def test_the_logged_model_of_a_tuned_study_scores_as_it_did(
    tuned_place: Workplace, tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, run_id = tuned[0].record, tuned[0].run_id
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tuned_place.store)
    model = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    scores = model.predict(raw_pictures(record))["probability_fake"]
    np.testing.assert_allclose(scores, record.test.y_score, atol=1e-4)


def test_layers_that_are_not_there_fail_the_run_in_a_line(tuned_place: Workplace) -> None:
    with pytest.raises(UsageError, match="has 157 layers, not 999"):
        tuned_place.run(fine_tune="999")
    runs = tuned_place.client.search_runs(["0"], "attributes.status = 'FAILED'")
    assert any("157 layers" in run.data.tags["fakeface.failure"] for run in runs)


def test_from_scratch_network_runs_the_same_way(tmp_path: Path, tiny_faces: Path) -> None:
    place = workplace(tmp_path, tiny_faces)
    asked = {"model": "simple_cnn_pool", "weights": "auto", "trials": 1, "precision": "float32"}
    outcome, progress = place.run(**asked)
    again, _ = place.run(**asked)
    assert ("decoding images", 56) in progress.stages
    assert outcome.record.weights.warning == ""
    assert again.record.test.metrics == outcome.record.test.metrics
    assert study.make_plan(replace(place.config, model="simple_cnn")).weights.label == "random"

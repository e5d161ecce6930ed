"""An audit by its real commands, in a real MLflow store; and a study of several datasets."""

import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.config import AuditConfig, StudyConfig
from fakeface_bench.data.synthetic.dataset import write_synthetic
from fakeface_bench.jobs import JobOutcome
from fakeface_bench.jobs.audit import JudgedAudit, run_audit
from fakeface_bench.study.run import StudyOutcome, run_study
from tests.command import Command, assert_failed, only_run, words
from tests.conftest import RecordedProgress
from tests.freeze.frozen import assert_frozen
from tests.freeze.run_names import names_of_run

TIERS = ("easy", "mid", "hard")


@pytest.fixture(scope="module")
def other_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty other faces, named and laid out as ciplab's."""
    drawn, folder = (tmp_path_factory.mktemp(name) for name in ("drawn", "tiered"))
    write_synthetic(drawn, images=60, seed=7)
    for label in ("real", "fake"):
        (folder / f"training_{label}").mkdir()
        for number, path in enumerate(sorted(drawn.rglob(f"{label}/*.jpg"))):
            name = f"{TIERS[number % 3]}_{number}_1011" if label == "fake" else f"real_{number:05}"
            shutil.copy(path, folder / f"training_{label}" / f"{name}.jpg")
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"


@pytest.fixture(scope="module")
def spoiled_faces(tiny_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny faces with a re-encoded test image in train, a conflict and a broken file."""
    folder = tmp_path_factory.mktemp("spoiled") / "faces"
    shutil.copytree(tiny_faces, folder)
    (split,) = folder.rglob("test")
    test, train = split, split.with_name("train")
    leaked = sorted((test / "real").glob("*.jpg"))[0]
    with Image.open(leaked) as image:
        image.save(train / "real" / "leaked.jpg", quality=60)
    shutil.copy(sorted((train / "fake").glob("*.jpg"))[0], train / "real" / "conflict.jpg")
    (train / "fake" / "broken.jpg").write_bytes(leaked.read_bytes()[:2000])
    return folder


@pytest.fixture(scope="module")
def audited(store: str, spoiled_faces: Path, session_cache: Path) -> JobOutcome[JudgedAudit]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        patch.setenv("FAKEFACE_CACHE", str(session_cache))
        return run_audit(AuditConfig(data=str(spoiled_faces)), RecordedProgress())


def test_an_audit_is_a_run_that_says_what_was_found(
    store: str, audited: JobOutcome[JudgedAudit]
) -> None:
    run = mlflow.MlflowClient(store).get_run(audited.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["fakeface.kind"] == "audit"
    assert run.data.tags["fakeface.dataset"] == "faces"
    assert run.data.tags["mlflow.note.content"].startswith("**")
    estimates = run.data.metrics
    assert estimates["data/unreadable_images"] == 1
    assert estimates["data/conflicting_images"] == 2
    assert estimates["data/leaks_removed"] == 1
    assert estimates["data/near_duplicates_across_splits"] == 1
    assert 0 < estimates["data/shortcut_auc_low_95"] < estimates["data/shortcut_auc"] < 1
    (used,) = run.inputs.dataset_inputs
    assert run.data.tags["fakeface.dataset_digest"].startswith(used.dataset.digest)
    assert_frozen("runs/audit", names_of_run(mlflow.MlflowClient(store), audited.run_id))


def test_an_audit_leaves_a_page_tables_and_pictures(
    store: str, audited: JobOutcome[JudgedAudit], tmp_path: Path
) -> None:
    client = mlflow.MlflowClient(store)
    folder = Path(client.download_artifacts(audited.run_id, "", str(tmp_path)))
    page = (folder / "audit.html").read_text()
    assert "leaked.jpg" in page
    assert "://" not in page, "the page needs nothing from elsewhere"
    duplicates = pd.read_csv(folder / "duplicates.csv")
    assert duplicates["across_splits"].sum() == 1
    assert duplicates["opposite_labels"].sum() == 1
    assert "broken.jpg" in (folder / "problems.csv").read_text()
    assert (folder / "pictures" / "duplicates_across_splits.png").stat().st_size > 5000


def test_a_second_audit_reads_and_compares_nothing(
    store: str,
    audited: JobOutcome[JudgedAudit],
    spoiled_faces: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    progress = RecordedProgress()
    again = run_audit(AuditConfig(data=str(spoiled_faces)), progress)
    assert progress.stages == []
    assert again.result.audit.digest == audited.result.audit.digest
    pd.testing.assert_frame_equal(again.result.audit.pairs, audited.result.audit.pairs)
    assert again.result.audit.floor == audited.result.audit.floor


def test_the_command_prints_the_findings_and_keeps_the_report_where_it_is_told(
    tmp_path: Path, tiny_faces: Path
) -> None:
    command = Command(tmp_path)
    process = command("audit", str(tiny_faces), "--output", "report", mlflow=True)
    assert process.returncode == 0, process.stderr
    assert "shortcut ROC AUC" in process.stdout
    assert "mlflow ui --backend-store-uri" in process.stdout
    assert (command.folder / "report" / "audit.html").exists()
    assert only_run(command.store).info.status == "FINISHED"


def test_an_audit_of_nothing_is_told_before_mlflow_is_loaded(tmp_path: Path) -> None:
    process = Command(tmp_path)("audit", "syntetic")
    assert process.returncode == 2
    assert "no dataset or folder 'syntetic'; did you mean 'synthetic'?" in words(process.stderr)


def test_an_audit_that_cannot_read_its_folder_fails_its_run(tmp_path: Path) -> None:
    command = Command(tmp_path)
    for name in ("real", "fake"):
        (tmp_path / "empty" / name).mkdir(parents=True)
    process = command("audit", str(tmp_path / "empty"), mlflow=True)
    says = f"the class folders of {tmp_path / 'empty'} hold no JPEG, PNG or WebP image"
    assert_failed(command, process, says)


@pytest.fixture(scope="module")
def mixed(
    store: str, tiny_faces: Path, other_faces: Path, session_cache: Path
) -> tuple[StudyOutcome, RecordedProgress]:
    progress = RecordedProgress()
    config = StudyConfig(
        model="mobilenetv3_small",
        data=f"{tiny_faces}+{other_faces}",
        trials=2,
        epochs=2,
        image_size=64,
        weights="random",
        balance="sources",
        storage=f"{store.removesuffix('mlflow.db')}studies.db",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        patch.setenv("FAKEFACE_CACHE", str(session_cache))
        return run_study(config, progress), progress


def test_a_study_of_two_datasets_logs_each_ones_figures(
    store: str, mixed: tuple[StudyOutcome, RecordedProgress], tiny_faces: Path, other_faces: Path
) -> None:
    outcome, _ = mixed
    run = mlflow.MlflowClient(store).get_run(outcome.run_id)
    test = outcome.record.test
    sources = np.array(test.sources)
    for source in (tiny_faces.name, other_faces.name):
        assert {f"test/{source}/{key}" for key in test.metrics} <= run.data.metrics.keys()
        assert run.data.metrics[f"test/{source}/images"] == (sources == source).sum()
        assert int(run.data.params[f"images/{source}/train"]) > 20
    assert run.data.params["balance"] == "sources"
    assert run.data.metrics["data/near_duplicates_across_splits"] == 0
    assert "data/shortcut_auc" in run.data.metrics
    assert_frozen("runs/study_of_two", names_of_run(mlflow.MlflowClient(store), outcome.run_id))


def test_a_study_of_tiered_fakes_logs_recall_by_tier(
    store: str, mixed: tuple[StudyOutcome, RecordedProgress]
) -> None:
    outcome, _ = mixed
    estimates = mlflow.MlflowClient(store).get_run(outcome.run_id).data.metrics
    test = outcome.record.test
    called = test.y_score >= test.threshold
    tiers = np.array(test.tiers)
    found = sorted(set(tiers) - {""})
    assert found
    for tier in found:
        assert estimates[f"test/tier/{tier}/recall_fake"] == pytest.approx(
            called[tiers == tier].mean()
        )


def test_results_name_the_parts_and_the_floor(
    store: str, mixed: tuple[StudyOutcome, RecordedProgress], other_faces: Path
) -> None:
    outcome, _ = mixed
    note = mlflow.MlflowClient(store).get_run(outcome.run_id).data.tags["mlflow.note.content"]
    assert "Parts of the test split" in note
    assert f"| {other_faces.name} |" in note
    assert "file metadata alone" in note

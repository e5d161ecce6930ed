"""Real faces and real weights: what training layers must reach, where they are at hand."""

import time
from pathlib import Path

import pytest

from fakeface_bench.config import StudyConfig
from fakeface_bench.evaluation.intervals import roc_auc_estimate
from fakeface_bench.study.run import run_study
from tests.conftest import RecordedProgress, shared

WEIGHTS = "weights/mobilenetv3_small_imagenet_notop.weights.h5"
TWENTY_MINUTES = 20 * 60


@pytest.mark.slow
def test_all_layers_reach_what_a_plain_fit_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    config = StudyConfig(
        model="mobilenetv3_small",
        data=str(shared("data/140k_subset")),
        weights=str(shared(WEIGHTS)),
        fine_tune="all",
        trials=1,
    )
    started = time.monotonic()
    record = run_study(config, RecordedProgress()).record
    assert time.monotonic() - started < TWENTY_MINUTES
    assert record.test.metrics["roc_auc"] >= 0.92
    assert record.test.metrics["accuracy"] >= 0.82


@pytest.mark.slow
@pytest.mark.parametrize("model", ["simple_cnn", "simple_cnn_pool"])
def test_small_networks_from_scratch_beat_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    data = str(shared("data/140k_subset"))
    record = run_study(
        StudyConfig(model=model, data=data, trials=1, epochs=20), RecordedProgress()
    ).record
    assert roc_auc_estimate(record.test.y_true, record.test.y_score).low > 0.5

"""One small model, logged and registered once: what tests of serving load, in every way."""

import keras
import pytest

from fakeface_bench.serving.classifier import DetectorFacts
from tests.serving.small_model import LoggedModel, logged_model, small_facts, small_network


@pytest.fixture(scope="session")
def network() -> keras.Model:
    return small_network()


@pytest.fixture(scope="session")
def facts() -> DetectorFacts:
    return small_facts()


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory) -> LoggedModel:
    return logged_model(tmp_path_factory)


@pytest.fixture
def registry(logged: LoggedModel, monkeypatch: pytest.MonkeyPatch) -> LoggedModel:
    """The model, with MLflow pointed at its store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", logged.store)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    return logged

"""A study's storage is opened, or the message says what is in the way."""

from pathlib import Path

import pytest

from fakeface_bench.config import without_credentials
from fakeface_bench.errors import StudyError
from fakeface_bench.search.storage import open_study
from fakeface_bench.tracking.store import storage_beside_store


def test_another_definition_under_the_name_is_refused(tmp_path: Path) -> None:
    file = f"sqlite:///{tmp_path / 'studies.db'}"
    open_study(file, "mine", {"epochs": 3, "model": "vgg16"})
    open_study(file, "mine", {"epochs": 3, "model": "vgg16"})
    with pytest.raises(StudyError, match="epochs was 3 and is 4"):
        open_study(file, "mine", {"epochs": 4, "model": "vgg16"})


def test_a_storage_that_cannot_be_opened_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="cannot be opened") as raised:
        open_study(f"sqlite:///{tmp_path / 'absent' / 'studies.db'}", "mine", {})
    assert "\n" not in str(raised.value)


def test_credentials_are_not_shown() -> None:
    shown = without_credentials("postgresql://ann:secret@db.example:5432/studies")
    assert shown == "postgresql://db.example:5432/studies"


@pytest.mark.parametrize("asked", ["sqlite:///mlflow.db", "sqlite:////{here}/./mlflow.db"])
def test_mlflows_own_database_is_refused_however_spelled(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with pytest.raises(StudyError, match="Optuna needs one of its own"):
        storage_beside_store(asked.format(here=str(tmp_path).lstrip("/")))


def test_the_default_storage_lies_beside_mlflows_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert storage_beside_store("") == f"sqlite:///{tmp_path / 'fakeface_studies.db'}"

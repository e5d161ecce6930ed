"""A study's storage is opened, or the message says what is in the way."""

from pathlib import Path

import pytest

from fakeface_bench.config import StudyConfig
from fakeface_bench.resolve import checked
from fakeface_bench.search.storage import open_study
from fakeface_bench.search.storage_address import check_storage
from fakeface_bench.support.errors import StudyError, UsageError
from fakeface_bench.support.text import without_credentials
from fakeface_bench.tracking.store import storage_beside_store


def test_another_definition_under_the_name_is_refused(tmp_path: Path) -> None:
    file = f"sqlite:///{tmp_path / 'studies.db'}"
    open_study(file, "mine", {"epochs": 3, "model": "vgg16"})
    open_study(file, "mine", {"epochs": 3, "model": "vgg16"})
    with pytest.raises(StudyError, match="epochs was 3 and is 4"):
        open_study(file, "mine", {"epochs": 4, "model": "vgg16"})


def test_a_storage_that_cannot_be_opened_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="absent, which is no folder; make it"):
        open_study(f"sqlite:///{tmp_path / 'absent' / 'studies.db'}", "mine", {})
    with pytest.raises(StudyError, match="cannot be opened") as raised:
        open_study("postgresql://127.0.0.1:1/studies", "mine", {})
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("storage", "says"),
    [
        ("optuna.db", "'optuna.db' is no URL of a database; did you mean 'sqlite:///optuna.db'?"),
        ("journal.log", "is a journal file, .* such as 'sqlite:///journal.db'"),
        ("postgres://ann@db/x", "is of kind 'postgres', .*; did you mean 'postgresql://db/x'?"),
        ("sqlite3:///x.db", "is of kind 'sqlite3', .*; did you mean 'sqlite:///x.db'?"),
        ("mysql://db/x", "is of kind 'mysql', .*; it is 'sqlite:///FILE' or 'postgresql://"),
        ("mysql+pymysql://ann:secret@db/x", "'mysql.pymysql://db/x' is of kind 'mysql'"),
        ("redis://localhost:6379/0", "is of kind 'redis', which holds no study; it is 'sqlite"),
        ("sqlite://optuna.db", "names no file, .*; did you mean 'sqlite:///optuna.db'?"),
        ("sqlite:///:memory:", "names no file, .*; did you mean 'sqlite:///fakeface_studies.db'?"),
        ("sqlite://", "names no file, so no study could be gone on with"),
        ("sqlite:///absent/x.db", "absent, which is no folder; make it, or name a file in another"),
        ("sqlite:///.", "is a folder; name a file in it, such as 'sqlite:///fakeface_studies.db'"),
        ("postgresql://db", "names no database; it is 'postgresql://HOST/NAME'"),
        ("postgresql://db:port/x", "cannot be read as a URL; it is 'sqlite:///FILE' or"),
    ],
)
def test_a_mistaken_storage_is_refused_with_the_right_spelling(
    storage: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=says) as raised:
        check_storage(storage)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "storage", ["", "sqlite:///x.db", "postgresql://ann@db/x", "postgresql+psycopg://db:5432/x"]
)
def test_a_storage_that_may_be_passes(
    storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_storage(storage)
    assert list(tmp_path.iterdir()) == []


def test_credentials_are_not_shown() -> None:
    shown = without_credentials("postgresql://ann:secret@db.example:5432/studies")
    assert shown == "postgresql://db.example:5432/studies"


@pytest.mark.parametrize("asked", ["sqlite:///mlflow.db", "sqlite:////{here}/./mlflow.db"])
def test_mlflows_own_database_is_refused_however_spelled(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with pytest.raises(UsageError, match="Optuna needs one of its own"):
        storage_beside_store(asked.format(here=str(tmp_path).lstrip("/")), "0")
    with pytest.raises(UsageError, match="Optuna needs one of its own"):
        checked(StudyConfig(storage=asked.format(here=str(tmp_path).lstrip("/"))))


def test_the_default_storage_lies_beside_mlflows_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert storage_beside_store("", "0") == f"sqlite:///{tmp_path / 'fakeface_studies.db'}"


def test_the_default_storage_of_a_server_is_one_an_experiment_wherever_it_is_asked_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKEFACE_STUDIES", str(tmp_path / "kept"))
    found = {}
    for server in ("http://ann:secret@db.example:5000/", "http://db.example:5001"):
        for experiment in ("0", "7"):
            for folder in ("first", "second"):
                place = tmp_path / folder
                place.mkdir(exist_ok=True)
                monkeypatch.chdir(place)
                monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
                found[server, experiment, folder] = storage_beside_store("", experiment)
    assert all(
        url.startswith(f"sqlite:///{tmp_path / 'kept'}/db.example_500") for url in found.values()
    )
    assert not any("secret" in url for url in found.values())
    of_first = [url for (_, _, folder), url in found.items() if folder == "first"]
    assert of_first == [url for (_, _, folder), url in found.items() if folder == "second"]
    assert len(set(of_first)) == 4

"""A new MLflow database is copied from the first one of a machine, and is nobody else's."""

import errno
from pathlib import Path

import mlflow
import pytest

from fakeface_bench.support.errors import DiskError
from fakeface_bench.tracking.store import open_store


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAKEFACE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mlflow"


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> mlflow.MlflowClient:
    """Open a new store in a folder of its own and return a client of it."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    open_store()
    return mlflow.MlflowClient()


def test_the_second_store_is_a_copy_with_an_experiment_of_its_own(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(tmp_path / "first", monkeypatch)
    first.create_run("0")
    (template,) = cache.iterdir()
    kept = template.read_bytes()
    second = opened(tmp_path / "second", monkeypatch)
    (experiment,) = second.search_experiments()
    assert experiment.artifact_location == str(tmp_path / "second" / "mlruns" / "0")
    assert second.search_runs(["0"]) == []
    assert second.create_run("0").info.artifact_uri.startswith(experiment.artifact_location)
    assert template.read_bytes() == kept
    assert [path.name for path in cache.iterdir()] == [f"{mlflow.__version__}.db"]


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00 and then nothing of the kind"])
def test_a_damaged_template_is_made_again(
    content: bytes, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir(parents=True)
    template = cache / f"{mlflow.__version__}.db"
    template.write_bytes(content)
    client = opened(tmp_path / "store", monkeypatch)
    assert client.create_run("0").info.status == "RUNNING"
    assert template.stat().st_size > 100_000


def test_a_store_needs_no_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.write_text("a file where the cache's folder would be")
    assert opened(tmp_path / "store", monkeypatch).create_run("0").info.status == "RUNNING"


def test_a_full_disk_is_told_of_the_database_and_not_of_files(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(tmp_path / "first", monkeypatch)

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(DiskError, match=r"no room for MLflow's database in .*second .*are needed"):
        opened(tmp_path / "second", monkeypatch)
    assert not list((tmp_path / "second").glob("*.db"))

"""What a report of a problem is given: enough, and nothing private."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from fakeface_bench import __version__
from fakeface_bench.cli import cli


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FAKEFACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def examined() -> str:
    shown = CliRunner().invoke(cli, ["doctor"])
    assert shown.exit_code == 0, shown.output
    return shown.output


def test_it_tells_versions_hardware_stores_caches_and_weights(home: Path) -> None:
    (home / "cache" / "features").mkdir(parents=True)
    (home / "cache" / "features" / "some").write_bytes(bytes(20_000_000))
    told = examined()
    for words in (
        f"fakeface_bench {__version__}",
        "tensorflow 2.",
        "GiB of memory",
        "GPUs that TensorFlow sees",
        "no store there yet",
        "features: 0.02 GB",
        "mobilenetv3_small",
    ):
        assert words in told
    assert not (home / "mlflow.db").exists()


def test_nothing_private_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKEFACE_STORAGE", "postgresql://me:secret@host/studies")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}")
    told = examined()
    assert "secret" not in told
    assert "FAKEFACE_STORAGE=postgresql://host/studies" in told
    assert str(home) not in told
    assert "MLFLOW_TRACKING_URI=sqlite:///~/mlflow.db" in told


def test_what_fails_says_why_in_its_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "mlflow.db").write_bytes(b"no database")
    (home / "cache").write_text("a file in its place")
    told = examined()
    assert told.count("FAILS:") == 2
    assert "mobilenetv3_small" in told

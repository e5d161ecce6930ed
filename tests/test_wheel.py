"""The built wheel, where there is no checkout: it runs a study, a suite, and serves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SMALL = ["--limit", "40", "--trials", "1", "--epochs", "1"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel alone in a folder; the libraries are those of this environment."""
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    built = ["wheel", "--no-deps", "--wheel-dir", str(place), str(ROOT)]
    subprocess.run([*pip, *built], check=True)
    (wheel,) = place.glob("*.whl")
    folder = place / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder), str(wheel)], check=True)
    return folder


def called(installed: Path, place: Path, *words: str) -> str:
    """Run a command of the wheel in a folder that holds nothing of the project."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(installed),
        "FAKEFACE_CACHE": str(place / "cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{place / 'mlflow.db'}",
    }
    process = subprocess.run(
        [sys.executable, "-m", "fakeface_bench", *words],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return process.stdout


@pytest.mark.slow
def test_the_wheel_runs_a_study_a_suite_and_serves(installed: Path, tmp_path: Path) -> None:
    where = "import fakeface_bench; print(fakeface_bench.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", where],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith(str(installed))
    study = called(
        installed, tmp_path, "run", "--model", "residual", "--register", "fakeface", *SMALL
    )
    assert "Became the champion" in study
    called(installed, tmp_path, "suite", "--models", "residual,simple_cnn", *SMALL)
    assert (tmp_path / "comparison" / "report.html").exists()
    faces = next((tmp_path / "cache" / "datasets").rglob("test/fake"))
    served = called(
        installed, tmp_path, "predict", "models:/fakeface@champion", str(faces), "--format", "csv"
    )
    assert len(served.splitlines()) > 40
    called(installed, tmp_path, "publish", "newest", "published")
    assert "nothing differs" in called(installed, tmp_path, "verify", "published")

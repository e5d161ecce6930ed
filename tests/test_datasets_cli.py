"""`datasets` and `fetch` through the real command: what they print, their codes, no traces."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fakeface_bench.data.catalogue import DATASETS

ROOT = Path(__file__).resolve().parents[1]


class Command:
    """Runs `python -m fakeface_bench` with caches of its own and no way to Kaggle."""

    def __init__(self, folder: Path) -> None:
        self.hub = folder / "hub"
        self.cache = folder / "cache"
        self._blocked = folder / "blocked"
        for name in ("tensorflow", "keras", "mlflow"):
            (self._blocked / name).mkdir(parents=True)
            (self._blocked / name / "__init__.py").write_text("raise SystemExit('was loaded')")

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **{k: v for k, v in os.environ.items() if k not in ("MLFLOW_RUN_ID", "COLUMNS")},
            "FAKEFACE_CACHE": str(self.cache),
            "KAGGLEHUB_CACHE": str(self.hub),
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "HTTP_PROXY": "http://localhost:9",  # the port that discards: nobody listens
            "http_proxy": "http://localhost:9",
            "NO_PROXY": "",
            "no_proxy": "",
            "PYTHONPATH": os.pathsep.join([str(self._blocked), str(ROOT)]),
        }
        return subprocess.run(
            [sys.executable, "-m", "fakeface_bench", *arguments],
            cwd=self._blocked,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def complete(command: Command, source: str) -> Path:
    """Put an empty but complete version into kagglehub's cache."""
    place = command.hub / "datasets" / source
    folder = place / "versions" / "1"
    folder.mkdir(parents=True)
    (place / "1.complete").touch()
    return folder


def test_datasets_shows_every_row_whole_where_it_is_piped(command: Command) -> None:
    process = command("datasets")
    assert process.returncode == 0
    assert process.stderr == ""
    for row in DATASETS:
        assert all(
            text in process.stdout
            for text in (row.key, f"{row.images:,}", row.kind, row.source, row.url, row.layout)
        )
        assert row.licence.split()[-1] in process.stdout
    assert max(map(len, process.stdout.splitlines())) <= 120


def test_fetch_without_a_network_ends_quickly_in_one_line(command: Command) -> None:
    process = command("fetch", "ciplab")
    assert process.returncode == 1
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    (error,) = [line for line in process.stderr.splitlines() if line.startswith("Error: ")]
    assert error.startswith("Error: ciplab cannot be fetched, Kaggle cannot be reached (")
    assert error.endswith("unpack it and pass the folder: -P data=path/to/folder")
    assert process.stderr.splitlines()[-1] == error


def test_fetch_prints_the_folders_of_what_is_there_and_how_to_study_it(command: Command) -> None:
    folders = [complete(command, row.source) for row in DATASETS if row.key in ("140k", "ciplab")]
    process = command("fetch", "140k+ciplab")
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == [str(folder) for folder in folders]
    assert process.stderr.endswith("Study it: fakeface-bench run --data 140k+ciplab\n")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("cipla", "no dataset 'cipla'; did you mean 'ciplab'?"),
        ("ciplab+hardfake", "no dataset 'hardfake'; did you mean 'hardfakevsreal'?"),
        ("ciplab+", "no dataset ''; there is 140k, ciplab, hardfakevsreal, synthetic."),
        (".", "no dataset '.'; there is 140k,"),
    ],
)
def test_a_wrong_name_is_told_before_anything_is_fetched(
    command: Command, data: str, says: str
) -> None:
    process = command("fetch", data)
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr.startswith(f"Error: {says}")
    assert process.stderr.count("\n") == 1
    assert not command.cache.exists()


def test_fetch_without_data_is_told(command: Command) -> None:
    process = command("fetch")
    assert process.returncode == 2
    assert "Missing argument 'DATA'" in process.stderr
    assert "Traceback" not in process.stderr

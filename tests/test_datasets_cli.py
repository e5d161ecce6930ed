"""`datasets` and `fetch` through the real command: what they print, their codes, no traces."""

from pathlib import Path

import pytest

from fakeface_bench.data.catalogue import DATASETS
from tests.command import Command


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command with a kagglehub cache of its own and no way to Kaggle."""
    nowhere = "http://localhost:9"  # the port that discards: nobody listens
    return Command(
        tmp_path,
        {
            "KAGGLEHUB_CACHE": str(hub_of(tmp_path)),
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "HTTP_PROXY": nowhere,
            "http_proxy": nowhere,
            "NO_PROXY": "",
            "no_proxy": "",
        },
    )


def hub_of(folder: Path) -> Path:
    return folder / "hub"


def complete(folder: Path, source: str) -> Path:
    """Put an empty but complete version into kagglehub's cache."""
    place = hub_of(folder) / "datasets" / source
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


def test_fetch_prints_the_folders_of_what_is_there_and_how_to_study_it(
    command: Command, tmp_path: Path
) -> None:
    folders = [complete(tmp_path, row.source) for row in DATASETS if row.key in ("140k", "ciplab")]
    process = command("fetch", "140k+ciplab")
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == [str(folder) for folder in folders]
    assert process.stderr.endswith("Study it: fakeface-bench run --data 140k+ciplab\n")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("cipla", "no dataset 'cipla'; did you mean 'ciplab'?"),
        (
            "ciplab+hardfake",
            "no dataset 'hardfake'; did you mean 'hardfakevsreal' or",
        ),
        ("ciplab+", "no dataset ''; there is 140k, ciplab, deepfakeface, hardfakevsreal, "),
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

"""Evidence on demand: a picture a file, a table of verdicts, and what could not be read."""

import csv
from pathlib import Path

import keras
import pytest

from fakeface_bench.jobs.predict import TABLE, explain_files
from fakeface_bench.serving.classifier import DetectorFacts, FaceClassifier
from tests.command import Command, words
from tests.conftest import RecordedProgress
from tests.serving.drawn import drawn, encoded


def test_each_file_gets_its_picture_and_a_row(
    network: keras.Model, facts: DetectorFacts, tmp_path: Path, progress: RecordedProgress
) -> None:
    classifier = FaceClassifier(network, facts, "7")
    files = [tmp_path / "a b.jpg", tmp_path / "broken.jpg", tmp_path / "c.png"]
    files[0].write_bytes(encoded(drawn(1), "JPEG"))
    files[1].write_bytes(b"no picture")
    files[2].write_bytes(encoded(drawn(2), "PNG"))
    output = tmp_path / "explanation"
    assert explain_files(classifier, "models:/x/7", files, output, progress) == (output, 1)
    pictures = sorted(path.name for path in output.glob("*.png"))
    assert pictures == ["1_a_b.png", "3_c.png"]
    assert all((output / name).stat().st_size > 10_000 for name in pictures)
    with (output / TABLE).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["path"] for row in rows] == [str(file) for file in files]
    assert [row["picture"] for row in rows] == ["1_a_b.png", "", "3_c.png"]
    assert rows[1]["label"] == ""
    assert rows[1]["error"] == "not a readable image: its content is of no known format"
    score = float(rows[0]["probability_fake"])
    assert rows[0]["label"] == ("fake" if score >= facts.threshold else "real")
    assert rows[0]["model_version"] == "7"
    assert progress.stages == [("explaining", 3)]
    assert progress.lines == [f"2 pictures and evidence.csv are in {output}"]
    explain_files(classifier, "models:/x/7", files[:1], output, progress)
    assert (output / "3_c.png").exists()
    assert [path.name for path in (tmp_path / "explanation-2").glob("*.png")] == ["1_a_b.png"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere", "x.jpg"], "no model 'nowhere': there is no such file."),
        (["models:/x/1", "x.jpg"], "no picture at 'x.jpg'."),
        (["models:/x/1", ".", "--output", ""], "output is empty; name a folder for the pictures."),
        (["models:/x/1", ".", "--output", "file"], "output 'file' is a file; name a folder."),
    ],
)
def test_a_wrong_request_is_told_before_anything_is_loaded(
    arguments: list[str], says: str, tmp_path: Path
) -> None:
    command = Command(tmp_path)
    (command.folder / "file").touch()
    process = command("explain", *arguments)
    assert process.returncode == 2, process.stderr
    assert f"Error: {says}" in words(process.stderr)
    assert "Traceback" not in process.stderr

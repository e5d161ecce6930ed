"""`fakeface-bench predict` as a user runs it: rows, reasons, exit codes, nothing half written."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fakeface_bench.cli.output import COLUMNS, row_writer, rows_stream
from fakeface_bench.data.listing import named_files
from fakeface_bench.jobs.predict import load_classifier, predict_files
from fakeface_bench.records.explanation import Prediction, PredictionCounts
from fakeface_bench.serving.classifier import FaceClassifier, Verdict
from fakeface_bench.serving.pictures import read_picture
from fakeface_bench.study.register import TOLERANCE
from fakeface_bench.support.errors import UsageError
from tests.command import Command, words
from tests.conftest import RecordedProgress
from tests.serving.drawn import drawn, encoded, every_kind
from tests.serving.small_model import LoggedModel, logged_model

SOME_UNREADABLE = 3
ROW = Prediction("faces/a.jpg", "fake", 0.987654321, 0.5, False, "3")
BROKEN = Prediction("faces/b.jpg", None, None, 0.5, None, "3", "no image, at all")


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> LoggedModel:
    return logged_model(tmp_path_factory)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def with_model(tmp_path: Path, logged: LoggedModel) -> Command:
    return Command(tmp_path, {"MLFLOW_TRACKING_URI": logged.store})


def put(folder: Path, count: int = 4) -> list[Path]:
    """Write drawn pictures, some in a folder within."""
    paths = [folder / ("inner" if n % 2 else "") / f"{n:02}.png" for n in range(count)]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(drawn(number), "PNG"))
    return sorted(paths)


# Which files are named ---------------------------------------------------------------------------


def test_files_folders_and_patterns_are_taken_in_order_each_once(tmp_path: Path) -> None:
    paths = put(tmp_path / "faces")
    (tmp_path / "faces" / "notes.txt").write_text("of the photographer")
    faces = str(tmp_path / "faces")
    assert named_files([faces]) == paths
    assert named_files([str(paths[2]), faces]) == [paths[2], *paths[:2], paths[3]]
    assert named_files([f"{faces}/*.png"]) == [p for p in paths if p.parent.name == "faces"]
    assert sorted(named_files([f"{faces}/**/*.png"])) == paths
    assert sorted(named_files([f"{faces}/**"])) == paths
    assert sorted(named_files([f"{tmp_path}/f*"])) == paths
    assert named_files([f"{faces}/0[02].png"]) == [paths[0], paths[1]]
    assert named_files([f"{faces}/notes.txt"]) == [tmp_path / "faces" / "notes.txt"]
    assert named_files([f"{faces}/n*.txt"]) == [tmp_path / "faces" / "notes.txt"]


def test_a_name_that_exists_is_no_pattern(tmp_path: Path) -> None:
    (path,) = put(tmp_path / "faces [old]", 1)
    assert named_files([str(path.parent)]) == [path]
    assert named_files([str(path)]) == [path]


def test_names_are_relative_to_the_working_folder_and_to_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "faces", 2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert named_files(["faces/*.png", "./faces/00.png"]) == [Path("faces/00.png")]
    assert named_files(["~/faces/00.png"]) == [tmp_path / "faces/00.png"]
    assert named_files(["~/faces/*.png"]) == [tmp_path / "faces/00.png"]


def test_names_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    put(tmp_path / "faces")
    (tmp_path / "empty").mkdir()
    names = ["gone.jpg", str(tmp_path / "empty"), f"{tmp_path}/*.gif", "a", "b"]
    with pytest.raises(UsageError) as refusal:
        named_files([str(tmp_path / "faces"), *names])
    shown = ", ".join(map(repr, names[:3]))
    assert str(refusal.value) == (
        f"no picture at {shown} and 2 more names. Name files, folders with JPEG, PNG or WebP "
        "files below, or patterns such as 'faces/**/*.jpg'."
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with pipes in folders")
def test_a_pipe_that_would_hang_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UsageError, match="no picture at "):
        named_files([str(tmp_path / "pipe.jpg")])


# How rows are told -------------------------------------------------------------------------------


def written(form: str, *rows: Prediction) -> str:
    stream = io.StringIO()
    write = row_writer(form, stream, max(len(row.path) for row in rows))
    for row in rows:
        write(row)
    return stream.getvalue()


def test_csv_keeps_every_digit_and_quotes_what_needs_it() -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv", ROW, BROKEN))))
    assert list(rows[0]) == list(COLUMNS)
    assert COLUMNS == (
        "path",
        "label",
        "probability_fake",
        "threshold",
        "unsure",
        "model_version",
        "error",
    )
    assert rows[0] == {
        "path": "faces/a.jpg",
        "label": "fake",
        "probability_fake": "0.987654321",
        "threshold": "0.5",
        "unsure": "False",
        "model_version": "3",
        "error": "",
    }
    assert (rows[1]["label"], rows[1]["error"]) == ("", "no image, at all")


def test_json_lines_hold_null_for_what_there_is_not() -> None:
    first, second = map(json.loads, written("jsonl", ROW, BROKEN).splitlines())
    assert first["probability_fake"] == 0.987654321
    assert first["error"] is None
    assert (second["label"], second["probability_fake"]) == (None, None)


def test_a_table_is_aligned() -> None:
    assert written("table", ROW, replace(ROW, unsure=True), BROKEN) == (
        "path         label  probability_fake  threshold  unsure  model_version  error\n"
        "faces/a.jpg  fake   0.9877            0.5000             3\n"
        "faces/a.jpg  fake   0.9877            0.5000     unsure  3\n"
        "faces/b.jpg                           0.5000             3              no image, at all\n"
    )


@pytest.mark.parametrize("width", [80, 120])
def test_a_table_too_wide_for_a_terminal_tells_once_what_all_rows_share(width: int) -> None:
    deep = replace(ROW, path=f"{'faces/' * 20}a.jpg", model_version=f"m-{'0' * 32}")
    stream = io.StringIO()
    write = row_writer("table", stream, len(deep.path), width)
    for row in (deep, replace(BROKEN, path="b.jpg"), replace(deep, unsure=True)):
        write(row)
    first, header, *rows = stream.getvalue().splitlines()
    assert first == f"model m-{'0' * 32}, threshold 0.5000"
    assert header.split() == ["path", "label", "probability_fake"]
    assert rows[0].startswith("…")
    assert rows[0].endswith("faces/a.jpg  fake   0.9877")
    assert rows[1].split(maxsplit=1) == ["b.jpg", "no image, at all"]
    assert rows[2].endswith("  fake   0.9877  unsure")
    assert all(len(line) < width for line in (first, header, *rows))


def test_a_name_cannot_steer_the_terminal() -> None:
    row = Prediction("\x1b[2J\nfaces/ü.jpg", "real", 0.1, 0.5, False, "3")
    assert r"\x1b[2J\nfaces/ü.jpg" in written("table", row)


def test_counts_are_told_in_words() -> None:
    assert PredictionCounts(1_200, 3, 0, 2.04).line == "1,203 files in 2.0 s: 1,200 real, 3 fake."
    assert "3 fake (unsure of 2)." in PredictionCounts(1_200, 3, 0, 2.04, 2).line
    one = PredictionCounts(0, 0, 1, 0.0)
    assert one.line == "1 file in 0.0 s: 0 real, 0 fake, 1 could not be read."


# Where they go -----------------------------------------------------------------------------------


def test_a_file_appears_when_all_is_written(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    target.write_text("of yesterday")
    with rows_stream(str(target)) as stream:
        stream.write("ä,b\n")
        assert target.read_text() == "of yesterday"
    assert target.read_bytes() == "ä,b\n".encode()
    assert list(tmp_path.iterdir()) == [target]


def test_what_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    target.write_text("of yesterday")

    def fail() -> None:
        with rows_stream(str(target)) as stream:
            stream.write("half\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "of yesterday"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_followed_and_a_device_is_written_to(tmp_path: Path) -> None:
    target, link = tmp_path / "rows.csv", tmp_path / "link.csv"
    target.write_text("of yesterday")
    link.symlink_to(target)
    with rows_stream(str(link)) as stream:
        stream.write("new\n")
    assert link.is_symlink()
    assert target.read_text() == "new\n"
    with rows_stream(os.devnull) as stream:
        stream.write("gone\n")
    assert not Path(os.devnull).is_file()


def test_an_output_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, why in (
        (str(tmp_path), "it is a folder; name a file"),
        (str(tmp_path / "gone" / "rows.csv"), "No such file or directory"),
        (str(tmp_path / "file" / "rows.csv"), "Not a directory"),
        ("~nobody-of-this-name/rows.csv", "Could not determine home directory"),
    ):
        with pytest.raises(UsageError, match=f"output '{name}' cannot be written: {why}"):
            rows_stream(name).__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# What is said of files ---------------------------------------------------------------------------


def rows_of(classifier: FaceClassifier, files: list[Path]) -> tuple[list[Prediction], object]:
    rows: list[Prediction] = []
    progress = RecordedProgress()
    counts = predict_files(classifier, files, rows.append, progress)
    assert progress.stages == [("classifying", len(files))]
    return rows, counts


def test_each_file_gets_its_row_whatever_becomes_of_it(logged: LoggedModel, tmp_path: Path) -> None:
    classifier = load_classifier(logged.folder)
    files = put(tmp_path / "faces", 40)
    files[3].write_bytes(files[3].read_bytes()[:60])
    files[20].unlink()
    rows, counts = rows_of(classifier, files)
    assert [row.path for row in rows] == list(map(str, files))
    assert rows[3].error.startswith("not a readable image: ")
    assert rows[20].error == "cannot be opened: No such file or directory"
    whole = [file for number, file in enumerate(files) if number not in (3, 20)]
    verdicts = classifier.classify([file.read_bytes() for file in whole], read_picture)
    expected = [verdict.probability_fake for verdict in verdicts]
    found = [row.probability_fake for row in rows if row.error is None]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)  # in other batches
    labels = [row.label for row in rows]
    assert (counts.real, counts.fake, counts.unreadable) == tuple(
        labels.count(label) for label in ("real", "fake", None)
    )
    assert counts.unreadable == 2


def test_thirty_thousand_files_need_no_more_memory_than_a_thousand(tmp_path: Path) -> None:
    class Instant(FaceClassifier):
        """One without a network: what is left is what the job itself keeps."""

        def __init__(self) -> None:
            """Load nothing."""

        def classify(self, pictures: object, read: object) -> Iterator[Verdict]:
            return (Verdict("real", 0.1, 0.5, False, "3") for _ in pictures)  # type: ignore[attr-defined]

    peaks = []
    for count in (1_000, 30_000):
        files = [tmp_path / "face.jpg"] * count
        with open(os.devnull, "w") as nowhere:
            write = row_writer("table", nowhere, 20)
            tracemalloc.start()
            predict_files(Instant(), files, write, RecordedProgress())
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 50_000


# The command -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Missing argument 'MODEL'"),
        (["fakeface@champion"], "Missing argument 'PATHS...'"),
        (
            ["fakeface@champion", "face.jpg"],
            "no model 'fakeface@champion': there is no such file. Did you mean "
            "'models:/fakeface@champion'? A model is a registry address",
        ),
        (["", "face.jpg"], "no model '': there is no such file. A model is a registry address"),
        ([".", "face.jpg"], "'.' is no MLflow model: it holds no file MLmodel. A model is"),
        (["models:/fakeface@champion", "gone.jpg"], "no picture at 'gone.jpg'. Name files,"),
        (["models:/fakeface@champion", "*.webp"], "no picture at '*.webp'. Name files,"),
        (["models:/fakeface@champion", "face.jpg", "--format", "xml"], "'xml' is not one of"),
        (
            ["models:/fakeface@champion", "face.jpg", "--output", "."],
            "output '.' cannot be written: it is a folder; name a file.",
        ),
        (
            ["models:/fakeface@champion", "face.jpg", "--output", "gone/rows.csv"],
            "output 'gone/rows.csv' cannot be written: No such file or directory.",
        ),
    ],
)
def test_a_wrong_request_is_told_in_a_line_before_anything_heavy_is_loaded(
    command: Command, arguments: list[str], says: str
) -> None:
    (command.folder / "face.jpg").write_bytes(encoded(drawn(0), "JPEG"))
    process = command.refused("predict", *arguments)
    assert process.returncode == 2, process.stderr
    assert says in words(process.stderr)
    assert process.stdout == ""
    errors = [line for line in process.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "Traceback" not in process.stderr
    assert [path.name for path in command.folder.iterdir()] == ["face.jpg"]


def test_a_champion_calls_a_folder(with_model: Command, logged: LoggedModel) -> None:
    faces = with_model.folder / "faces"
    faces.mkdir()
    for name, content in every_kind(0).items():
        (faces / name).write_bytes(content)
    output = ["--format", "csv", "--output", "rows.csv"]
    process = with_model("predict", logged.address, "faces", *output, tensorflow=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout == ""
    with open(with_model.folder / "rows.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == sorted(f"faces/{name}" for name in every_kind(0))
    contents = [(with_model.folder / row["path"]).read_bytes() for row in rows]
    verdicts = load_classifier(logged.folder).classify(contents, read_picture)
    expected = [verdict.probability_fake for verdict in verdicts]
    found = [float(row["probability_fake"]) for row in rows]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert {row["model_version"] for row in rows} == {"1"}
    assert f"{len(rows)} files in " in process.stderr
    assert "Traceback" not in process.stderr


def test_files_that_cannot_be_read_are_told_in_rows_and_by_the_exit_code(
    command: Command, logged: LoggedModel
) -> None:
    (command.folder / "face.jpg").write_bytes(encoded(drawn(0), "JPEG"))
    (command.folder / "notes.txt").write_text("no face")
    shutil.copytree(logged.folder, command.folder / "model")
    arguments = ["face.jpg", "notes.txt", "--format", "jsonl"]
    process = command("predict", "model", *arguments, tensorflow=True)
    assert process.returncode == SOME_UNREADABLE, process.stderr
    good, broken = map(json.loads, process.stdout.splitlines())
    assert good["error"] is None
    assert broken["error"] == "not a readable image: its content is of no known format"
    assert good["model_version"] == logged.model_id
    assert process.stderr.splitlines()[-1].endswith(" 1 could not be read.")
    assert not Path(command.store.removeprefix("sqlite:///")).exists(), "a folder needs no store"


@pytest.mark.parametrize("model", ["models:/nobody@champion", "0" * 32])
def test_a_model_that_the_store_has_not_is_told(with_model: Command, model: str) -> None:
    (with_model.folder / "face.jpg").write_bytes(encoded(drawn(0), "JPEG"))
    output = ["--output", "rows.csv"]
    process = with_model("predict", model, "face.jpg", *output, mlflow=True)
    assert process.returncode == 2, process.stderr
    assert process.stderr.startswith("Error: no model ")
    assert process.stderr.count("\n") == 1
    assert [path.name for path in with_model.folder.iterdir()] == ["face.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell's pipe")
@pytest.mark.parametrize(
    "form", ["csv", *(pytest.param(form, marks=pytest.mark.slow) for form in ("jsonl", "table"))]
)
def test_a_pipe_that_nobody_reads_ends_it_quietly(
    with_model: Command, logged: LoggedModel, form: str
) -> None:
    put(with_model.folder / "faces", 100)
    arguments = ["predict", str(logged.folder), "faces", "--format", form]
    process = subprocess.Popen(
        [sys.executable, "-m", "fakeface_bench", *arguments],
        cwd=with_model.folder,
        env=with_model.environment(tensorflow=True),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    description = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) in (0, -signal.SIGPIPE)
    assert "rror" not in description
    assert "Traceback" not in description

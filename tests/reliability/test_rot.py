"""What rotted, was cut short or has changed is told and made again, never used."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from fakeface_bench.backbones.building import open_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.data.array_store import (
    CHECKSUMS_FILE,
    FACTS_FILE,
    JOURNAL_FILE,
    kept_facts,
    part_of,
)
from fakeface_bench.data.facts import inspect_files
from fakeface_bench.data.pictures import Pictures, cached_pixels, on_demand, side_with_room
from fakeface_bench.features.source import BackboneSource
from fakeface_bench.features.store import cached_features
from fakeface_bench.jobs.scoring import Corrupted, scores_by
from fakeface_bench.search import storage_address
from fakeface_bench.search.storage import ask, open_study
from fakeface_bench.search.storage_address import damage_of
from fakeface_bench.serving.classifier import DetectorFacts, FaceClassifier
from fakeface_bench.study.preparation import usual_effort
from fakeface_bench.support.disk import cache_folder
from fakeface_bench.support.errors import DataError, OutageError, StorageError
from fakeface_bench.support.executor import THIS_PROCESS
from fakeface_bench.tracking.store import open_store
from tests.conftest import RecordedProgress
from tests.reliability.commands import Launcher, Place
from tests.reliability.conftest import Count
from tests.reliability.row_maker import COUNT, SHARD, Rows, assert_whole, cached_rows

SIZE = 64


def flip(file: Path, place: int = -1) -> None:
    """Change one byte, and put the file's time back as rot leaves it."""
    stat = file.stat()
    content = bytearray(file.read_bytes())
    content[place] ^= 0x10
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 7)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda folder: flip(folder / "wide.npy"), "wide.npy is not as it was written"),
        (lambda folder: flip(folder / "wide.npy", 70), "wide.npy is not as it was written"),
        (lambda folder: cut(folder / "spare.npy"), "spare.npy is not as it was written"),
        (lambda folder: (folder / "spare.npy").unlink(), "spare.npy is missing"),
        (lambda folder: flip(folder / FACTS_FILE, 0), "facts.json is not as it was written"),
        (lambda folder: (folder / FACTS_FILE).unlink(), "facts.json is missing"),
        (lambda folder: flip(folder / CHECKSUMS_FILE, 12), ""),
        (lambda folder: cut(folder / CHECKSUMS_FILE), "it cannot be read: "),
        (lambda folder: (folder / CHECKSUMS_FILE).write_text("[1]"), "holds no checksums"),
        (lambda folder: (folder / CHECKSUMS_FILE).unlink(), "checksums.json is missing"),
        (lambda folder: np.save(folder / "more.npy", np.ones(2)), "more.npy has no checksum"),
    ],
)
def test_a_broken_folder_is_told_and_made_anew(
    tmp_path: Path, damage: Callable[[Path], None], fault: str
) -> None:
    folder = tmp_path / "key"
    description: list[str] = []
    cached_rows(folder, warn=description.append)
    assert cached_rows(folder, warn=description.append).made_now is False
    damage(folder)
    assert kept_facts(folder) == {}
    again = cached_rows(folder, warn=description.append)
    assert again.made_now
    assert again.facts["made"] == list(range(COUNT))
    assert_whole(again)
    assert len(description) == 1
    assert description[0].startswith(f"the cache folder {folder} is broken and made again: ")
    assert fault in description[0]
    assert cached_rows(folder, warn=description.append).made_now is False


def interrupted(folder: Path) -> Path:
    """Leave a draft of three whole shards and half of a fourth."""

    def each(rows: Rows) -> None:
        if 3 * SHARD + 4 in rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_rows(folder, each)
    return part_of(folder)


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (lambda draft: flip(draft / "wide.npy", 128 + SHARD * 6000 + 5), [1]),
        (lambda draft: flip(draft / "spare.npy", 128 + 2 * SHARD * 8), [2]),
        (lambda draft: flip(draft / "wide.npy", 5), []),  # the header, which is written again
        (lambda draft: (draft / "spare.npy").unlink(), [0, 1, 2]),
        (lambda draft: os.truncate(draft / "wide.npy", 128 + 2 * SHARD * 6000 + 1), [2]),
        (lambda draft: cut(draft / JOURNAL_FILE), [2]),
        (lambda draft: (draft / JOURNAL_FILE).write_bytes(b"\xff\x00 rubbish\n{}\n3"), [0, 1, 2]),
    ],
)
def test_rotten_rows_of_a_draft_are_missing_again(
    tmp_path: Path, damage: Callable[[Path], None], lost: list[int]
) -> None:
    damage(interrupted(tmp_path / "key"))
    again = cached_rows(tmp_path / "key")
    shards = [range(shard * SHARD, (shard + 1) * SHARD) for shard in lost]
    assert again.facts["made"] == [*(n for s in shards for n in s), *range(3 * SHARD, COUNT)]
    assert_whole(again)


def test_a_line_after_one_that_was_cut_short_counts(tmp_path: Path) -> None:
    cut(interrupted(tmp_path / "key") / JOURNAL_FILE)
    interrupted(tmp_path / "key")
    assert cached_rows(tmp_path / "key").facts["made"] == list(range(3 * SHARD, COUNT))


def test_rows_made_again_are_charged_once(tmp_path: Path) -> None:
    flip(interrupted(tmp_path / "key") / "wide.npy", 128)
    draft = interrupted(tmp_path / "key")
    lines = [json.loads(line) for line in (draft / JOURNAL_FILE).read_text().split("\n")[1:]]
    rows = [line["rows"][0] for line in lines]
    assert rows == [0, SHARD, 2 * SHARD, 0]
    again = cached_rows(tmp_path / "key")
    assert again.facts["known_seconds"] == pytest.approx(sum(s["seconds"] for s in lines[1:]))


@pytest.fixture(scope="module")
def source() -> BackboneSource:
    row = architecture_named("mobilenetv3_small")
    backbone = open_backbone(row, SIZE, Weights("random"))
    return BackboneSource(row.key, "crop", 8, backbone=backbone)


@pytest.fixture
def own_faces(tiny_faces: Path, tmp_path: Path) -> pd.DataFrame:
    """Sixteen pictures that a test may write to, with their digests."""
    folder = tmp_path / "faces"
    folder.mkdir()
    files = [
        Path(shutil.copy(path, folder / f"{number:02}.jpg"))
        for number, path in enumerate(sorted(tiny_faces.rglob("*.jpg"))[:16])
    ]
    facts = inspect_files(folder, files, RecordedProgress())
    return facts.assign(file=files)


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize("name", ["pooled.npy", "contents.txt", FACTS_FILE])
def test_nothing_is_taken_out_of_a_broken_folder_of_another_set(
    source: BackboneSource, own_faces: pd.DataFrame, progress: RecordedProgress, name: str
) -> None:
    digests, files = list(own_faces["digest"]), list(own_faces["file"])
    cached_features(source, digests[:8], files[:8], progress)
    broken = source.folder(digests[:8])
    flip(broken / name)
    more = cached_features(source, digests, files, progress)
    assert more.facts["images_extracted"] == 16
    assert progress.warnings == [
        f"nothing is taken out of the cache folder {broken}, which is broken: {name} is not as it "
        "was written"
    ]


def pictures_of(faces: pd.DataFrame, side: int = SIZE) -> Pictures:
    return Pictures(list(faces["file"]), SIZE, "crop", side, digests=list(faces["digest"]))


def scores(faces: pd.DataFrame, progress: RecordedProgress) -> object:
    pixels = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(pixels)
    network = keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(pooled))
    classifier = FaceClassifier(network, DetectorFacts(SIZE, "crop", 0.5), "1")
    return scores_by(
        THIS_PROCESS, Corrupted(classifier, 0), list(faces["file"]), list(faces["digest"]), progress
    )


READERS: dict[str, Callable[[BackboneSource, pd.DataFrame, RecordedProgress], object]] = {
    "features": lambda source, faces, progress: cached_features(
        source, list(faces["digest"]), list(faces["file"]), progress
    ),
    "pixels": lambda source, faces, progress: cached_pixels(pictures_of(faces), progress),
    "training on demand": lambda source, faces, progress: on_demand(pictures_of(faces))["images"][
        np.arange(len(faces))
    ],
    "room for crops": lambda source, faces, progress: on_demand(
        pictures_of(faces, side_with_room(SIZE))
    ),
    "explanation": lambda source, faces, progress: pictures_of(faces).load(5),
    "corrupted scores": lambda source, faces, progress: scores(faces, progress),
}


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize("reader", READERS)
def test_a_picture_that_changed_since_the_index_is_found_by_whoever_reads_it(
    source: BackboneSource, own_faces: pd.DataFrame, progress: RecordedProgress, reader: str
) -> None:
    READERS[reader](source, own_faces, progress)
    shutil.rmtree(cache_folder("features"))
    shutil.rmtree(cache_folder("pixels"))
    changed = own_faces["file"][5]
    shutil.copy(own_faces["file"][6], changed)
    with pytest.raises(DataError) as raised:
        READERS[reader](source, own_faces, progress)
    assert str(raised.value) == (
        f"{changed} has changed since the dataset was indexed; run again to index it again."
    )


@pytest.mark.usefixtures("fresh_cache")
def test_a_file_rewritten_with_the_same_size_and_time_is_read_again(
    own_faces: pd.DataFrame, progress: RecordedProgress
) -> None:
    changed = own_faces["file"][5]
    flip(changed, changed.stat().st_size // 2)
    again = inspect_files(changed.parent, list(own_faces["file"]), progress)
    assert progress.stages == [("reading files", 1)]
    differs = again["digest"] != own_faces["digest"]
    assert np.flatnonzero(differs).tolist() == [5]
    assert again["size"].tolist() == own_faces["size"].tolist()
    assert again["mtime_ns"].tolist() == own_faces["mtime_ns"].tolist()


def test_remembered_facts_that_rotted_are_told_and_read_again(
    own_faces: pd.DataFrame, fresh_cache: Path, progress: RecordedProgress
) -> None:
    files = list(own_faces["file"])
    inspect_files(files[0].parent, files, progress)
    (memory,) = (fresh_cache / "files").glob("*.facts")
    whole = memory.read_bytes()
    for place in (
        *range(0, len(whole), len(whole) // 20),
        *range(len(whole) - 3000, len(whole), 100),
    ):
        memory.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        again = inspect_files(files[0].parent, files, progress)
        assert again["digest"].tolist() == own_faces["digest"].tolist(), f"byte {place}"
        assert again["signature"].tolist() == own_faces["signature"].tolist(), f"byte {place}"
    assert progress.warnings
    assert all(f"{memory} is broken, and the images are read" in w for w in progress.warnings)


@pytest.mark.usefixtures("fresh_cache")
def test_an_effort_that_cannot_be_read_is_remembered_anew() -> None:
    usual_effort("digest", 5.0, whole=True)
    for broken in ('{"seconds"', "[5.0]", '{"whole": [null], "seconds": 1}'):
        (cache_folder("efforts") / "digest.json").write_text(broken)
        assert usual_effort("digest", 0.5, whole=False) == 0.5
    assert usual_effort("digest", 3.0, whole=True) == 3.0
    assert usual_effort("digest", 1.0, whole=False) == 3.0


@pytest.mark.usefixtures("fresh_cache")
def test_an_effort_is_the_median_of_those_that_did_it_all() -> None:
    """One run beside other work took 90 s, which nobody is charged once there are others."""
    assert usual_effort("digest", 2.0, whole=False) == 2.0
    assert usual_effort("digest", 1.0, whole=False) == 2.0
    assert usual_effort("digest", 90.0, whole=True) == 90.0
    assert usual_effort("digest", 5.0, whole=True) == 47.5
    assert usual_effort("digest", 6.0, whole=True) == 6.0
    assert usual_effort("digest", 0.1, whole=False) == 6.0
    assert usual_effort("digest", 7.0, whole=False) == 7.0, "never less than it took now"
    assert usual_effort("digest", 0.1, whole=False) == 6.0


#: Of a study that holds values longer than a page, which SQLite chains without looking into them.
EPOCHS = [{"epoch": number, "loss": 0.123456789 * number} for number in range(600)]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's database with a few trials; not to be written to."""
    file = tmp_path_factory.mktemp("studies") / "studies.db"
    study = open_study(f"sqlite:///{file}", "mine", {"epochs": 3})
    for value in (0.25, 0.5, 0.75):
        trial = ask(study)
        trial.suggest_float("dropout", 0, 1)
        trial.set_user_attr("epochs", EPOCHS)
        study.tell(trial, value)
    return file


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local database of MLflow's; not to be written to."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
        open_store()
    return file


def damaged_copies(whole: Path, file: Path) -> Iterator[str]:
    """Let a file be half of a database, in many ways, one after another; yield which."""
    content = whole.read_bytes()
    page = int.from_bytes(content[16:18], "big")
    pages = len(content) // page
    cuts = [0, 1, 15, 16, 99, 100, page, pages // 2 * page, pages // 2 * page + 77]
    for cut_at in (*cuts, len(content) - page, len(content) - 100, len(content) - 1):
        file.write_bytes(content[:cut_at])
        yield f"cut at {cut_at}"
    for number in range(pages):
        file.write_bytes(content[: number * page] + bytes(page) + content[(number + 1) * page :])
        yield f"page {number + 1} of {pages} zeroed"


def assert_refused(error: Exception, database: str, damage: str) -> None:
    assert str(error).startswith(f"{database} is damaged or only half there ("), damage
    assert "Bring back a whole copy of it; or move it away" in str(error)
    assert "\n" not in str(error)


def test_half_of_a_studys_database_is_refused_and_left_as_it_is(
    studies: Path, tmp_path: Path, record_property: Count
) -> None:
    file = tmp_path / "copy.db"
    for damage in damaged_copies(studies, file):
        record_property("databases damaged", 1)
        before = file.read_bytes()
        with pytest.raises(StorageError) as raised:
            open_study(f"sqlite:///{file}", "mine", {"epochs": 3})
        assert_refused(raised.value, f"the study's database {file}", damage)
        assert file.read_bytes() == before, damage
    shutil.copy(studies, file)
    values = open_study(f"sqlite:///{file}", "mine", {"epochs": 3}).get_trials()
    assert [trial.value for trial in values] == [0.25, 0.5, 0.75]


def test_half_of_mlflows_database_is_refused_and_left_as_it_is(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Count
) -> None:
    file = tmp_path / "copy.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
    for damage in damaged_copies(store, file):
        record_property("databases damaged", 1)
        before = file.read_bytes()
        with pytest.raises(OutageError) as raised:
            open_store()
        assert_refused(raised.value, f"MLflow's database {file}", damage)
        assert file.read_bytes() == before, damage
    shutil.copy(store, file)
    open_store()


def test_a_database_that_another_process_writes_is_not_called_damaged(
    studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_address, "LOCKED_SECONDS", 0.1)
    file = tmp_path / "copy.db"
    shutil.copy(studies, file)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert damage_of(file) == ""


def test_a_study_on_half_a_database_ends_with_one_line(
    launcher: Launcher, study: list[str], studies: Path, store: Path, tmp_path: Path
) -> None:
    place = Place(tmp_path / "place")
    for whole, name, whose in (
        (studies, "fakeface_studies.db", "the study's"),
        (store, "mlflow.db", "MLflow's"),
    ):
        file = place.folder / name
        shutil.copy(whole, file)
        os.truncate(file, file.stat().st_size * 2 // 3)
        half = file.read_bytes()
        running = launcher.start(place, *study)
        assert running.finish() == 1, running.printed
        last = running.printed.splitlines()[-1]
        assert last.startswith(f"Error: {whose} database {file} is damaged or only half there (")
        assert "Traceback" not in running.printed
        assert file.read_bytes() == half

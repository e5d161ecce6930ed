"""A full disk under a study's databases and artifacts: told, nothing torn, and gone on with."""

import inspect
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import Mock

import keras
import mlflow
import optuna
import pytest
from mlflow.entities import Run
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.exc import OperationalError

from fakeface_bench.search.patience import PatientStorage
from fakeface_bench.search.storage import Study, ask, claim, open_study
from fakeface_bench.support.disk import draft_folder
from fakeface_bench.support.errors import DiskError
from fakeface_bench.tracking.entries import Artifacts, Batch
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.outbox import Outbox, Spool, unsent_folder
from fakeface_bench.tracking.runs import TrackedRun
from fakeface_bench.tracking.store import open_store
from tests.reliability.commands import Launcher, Place, Running, assert_same_study
from tests.reliability.conftest import TRIALS, Count
from tests.reliability.servers import free_port
from tests.reliability.small_disk import fill, small_disk

DISK_BYTES = 30_000_000
#: Where each part of a study lies in the folder of its disks.
STORAGE, STORE, ARTIFACTS = "studies", "store", "artifacts"
DEFINITION = {"epochs": 3}
FULL = r"\(database or disk is full\)"


class Mended(Place):
    """A place where a study ended that had failed before, which its earlier runs still say."""

    def parent(self) -> Run:
        (run,) = (run for run in self.runs("study") if run.info.status == "FINISHED")
        return run


@contextmanager
def disks(folder: Path) -> Iterator[Mapping[str, Path]]:
    """Yield three small disks: for the study's database, MLflow's, and its artifacts."""
    folder.mkdir()
    with (
        small_disk(folder / STORAGE, DISK_BYTES) as storage,
        small_disk(folder / STORE, DISK_BYTES) as store,
        small_disk(folder / ARTIFACTS, DISK_BYTES) as artifacts,
    ):
        yield {STORAGE: storage, STORE: store, ARTIFACTS: artifacts}


def place_on(disks: Mapping[str, Path], folder: Path, cache: Path | None = None) -> Place:
    """Return a place on these disks, with a copy of a cache if one is given."""
    place = Mended(
        folder,
        tracking=f"sqlite:///{disks[STORE] / 'mlflow.db'}",
        further={"FAKEFACE_STORAGE": f"sqlite:///{disks[STORAGE] / 'studies.db'}"},
    )
    (folder / "mlruns").symlink_to(disks[ARTIFACTS])
    if cache is not None:
        shutil.copytree(cache, folder / "cache")
    return place


def description(running: Running) -> str:
    """Return the one line with which a command ended."""
    assert running.finish() == 1, running.printed
    assert "Traceback" not in running.printed
    (line,) = (line for line in running.printed.splitlines() if "room" in line)
    assert line == running.printed.splitlines()[-1]
    return line


def free(disk: Path) -> None:
    """Make room; whatever filled it, all that is there is whole."""
    (disk / "filler").unlink()
    for file in disk.glob("*.db"):
        with closing(sqlite3.connect(file)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    empty = [path for path in disk.rglob("*") if path.is_file() and not path.stat().st_size]
    assert not [path for path in empty if not path.name.endswith((".lock", ".py"))]


#: What is told of each disk that is full.
TOLD = {
    STORAGE: "Error: no room for the study's database in {disk} (database or disk is full): at "
    "least 10,000,000 bytes are needed. Make room; the same command goes on.",
    STORE: "Error: no room for MLflow's database in {disk} (database or disk is full): at least "
    "10,000,000 bytes are needed. Make room; the same command goes on.",
}


def assert_told(line: str, part: str, disk: Path) -> None:
    if part == ARTIFACTS:
        assert line.startswith("Error: no room for MLflow's files in ")
        assert "/mlruns/0/" in line
        assert " bytes are still to be written there. Make room; the same command" in line
    else:
        assert line == TOLD[part].format(disk=disk)


def meet_full_disk(running: Running, part: str, moment: str, disk: Path) -> None:
    """Fill a disk when a study has come so far; make room again when it has told so."""
    running.wait_for(moment)
    fill(disk)
    assert_told(description(running), part, disk)
    free(disk)


def assert_mended(last: Running, place: Place, undisturbed: Place) -> None:
    assert last.finish() == 0, last.printed
    assert_same_study(place, undisturbed, TRIALS)
    finished = [run for run in place.trials() if run.data.tags["fakeface.state"] == "complete"]
    assert len(finished) == TRIALS, "as many as asked"


@pytest.mark.parametrize("part", [pytest.param(STORAGE, marks=pytest.mark.slow), STORE])
def test_a_study_ends_with_one_line_where_a_disk_is_full(
    launcher: Launcher, study: list[str], tmp_path: Path, part: str
) -> None:
    with disks(tmp_path / "disks") as on:
        fill(on[part])
        running = launcher.start(place_on(on, tmp_path / "place"), *study)
        assert_told(description(running), part, on[part])
        assert "extracting" not in running.printed, "nothing long was done"
        free(on[part])
        assert list(on[part].glob("*.db")) == []


@pytest.mark.slow
def test_a_study_whose_disks_are_full_one_after_another_loses_nothing(
    launcher: Launcher,
    study: list[str],
    undisturbed: Place,
    tmp_path: Path,
    record_property: Count,
) -> None:
    moments = {STORAGE: "BEGINS searching", STORE: "ADVANCES searching", ARTIFACTS: ""}
    record_property("disks filled", len(moments))
    with disks(tmp_path / "disks") as on:
        place = place_on(on, tmp_path / "place", undisturbed.folder / "cache")
        for part, moment in moments.items():
            meet_full_disk(launcher.start(place, *study), part, moment, on[part])
        assert_mended(launcher.start(place, *study), place, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "moment"),
    [
        (STORAGE, ""),
        (STORAGE, "BEGINS searching"),
        (STORAGE, "ADVANCES searching"),
        (STORE, ""),
        (STORE, "BEGINS searching"),
        (STORE, "recording"),
        (ARTIFACTS, "recording"),
    ],
)
def test_a_study_goes_on_wherever_a_disk_was_full(
    launcher: Launcher,
    study: list[str],
    undisturbed: Place,
    tmp_path: Path,
    part: str,
    moment: str,
    record_property: Count,
) -> None:
    record_property("disks filled", 1)
    with disks(tmp_path / "disks") as on:
        place = place_on(on, tmp_path / "place", undisturbed.folder / "cache")
        if not moment:
            fill(on[part])
        meet_full_disk(launcher.start(place, *study), part, moment, on[part])
        assert_mended(launcher.start(place, *study), place, undisturbed)


@pytest.mark.slow
def test_a_study_with_everything_on_one_disk_goes_on(
    launcher: Launcher,
    study: list[str],
    undisturbed: Place,
    tmp_path: Path,
    record_property: Count,
) -> None:
    record_property("disks filled", 3)
    with small_disk(tmp_path / "disk", 2 * DISK_BYTES) as disk:
        place = Mended(disk / "place")
        for moment in ("BEGINS extracting", "ADVANCES searching", "recording"):
            running = launcher.start(place, *study)
            running.wait_for(moment)
            fill(disk)
            assert running.finish() == 1, running.printed
            assert "Traceback" not in running.printed
            assert running.printed.count("Error: ") == 1
            assert "bytes are" in running.printed
            free(disk)
        assert_mended(launcher.start(place, *study), place, undisturbed)


def leave(disk: Path, free_bytes: int) -> None:
    """Fill a disk but for so many bytes."""
    filler = fill(disk)
    os.truncate(filler, filler.stat().st_size - free_bytes)


@pytest.mark.parametrize("free_bytes", [0, 40_000, 90_000, 118_000])
def test_a_studys_database_is_made_whole_or_not_at_all(tmp_path: Path, free_bytes: int) -> None:
    with small_disk(tmp_path / "disk", 2**21) as disk:
        url = f"sqlite:///{disk / 'studies.db'}"
        leave(disk, free_bytes)
        with pytest.raises(DiskError, match=rf"in {disk} {FULL}: at least 10,000,000 bytes are"):
            open_study(url, "mine", DEFINITION)
        free(disk)
        assert [path.name for path in disk.iterdir() if "draft" in path.name] == []
        assert open_study(url, "mine", DEFINITION).get_trials() == []


@pytest.mark.parametrize("free_bytes", [43_000, 61_000, 64_000])
def test_what_a_study_was_told_is_written_is_there_after_its_disk_was_full(
    tmp_path: Path, free_bytes: int
) -> None:
    with small_disk(tmp_path / "disk", 2**21) as disk:
        url = f"sqlite:///{disk / 'studies.db'}"
        study = open_study(url, "mine", DEFINITION)
        leave(disk, free_bytes)
        written: dict[int, list[int]] = {}
        with pytest.raises(DiskError, match=f"no room for the study's database in {disk} "):
            write_until_full(study, written)
        free(disk)
        assert len(written) > 2
        trials = open_study(url, "mine", DEFINITION).get_trials()
        assert {n: trials[n].user_attrs.get("values") for n in written} == written


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda study, trial: ask(study), marks=pytest.mark.slow),  # Optuna waits
        lambda study, trial: claim(trial),
        lambda study, trial: trial.suggest_float("dropout", 0, 1),
        lambda study, trial: trial.report(0.5, 0),
        lambda study, trial: study.tell(trial, 0.5),
        lambda study, trial: study.set_user_attr("precision", "float32"),
    ],
)
def test_whatever_a_study_writes_on_a_full_disk_is_told(
    tmp_path: Path, write: Callable[[Study, optuna.Trial], object]
) -> None:
    with small_disk(tmp_path / "disk", 2**21) as disk:
        study = open_study(f"sqlite:///{disk / 'studies.db'}", "mine", DEFINITION)
        trial = ask(study)
        fill(disk)
        with pytest.raises(DiskError, match=f"no room for the study's database in {disk} {FULL}"):
            write(study, trial)
        free(disk)
        write(study, trial)


@pytest.mark.parametrize("name", sorted(BaseStorage.__abstractmethods__ - {"create_new_study"}))
def test_whatever_optuna_asks_of_the_database_waits_for_it(tmp_path: Path, name: str) -> None:
    storage = PatientStorage(RDBStorage(f"sqlite:///{tmp_path / 'studies.db'}"))
    answers = [OperationalError("", {}, sqlite3.OperationalError("database is locked")), "there"]
    storage.cached = Mock(BaseStorage)
    getattr(storage.cached, name).side_effect = answers
    arguments = inspect.signature(getattr(BaseStorage, name)).parameters
    assert getattr(storage, name)(*range(len(arguments) - 1)) == "there"
    assert getattr(storage.cached, name).call_count == 2


def write_until_full(study: Study, written: dict[int, list[int]]) -> None:
    for number in range(1000):
        trial = ask(study)
        claim(trial)
        for name in range(12):
            trial.suggest_float(f"option {name}", 0, 1)
        values = list(range(number, number + 300))
        trial.set_user_attr("values", values)
        written[trial.number] = values
        study.tell(trial, 0.5)


@pytest.fixture
def local_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Let MLflow's database lie in a folder, and all it writes otherwise in another."""

    def choose(folder: Path) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        monkeypatch.chdir(tmp_path)

    return choose


def test_mlflows_database_is_made_whole_or_not_at_all(
    tmp_path: Path, local_store: Callable[[Path], None]
) -> None:
    with small_disk(tmp_path / "disk", 2**22) as disk:
        local_store(disk)
        for free_bytes in (0, 300_000):
            leave(disk, free_bytes)
            with pytest.raises(DiskError, match=f"MLflow's database in {disk} {FULL}: at le"):
                open_store()
            free(disk)
            assert [path.name for path in disk.iterdir()] == ["mlflow.db.lock"]
        open_store()


@pytest.fixture
def store_disk(
    tmp_path: Path, local_store: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A small disk with MLflow's database, into which a machine's load is written at once."""
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    with small_disk(tmp_path / "disk", 2**22) as disk:
        local_store(disk)
        open_store()
        yield disk


@contextmanager
def watched_run(disk: Path) -> Iterator[TrackedRun]:
    """Yield a run whose machine was watched until its disk was full."""
    with tracked_run("study", "watched", {}) as run:
        (watcher,) = (t for t in threading.enumerate() if t.name == "SystemMetricsMonitor")
        fill(disk)
        watcher.join(60)
        assert not watcher.is_alive()
        yield run


def test_a_full_disk_that_ends_a_run_is_told_once_though_its_machine_was_watched(
    store_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        pytest.raises(DiskError, match=f"no room for MLflow's database in {store_disk} {FULL}"),
        watched_run(store_disk) as run,
    ):
        run.tag({"more": "than there is room for"})
    assert caplog.messages == []


def test_a_machine_that_is_no_longer_watched_is_told_of(
    store_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with watched_run(store_disk) as run:
        free(store_disk)
    (description,) = caplog.messages
    assert description.startswith(
        "The machine was watched no longer: no room for MLflow's database"
    )
    assert mlflow.get_run(run.run_id).info.status == "FINISHED"


def test_no_artifact_is_there_by_half(tmp_path: Path, local_store: Callable[[Path], None]) -> None:
    results = tmp_path / "results"
    for number in range(8):
        (results / f"part{number % 2}").mkdir(parents=True, exist_ok=True)
        (results / f"part{number % 2}" / f"{number}.bin").write_bytes(bytes([number]) * 50_001)
    with small_disk(tmp_path / "disk", 2**21) as disk:
        (tmp_path / "mlruns").symlink_to(disk)
        local_store(tmp_path)
        open_store()
        run = mlflow.MlflowClient().create_run("0")
        leave(disk, 220_000)
        outbox = Outbox(run.info.run_id)
        copies = Path(run.info.artifact_uri)
        description = f"MLflow's files in {copies}.*: 400,008 bytes are still to be written there"
        with pytest.raises(DiskError, match=description):
            outbox.send(Artifacts(run.info.run_id), results)
        there = {file.relative_to(copies) for file in copies.rglob("*.bin")}
        assert 0 < len(there) < 8
        assert all((copies / name).read_bytes() == (results / name).read_bytes() for name in there)
        free(disk)
        outbox.send(Artifacts(run.info.run_id), results)
        assert len(list(copies.rglob("*.bin"))) == 8


def test_what_is_kept_for_a_server_that_is_away_is_whole_where_the_disk_fills_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.bin").write_bytes(b"a" * 30_000)
    (files / "b.bin").write_bytes(b"b" * 30_000)
    with small_disk(tmp_path / "disk", 2**20) as disk, monkeypatch.context() as there:
        there.setenv("FAKEFACE_STUDIES", str(disk))
        outbox, kept = Outbox("run"), unsent_folder() / "run"
        full = rf"bytes are still to be written in {kept}, and [\d,]+ are free there; make room"
        fill(disk)
        with pytest.raises(DiskError, match=full):
            outbox.send(batch(0))
        assert not kept.exists()
        free(disk)
        outbox.send(batch(0))
        leave(disk, 45_000)
        with pytest.raises(DiskError, match=rf"60,\d+ {full}"):
            outbox.send(Artifacts("run"), files)
        fill(disk)
        taken = [0]
        with pytest.raises(DiskError, match=full):  # the last page of the file had room for some
            send_until_full(outbox, taken)
        free(disk)
        outbox.send(batch(taken[-1] + 1))
        entries = [entry for _, entry, _ in Spool(kept).unsent()]
        assert [entry["step"] for entry in entries] == [*taken, taken[-1] + 1]
        assert list((kept / "files").iterdir()) == []


def send_until_full(outbox: Outbox, taken: list[int]) -> None:
    while True:
        outbox.send(batch(taken[-1] + 1))
        taken.append(taken[-1] + 1)


def batch(step: int) -> Batch:
    return Batch("run", figures={"loss": 0.5}, step=step, params={"long": "x" * 700})


def test_drafts_on_a_full_disk_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(tmp_path / "disk", 2**20) as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(5000)])
        with pytest.raises(DiskError, match=f"to be written in {disk}, .* or let TMPDIR name"):
            write_draft(model)
        assert list(disk.rglob("*.keras")) == []


def write_draft(model: keras.Model) -> None:
    with draft_folder() as folder:
        model.save(folder / "network.keras")

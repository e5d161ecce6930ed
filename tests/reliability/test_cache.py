"""Caches go on where a killed process stopped, are made once, and say where they cannot write."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from fakeface_bench.data.array_store import JOURNAL_FILE, RowArrays, part_of
from fakeface_bench.data.facts import inspect_files
from fakeface_bench.study.preparation import usual_effort
from fakeface_bench.support.disk import cache_folder
from fakeface_bench.support.errors import DiskError
from tests.command import Command, words
from tests.conftest import RecordedProgress
from tests.reliability.conftest import Count
from tests.reliability.row_maker import (
    COUNT,
    SHARD,
    Rows,
    ask,
    assert_whole,
    cached_rows,
    make_slowly,
)
from tests.reliability.small_disk import make_read_only, small_disk

SPAWN = multiprocessing.get_context("spawn")
NOBODY = 65_534
LONG_AGO = time.time() - 8 * 24 * 3600


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def stop_before(row: int) -> object:
    def each(rows: Rows) -> None:
        if row in rows:
            raise KeyboardInterrupt

    return each


def interrupt(folder: Path, row: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        cached_rows(folder, stop_before(row))


def test_an_interrupted_maker_goes_on_after_its_last_whole_shard(tmp_path: Path) -> None:
    interrupt(tmp_path / "key", 22)
    assert visible(tmp_path) == [".part-key"]
    batches: list[list[int]] = []
    cached = cached_rows(tmp_path / "key", lambda rows: batches.append(rows.tolist()))
    assert_whole(cached)
    undisturbed: list[list[int]] = []
    whole = cached_rows(tmp_path / "other", lambda rows: undisturbed.append(rows.tolist()))
    assert batches == undisturbed[2 * SHARD // 4 :], "the same batches, after two shards"
    assert cached.facts["known_seconds"] > 0 == whole.facts["known_seconds"]
    for name in ("wide.npy", "spare.npy"):
        resumed, in_one_go = (tmp_path / key / name for key in ("key", "other"))
        assert resumed.read_bytes() == in_one_go.read_bytes()
    assert visible(tmp_path) == ["key", "other"]
    assert JOURNAL_FILE not in visible(tmp_path / "key")


def test_a_maker_that_fails_before_its_first_shard_leaves_nothing(tmp_path: Path) -> None:
    interrupt(tmp_path / "key", 6)
    assert visible(tmp_path) == []


def test_a_maker_may_be_stopped_again_and_again(tmp_path: Path) -> None:
    for row in (9, 20, 20, 41):
        interrupt(tmp_path / "key", row)
    cached = cached_rows(tmp_path / "key")
    assert cached.facts["made"] == list(range(40, COUNT))
    assert_whole(cached)


def test_two_processes_that_need_the_same_rows_make_them_once(tmp_path: Path) -> None:
    together, answers = SPAWN.Barrier(2), SPAWN.Queue()
    arguments = (tmp_path / "key", together, answers)
    askers = [SPAWN.Process(target=ask, args=arguments) for _ in range(2)]
    for asker in askers:
        asker.start()
    heard = sorted(answers.get(timeout=60) for _ in askers)
    for asker in askers:
        asker.join(30)
    assert heard == [(False, list(range(COUNT))), (True, list(range(COUNT)))]
    assert visible(tmp_path) == ["key"]


def test_different_folders_never_touch_one_another(tmp_path: Path) -> None:
    together, answers = SPAWN.Barrier(2), SPAWN.Queue()
    askers = [
        SPAWN.Process(target=ask, args=(tmp_path / key, together, answers, start))
        for key, start in (("key", 0), ("key2", 7))
    ]
    for asker in askers:
        asker.start()
    assert [answers.get(timeout=60)[0] for _ in askers] == [True, True]
    for asker in askers:
        asker.join(30)
        assert asker.exitcode == 0, "each saw its own rows"
    assert visible(tmp_path) == ["key", "key2"]


def test_a_killed_process_lets_the_waiting_one_go_on_at_its_shard(
    tmp_path: Path, record_property: Count
) -> None:
    record_property("processes killed", 1)
    written, together, answers = SPAWN.Queue(), SPAWN.Barrier(2), SPAWN.Queue()
    killed = SPAWN.Process(target=make_slowly, args=(tmp_path / "key", written))
    waiting = SPAWN.Process(target=ask, args=(tmp_path / "key", together, answers))
    killed.start()
    assert written.get(timeout=60) == 0, "it holds the lock"
    waiting.start()
    together.wait(60)
    while written.get(timeout=60) < 2 * SHARD + 4:
        pass
    os.kill(killed.pid or 0, signal.SIGKILL)
    killed.join(30)
    made_now, made = answers.get(timeout=60)
    waiting.join(30)
    assert made_now
    assert 2 * SHARD <= made[0] <= 3 * SHARD, "its whole shards were found"
    assert made == list(range(made[0], COUNT))
    assert visible(tmp_path) == ["key"]


def test_abandoned_drafts_are_swept_and_others_are_not(tmp_path: Path) -> None:
    names = (".part-old", ".draft-old-01234567", ".part-held", ".draft-held-01234567", ".part-new")
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "wide.npy").touch()
        if "new" not in name:
            os.utime(tmp_path / name / "wide.npy", (LONG_AGO, LONG_AGO))
            os.utime(tmp_path / name, (LONG_AGO, LONG_AGO))
    with FileLock(tmp_path / "held.lock"):
        cached_rows(tmp_path / "key")
    assert visible(tmp_path) == [".draft-held-01234567", ".part-held", ".part-new", "key"]


def test_an_old_draft_that_is_wanted_is_gone_on_with(tmp_path: Path) -> None:
    interrupt(tmp_path / "key", 22)
    for path in (*part_of(tmp_path / "key").iterdir(), part_of(tmp_path / "key")):
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert cached_rows(tmp_path / "key").facts["made"][0] == 2 * SHARD


def test_a_read_only_cache_is_read_and_says_so_where_it_would_be_written(
    tmp_path: Path, tiny_faces: Path, monkeypatch: pytest.MonkeyPatch, progress: RecordedProgress
) -> None:
    files = sorted(tiny_faces.rglob("*.jpg"))
    with small_disk(tmp_path / "disk", 2**24) as disk:
        monkeypatch.setenv("FAKEFACE_CACHE", str(disk))
        cached_rows(cache_folder("features") / "key")
        inspect_files(tiny_faces, files[:-1], progress)
        usual_effort("digest", 5.0, whole=True)
        make_read_only(disk)
        assert_whole(cached_rows(cache_folder("features") / "key"))
        assert len(inspect_files(tiny_faces, files[:-1], progress)) == len(files) - 1
        assert usual_effort("digest", 3.0, whole=False) == 5.0
        begun: list[Rows] = []
        with pytest.raises(DiskError, match=unwritable(disk / "features")) as raised:
            cached_rows(cache_folder("features") / "another", begun.append)
        assert "\n" not in str(raised.value)
        assert begun == []
        progress.stages.clear()
        with pytest.raises(DiskError, match=unwritable(disk / "files")):
            inspect_files(tiny_faces, files, progress)
        assert progress.stages == [], "no file was read"
        with pytest.raises(DiskError, match=unwritable(disk / "pixels")):
            cache_folder("pixels")


@pytest.mark.slow
def test_a_study_on_a_read_only_cache_ends_with_one_line_before_it_reads_anything(
    tmp_path: Path, tiny_faces: Path
) -> None:
    with small_disk(tmp_path / "disk", 2**22) as disk:
        command = Command(tmp_path, {"FAKEFACE_CACHE": str(disk)})
        make_read_only(disk)
        arguments = ("run", "--model", "simple_cnn", "--data", str(tiny_faces))
        process = command(*arguments, tensorflow=True)
    assert process.returncode == 1
    assert f"Error: the cache cannot be written in {disk}/" in words(process.stderr)
    assert "Read-only file system; let FAKEFACE_CACHE name" in words(process.stderr)
    assert "Traceback" not in process.stderr
    assert "reading files" not in process.stderr


def unwritable(folder: Path) -> str:
    return f"cache cannot be written in {folder}: Read-only file system; let FAKEFACE_CACHE name"


def test_a_file_in_place_of_the_cache_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FAKEFACE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DiskError, match=f"written in {tmp_path}/file/features: Not a directory"):
        cache_folder("features")
    monkeypatch.setenv("FAKEFACE_CACHE", str(tmp_path))
    with pytest.raises(DiskError, match=f"written in {tmp_path}/file: File exists"):
        cache_folder("file")
    monkeypatch.setenv("FAKEFACE_CACHE", "~nobody_of_that_name/cache")
    with pytest.raises(DiskError, match="written in ~nobody_of_that_name/cache: "):
        cache_folder("features")


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user without rights: to root every folder is open."""
    if os.geteuid():
        pytest.skip("needs root, to become somebody else for a moment")
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_cache_without_permission_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", 2**22) as disk:
        disk.chmod(0o755)
        monkeypatch.setenv("FAKEFACE_CACHE", str(disk))
        cache_folder("features")
        for folder in tmp_path.parents:
            if folder.stat().st_uid == 0 and folder != Path("/") and "pytest" in str(folder):
                folder.chmod(0o755)
        tmp_path.chmod(0o755)
        with nobody():
            with pytest.raises(DiskError, match=f"{disk}/pixels: Permission denied; let FAKEF"):
                cache_folder("pixels")
            with pytest.raises(DiskError, match=f"{disk}/features: Permission denied; let FAK"):
                cached_rows(disk / "features" / "key")


def test_rows_of_another_kind_or_count_are_refused(tmp_path: Path) -> None:
    layout = {"wide": np.dtype((np.float16, (3,)))}
    with RowArrays(tmp_path, 4, layout, 2) as arrays, pytest.raises(ValueError, match="2 rows of"):
        arrays.add(np.arange(2), {"wide": np.zeros((2, 3), np.float32)})

"""Cached folders: whole or absent, and made once however many processes ask."""

import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakeface_bench.data.array_store import cached_arrays, content_key, publish_folder


class Broken(Exception):
    pass


def visible(folder: Path) -> list[str]:
    """Everything below a folder but the locks, which hold nothing."""
    return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock")


def write_numbers(draft: Path) -> Mapping[str, Any]:
    np.save(draft / "numbers.npy", np.arange(6).reshape(3, 2))
    np.save(draft / "more.npy", np.ones(2, np.float16))
    return {"seconds": 1.5}


def write_slowly(draft: Path) -> Mapping[str, Any]:
    """Leave a mark beside the cache for each time this is called, and take a while."""
    mark = draft.parent.parent / "marks" / str(os.getpid())
    mark.touch(exist_ok=False)
    time.sleep(0.5)
    return write_numbers(draft)


def ask(folder: Path, together: Any, answers: Any) -> None:
    together.wait(60)
    cached = cached_arrays(folder, write_slowly)
    answers.put((cached.made_now, cached.arrays["numbers"].tolist(), dict(cached.facts)))


def hang(folder: Path, begun: Any) -> None:
    def make(draft: Path) -> Mapping[str, Any]:
        np.save(draft / "half.npy", np.arange(3))
        begun.set()
        time.sleep(60)
        return {}

    cached_arrays(folder, make)


def test_a_published_folder_appears_when_its_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "set"
    with publish_folder(target) as draft:
        (draft / "deep").mkdir()
        (draft / "deep" / "file").write_text("whole")
        assert not target.exists()
    assert (target / "deep" / "file").read_text() == "whole"
    assert visible(tmp_path) == ["set"]


@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt, SystemExit])
def test_a_block_that_raises_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def publish() -> None:
        with publish_folder(tmp_path / "set") as draft:
            (draft / "file").write_text("half")
            raise error

    with pytest.raises(error):
        publish()
    assert visible(tmp_path) == []


def test_missing_parents_are_made(tmp_path: Path) -> None:
    with publish_folder(tmp_path / "a" / "b" / "set"):
        pass
    assert (tmp_path / "a" / "b" / "set").is_dir()


def test_a_folder_in_use_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file").write_text("first")
    with pytest.raises(OSError, match="not empty"), publish_folder(tmp_path / "set") as draft:
        (draft / "file").write_text("second")
    assert (tmp_path / "set" / "file").read_text() == "first"
    assert visible(tmp_path) == ["set"]


def test_cached_arrays_come_back_as_they_were_made(tmp_path: Path) -> None:
    made = cached_arrays(tmp_path / "key", write_numbers)
    found = cached_arrays(tmp_path / "key", write_numbers)
    assert (made.made_now, found.made_now) == (True, False)
    for cached in (made, found):
        assert set(cached.arrays) == {"numbers", "more"}
        assert cached.arrays["numbers"].tolist() == [[0, 1], [2, 3], [4, 5]]
        assert cached.arrays["more"].dtype == np.float16
        assert cached.facts == {"seconds": 1.5}


def test_cached_arrays_are_mapped_and_cannot_be_written(tmp_path: Path) -> None:
    numbers = cached_arrays(tmp_path / "key", write_numbers).arrays["numbers"]
    assert isinstance(numbers, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        numbers[0] = 7


def test_a_maker_that_raises_leaves_nothing_and_the_next_one_makes_it(tmp_path: Path) -> None:
    def broken(draft: Path) -> Mapping[str, Any]:
        write_numbers(draft)
        raise Broken

    with pytest.raises(Broken):
        cached_arrays(tmp_path / "key", broken)
    assert visible(tmp_path) == []
    assert cached_arrays(tmp_path / "key", write_numbers).made_now


def test_facts_that_json_cannot_hold_leave_nothing(tmp_path: Path) -> None:
    def unspeakable(draft: Path) -> Mapping[str, Any]:
        return {**write_numbers(draft), "seconds": object()}

    with pytest.raises(TypeError, match="JSON"):
        cached_arrays(tmp_path / "key", unspeakable)
    assert visible(tmp_path) == []


def test_two_processes_that_ask_at_once_make_it_once(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    (tmp_path / "cache").mkdir()
    context = multiprocessing.get_context("spawn")
    together, answers = context.Barrier(2), context.Queue()
    folder = tmp_path / "cache" / "key"
    askers = [context.Process(target=ask, args=(folder, together, answers)) for _ in range(2)]
    for asker in askers:
        asker.start()
    heard = [answers.get(timeout=60) for _ in askers]
    for asker in askers:
        asker.join(30)
    assert sorted(made for made, _, _ in heard) == [False, True]
    assert all(numbers == [[0, 1], [2, 3], [4, 5]] for _, numbers, _ in heard)
    assert all(facts == {"seconds": 1.5} for _, _, facts in heard)
    assert len(list((tmp_path / "marks").iterdir())) == 1
    assert visible(tmp_path / "cache") == ["key"]


def test_a_killed_maker_leaves_nothing_that_a_reader_would_use(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    maker = context.Process(target=hang, args=(tmp_path / "key", begun))
    maker.start()
    assert begun.wait(60)
    os.kill(maker.pid or 0, signal.SIGKILL)
    maker.join(30)
    assert all(name.startswith(".draft-") for name in visible(tmp_path))
    cached = cached_arrays(tmp_path / "key", write_numbers)
    assert cached.made_now
    assert set(cached.arrays) == {"numbers", "more"}


def test_a_key_depends_on_every_part_and_not_on_their_order() -> None:
    parts: dict[str, Any] = {"images": ["a", "b"], "size": 224, "fit": "crop"}
    key = content_key(parts)
    assert content_key(dict(reversed(parts.items()))) == key
    changes: list[dict[str, Any]] = [
        {"images": ["b", "a"]},
        {"images": ["ab"]},
        {"size": 225},
        {"size": "224"},
        {"fit": "resize"},
        {"new": None},
    ]
    assert len({content_key(parts | change) for change in changes} | {key}) == len(changes) + 1

"""Commands that are waited for at once: side by side, told line by line, and ended together."""

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from fakeface_bench.support.executor import Tell
from fakeface_bench.support.processes import commands_told_to, end_commands, wait_for
from fakeface_bench.support.side_by_side import SideBySide

#: Says that it has begun, and waits for a file.
WAITS = """
import sys, time
from pathlib import Path
print("begun", file=sys.stderr, flush=True)
while not Path(sys.argv[1]).exists():
    time.sleep(0.02)
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that waits for a file, told line by line."""

    name: str
    file: Path
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> int:
        with commands_told_to(lambda line: tell(f"{self.name}: {line}")):
            return wait_for([sys.executable, "-c", WAITS, str(self.file)], {})


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if WAITS in " ".join(p.cmdline())]


def until(reached: object) -> None:
    end = time.monotonic() + 30
    while not reached():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


def test_commands_run_at_once_and_each_line_says_whose_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, str]] = []
    seen: list[int] = []

    def hear(number: int, line: str) -> None:
        told.append((number, line))
        if len(told) == 2:
            seen.append(len(children()))
            (tmp_path / "b").touch()

    def units() -> Iterator[Command]:
        yield Command("first", tmp_path / "a")
        yield Command("second", tmp_path / "b")
        yield Command("third", tmp_path / "a")

    results = SideBySide(2, end_commands).results(units(), hear)
    ended = [next(results)]
    assert ended[0].number == 1, "the second was done first"
    (tmp_path / "a").touch()
    ended += results
    assert sorted(one.number for one in ended) == [0, 1, 2]
    assert {one.result for one in ended} == {0}
    assert seen == [2]
    assert sorted(told) == [(0, "first: begun"), (1, "second: begun"), (2, "third: begun")]


def test_who_is_interrupted_ends_them_all(tmp_path: Path) -> None:
    def interrupted(number: int, line: str) -> None:
        until(lambda: len(children()) == 2)
        raise KeyboardInterrupt

    units = [Command("first", tmp_path / "a"), Command("second", tmp_path / "a")]
    before = threading.active_count()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(SideBySide(2, end_commands).results(units, interrupted))
    assert time.monotonic() - began < 20
    assert children() == []
    assert threading.active_count() == before

"""Units that tell where they run, wait, and die, for tests of clusters."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.executor import Shared, Tell


@dataclass(frozen=True, slots=True)
class Waits:
    """Waits, and returns which process it ran in."""

    seconds: float
    fresh: bool = False

    def run(self, tell: Tell) -> int:
        tell(os.getpid())
        time.sleep(self.seconds)
        return os.getpid()


@dataclass(frozen=True, slots=True)
class WaitsFor:
    """Says that it has begun, waits until a file is there, and returns its number."""

    number: int
    begun: Path
    file: Path
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> int:
        with open(self.begun, "a") as begun:
            begun.write(f"{self.number} {os.getpid()} {os.getppid()}\n")
        tell("begun")
        while not self.file.exists():
            time.sleep(0.05)
        return self.number


@dataclass(frozen=True, slots=True)
class Dies:
    """Kills its process, as often as it is asked to."""

    lives: Path
    deaths: int
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> int:
        with open(self.lives, "a") as lives:
            lives.write(".")
        died = len(self.lives.read_text()) - 1
        tell(f"life {died}")
        if died < self.deaths:
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGKILL)
        return died


@dataclass(frozen=True, slots=True)
class Fails:
    """Fails by an error that no unit should have, or by one of this project's."""

    ours: bool
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> int:
        raise UsageError("so it is") if self.ours else LookupError("no such thing")


@dataclass(frozen=True, slots=True)
class Sums:
    """Adds up an array and the bytes of a file, and says what they came as."""

    given: Shared[tuple[Any, Any]]
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> tuple[float, str, str, int]:
        array, path = self.given.get()
        return (
            float(array.sum()) + len(path.read_bytes()),
            type(array).__name__,
            type(path).__name__,
            id(array),
        )


class Counted:
    """Counts, in the process where it arrives, how often one of it has arrived."""

    arrived = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, ()


def _arrived() -> Counted:
    Counted.arrived += 1
    return Counted()


@dataclass(frozen=True, slots=True)
class Counts:
    """Takes what is shared, and returns how often one of its kind has arrived."""

    given: Shared[Counted]
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> int:
        return self.given.get().arrived


@dataclass(frozen=True, slots=True)
class Fills:
    """Takes memory, and holds it."""

    gigabytes: float
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> int:
        held = np.ones(int(self.gigabytes * 2**30 / 8))
        time.sleep(60)
        return len(held)

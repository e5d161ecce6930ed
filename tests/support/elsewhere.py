"""A unit, and another process that runs what travels to it."""

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.executor import Result, Shared, Tell, Unit

_PROJECT = Path(__file__).parents[2]
#: Reads a unit, runs it, and writes its result, or what it raised.
WORKER = """
import pickle, sys
unit, told = pickle.load(sys.stdin.buffer), []
try:
    ended = unit.run(told.append), None
except Exception as error:
    ended = None, error
pickle.dump((*ended, told), sys.stdout.buffer)
"""


def run_elsewhere(unit: Unit[Result], tell: Tell = lambda told: None) -> Result:
    """Run a unit in a new process, to which it travels by `pickle`, as its result does back."""
    process = subprocess.run(
        [sys.executable, "-c", WORKER],
        input=pickle.dumps(unit),
        capture_output=True,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(_PROJECT)},
    )
    result, error, told = pickle.loads(process.stdout)
    for each in told:
        tell(each)
    if error is not None:
        raise error
    return result


@dataclass(frozen=True, slots=True)
class Halved:
    """A unit that fails for odd numbers."""

    number: int
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> int:
        tell(f"halving {self.number}")
        if self.number % 2:
            raise UsageError(f"{self.number} is odd")
        return self.number // 2


@dataclass(frozen=True, slots=True)
class Looked:
    """A unit that reads what is shared."""

    given: Shared[dict[str, list[int]]]
    key: str
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> object:
        return self.given.get().get(self.key, "nothing")

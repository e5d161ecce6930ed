"""Units of work, and who runs them: today this process, behind what any other has to keep.

It stands below all rooms, since what is extracted, tried and studied are units alike.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Unit(Protocol[Result_co]):
    """Work that can be done elsewhere: a frozen record that survives `pickle`, as its result does.

    It holds no live model, open file, memory map, callback or MLflow handle: what others have to
    be asked or told, before or after, is the business of whoever hands units out.
    """

    def run(self) -> Result_co:
        """Do the work. A failure that other units need not suffer from is a result, no error."""
        ...


@dataclass(frozen=True, slots=True)
class Known(Generic[Result_co]):
    """A unit that was done before: its result keeps its place among those of the others."""

    result: Result_co

    def run(self) -> Result_co:
        """Return it."""
        return self.result


class Executor(Protocol):
    """Somebody who runs units; `tests/support/test_executor.py` is what each has to pass."""

    def results(self, units: Iterable[Unit[Result]]) -> Generator[Result, None, None]:
        """Yield the result of each unit, in the order of the units, whichever ends first.

        - A unit is taken from `units` only when there is room for it, so what making one needs
          (an MLflow run that is opened, a line that is told) happens no earlier.
        - What a unit raises, or `units` does, is raised in its place, once the results before it
          are handed on; no further unit is begun.
        - Whoever closes the generator, or is interrupted (`KeyboardInterrupt`), ends all: once it
          is closed, no unit that was begun is still running, and none begins.
        """
        ...


class ThisProcess:
    """Runs a unit when its result is asked for: one after another, in this process."""

    def results(self, units: Iterable[Unit[Result]]) -> Generator[Result, None, None]:
        """Yield the result of each; see `Executor`."""
        for unit in units:
            yield unit.run()


THIS_PROCESS: Executor = ThisProcess()

"""Units of work, and who runs them: this process, or, behind the same protocol, a cluster.

It stands below all rooms, since what is extracted, tried and studied are units alike.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from fakeface_bench.support.request import Request, option

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)
Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)
#: Tells whoever handed a unit out how far it is, by something that survives `pickle`.
Tell = Callable[[Any], None]


class Unit(Protocol[Result_co]):
    """Work that can be done elsewhere: a frozen record that survives `pickle`, as its result does.

    It holds no live model, open file, memory map, callback or MLflow handle: what others have to
    be asked or told, before or after, is the business of whoever hands units out. What many units
    need, and is large, they hold as a `Shared`.
    """

    @property
    def fresh(self) -> bool:
        """Whether it is long, and leaves so much in memory, that it is worth its own process."""
        ...

    def run(self, tell: Tell) -> Result_co:
        """Do the work. A failure that other units need not suffer from is a result, no error.

        Args:
            tell: What it raises ends the unit, whose result nobody asks for then.
        """
        ...


class Shared(Protocol[Value_co]):
    """A value that travels to each machine once, whatever number of units hold it."""

    def get(self) -> Value_co:
        """Return it; several units of one process are given the same."""
        ...


@dataclass(frozen=True, slots=True)
class Known(Generic[Result_co]):
    """A unit that was done before: its result keeps its place among those of the others."""

    result: Result_co
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> Result_co:
        """Return it."""
        return self.result


@dataclass(frozen=True, slots=True)
class Ended(Generic[Result_co]):
    """How a unit ended.

    Attributes:
        number: Of the unit, from 0, in the order in which they were taken.
        result: None where it was ended.
        ended_by: What was raised by who heard of it, and ended it; None where it came to its end.
    """

    number: int
    result: Result_co | None
    ended_by: Exception | None = None


#: Hears what a unit tells: its number, and what it told. An `Exception` of its own ends the unit.
Hear = Callable[[int, Any], None]


def hear_nothing(number: int, told: Any) -> None:
    """Let go of what units tell."""


class Executor(Protocol):
    """Somebody who runs units; `tests/support/test_executor.py` is what each has to pass."""

    @property
    def detail(self) -> str:
        """How busy workers are, in a few words; empty where there are none to speak of."""
        ...

    @property
    def free(self) -> int:
        """Units that it would begin at once: at least 1 before it has begun any."""
        ...

    def shared(self, value: Value) -> AbstractContextManager[Shared[Value]]:
        """Make a value known to whoever runs units, for the block.

        Args:
            value: Survives `pickle`, in parts that may be read from this machine's disk.
        """
        ...

    def results(
        self, units: Iterable[Unit[Result]], hear: Hear = hear_nothing
    ) -> Generator[Ended[Result], None, None]:
        """Yield how each unit ended, as they end.

        - A unit is taken from `units` only when there is room for it, so what making one needs
          (an MLflow run that is opened, a line that is told) happens no earlier.
        - What a unit raises, or `units` does, is raised here, once the results before it are
          handed on; no further unit is begun.
        - `hear` is called by the thread that asks for results, with all that a unit told before
          its result is handed on, in its order. A unit that it ended tells nothing more.
        - A unit over which its process died is run again, and after some deaths ended by a
          `WorkerDiedError`. It then tells all once more.
        - Whoever closes the generator, or is interrupted (`KeyboardInterrupt`), ends all: once it
          is closed, no unit that was begun tells anything, and none begins.
        """
        ...


#: Where units run that no cluster is asked for, and that of this machine is.
NO_CLUSTER, LOCAL = "none", "local"
#: Whether files travel to other machines by their paths, as what they hold, or as each can.
SHARES = ("auto", "paths", "bytes")


@dataclass(frozen=True, slots=True)
class ClusterConfig(Request):
    """Where units run, and what each takes there."""

    cluster: str = option(
        NO_CLUSTER,
        "Where pictures are extracted and scored, and trials run: none (this process), local "
        "(processes of this machine), auto (the Ray cluster of this machine, or of RAY_ADDRESS), "
        "HOST:PORT, or ray://HOST:PORT.",
    )
    trial_cores: int = option(
        0,
        "Processor cores that a trial, or another unit of work, computes with, wherever it runs; "
        "results of trials depend on it. 0: all of its machine.",
        0,
        1024,
    )
    trial_gpus: float = option(
        0.0,
        "GPUs, or a share of one, that a trial, or another unit of work, takes on a cluster.",
        0,
    )
    share: str = option(
        "auto",
        "How files reach a cluster: paths (it sees this machine's folders), bytes, or auto (each "
        "node is asked).",
        choices=SHARES,
    )

    @property
    def on_gpus(self) -> bool:
        """Whether units run on the GPUs of a cluster, whatever this machine has."""
        return self.cluster != NO_CLUSTER and self.trial_gpus > 0


@dataclass(frozen=True, slots=True)
class Here(Generic[Value]):
    """A value of this process; a `Shared`."""

    value: Value

    def get(self) -> Value:
        """Return it."""
        return self.value


class ThisProcess:
    """Runs a unit when its result is asked for: one after another, in this process."""

    detail: ClassVar[str] = ""
    free: ClassVar[int] = 1

    def shared(self, value: Value) -> AbstractContextManager[Shared[Value]]:
        """Hand it on as it is."""
        return nullcontext(Here(value))

    def results(
        self, units: Iterable[Unit[Result]], hear: Hear = hear_nothing
    ) -> Generator[Ended[Result], None, None]:
        """Yield how each ended; see `Executor`."""
        for number, unit in enumerate(units):
            yield _ended(number, unit, hear)


class _EndUnit(BaseException):
    """Ends a unit that was begun in this process, whatever errors of its own it catches."""


def _ended(number: int, unit: Unit[Result], hear: Hear) -> Ended[Result]:
    ended_by: list[Exception] = []

    def tell(told: Any) -> None:
        try:
            hear(number, told)
        except Exception as error:
            ended_by.append(error)
            raise _EndUnit from error

    try:
        return Ended(number, unit.run(tell))
    except _EndUnit:
        return Ended(number, None, ended_by[-1])


THIS_PROCESS: Executor = ThisProcess()


def in_order(ended: Iterable[Ended[Result]]) -> Iterator[Result]:
    """Yield the results of units that nobody ends in the order of the units.

    Raises:
        WorkerDiedError: If one was ended, since process after process died over it.
    """
    early: dict[int, Result] = {}
    following = 0
    for one in ended:
        if one.ended_by is not None:
            raise one.ended_by
        if one.result is None:
            raise ValueError(f"unit {one.number} has no result")
        early[one.number] = one.result
        while following in early:
            yield early.pop(following)
            following += 1

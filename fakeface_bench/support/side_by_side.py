"""Runs units that do nothing but wait for a command, some at once, each in a thread."""

import contextvars
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic

from fakeface_bench.support.executor import (
    Ended,
    Hear,
    Here,
    Known,
    Result,
    Shared,
    Unit,
    Value,
    hear_nothing,
)


class SideBySide:
    """Runs so many units at once in threads of this process; an `Executor`.

    Args:
        count: How many.
        end: Called to end what their threads wait for, once nobody asks for results any more.
    """

    detail: ClassVar[str] = ""

    def __init__(self, count: int, end: Callable[[], None]) -> None:
        self._count, self._end = count, end

    @property
    def free(self) -> int:
        """Units that it would begin at once, before it has begun any."""
        return self._count

    def shared(self, value: Value) -> AbstractContextManager[Shared[Value]]:
        """Hand it on as it is."""
        return nullcontext(Here(value))

    def results(
        self, units: Iterable[Unit[Result]], hear: Hear = hear_nothing
    ) -> Generator[Ended[Result], None, None]:
        """Yield how each ended; see `Executor`."""
        threads: _Threads[Result] = _Threads(self._count, iter(units), hear)
        try:
            yield from threads.run()
        finally:
            threads.closed.set()
            if threads.running:
                self._end()
            for thread in threads.running.values():
                thread.join()


class _EndUnit(BaseException):
    """Ends a unit whose result nobody asks for any more."""


@dataclass(frozen=True, slots=True)
class _Event:
    """What arrives of a unit: what it told, or, where it is done, its result or its error."""

    number: int
    done: bool
    told: Any = None
    error: BaseException | None = None


@dataclass
class _Threads(Generic[Result]):
    """Units under way, each in a thread that tells by a queue.

    Attributes:
        closed: Whether nobody asks for results any more.
        ended: Numbers of units that who hears of them has ended.
    """

    count: int
    units: Iterator[Unit[Result]]
    hear: Hear
    running: dict[int, threading.Thread] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    closed: threading.Event = field(default_factory=threading.Event)
    events: "queue.SimpleQueue[_Event]" = field(default_factory=queue.SimpleQueue)
    taken: int = 0
    more: bool = True
    error: tuple[int, BaseException] | None = None

    def run(self) -> Generator[Ended[Result], None, None]:
        """Yield how each unit ended."""
        while True:
            yield from self._fill()
            if self.error and all(number > self.error[0] for number in self.running):
                raise self.error[1]
            if not self.running and not self.more:
                return
            event = self.events.get()
            if not event.done:
                yield from self._heard(event)
                continue
            self.running.pop(event.number).join()
            if event.number in self.ended:
                continue
            if event.error is not None:
                self._fail(event.number, event.error)
            else:
                yield Ended(event.number, event.told)

    def _fill(self) -> Iterator[Ended[Result]]:
        """Begin units while there is room; yield those that were done before."""
        while self.more and self.error is None and len(self.running) < self.count:
            try:
                unit = next(self.units)
            except StopIteration:
                self.more = False
                return
            except BaseException as error:
                self._fail(self.taken, error)
                return
            number, self.taken = self.taken, self.taken + 1
            if isinstance(unit, Known):
                yield Ended(number, unit.result)
                continue
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(self._work, number, unit))
            self.running[number] = thread
            thread.start()

    def _work(self, number: int, unit: Unit[Result]) -> None:
        def tell(told: Any) -> None:
            if self.closed.is_set() or number in self.ended:
                raise _EndUnit
            self.events.put(_Event(number, False, told))

        try:
            self.events.put(_Event(number, True, unit.run(tell)))
        except _EndUnit:
            self.ended.add(number)
            self.events.put(_Event(number, True))
        except BaseException as error:
            self.events.put(_Event(number, True, error=error))

    def _heard(self, event: _Event) -> Iterator[Ended[Result]]:
        if event.number in self.ended:
            return
        try:
            self.hear(event.number, event.told)
        except Exception as error:
            self.ended.add(event.number)
            yield Ended(event.number, None, error)

    def _fail(self, number: int, error: BaseException) -> None:
        self.more = False
        if self.error is None or number < self.error[0]:
            self.error = (number, error)

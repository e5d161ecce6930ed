"""What every executor has to keep; tried here with one whose units travel to other processes."""

from collections.abc import Generator, Iterable, Iterator

import pytest

from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.executor import THIS_PROCESS, Executor, Known, Result, Unit
from tests.support.elsewhere import Halved, run_elsewhere


class OtherProcesses:
    """The least that an executor elsewhere does: the contract is no description of one alone."""

    def results(self, units: Iterable[Unit[Result]]) -> Generator[Result, None, None]:
        for unit in units:
            yield run_elsewhere(unit)


EXECUTORS = pytest.mark.parametrize(
    "executor", [THIS_PROCESS, OtherProcesses()], ids=lambda each: type(each).__name__
)


def taken_of(numbers: Iterable[int], taken: list[int]) -> Iterator[Halved]:
    for number in numbers:
        taken.append(number)
        yield Halved(number)


@EXECUTORS
def test_results_come_in_the_order_of_the_units_known_ones_among_them(executor: Executor) -> None:
    units: list[Unit[int]] = [Halved(8), Known(7), Halved(2)]
    assert list(executor.results(units)) == [4, 7, 1]
    assert list(executor.results(iter([]))) == []


@EXECUTORS
def test_a_unit_is_taken_when_there_is_room_for_it(executor: Executor) -> None:
    taken: list[int] = []
    results = executor.results(taken_of(range(0, 2_000, 2), taken))
    assert not taken
    assert next(results) == 0
    assert len(taken) < 100, "they were all made before the first was done"
    results.close()


@EXECUTORS
def test_an_error_stands_in_its_place_and_ends_it(executor: Executor) -> None:
    taken: list[int] = []
    results = executor.results(taken_of((4, 3, *range(0, 2_000, 2)), taken))
    assert next(results) == 2
    with pytest.raises(UsageError, match="3 is odd"):
        next(results)
    assert list(results) == []
    assert len(taken) < 100


@EXECUTORS
def test_what_fails_to_make_a_unit_is_raised_after_the_results_before_it(
    executor: Executor,
) -> None:
    def units() -> Iterator[Halved]:
        yield Halved(6)
        raise KeyboardInterrupt

    results = executor.results(units())
    assert next(results) == 3
    with pytest.raises(KeyboardInterrupt):
        next(results)


@EXECUTORS
def test_once_it_is_closed_no_unit_begins(executor: Executor) -> None:
    taken: list[int] = []
    results = executor.results(taken_of(range(0, 2_000, 2), taken))
    next(results)
    results.close()
    begun = len(taken)
    assert list(results) == []
    assert len(taken) == begun < 100

"""What every executor has to keep; tried here with one whose units travel to other processes."""

from collections.abc import Generator, Iterable, Iterator

import pytest

from fakeface_bench.support.cluster import connected
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.executor import (
    THIS_PROCESS,
    ClusterConfig,
    Ended,
    Executor,
    Hear,
    Known,
    Result,
    ThisProcess,
    Unit,
    hear_nothing,
    in_order,
)
from fakeface_bench.support.side_by_side import SideBySide
from tests.conftest import RecordedProgress
from tests.support.clusters import started_nodes
from tests.support.elsewhere import Halved, Looked, run_elsewhere


class OtherProcesses(ThisProcess):
    """The least that an executor elsewhere does: the contract is no description of one alone."""

    def results(
        self, units: Iterable[Unit[Result]], hear: Hear = hear_nothing
    ) -> Generator[Ended[Result], None, None]:
        for number, unit in enumerate(units):
            told: list[object] = []
            error, result = None, None
            try:
                result = run_elsewhere(unit, told.append)
            except Exception as raised:
                error = raised
            try:
                for each in told:
                    hear(number, each)
            except Exception as ended_by:
                yield Ended(number, None, ended_by)
                continue
            if error is not None:
                raise error
            yield Ended(number, result)


@pytest.fixture(scope="module")
def executor(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Executor]:
    if request.param == "cluster":
        with started_nodes(1) as nodes:
            config = ClusterConfig(cluster=nodes.address, trial_cores=1)
            folder = tmp_path_factory.mktemp("seen")
            with connected(config, folder, None, RecordedProgress()) as cluster:
                yield cluster
    else:
        yield {
            "this process": THIS_PROCESS,
            "other processes": OtherProcesses(),
            "side by side": SideBySide(3, lambda: None),
        }[request.param]


EXECUTORS = pytest.mark.parametrize(
    "executor",
    ["this process", "other processes", "side by side", "cluster"],
    indirect=True,
    scope="module",
)


def taken_of(numbers: Iterable[int], taken: list[int]) -> Iterator[Halved]:
    for number in numbers:
        taken.append(number)
        yield Halved(number)


@EXECUTORS
def test_results_come_in_the_order_of_the_units_known_ones_among_them(executor: Executor) -> None:
    units: list[Unit[int]] = [Halved(8), Known(7), Halved(2)]
    assert list(in_order(executor.results(units))) == [4, 7, 1]
    assert list(executor.results(iter([]))) == []


@EXECUTORS
def test_what_a_unit_tells_is_heard_before_its_result(executor: Executor) -> None:
    heard: list[tuple[int, str]] = []
    for ended in executor.results([Halved(8), Halved(4)], lambda *told: heard.append(told)):
        assert (ended.number, f"halving {2 * (ended.result or 0)}") in heard
    assert sorted(heard) == [(0, "halving 8"), (1, "halving 4")]


@EXECUTORS
def test_who_hears_of_a_unit_may_end_it(executor: Executor) -> None:
    def hear(number: int, told: str) -> None:
        if number == 1:
            raise LookupError(told)

    ended = {one.number: one for one in executor.results([Halved(8), Halved(3), Halved(6)], hear)}
    assert {number: one.result for number, one in ended.items()} == {0: 4, 1: None, 2: 3}
    assert str(ended[1].ended_by) == "halving 3"
    assert ended[0].ended_by is ended[2].ended_by is None


@EXECUTORS
def test_what_is_shared_is_what_was_given(executor: Executor) -> None:
    given = {"a": [1, 2]}
    with executor.shared(given) as one, executor.shared(given) as other:
        units = [Looked(one, "a"), Looked(other, "b")]
        assert list(in_order(executor.results(units))) == [[1, 2], "nothing"]


@EXECUTORS
def test_a_unit_is_taken_when_there_is_room_for_it(executor: Executor) -> None:
    taken: list[int] = []
    results = executor.results(taken_of(range(0, 2_000, 2), taken))
    assert not taken
    assert next(results).result == 0
    assert len(taken) < 100, "they were all made before the first was done"
    results.close()


@EXECUTORS
def test_an_error_stands_in_its_place_and_ends_it(executor: Executor) -> None:
    taken: list[int] = []
    results = executor.results(taken_of((4, 3, *range(0, 2_000, 2)), taken))
    assert next(results).result == 2
    with pytest.raises(UsageError, match=r"^3 is odd"):
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
    assert next(results).result == 3
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

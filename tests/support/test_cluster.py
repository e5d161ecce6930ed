"""A real cluster of several nodes: who runs what there, and what becomes of it when they die."""

import os
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from fakeface_bench.support import cluster as module
from fakeface_bench.support.cluster import Cluster, connected
from fakeface_bench.support.errors import ClusterError, UsageError, WorkerDiedError
from fakeface_bench.support.executor import ClusterConfig, in_order
from tests.conftest import RecordedProgress
from tests.support.cluster_units import Counted, Counts, Dies, Fails, Fills, Sums, Waits, WaitsFor
from tests.support.clusters import Nodes, started_nodes


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with started_nodes(1, 1) as nodes:
        yield nodes


@pytest.fixture
def config(nodes: Nodes) -> ClusterConfig:
    return ClusterConfig(cluster=nodes.address, trial_cores=1)


@pytest.fixture
def cluster(config: ClusterConfig, tmp_path: Path) -> Iterator[Cluster]:
    with connected(config, tmp_path, None, RecordedProgress()) as cluster:
        yield cluster


def until(file: Path, lines: int) -> list[str]:
    """Wait until a file has so many lines, and return them."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = file.read_text().splitlines() if file.exists() else []
        if len(found) >= lines:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{file.name} has not come to {lines} lines")


def test_units_run_at_once_in_other_processes_which_stay(cluster: Cluster) -> None:
    assert cluster.room == 2
    assert set(in_order(cluster.results([Waits(0.5), Waits(0.5)]))) - {os.getpid()}
    began = time.monotonic()
    processes = list(in_order(cluster.results([Waits(0.5)] * 6)))
    assert time.monotonic() - began < 6 * 0.5, "one waited for another"
    assert len(set(processes)) == 2
    assert os.getpid() not in processes


def test_a_long_unit_has_a_process_of_its_own(cluster: Cluster) -> None:
    processes = list(in_order(cluster.results([Waits(0, fresh=True)] * 3)))
    assert len(set(processes)) == 3


def test_a_unit_whose_process_dies_is_run_again(
    config: ClusterConfig, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    progress = RecordedProgress()
    heard: list[object] = []
    units = [Dies(tmp_path / "lives", 2), Waits(0)]
    with connected(config, tmp_path, None, progress) as cluster:
        ended = list(cluster.results(units, lambda number, told: heard.append((number, told))))
        time.sleep(1.0)  # Ray tells of deaths from a thread of its own
    assert capfd.readouterr().out == ""
    assert [line.partition(" on ")[0] for line in progress.warnings] == ["a process"] * 2
    assert all("has died (killed, or crashed); what it ran" in line for line in progress.warnings)
    assert {one.number for one in ended} == {0, 1}
    assert next(one for one in ended if one.number == 0).result == 2
    assert [told for number, told in heard if number == 0][-1] == "life 2"


def test_what_kills_every_process_is_given_up_and_the_others_go_on(
    cluster: Cluster, tmp_path: Path
) -> None:
    units = [Dies(tmp_path / "lives", 100), *[Waits(0)] * 3]
    ended = {one.number: one for one in cluster.results(units)}
    assert isinstance(ended[0].ended_by, WorkerDiedError)
    assert "3 processes have died over it, the last on " in str(ended[0].ended_by)
    assert all(ended[number].result for number in (1, 2, 3))
    assert len((tmp_path / "lives").read_text()) == 3


@pytest.mark.parametrize("ours", [True, False])
def test_an_error_names_the_worker(cluster: Cluster, ours: bool) -> None:
    says = r"^so it is \(on \S+\)$" if ours else r"^LookupError: no such thing \(on \S+\)$"
    with pytest.raises(UsageError if ours else ClusterError, match=says):
        list(cluster.results([Waits(0), Fails(ours)]))


def test_what_is_closed_runs_no_longer(cluster: Cluster, tmp_path: Path) -> None:
    units = [WaitsFor(number, tmp_path / "begun", tmp_path / "go") for number in range(4)]
    results = cluster.results([Waits(0), *units])
    next(results)
    process = int(until(tmp_path / "begun", 1)[0].split()[1])
    results.close()
    end = time.monotonic() + 20
    while Path(f"/proc/{process}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not Path(f"/proc/{process}").exists()


@pytest.mark.parametrize(
    ("share", "array", "path"),
    [("auto", "memmap", "PosixPath"), ("bytes", "ndarray", "FileContent")],
)
def test_files_travel_by_their_place_or_as_what_they_hold(
    config: ClusterConfig, tmp_path: Path, share: str, array: str, path: str
) -> None:
    np.save(tmp_path / "rows.npy", np.arange(1000.0))
    (tmp_path / "face.png").write_bytes(b"a picture")
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    asked = replace(config, share=share)
    with connected(asked, tmp_path, None, RecordedProgress()) as cluster:
        with cluster.shared((rows, tmp_path / "face.png")) as shared:
            found = list(in_order(cluster.results([Sums(shared)] * 6)))
    assert {one[:3] for one in found} == {(499500.0 + len("a picture"), array, path)}
    assert len({one[3] for one in found}) <= 2, "a process has read what is shared once"


def test_what_is_shared_once_more_has_arrived(cluster: Cluster) -> None:
    one, other = Counted(), Counted()
    arrived = []
    for value in (one, one, other):
        with cluster.shared(value) as shared:
            arrived.append(max(in_order(cluster.results([Counts(shared)] * 6))))
    assert arrived == [1, 1, 2]


@pytest.mark.slow
def test_a_node_that_dies_loses_nothing_and_one_that_comes_is_used(tmp_path: Path) -> None:
    progress = RecordedProgress()
    with started_nodes(0, 1, 1) as nodes:
        config = ClusterConfig(cluster=nodes.address, trial_cores=1)
        with connected(config, tmp_path, None, progress) as cluster:
            begun, go = tmp_path / "begun", tmp_path / "go"
            units = [WaitsFor(number, begun, go) for number in range(6)]
            heard: list[int] = []

            def hear(number: int, told: object) -> None:
                heard.append(number)
                if len(heard) == 2:
                    nodes.kill(1)
                    nodes.add(1)
                if len(heard) == 3:  # the lost one again, on the new node
                    go.touch()

            assert sorted(in_order(cluster.results(units, hear))) == list(range(6))
            end = time.monotonic() + 60
            while not progress.warnings and time.monotonic() < end:
                cluster.next_event()
    raylets = {line.split()[2] for line in begun.read_text().splitlines()}
    assert len(raylets) == 3
    assert "the cluster has lost" in "".join(progress.warnings)
    assert "the cluster has won" in "".join(progress.lines)


@pytest.mark.slow
def test_a_unit_that_takes_too_much_memory_is_given_up_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = psutil.virtual_memory()
    allowed = (memory.total - memory.available + 3 * 2**30) / memory.total
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{allowed:.3f}")
    monkeypatch.setattr(module, "MOST_DEATHS", 2)
    progress = RecordedProgress()
    with started_nodes(1) as nodes:
        config = ClusterConfig(cluster=nodes.address, trial_cores=1)
        with connected(config, tmp_path, None, progress) as cluster:
            ended = {one.number: one for one in cluster.results([Fills(6), Waits(0)])}
    assert isinstance(ended[0].ended_by, WorkerDiedError)
    assert str(ended[0].ended_by).endswith(": out of memory")
    assert ended[1].result
    assert ["(out of memory)" in line for line in progress.warnings] == [True]


@pytest.mark.slow
def test_a_driver_from_outside_is_told_in_one_line_that_its_session_has_ended(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with started_nodes(2, client=True) as nodes:
        config = ClusterConfig(cluster=nodes.client_address, trial_cores=1)
        with connected(config, tmp_path, None, RecordedProgress()) as cluster:
            assert os.getpid() not in in_order(cluster.results([Waits(0), Waits(0)]))
            results = cluster.results([Waits(0), *[Waits(5)] * 100])
            next(results)
            nodes.kill_client_server()
            with pytest.raises(ClusterError, match=r"^the cluster is gone: "):
                list(results)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nobody.invalid:6379"])
def test_no_cluster_is_told_in_one_line_and_soon(tmp_path: Path, address: str) -> None:
    began = time.monotonic()
    asked = ClusterConfig(cluster=address)
    with (
        pytest.raises(ClusterError, match=f"^no cluster at {address}: 'ray start --head'"),
        connected(asked, tmp_path, None, RecordedProgress()),
    ):
        raise AssertionError("it was found")
    assert time.monotonic() - began < 10


def test_other_versions_are_refused_with_both(
    config: ClusterConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {**module.versions_here(), "tensorflow": "1.0"}
    monkeypatch.setattr(module, "versions_here", lambda: ours)
    with (
        pytest.raises(ClusterError, match=r"other versions.*tensorflow 2\.\S+ there and 1\.0 here"),
        connected(config, tmp_path, None, RecordedProgress()),
    ):
        raise AssertionError("it was taken")


def test_a_unit_that_no_node_has_room_for_is_refused(config: ClusterConfig, tmp_path: Path) -> None:
    asked = replace(config, trial_cores=64)
    with (
        pytest.raises(ClusterError, match="no node of the cluster has 64 cores"),
        connected(asked, tmp_path, None, RecordedProgress()),
    ):
        raise AssertionError("it was taken")


def test_two_drivers_share_a_cluster(
    config: ClusterConfig, cluster: Cluster, tmp_path: Path
) -> None:
    with connected(config, tmp_path, None, RecordedProgress()) as other:
        results: Generator[object, None, None] = other.results([Waits(0.2)] * 3)
        assert len(list(in_order(cluster.results([Waits(0.2)] * 3)))) == 3
        assert len(list(results)) == 3

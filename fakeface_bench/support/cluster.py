"""Runs units on a cluster of Ray: on its nodes, in processes that know no database and no MLflow.

The driver gives each unit to a node: only to one that was asked for its versions, and with what is
shared as that node can have it. Ray starts processes, moves objects and tells who died.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic
from uuid import uuid4
from weakref import WeakValueDictionary

import ray
from ray.exceptions import (
    NodeDiedError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    TaskCancelledError,
    TaskUnschedulableError,
    WorkerCrashedError,
)
from ray.util.queue import Empty, Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from fakeface_bench.support.errors import ClusterError, WorkerDiedError
from fakeface_bench.support.executor import (
    ClusterConfig,
    Ended,
    Hear,
    Known,
    Result,
    Shared,
    Unit,
    Value,
    hear_nothing,
)
from fakeface_bench.support.parcel import UnseenError, pack, unpack
from fakeface_bench.support.progress import Progress
from fakeface_bench.support.ray_session import in_one_line, session_at
from fakeface_bench.support.ray_worker import (
    Facts,
    InStore,
    Order,
    Prepare,
    facts_of_node,
    versions_here,
    warm_up,
    work,
)

#: A unit whose process dies is run again; after so many deaths it is what kills them, and after so
#: many lost nodes too.
MOST_DEATHS = 3
MOST_LOSSES = 10
#: To find out what a node answers.
NODE_SECONDS = 120.0
#: Between two looks at which nodes there are.
_LOOK_SECONDS = 2.0
#: What its own unit may have done to a process; and what happens to it whatever it runs.
_CRASHED = (WorkerCrashedError, OutOfMemoryError)
_NODE_LOST = (NodeDiedError, TaskUnschedulableError, TaskCancelledError)


@contextmanager
def connected(
    config: ClusterConfig, folder: Path, prepare: Prepare | None, progress: Progress
) -> Iterator["Cluster"]:
    """Connect to a cluster for the block; one of this machine is started, and ended after it.

    Args:
        folder: Of this machine, by which a node is asked whether it sees its folders.
        prepare: Survives `pickle`.

    Raises:
        ClusterError: If there is none, or a node cannot be used.
    """
    with session_at(config.cluster) as dashboard:
        cluster = Cluster(config, folder, prepare, progress)
        try:
            cluster.wait_for_nodes()
            watched = f", to be watched at http://{dashboard}" if dashboard else ""
            nodes = len(cluster.nodes)
            progress.say(
                f"a cluster of {nodes} node{'s' * (nodes > 1)}, {cluster.room} units at once"
                f"{watched}"
            )
            yield cluster
        finally:
            cluster.close()


@dataclass(slots=True)
class _Node:
    """A machine of the cluster that units may run on.

    Attributes:
        cores: Of the node.
        slots: Units that it has room for at once.
        sees: Whether files reach it by their paths.
        answers: Whether it has answered since something died there.
        known: Whether it ever has.
        busy: Units that it was given.
    """

    key: str
    name: str
    cores: float
    slots: int
    sees: bool = False
    answers: bool = False
    known: bool = False
    busy: int = 0


_WARM_UP = ray.remote(max_retries=0)(warm_up)
_TASK = ray.remote(max_retries=0)(work)
#: Ends its process, and with it whatever a long fit has left in its memory.
_TASK_OF_ITS_OWN = ray.remote(max_retries=0, max_calls=1)(work)


@dataclass(slots=True)
class _Work:
    """A unit to be done.

    Attributes:
        deaths: Of processes that it may have killed.
        losses: Of nodes that it ran on.
    """

    number: int
    unit: Unit[Any]
    deaths: int = 0
    losses: int = 0


@dataclass(slots=True)
class _Running:
    """Work that was handed to a node."""

    work: _Work
    node: _Node
    reference: Any
    told: int = 0
    answer: Any = None
    ended: bool = False  # by who hears of it


@dataclass
class _Packed:
    """A shared value, and its parcels in the object store, each made when it is first needed."""

    value: Any
    parcels: dict[bool, Any] = field(default_factory=dict)

    def reference(self, by_path: bool) -> Any:
        if by_path not in self.parcels:
            self.parcels[by_path] = ray.put(pack(self.value, by_path))
        return self.parcels[by_path]


def _gone(error: BaseException) -> ClusterError:
    return ClusterError(f"the cluster is gone: {in_one_line(error)}")


@contextmanager
def _in_reach() -> Iterator[None]:
    """Tell in one line that a session has ended, as Ray Client's does without its server."""
    try:
        yield
    except ConnectionError as error:
        raise _gone(error) from error


def _nodes() -> list[dict[str, Any]]:
    with _in_reach():
        try:
            return list(ray.nodes())  # type: ignore[no-untyped-call]
        except ValueError as error:  # of a channel that is closed
            raise ConnectionError("Ray Client has lost its server.") from error


class Cluster:
    """Hands units to the nodes of a cluster; an `Executor`."""

    def __init__(
        self, config: ClusterConfig, folder: Path, prepare: Prepare | None, progress: Progress
    ) -> None:
        self._config, self._folder, self._prepare = config, folder, prepare
        self._progress = progress
        self._nodes: dict[str, _Node] = {}
        self._refused: set[str] = set()
        self._shared: dict[str, _Packed] = {}
        self._values: WeakValueDictionary[str, Any] = WeakValueDictionary()
        #: Workers that start: whoever let go of these would end them.
        self._warm: list[Any] = []
        self._inbox: queue.SimpleQueue[tuple[str, str, Any]] = queue.SimpleQueue()
        self._closed = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._token = folder / f".seen-{uuid4().hex}"
        self._token.touch()
        here = ray.get_runtime_context().get_node_id()
        at_home = NodeAffinitySchedulingStrategy(here, soft=False)
        self._box = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": at_home})
        self._listener = threading.Thread(target=self._listen, daemon=True, name="cluster")
        self._listener.start()
        self._started, self._looked = False, 0.0

    @property
    def room(self) -> int:
        """Units that the cluster has room for at once."""
        return sum(node.slots for node in self._nodes.values())

    @property
    def free(self) -> int:
        """Units that it would begin at once."""
        return sum(node.slots - node.busy for node in self._nodes.values() if node.answers)

    @property
    def nodes(self) -> list[str]:
        """The names of its nodes."""
        return [node.name for node in self._nodes.values()]

    @property
    def detail(self) -> str:
        """How many of the units are under way that there is room for."""
        busy = sum(node.busy for node in self._nodes.values())
        return f"{busy} of {self.room} workers busy"

    def wait_for_nodes(self) -> None:
        """Wait until every node that there is has answered.

        Raises:
            ClusterError: If one cannot be used, or none has room for a unit.
        """
        self.look()
        deadline = time.monotonic() + NODE_SECONDS
        while waiting := [node.name for node in self._nodes.values() if not node.answers]:
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"{', '.join(waiting)} did not answer within {NODE_SECONDS:.0f} s."
                )
            with suppress(queue.Empty):
                key, kind, answer = self._inbox.get(timeout=1.0)
                if kind == "lost":
                    raise _gone(answer)
                self._answered(key, answer)
        self._started = True
        if not self.room:
            config = self._config
            raise ClusterError(
                f"no node of the cluster has {config.trial_cores} cores and "
                f"{config.trial_gpus:g} GPUs for a unit of work: ask for fewer by trial_cores or "
                "trial_gpus."
            )

    @contextmanager
    def shared(self, value: Value) -> Iterator[Shared[Value]]:
        """Put a value where workers find it, each node once, for the block; see `Executor`."""
        key = self._key_of(value)
        self._shared[key] = _Packed(value)
        try:
            yield InStore(key)
        finally:
            self._shared.pop(key, None)

    def _key_of(self, value: Any) -> str:
        """Return a value's key: the one that it had before, by which workers may have it still."""
        for key, known in self._values.items():
            if known is value and key not in self._shared:
                return key
        key = uuid4().hex
        with suppress(TypeError):  # what cannot be watched is new each time
            self._values[key] = value
        return key

    def results(
        self, units: Iterable[Unit[Result]], hear: Hear = hear_nothing
    ) -> Generator[Ended[Result], None, None]:
        """Yield how each ended; see `Executor`."""
        flight: _Flight[Result] = _Flight(self, iter(units), hear)
        try:
            yield from flight.run()
        finally:
            flight.end()

    def close(self) -> None:
        """Tell nobody anything any more."""
        self._closed.set()
        self._token.unlink(missing_ok=True)
        self._shared.clear()
        self._listener.join()  # it asks Ray, which is ended next
        if ray.is_initialized():  # else Ray would look for another cluster, and ask that
            with suppress(RayError, ConnectionError):
                self._box.shutdown(force=True)

    def cancel(self, reference: Any, force: bool) -> None:
        """End a unit, its process with it if by force."""
        if ray.is_initialized():  # else Ray would look for another cluster, and ask that
            with suppress(RayError, ConnectionError, ValueError):
                ray.cancel(reference, force=force)

    def begin(self, unit: Unit[Any], attempt: str, node: _Node) -> Any:
        """Hand a unit to a node; what becomes of it arrives by `next_event`."""
        # A process keeps the GPUs that it was first given.
        task = _TASK_OF_ITS_OWN if unit.fresh or self._config.trial_gpus else _TASK
        with _in_reach():
            shared = {key: packed.reference(node.sees) for key, packed in self._shared.items()}
            order = Order(attempt, self._box, shared, self._prepare)
            reference = task.options(**self._place(node)).remote(pack(unit, node.sees), order)
            future = reference.future()
        node.busy += 1
        future.add_done_callback(lambda done: self._inbox.put((attempt, "done", done)))
        return reference

    def _place(self, node: _Node) -> dict[str, Any]:
        """Return what Ray is asked for a unit's process."""
        return {
            "num_cpus": self._config.trial_cores or node.cores,
            "num_gpus": self._config.trial_gpus,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node.key, soft=False),
        }

    def next_event(self) -> tuple[str, str, Any] | None:
        """Return what arrives next of a unit: an attempt, `told` or `done`, and what.

        None where nothing has for a while, or a node has answered.
        """
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self.look()
        try:
            event = self._inbox.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            return None
        if event[1] == "lost":
            raise _gone(event[2])
        if event[1] != "node":
            return event
        try:
            self._answered(event[0], event[2])
        except ClusterError as error:
            self._progress.warn(str(error))
        return None

    def freest(self) -> _Node | None:
        """Return the node with the most room; None where there is none."""
        free = [node for node in self._nodes.values() if node.answers and node.busy < node.slots]
        return max(free, key=lambda node: node.slots - node.busy, default=None)

    def _listen(self) -> None:
        try:
            while not self._closed.is_set():
                with suppress(Empty):  # also one that has travelled, which is Ray's error too
                    attempt, told = self._box.get(timeout=1.0)
                    self._inbox.put((attempt, "told", told))
        except (RayError, ConnectionError) as error:
            self._inbox.put(("", "lost", error))

    def warn(self, line: str) -> None:
        """Tell the user what must not be missed."""
        self._progress.warn(line)

    def look(self) -> None:
        """Find nodes that came, and forget those that went."""
        self._looked = time.monotonic()
        alive = {node["NodeID"]: node for node in _nodes() if node["Alive"]}
        for gone in self._nodes.keys() - alive.keys():
            self._lose(gone)
        for key in alive.keys() - self._nodes.keys() - self._refused:
            facts = alive[key]
            cores, slots = facts["Resources"].get("CPU", 0), self._slots(facts["Resources"])
            if slots:
                name = f"{facts['NodeManagerHostname']}-{key[:6]}"
                self._nodes[key] = _Node(key, name, cores, slots)
                self.ask(self._nodes[key])

    def ask(self, node: _Node) -> None:
        """Ask a node that is new, or on which a process has died; it gets no unit until it answers.

        Of a node whose power was cut the cluster itself takes long to hear.
        """
        node.answers = False
        task = ray.remote(max_retries=0, num_cpus=0)(facts_of_node)
        strategy = NodeAffinitySchedulingStrategy(node.key, soft=False)
        with _in_reach():
            answer = task.options(scheduling_strategy=strategy).remote(str(self._token)).future()
        answer.add_done_callback(lambda done: self._inbox.put((node.key, "node", done)))

    def _answered(self, key: str, answer: Any) -> None:
        """Take what a node says of itself.

        Raises:
            ClusterError: If it cannot be used.
        """
        node = self._nodes.get(key)
        if node is None:
            return
        try:
            node.sees = self._usable(node.name, answer)
        except ClusterError:
            self._refused.add(key)
            del self._nodes[key]
            raise
        except _CRASHED:
            self.ask(node)
            return
        except _NODE_LOST:
            self._lose(key)
            return
        node.answers = True
        if not node.known and self._started:
            self._progress.say(f"the cluster has won {node.name}")
        if not node.known:
            warm_up = _WARM_UP.options(**self._place(node))
            with _in_reach():
                self._warm += [warm_up.remote(self._prepare) for _ in range(node.slots)]
        node.known = True

    def _lose(self, key: str) -> None:
        lost = self._nodes.pop(key).name
        waits = "" if self._nodes else "; it has no other, and the study waits for one"
        self._progress.warn(f"the cluster has lost {lost}{waits}")

    def _slots(self, resources: Mapping[str, float]) -> int:
        """Return how many units a node has room for; one where each takes all its cores."""
        cores, config = resources.get("CPU", 0), self._config
        room = cores // config.trial_cores if config.trial_cores else min(1, cores)
        if config.trial_gpus:
            room = min(room, resources.get("GPU", 0) // config.trial_gpus)
        return int(room)

    def _usable(self, name: str, answer: Any) -> bool:
        """Refuse a node whose figures would differ; return whether files reach it by their paths.

        Raises:
            ClusterError: If it is to be refused, or cannot run anything of ours.
        """
        try:
            facts: Facts = answer.result()
        except RayTaskError as error:
            said = in_one_line(error.cause or error)
            raise ClusterError(
                f"{name} cannot run fakeface_bench ({said}): install the same version there."
            ) from error
        ours = versions_here()
        others = {library: facts.versions.get(library, "none") for library in ours}
        if others != ours:
            differ = ", ".join(
                f"{library} {others[library]} there and {ours[library]} here"
                for library in ours
                if others[library] != ours[library]
            )
            raise ClusterError(f"{name} has other versions, so its figures would differ: {differ}.")
        share = self._config.share
        if share == "paths" and not facts.sees:
            raise ClusterError(
                f"{name} does not see {self._folder}: mount the folder there under the same path, "
                "or let files travel by share='bytes'."
            )
        return facts.sees and share != "bytes"


class _Flight(Generic[Result]):
    """Units under way: taken while there is room, run again where a process died."""

    def __init__(self, cluster: Cluster, units: Iterator[Unit[Result]], hear: Hear) -> None:
        self._cluster, self._units, self._hear = cluster, units, hear
        self._running: dict[str, _Running] = {}
        self._again: deque[_Work] = deque()
        self._known: deque[Ended[Result]] = deque()
        self._taken = 0
        self._more = True
        #: What was raised, and by which unit: those before it are handed on first.
        self._error: tuple[int, Exception] | None = None

    def run(self) -> Generator[Ended[Result], None, None]:
        """Yield how each unit ended."""
        while True:
            self._fill()
            while self._known:
                yield self._known.popleft()
            if self._error and not self._before(self._error[0]):
                raise self._error[1]
            alive = any(not one.ended for one in self._running.values())
            if not alive and not self._again and not self._more:
                return
            event = self._cluster.next_event()
            ended = self._arrived(*event) if event else None
            if ended is not None:
                yield ended

    def end(self) -> None:
        """End what is still running."""
        for one in self._running.values():
            one.node.busy -= 1
            if not one.ended:  # else that was asked for gently, and its process is kept
                self._cluster.cancel(one.reference, force=True)
        self._running.clear()

    def _before(self, number: int) -> bool:
        """Whether a unit before this one is still under way."""
        running = [one.work for one in self._running.values() if not one.ended]
        return any(work.number < number for work in [*running, *self._again])

    def _fill(self) -> None:
        """Hand out units while a node has room."""
        while node := self._cluster.freest():
            if self._again:
                work = self._again.popleft()
            elif self._more and self._error is None:
                try:
                    unit = next(self._units)
                except StopIteration:
                    self._more = False
                    return
                except Exception as error:
                    self._more, self._error = False, (self._taken, error)
                    return
                work = _Work(self._taken, unit)
                self._taken += 1
                if isinstance(unit, Known):
                    self._known.append(Ended(work.number, unit.result))
                    continue
            else:
                return
            attempt = uuid4().hex
            reference = self._cluster.begin(work.unit, attempt, node)
            self._running[attempt] = _Running(work, node, reference)

    def _arrived(self, attempt: str, kind: str, what: Any) -> Ended[Result] | None:
        one = self._running.get(attempt)
        if one is None:
            return None
        ended = None
        if kind == "told":
            ended = self._heard(one, what)
        else:
            try:
                one.answer = what.result()
            except Exception as error:
                return self._died(attempt, one, error)
        if one.answer is None or one.told < one.answer.told:
            return ended
        self._settle(attempt, one)
        if one.ended:
            return ended
        if isinstance(one.answer.error, UnseenError):
            one.node.sees = False
            self._again.append(one.work)
            return None
        if one.answer.error is not None:
            self._fail(one.work.number, one.answer.error, one.node)
            return None
        return Ended(one.work.number, unpack(one.answer.result))

    def _heard(self, one: _Running, told: Any) -> Ended[Result] | None:
        """Hand on what a unit told; return its end where that ends it."""
        one.told += 1
        if one.ended:
            return None
        try:
            self._hear(one.work.number, told)
        except Exception as error:
            one.ended = True
            if one.answer is None:
                self._cluster.cancel(one.reference, force=one.work.unit.fresh)
            return Ended(one.work.number, None, error)
        return None

    def _settle(self, attempt: str, one: _Running) -> None:
        del self._running[attempt]
        one.node.busy -= 1

    def _fail(self, number: int, error: Exception, node: _Node) -> None:
        if self._error is None or number < self._error[0]:
            said = type(error)(f"{error} (on {node.name})")
            said.__cause__ = error
            self._error = (number, said)

    def _died(self, attempt: str, one: _Running, error: Exception) -> Ended[Result] | None:
        """Run a unit once more whose process or node has died."""
        self._settle(attempt, one)
        if one.ended:
            return None
        if isinstance(error, ConnectionError):
            raise _gone(error) from error
        if not isinstance(error, _CRASHED + _NODE_LOST):
            raise ClusterError(f"{one.node.name}: {in_one_line(error)}") from error
        self._cluster.ask(one.node)
        crashed, work = isinstance(error, _CRASHED), one.work
        work.deaths += crashed
        work.losses += not crashed
        why = "out of memory" if isinstance(error, OutOfMemoryError) else "killed, or crashed"
        if work.deaths < MOST_DEATHS and work.losses < MOST_LOSSES:
            if crashed:
                self._cluster.warn(
                    f"a process on {one.node.name} has died ({why}); what it ran is run again"
                )
            self._again.append(work)
            return None
        killed = WorkerDiedError(
            f"{work.deaths + work.losses} processes have died over it, the last on "
            f"{one.node.name}: {why}"
        )
        return Ended(work.number, None, killed)

"""What a worker of a cluster of Ray runs: a unit, which tells, and what comes back of it."""

import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Generic

import ray
from ray.exceptions import RayError
from ray.util.queue import Queue

from fakeface_bench.support.errors import ClusterError, FakefaceError
from fakeface_bench.support.executor import Unit, Value
from fakeface_bench.support.parcel import Parcel, UnseenError, pack_as_it_is, unpack

#: What figures depend on: a node that has others is refused.
_LIBRARIES = ("fakeface_bench", "tensorflow", "keras", "numpy", "scikit-learn", "ray")

#: Called in each worker process before its first unit is unpacked.
Prepare = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a node says of itself."""

    versions: Mapping[str, str]
    sees: bool


def facts_of_node(token: str) -> Facts:
    """Return what a node says of itself.

    Args:
        token: A file of the driver, which a node that sees its folders sees too.
    """
    return Facts(versions_here(), Path(token).is_file())


@cache
def versions_here() -> Mapping[str, str]:
    """Return the version of Python and of each library that figures depend on; `none` of none."""
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "none"
    return found


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is given beside its unit: where to tell, as whom, and what is shared."""

    attempt: str
    box: Queue
    shared: Mapping[str, Any]
    prepare: Prepare | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker returns, and how often it has told something before."""

    told: int
    result: Parcel | None
    error: BaseException | None


#: In a worker: what its units share, by key, and where what it has not opened yet can be had.
_SHARED: dict[str, Any] = {}
_OFFERED: dict[str, Any] = {}
#: Whether it was prepared.
_PREPARED: list[bool] = []


@dataclass(frozen=True, slots=True)
class InStore(Generic[Value]):
    """A value in the cluster's object store; a `Shared`."""

    key: str

    def get(self) -> Value:
        """Return it, read once a process; what it no longer needs is let go of."""
        if self.key not in _SHARED:
            for old in _SHARED.keys() - _OFFERED.keys():
                del _SHARED[old]
            _SHARED[self.key] = unpack(ray.get(_OFFERED[self.key]))
        value: Value = _SHARED[self.key]
        return value


def work(parcel: Parcel, order: Order) -> Answer:
    """Run a unit in a worker. What it raises travels as a value: Ray would wrap it."""
    warm_up(order.prepare)
    _OFFERED.clear()
    _OFFERED.update(order.shared)
    told, under_way = 0, []

    def tell(something: Any) -> None:
        arrived()
        put = order.box.actor.put.remote  # type: ignore[attr-defined]  # of an actor
        under_way.append(put((order.attempt, something)))

    def arrived() -> None:
        """Wait for what was told last: a unit works on meanwhile, and its order is kept."""
        nonlocal told
        while under_way:
            ray.get(under_way.pop())
            told += 1

    try:
        unit: Unit[Any] = unpack(parcel)
        result = unit.run(tell)
        arrived()
        return Answer(told, pack_as_it_is(result), None)
    except Exception as error:
        with suppress(RayError):
            arrived()
        return Answer(told, None, _portable(error))


def _portable(error: Exception) -> Exception:
    """Return an error as it can travel: one of ours as it is, any other by its words."""
    if isinstance(error, FakefaceError | UnseenError):
        return error
    return ClusterError(f"{type(error).__name__}: {error}")


def warm_up(prepare: Prepare | None) -> None:
    """Prepare a worker before there is a unit for it, which takes TensorFlow ten seconds."""
    if prepare is not None and not _PREPARED:
        prepare()
        _PREPARED.append(True)

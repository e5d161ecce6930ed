"""Who runs the units of a job: this process, or a cluster that is found or started for it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

from fakeface_bench.support.disk import cache_folder
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.executor import LOCAL, NO_CLUSTER, THIS_PROCESS, ClusterConfig, Executor
from fakeface_bench.support.machine import Clock, start_worker
from fakeface_bench.support.progress import Progress

#: Where Ray's own commands find a cluster, if it is set.
ADDRESS_VARIABLE = "RAY_ADDRESS"


@contextmanager
def executor_for(
    config: ClusterConfig, progress: Progress, clock: Clock | None = None
) -> Iterator[Executor]:
    """Yield who runs the units of a job.

    Args:
        clock: Is told how long it took to find a cluster, or to start one.

    Raises:
        UsageError: If it is a cluster, and Ray is not installed.
        ClusterError: If there is no such cluster, or none of its nodes can be used.
    """
    if config.cluster == NO_CLUSTER:
        yield THIS_PROCESS
        return
    _check_installed(config)
    from fakeface_bench.support.cluster import connected

    if config.cluster == "auto":
        config = replace(config, cluster=os.environ.get(ADDRESS_VARIABLE, "auto"))
    prepare = partial(start_worker, config.trial_cores)
    with ExitStack() as until_the_end:
        with (clock or Clock()).timing("cluster"):
            found = connected(config, cache_folder("features"), prepare, progress)
            cluster = until_the_end.enter_context(found)
        yield cluster


@contextmanager
def one_for_all(config: ClusterConfig) -> Iterator[ClusterConfig]:
    """Start the cluster of this machine once for all processes of a job.

    Yields:
        What each of them is to ask for; the same again where nothing has to be started.

    Raises:
        UsageError: If Ray is not installed.
        ClusterError: If the cluster cannot be started.
    """
    if config.cluster != LOCAL:
        yield config
        return
    _check_installed(config)
    from fakeface_bench.support.ray_session import own_address, session_at

    with session_at(LOCAL):
        yield replace(config, cluster=own_address())


def _check_installed(config: ClusterConfig) -> None:
    if find_spec("ray") is None:
        raise UsageError(
            f"cluster {config.cluster!r} needs Ray: pip install 'fakeface_bench[cluster]', here "
            "and on every machine of the cluster."
        )

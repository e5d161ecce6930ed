"""Real clusters of Ray on this machine, of several nodes that can be killed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster as RayCluster

_PROJECT = str(Path(__file__).parents[2])


class Nodes:
    """The nodes of a cluster, the head first."""

    def __init__(self, *cores: int) -> None:
        first, *others = cores
        self._cluster = RayCluster(
            initialize_head=True, head_node_args={"num_cpus": first, "include_dashboard": False}
        )
        self._nodes: list[Any] = [self._cluster.head_node]
        for count in others:
            self.add(count)

    @property
    def address(self) -> str:
        """Where it is found."""
        return str(self._cluster.address)

    def add(self, cores: int) -> None:
        """Add a node, with an address of its own: drivers then belong to the head, which stays."""
        address = f"127.0.0.{len(self._nodes) + 1}"
        self._nodes.append(self._cluster.add_node(num_cpus=cores, node_ip_address=address))

    def kill(self, number: int) -> None:
        """Kill a node as a power cut would."""
        self._cluster.remove_node(self._nodes[number], allow_graceful=False)

    def end(self) -> None:
        """End them all."""
        ray.shutdown()
        self._cluster.shutdown()


@contextmanager
def started_nodes(*cores: int) -> Iterator[Nodes]:
    """Start a cluster of nodes of so many cores each, whose workers find this project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([_PROJECT, os.environ.get("PYTHONPATH", "")]))
        nodes = Nodes(*cores)
        try:
            yield nodes
        finally:
            nodes.end()

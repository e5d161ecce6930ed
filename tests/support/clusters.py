"""Real clusters of Ray on this machine, of several nodes that can be killed."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster as RayCluster

from tests.reliability.servers import free_port

_PROJECT = str(Path(__file__).parents[2])


class Nodes:
    """The nodes of a cluster, the head first."""

    def __init__(self, *cores: int, client: bool) -> None:
        first, *others = cores
        options = {"num_cpus": first, "include_dashboard": False}
        if client:
            self._port = free_port()
            options["ray_client_server_port"] = self._port
        self._cluster = RayCluster(initialize_head=True, head_node_args=options)
        self._nodes: list[Any] = [self._cluster.head_node]
        for count in others:
            self.add(count)
        if client:
            self._wait_for_client_server()

    @property
    def address(self) -> str:
        """Where it is found."""
        return str(self._cluster.address)

    @property
    def client_address(self) -> str:
        """Where it is found from outside."""
        return f"ray://127.0.0.1:{self._port}"

    def _wait_for_client_server(self) -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with suppress(ConnectionRefusedError):
                return socket.create_connection(("127.0.0.1", self._port)).close()
            time.sleep(0.1)
        raise AssertionError("no client server has come")

    def kill_client_server(self) -> None:
        """Kill what speaks to drivers from outside."""
        for process in psutil.process_iter(["cmdline"]):
            if "ray.util.client.server" in (process.info["cmdline"] or []):
                process.kill()

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
def started_nodes(*cores: int, client: bool = False) -> Iterator[Nodes]:
    """Start a cluster of nodes of so many cores each, whose workers find this project.

    Args:
        client: Whether drivers reach it from outside too.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([_PROJECT, os.environ.get("PYTHONPATH", "")]))
        nodes = Nodes(*cores, client=client)
        try:
            yield nodes
        finally:
            nodes.end()

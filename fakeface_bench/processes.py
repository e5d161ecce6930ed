"""Which process this is, and whether one that was written down still lives."""

import os
import platform
from collections.abc import Mapping
from typing import Any

import psutil

#: Why a run or a trial failed that a kill, an interrupt or a full disk cut off.
CUT_OFF = "its process ended before it did"


def this_process() -> dict[str, Any]:
    """Return what tells this process from any other, as JSON can hold it."""
    process = psutil.Process(os.getpid())
    return {"host": platform.node(), "pid": process.pid, "started": process.create_time()}


def is_dead(process: Mapping[str, Any]) -> bool:
    """Whether a process of this machine has ended; of those on others nothing is known."""
    if process["host"] != platform.node():
        return False
    try:
        found = psutil.Process(process["pid"])
        ended = found.status() == psutil.STATUS_ZOMBIE
        return bool(ended or found.create_time() != process["started"])
    except psutil.Error:
        return True

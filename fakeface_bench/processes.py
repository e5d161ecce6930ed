"""Which process this is, who started it and where, and whether one that was written down lives."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

#: Why a run or a trial failed that a kill, an interrupt or a full disk cut off.
CUT_OFF = "its process ended before it did"
#: By this MLflow tells the process that `mlflow run` starts which run it opened for it.
RUN_VARIABLE = "MLFLOW_RUN_ID"
#: Holds the package where it is not installed.
_PROJECT = Path(__file__).resolve().parents[1]


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


def work_where_called() -> str:
    """Go to the folder in which `mlflow run` was called, whose relative paths a user means.

    MLflow starts a project in the project's own folder, or in a clone of it that will be gone.
    Anything else is left where it is. What this process starts finds the package all the same.

    Returns:
        What to warn of; empty where there is nothing.
    """
    if RUN_VARIABLE not in os.environ or Path.cwd() != _PROJECT:
        return ""
    try:
        folder = _folder_of_caller(os.environ[RUN_VARIABLE])
        os.chdir(folder)
    except (psutil.Error, OSError) as error:
        return f"relative paths are taken from {_PROJECT}: where 'mlflow run' was called is {error}"
    paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    return ""


def _folder_of_caller(run_id: str) -> str:
    """Return where the nearest ancestor works that was not itself started for this run."""
    for ancestor in psutil.Process().parents():
        if ancestor.environ().get(RUN_VARIABLE) != run_id:
            return str(ancestor.cwd())
    raise psutil.NoSuchProcess(0, msg="not known")

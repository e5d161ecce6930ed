"""What every benchmark tells of its machine, and how its figures are kept."""

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def machine(*libraries: str) -> dict[str, Any]:
    """Return the hardware, and the versions of Python and of some libraries.

    `bytecode` tells whether libraries lie compiled, as pip leaves them: where they do not, and
    Python may not write it (PYTHONDONTWRITEBYTECODE), every command takes seconds longer.

    TensorFlow is imported, which looks for GPUs: called after any child whose memory is measured,
    whose peak would begin at that of its parent.
    """
    from fakeface_bench.support.machine import machine_facts

    versions = {name: version(name) for name in libraries}
    numpy = find_spec("numpy")
    compiled = bool(numpy and numpy.cached and os.path.exists(numpy.cached))
    python = {"python": platform.python_version(), "bytecode": compiled}
    return {**machine_facts(), **python, **versions}


def as_new(folder: Path, source: Path) -> dict[str, str]:
    """Return the variables of a process of a checkout that finds an empty store and cache."""
    return os.environ | {
        "FAKEFACE_CACHE": str(folder / "cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "PYTHONPATH": str(source),
    }


def keep(figures: Mapping[str, Any], output: Path | None) -> None:
    """Write figures as JSON where a file is named for them."""
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(figures, indent=1) + "\n")

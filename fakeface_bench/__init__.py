"""Which network should spot generated faces, and what does it cost to train?"""

import time
import warnings
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

#: By `time.perf_counter`; the interpreter's own start, some 0.05 s, lies before.
PROCESS_BEGAN = time.perf_counter()

try:
    __version__ = version("fakeface_bench")
except PackageNotFoundError:  # `mlflow run` starts the project from its folder, not installed
    __version__ = "0.2.0"

#: What `fakeface_bench.api` holds, which is imported when the first of them is asked for.
__all__ = [
    "Callback",
    "DataError",
    "Detector",
    "DiskError",
    "FakefaceError",
    "ModelError",
    "StopSearch",
    "StopTrial",
    "StudyError",
    "UsageError",
    "WeightsError",
    "architectures",
    "audit",
    "compare",
    "datasets",
    "evaluate",
    "explain",
    "generalise",
    "load_detector",
    "load_index",
    "load_study",
    "metrics",
    "predict",
    "publish",
    "register",
    "robustness",
    "run_study",
    "run_suite",
    "verify",
]


#: Names of the version before, each with today's: they warn, and go with the next.
FORMER_NAMES: dict[str, str] = {}


def __getattr__(name: str) -> Any:
    if name in FORMER_NAMES:
        today = FORMER_NAMES[name]
        told = f"{__name__}.{name} is {today} now; the next version no longer knows {name}."
        warnings.warn(told, FutureWarning, stacklevel=2)
        name = today
    if name in __all__:
        return getattr(import_module(f"{__name__}.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""The machine: TensorFlow started on it, what it is, and what a job takes of it."""

import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import psutil
from threadpoolctl import threadpool_limits

from fakeface_bench import __version__
from fakeface_bench.support.backend import settle_keras

_LIBRARIES = (
    "tensorflow",
    "keras",
    "mlflow",
    "optuna",
    "scikit-learn",
    "pandas",
    "numpy",
    "pillow",
)

#: How many threads linear algebra takes where it is loaded.
THREADS_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_PROCESSORS = Path("/proc/cpuinfo")


def start_tensorflow(cores: int | None = None) -> None:
    """Import TensorFlow without its start-up chatter and make its operations deterministic.

    Everything that imports Keras or TensorFlow comes after this call.

    Args:
        cores: As in `settle_keras`; linear algebra outside of TensorFlow takes as many.
    """
    if cores:
        os.environ |= dict.fromkeys(THREADS_VARIABLES, str(cores))  # of what is loaded later
        threadpool_limits(cores)
    settle_keras(cores)
    import keras
    import tensorflow as tf

    keras.config.disable_interactive_logging()
    tf.get_logger().setLevel("ERROR")  # each trial traces its own graph, and it warns of that
    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(0)
    tf.random.uniform([1])


#: Of a worker: the cores that it may take.
_OWN_CORES: list[int] = []


def start_worker(cores: int) -> None:
    """Start TensorFlow in a process that shares its machine with others of its kind.

    Args:
        cores: That it may take, whatever it does; 0 for all.
    """
    if cores:
        _OWN_CORES[:] = [cores]
    start_tensorflow(cores)


def own_cores() -> int:
    """Return how many threads are of use to this process."""
    return _OWN_CORES[0] if _OWN_CORES else os.cpu_count() or 1


def gpus() -> list[str]:
    """Return the GPUs that TensorFlow sees, by name."""
    import tensorflow as tf

    return [device.name for device in tf.config.list_physical_devices("GPU")]


def may_have_bfloat16() -> bool:
    """Return whether processors may compute bfloat16 in hardware; False where they cannot.

    Linux tells it among their features (`avx512_bf16`, `amx_bf16`; `bf16` on ARM).
    """
    features = _of_processor("flags", "Features")
    return not features or any("bf16" in name for name in features[0].split())


def out_of_memory() -> type[Exception]:
    """Return what TensorFlow raises where a device's memory does not suffice."""
    import tensorflow as tf

    return cast(type[Exception], tf.errors.ResourceExhaustedError)


def replicas() -> AbstractContextManager[Any]:
    """Return the scope in which a model is built to train on every GPU that is seen.

    Several share each batch (`tf.distribute.MirroredStrategy`); with one or none it does nothing.
    """
    devices = replica_devices()
    if len(devices) < 2:
        return nullcontext()
    import tensorflow as tf

    return cast(AbstractContextManager[Any], tf.distribute.MirroredStrategy(devices).scope())


def replica_devices() -> list[str]:
    """Return the devices that training is spread over, by name."""
    return [f"GPU:{number}" for number in range(len(gpus()))]


def hardware_facts() -> dict[str, Any]:
    """Return machine, threads and versions, as params of an MLflow run."""
    return machine_facts() | library_versions()


def library_versions() -> dict[str, str]:
    """Return the versions that results may depend on, by the names of params."""
    own = {"version_python": platform.python_version(), "version_fakeface_bench": __version__}
    return own | {f"version_{name.replace('-', '_')}": version(name) for name in _LIBRARIES}


def environment_lock() -> str:
    """Return every installed package with its version, a line each, as `pip install -r` reads."""
    found = {each.name: each.version for each in distributions() if each.name}
    return "".join(f"{name}=={found[name]}\n" for name in sorted(found, key=str.lower))


def machine_facts() -> dict[str, Any]:
    """Return what of the machine a speed depends on."""
    return {
        "hardware_cpu": _cpu_name(),
        "hardware_threads": len(_processors()),
        "hardware_memory_gb": round(psutil.virtual_memory().total / 2**30),
        "hardware_gpus": len(gpus()),
    }


def machine_name() -> str:
    """Return the machine in words, by which studies on others are told apart."""
    facts = machine_facts()
    count = facts["hardware_gpus"]
    with_gpus = f", {count} GPU{'s' * (count > 1)}" if count else ""
    return f"{facts['hardware_cpu']}, {facts['hardware_threads']} threads{with_gpus}"


def peak_memory_gb() -> float:
    """Return the most memory this process has held at once, in 2³⁰ bytes."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 2**30
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (2**30 if sys.platform == "darwin" else 2**20)


def peak_gpu_memory_gb() -> float:
    """Return the sum of the most that was held on each GPU, in 2³⁰ bytes; 0 without one."""
    import tensorflow as tf

    peaks = [tf.config.experimental.get_memory_info(name)["peak"] for name in replica_devices()]
    return float(sum(peaks)) / 2**30


def _cpu_name() -> str:
    names = _of_processor("model name")
    return names[0] if names else platform.processor() or platform.machine()


def _of_processor(*keys: str) -> list[str]:
    """Return what Linux says of each processor under one of the keys; elsewhere nothing."""
    try:
        lines = [line.partition(":") for line in _PROCESSORS.read_text().splitlines()]
    except OSError:
        return []
    return [value.strip() for key, _, value in lines if key.strip() in keys]


class Clock:
    """Tells the seconds since some moment, now unless another is given, and whose they were.

    Args:
        began: By `time.perf_counter`; `fakeface_bench.PROCESS_BEGAN` for all of a process.

    Attributes:
        parts: Seconds of the blocks that were timed, by the name of each.
    """

    def __init__(self, began: float | None = None) -> None:
        self._began = time.perf_counter() if began is None else began
        self._own_before = _own_processor_seconds() if began is None else 0.0
        self._watched_since = time.perf_counter()
        self._own, self._busy = _own_processor_seconds(), _busy_processor_seconds()
        self.parts: dict[str, float] = {}

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Add what the block takes to a part, whether or not it ends well."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.parts[part] = self.parts.get(part, 0.0) + time.perf_counter() - began

    def seconds(self) -> float:
        """Return the seconds since it began."""
        return time.perf_counter() - self._began

    def processor_seconds(self) -> float:
        """Return what this process and those it has waited for took of the processors."""
        return _own_processor_seconds() - self._own_before

    def others_share(self) -> float:
        """Return the share of the processors that others took, from 0 to 1.

        Of those that this process may use, since the clock was made; with what a virtual machine's
        host took.
        """
        most = (time.perf_counter() - self._watched_since) * len(_processors())
        busy = _busy_processor_seconds() - self._busy
        others = busy - (_own_processor_seconds() - self._own)
        return min(1.0, max(0.0, others / most))


def _own_processor_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _busy_processor_seconds() -> float:
    """Return how long the processors that this process may use have been busy, all together."""
    every = psutil.cpu_times(percpu=True)
    used = [every[number] for number in _processors() if number < len(every)]
    # Linux counts guests' time among the users' as well.
    not_busy = ("idle", "iowait", "guest", "guest_nice")
    idle = sum(getattr(times, name, 0.0) for times in used for name in not_busy)
    return float(sum(map(sum, used))) - idle


def _processors() -> list[int]:
    """Return the numbers of the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


#: CodeCarbon asks for a country to turn energy into CO₂, which nobody here reads.
_ANY_COUNTRY = "FRA"
_SECONDS_BETWEEN_SAMPLES = 5
NOT_INSTALLED = "CodeCarbon is not installed: pip install 'fakeface_bench[energy]'"


class EnergyMeter:
    """Reads, once, the energy of the whole machine since it was opened.

    Args:
        tracker: CodeCarbon's; None where it is not installed.
        started: When it runs.
    """

    def __init__(self, tracker: Any, started: Future[None] | None = None) -> None:
        self._tracker = tracker
        self._started = started

    def read(self) -> tuple[float, str]:
        """End the measurement; return its kilowatt-hours, or 0 and why there is no metric."""
        if self._tracker is None or self._started is None:
            return 0.0, NOT_INSTALLED
        self._started.result()
        if self._tracker.stop() is None:
            return 0.0, "CodeCarbon's measurement failed; it gives no reason"
        return float(self._tracker.final_emissions_data.energy_consumed), ""


@contextmanager
def energy_meter() -> Iterator[EnergyMeter]:
    """Measure while the block runs, or until it is read.

    CodeCarbon reads the counters of CPU, memory and GPU where the system has them, and else
    estimates from the CPU's rated power and its load; without asking the network. Which of them
    there are takes it a second to find out, in which the block goes on.
    """
    if find_spec("codecarbon") is None:
        yield EnergyMeter(None)
        return
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    tracker = OfflineEmissionsTracker(
        country_iso_code=_ANY_COUNTRY,
        measure_power_secs=_SECONDS_BETWEEN_SAMPLES,
        output_methods=[],
        log_level="critical",
        allow_multiple_runs=True,
    )
    with ThreadPoolExecutor(1) as starter:
        started = starter.submit(tracker.start)
        try:
            yield EnergyMeter(tracker, started)
        finally:
            started.result()
            tracker.stop()

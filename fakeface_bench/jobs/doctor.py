"""What a report of a problem needs: versions, hardware, stores, caches, weights at hand."""

import os
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import disk_usage

from fakeface_bench.backbones.catalogue import ARCHITECTURES
from fakeface_bench.backbones.weights import are_here
from fakeface_bench.config import STORAGE_VARIABLE
from fakeface_bench.support.disk import CACHE_VARIABLE, bytes_of, cache_folder
from fakeface_bench.support.errors import FakefaceError, shortened
from fakeface_bench.support.machine import gpus, library_versions, machine_facts, start_tensorflow
from fakeface_bench.support.text import hide_credentials
from fakeface_bench.tracking.store import describe_store

#: Packages without which a part of the project is missing, and which part.
_OPTIONAL = {
    "onnxruntime": "extraction of depthwise networks, ONNX files",
    "tf2onnx": "the same",
    "keras-hub": "foundation models: pip install 'fakeface_bench[foundation]'",
    "codecarbon": "energy: pip install 'fakeface_bench[energy]'",
    "psycopg": "studies on PostgreSQL",
}
#: Variables that change what a command does.
_VARIABLES = (
    CACHE_VARIABLE,
    STORAGE_VARIABLE,
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_EXPERIMENT_NAME",
    "KERAS_BACKEND",
    "KERAS_HOME",
    "KAGGLEHUB_CACHE",
    "CUDA_VISIBLE_DEVICES",
)
#: Below this a study of a large dataset may not find room, in 10⁹ bytes.
_LITTLE_ROOM = 10.0


def examine() -> Iterator[tuple[str, str]]:
    """Yield what is found, a name and a line each; what fails says why in its place.

    Nothing in it is a password, and the user's home stands as `~`.
    """
    for name, look in _LOOKS.items():
        try:
            lines = list(look())
        except (FakefaceError, OSError, ImportError) as error:
            lines = [f"FAILS: {shortened(error)}"]
        for line in lines:
            yield name, _without_home(hide_credentials(line))


def _without_home(text: str) -> str:
    return text.replace(str(Path.home()), "~") if Path.home() != Path("/") else text


def _versions() -> Iterator[str]:
    yield ", ".join(f"{k.removeprefix('version_')} {v}" for k, v in library_versions().items())
    yield platform.platform()


def _optional() -> Iterator[str]:
    for name, part in _OPTIONAL.items():
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name}: not installed ({part})"


def _hardware() -> Iterator[str]:
    start_tensorflow()
    facts = machine_facts()
    yield f"{facts['hardware_cpu']}, {facts['hardware_threads']} threads"
    yield f"{facts['hardware_memory_gb']} GiB of memory"
    yield f"GPUs that TensorFlow sees: {', '.join(gpus()) or 'none'}"


def _caches() -> Iterator[str]:
    folder = cache_folder("")
    free = disk_usage(folder).free / 1e9
    little = " (LITTLE: large datasets need more)" if free < _LITTLE_ROOM else ""
    yield f"{folder}, {free:,.0f} GB free{little}"
    for part in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield f"{part.name}: {bytes_of(part) / 1e9:,.2f} GB"


def _weights() -> Iterator[str]:
    pretrained = [row for row in ARCHITECTURES if row.pretrained]
    here = [row.key for row in pretrained if are_here(row)]
    yield f"here: {', '.join(here) or 'none'}"
    away = [row.key for row in pretrained if row.key not in here]
    yield f"to be fetched when needed: {', '.join(away) or 'none'}"


def _variables() -> Iterator[str]:
    known = [f"{name}={os.environ[name]}" for name in _VARIABLES if os.environ.get(name)]
    yield from known or ["none set"]


_LOOKS: dict[str, Callable[[], Iterator[str]]] = {
    "variables": _variables,  # before Keras's own are set
    "versions": _versions,
    "optional packages": _optional,
    "hardware": _hardware,
    "MLflow": describe_store,
    "cache": _caches,
    "weights": _weights,
}

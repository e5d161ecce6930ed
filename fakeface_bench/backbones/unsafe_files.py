"""What in a file could run code of its author, told from its content: nothing is loaded."""

import io
import json
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_NUMPY = b"\x93NUMPY"
#: How pickles of protocol 2 and above begin.
_PICKLE = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
#: Names that pickles have, whatever wrote them.
PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".joblib", ".dill", ".cloudpickle"})
#: What of a pickle imports or calls something.
_ACTS = frozenset({"GLOBAL", "INST", "STACK_GLOBAL", "REDUCE", "OBJ", "NEWOBJ", "NEWOBJ_EX"})
#: Layers that run Python, TensorFlow's graphs or PyTorch's pickles.
_UNSAFE_LAYERS = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper"})
#: Of a Keras model, within its `.keras` file.
CONFIG = "config.json"
#: Stands in a NumPy array's header, which is short.
_OBJECTS = b"|O"
_HEADER = 1_000
#: Longer configurations, and pickles that only their instructions tell, are not looked through.
_LARGEST = 2**26


def what_runs_code(path: Path) -> str:
    """Return what in a file could run code when it is read, in words; empty where nothing could.

    Args:
        path: Of a file that can be read: a Keras model or weights, NumPy arrays, anything.
    """
    with path.open("rb") as file:
        begin = file.read(len(HDF5))
    if begin.startswith(HDF5):
        return ""  # arrays; what else it holds is told where h5py may be loaded
    if begin.startswith(_ZIP):
        return _in_archive(path)
    if begin.startswith(_NUMPY):
        with path.open("rb") as file:
            return _in_array(file.read(_HEADER))
    return "a pickle" if path.suffix.lower() in PICKLE_SUFFIXES or _is_pickle(path, begin) else ""


def is_keras_model(path: Path) -> bool:
    """Whether a file is a whole model as Keras saves it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return CONFIG in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def unsafe_layer(config: Any) -> str:
    """Return what of a Keras model's configuration could run code, in words; else empty.

    That is a layer that runs what is not Keras's own, or a function of Python, at whatever depth.
    """
    for part in _parts(config):
        kind = part.get("class_name")
        if kind in _UNSAFE_LAYERS:
            of = part.get("config")
            name = of.get("name") if isinstance(of, dict) else ""
            return f"a {kind} layer ({name})" if name else f"a {kind} layer"
        if kind == "__lambda__":
            return "a function of Python (lambda)"
    return ""


def _in_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                inner = Path(name)
                if inner.suffix.lower() in PICKLE_SUFFIXES:
                    return f"a pickle ({name})"
                with archive.open(name) as file:
                    if inner.suffix == ".npy" and (found := _in_array(file.read(_HEADER))):
                        return f"{found} ({name})"
                    if name == CONFIG and (found := unsafe_layer(json.loads(file.read(_LARGEST)))):
                        return found
    except (zipfile.BadZipFile, ValueError, OSError, RecursionError):
        return ""  # it is damaged, and whoever reads it says so
    return ""


def _in_array(content: bytes) -> str:
    header = content[:_HEADER].partition(b"}")[0]
    return "a NumPy array of objects, which is a pickle" if _OBJECTS in header else ""


def _is_pickle(path: Path, begin: bytes) -> bool:
    """Whether a file's content is a pickle; of old protocols, if all of it reads as one that acts.

    Two letters of plain text can be a pickle that does nothing.
    """
    if begin.startswith(_PICKLE):
        return True
    if path.stat().st_size > _LARGEST:
        return False
    try:
        codes = {code.name for code, _, _ in pickletools.genops(io.BytesIO(path.read_bytes()))}
    except Exception:  # whatever it is, it is no pickle
        return False
    return bool(codes & _ACTS)


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within JSON."""
    left = [config]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += part.values()
        elif isinstance(part, list):
            left += part

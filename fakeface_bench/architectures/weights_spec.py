"""What may be asked for as weights; checked without TensorFlow."""

import hashlib
import math
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

import h5py

from fakeface_bench.architectures.architecture import Architecture
from fakeface_bench.architectures.catalogue import ARCHITECTURES
from fakeface_bench.architectures.unsafe_files import is_keras_model, what_runs_code
from fakeface_bench.errors import UsageError
from fakeface_bench.folders import existing_path

#: Where `keras.applications` downloads from.
IMAGENET_HOST = ("storage.googleapis.com", 443)
REACHABLE_WITHIN_SECONDS = 3.0
WEIGHT_WORDS = ("auto", "imagenet", "random")
VALUES_ALONE = (
    "Weights are values alone, in a file that Keras's model.save_weights('NAME.weights.h5') wrote."
)


def imagenet_file(architecture: Architecture) -> Path:
    """Return where Keras keeps, or would keep, the ImageNet weights of an architecture."""
    return _keras_home() / "models" / architecture.imagenet_file


def imagenet_may_be_had(architecture: Architecture) -> bool:
    """Whether Keras has a file of ImageNet weights, be it broken, or their host answers."""
    there = imagenet_file(architecture).exists()
    return there or answers(IMAGENET_HOST, REACHABLE_WITHIN_SECONDS)


def answers(address: tuple[str, int], within_seconds: float) -> bool:
    """Whether a host takes connections now."""
    try:
        with socket.create_connection(address, timeout=within_seconds):
            return True
    except OSError:
        return False


def _keras_home() -> Path:
    """Return what `keras.utils.get_file` takes: its home, elsewhere if that cannot be written."""
    user = os.path.expanduser("~")
    own = os.path.join(user, ".keras") if os.access(user, os.W_OK) else ""
    home = os.path.expanduser(os.environ.get("KERAS_HOME", own))
    if os.access(home, os.W_OK):
        return Path(home)
    return Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()) / ".keras"


def file_label(path: Path) -> str:
    """Return the label of a weights file: `file:` and the first 12 digits of its SHA-256."""
    return f"file:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def check_weights_spec(spec: str, architecture: Architecture) -> None:
    """Refuse weights that an architecture does not take, and files that are not there.

    Raises:
        UsageError: With what arrived, what is allowed, and what to do.
    """
    if not architecture.pretrained and spec not in ("auto", "random"):
        raise UsageError(
            f"{architecture.key} trains from scratch and takes no weights; got {spec!r}. "
            "Leave weights at 'auto'."
        )
    path = existing_path(spec)
    if spec not in WEIGHT_WORDS and not (path and path.is_file()):
        raise UsageError(
            f"weights {spec!r} is no file; it is 'auto', 'imagenet', 'random' or the path of a "
            "Keras weights file (.weights.h5 or .h5)."
        )
    if spec not in WEIGHT_WORDS and path:
        _check_file(spec, path)
        _check_values(spec, path, architecture)


def shapes_in(file: h5py.File) -> dict[str, list[tuple[int, ...]]]:
    """Return the shapes of each layer's variables in a Keras 3 or a legacy weights file."""
    shapes: dict[str, list[tuple[int, ...]]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            parts = name.split("/")
            if parts[0].startswith("optimizer"):  # of a file saved after training
                return
            layer = parts[1] if parts[0] == "layers" and len(parts) > 1 else parts[0]
            shapes.setdefault(layer, []).append(tuple(item.shape))

    file.visititems(visit)
    return shapes


def _check_values(spec: str, path: Path, architecture: Architecture) -> None:
    """Refuse a file of another network, by how many values it holds."""
    try:
        with h5py.File(path) as file:
            shapes = shapes_in(file)
    except OSError as error:
        raise UsageError(f"weights {spec!r} is no Keras weights file (HDF5): {error}") from error
    found = sum(math.prod(shape) for layer in shapes.values() for shape in layer)
    if found == architecture.parameters:
        return
    alike = [row.key for row in ARCHITECTURES if row.parameters == found]
    hint = (
        f"they look like those of {alike[0]}"
        if alike
        else "a network is saved without its classifier (include_top=False)"
    )
    raise UsageError(
        f"weights {spec!r} does not hold weights of {architecture.key}: {found:,} values, and it "
        f"has {architecture.parameters:,}; {hint}."
    )


def _check_file(spec: str, path: Path) -> None:
    """Refuse what is more than values: nothing of a weights file may run."""
    if found := what_runs_code(path):
        raise UsageError(
            f"weights {spec!r} holds {found}, which could run code of whoever made it, and is not "
            f"read. {VALUES_ALONE}"
        )
    if is_keras_model(path):
        raise UsageError(f"weights {spec!r} is a whole Keras model (.keras). {VALUES_ALONE}")

"""A Keras weights file as a user hands it over: what it holds, told without Keras."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import h5py

from fakeface_bench.architectures.architecture import Architecture
from fakeface_bench.architectures.catalogue import ARCHITECTURES
from fakeface_bench.architectures.unsafe_files import (
    is_keras_model,
    unsafe_layer,
    what_runs_code,
)
from fakeface_bench.errors import UsageError

#: Attribute of an HDF5 file that holds a whole model.
_CONFIGURATION = "model_config"
_VALUES_ALONE = (
    "Weights are values alone, in a file that Keras's model.save_weights('NAME.weights.h5') wrote."
)


def file_label(path: Path) -> str:
    """Return the label of a weights file: `file:` and the first 12 digits of its SHA-256."""
    return f"file:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def check_weights_file(spec: str, path: Path, architecture: Architecture) -> None:
    """Refuse more than values, for nothing of a weights file may run, and those of others.

    Args:
        spec: How the user named it.
        path: Of it.
        architecture: Whose values it is to hold.

    Raises:
        UsageError: With what it holds.
    """
    found = what_runs_code(path)
    if found:
        raise UsageError(
            f"weights {spec!r} holds {found}, which could run code of whoever made it, and is not "
            f"read. {_VALUES_ALONE}"
        )
    if is_keras_model(path):
        raise UsageError(f"weights {spec!r} is a whole Keras model (.keras). {_VALUES_ALONE}")
    try:
        with h5py.File(path) as file:
            shapes, layer = shapes_in(file), _unsafe_layer(file)
    except OSError as error:
        raise UsageError(f"weights {spec!r} is no Keras weights file (HDF5): {error}") from error
    if layer:  # who uses it believes it to be a network that its values alone are not
        raise UsageError(
            f"weights {spec!r} is a whole Keras model that holds {layer}, which could run code of "
            f"whoever made it, and is not read. {_VALUES_ALONE}"
        )
    _check_values(spec, shapes, architecture)


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


def _unsafe_layer(file: h5py.File) -> str:
    """Return which layer of a whole model could run code; empty for values alone."""
    try:
        return unsafe_layer(json.loads(file.attrs.get(_CONFIGURATION, "{}")))
    except (ValueError, TypeError, RecursionError):
        return ""  # no model that Keras could read


def _check_values(
    spec: str, shapes: dict[str, list[tuple[int, ...]]], architecture: Architecture
) -> None:
    """Refuse a file of another network, by how many values it holds."""
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

"""What a Keras weights file holds, and where that differs from what a network needs."""

import json
from pathlib import Path
from typing import Any

import h5py
import keras

from fakeface_bench.architectures.unsafe_files import unsafe_layer
from fakeface_bench.architectures.weights_spec import VALUES_ALONE
from fakeface_bench.errors import UsageError

#: Attribute of an HDF5 file that holds a whole model.
_CONFIGURATION = "model_config"


def check_configuration(path: Path) -> None:
    """Refuse the HDF5 file of a whole model with a layer that could run code.

    Only its values would be read; who uses it believes it to be a network that it is not.
    """
    try:
        with h5py.File(path) as file:
            found = unsafe_layer(json.loads(file.attrs.get(_CONFIGURATION, "{}")))
    except (OSError, ValueError, TypeError, RecursionError):
        return  # it is told when its values are to be read
    if found:
        raise UsageError(
            f"weights '{path}' is a whole Keras model that holds {found}, which could run code of "
            f"whoever made it, and is not read. {VALUES_ALONE}"
        )


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


def first_difference(network: keras.Model, found: dict[str, list[tuple[int, ...]]]) -> str:
    """Return in words where the file's variables differ from the network's; empty if nowhere."""
    layers = [layer for layer in network.layers if layer.weights]
    if not found:
        return "it holds no variables"
    remaining = sorted(shape for shapes in found.values() for shape in shapes)
    for layer in layers:
        for variable in layer.weights:
            shape = tuple(variable.shape)
            if shape not in remaining:
                return (
                    f"layer {layer.name!r} needs {variable.name} of shape {shape}, which no layer "
                    "of the file has left"
                )
            remaining.remove(shape)
    if remaining:
        spare = next(name for name, shapes in found.items() if remaining[0] in shapes)
        return (
            f"the file has {len(remaining)} variables more than the network, the first of shape "
            f"{remaining[0]}, as in its layer {spare!r}"
        )
    return ""

"""What a Keras weights file holds, and where that differs from what a network needs."""

import json
from pathlib import Path

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


def first_difference(network: keras.Model, found: dict[str, list[tuple[int, ...]]]) -> str:
    """Return in words where a file of as many values differs from a network; empty if nowhere."""
    remaining = [shape for shapes in found.values() for shape in shapes]
    for layer in network.layers:
        for variable in layer.weights:
            shape = tuple(variable.shape)
            if shape not in remaining:
                return (
                    f"layer {layer.name!r} needs {variable.name} of shape {shape}, which no layer "
                    "of the file has left"
                )
            remaining.remove(shape)
    return ""

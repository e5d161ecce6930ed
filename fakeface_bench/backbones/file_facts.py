"""What a Keras or ONNX file says of its network; nothing is built, and no TensorFlow imported."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from fakeface_bench.backbones.network_graph import (
    Operation,
    begins_with_scaling,
    blocks_of,
    keras_operations,
    normalised_convolution,
    onnx_inputs,
    onnx_operations,
    opset_of,
)
from fakeface_bench.backbones.unsafe_files import CONFIG, what_runs_code
from fakeface_bench.support.errors import UsageError, shortened

if TYPE_CHECKING:
    import onnx

KERAS_SUFFIX, ONNX_SUFFIX = ".keras", ".onnx"
_VALUES = "model.weights.h5"
#: Layers that tf2onnx is known to express.
_IN_ONNX = frozenset(
    {"InputLayer", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense", "BatchNormalization"}
    | {"ReLU", "LeakyReLU", "Activation", "Add", "Concatenate", "Multiply", "Dropout", "Flatten"}
    | {"MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D"}
    | {"ZeroPadding2D", "Rescaling", "Normalization", "Reshape", "Softmax"}
)
#: What 0 and 255 become where the network's first layers bring them to its range.
INSIDE = ((0.0,) * 3, (255.0,) * 3)


@dataclass(frozen=True)
class FileFacts:
    """What a file itself says; see `NetworkFile` and `Architecture`.

    Attributes:
        side: Of the pictures it takes, in pixels; 0 for any.
        graph: Reads its operations, which a detector that is used as it is need not tell.
        outputs: Names of what an ONNX file gives; empty of a Keras file.
    """

    digest: str = ""
    side: int = 0
    graph: Callable[[], Sequence[Operation]] = tuple
    channels_first: bool = False
    outputs: tuple[str, ...] = ()

    @cached_property
    def operations(self) -> Sequence[Operation]:
        """The operations of its network.

        Raises:
            UsageError: If they cannot be told, or are those of no network of pictures.
        """
        return self.graph()

    @property
    def exportable(self) -> bool:
        """Whether ONNX can express it: it is of ONNX, or has layers that tf2onnx knows."""
        return bool(self.outputs) or {each.kind for each in self.operations} <= _IN_ONNX

    @property
    def blocks_and_last(self) -> tuple[tuple[str, ...], str]:
        """Names of what ends its blocks, and of its last map."""
        return blocks_of(self.operations)

    @property
    def scaling(self) -> str:
        return begins_with_scaling(self.operations)

    @property
    def statistics(self) -> tuple[str, str] | None:
        return normalised_convolution(self.operations)

    @property
    def pixels(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        return INSIDE if self.scaling else None


def read_file(path: Path, ours: bool = False) -> FileFacts:
    """Read what a Keras or ONNX file says of its network.

    Args:
        ours: Whether layers of this project may be in it.

    Raises:
        UsageError: If it is none, could run code of its author, or takes no pictures.
    """
    if path.suffix.lower() == ONNX_SUFFIX:
        return _of_onnx(path)
    return _of_keras(path, ("keras", "builtins", *(["fakeface_bench"] if ours else [])))


# Keras


def _of_keras(path: Path, known: Sequence[str]) -> FileFacts:
    if unsafe := what_runs_code(path):
        raise UsageError(
            f"it holds {unsafe}, which could run code of its author; put layers of Keras in its "
            "place, and save it again"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read(CONFIG))
            with archive.open(_VALUES) as values:
                digest = _digest_of(config, values)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise UsageError(
            f"it is no Keras model of one file ({shortened(error)}): model.save('NAME.keras') "
            "writes one"
        ) from error
    if stranger := next(_strangers(config, known), ""):
        raise UsageError(
            f"its {stranger} is no layer of Keras, and its code is not in the file; save a model "
            "of Keras's own layers, or export it to ONNX"
        )
    return FileFacts(digest, _keras_side(config), partial(keras_operations, config))


def _digest_of(config: Mapping[str, Any], values: Any) -> str:
    """Return a digest of a network and its values; the date is left out."""
    digest = hashlib.sha256(json.dumps(config["config"], sort_keys=True).encode())
    with h5py.File(values) as file:
        arrays: dict[str, Any] = {}

        def keep(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and not name.startswith("optimizer"):
                arrays[name] = item

        file.visititems(keep)
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            digest.update(f"{name}{array.shape}{array.dtype}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()[:12]


def _strangers(config: Any, known: Sequence[str]) -> Iterator[str]:
    """Yield what layers are of no known package's code."""
    left = [config]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            module, kind = part.get("module"), part.get("class_name")
            if kind and "config" in part and module is None and part.get("registered_name"):
                yield f"{kind} ({part['registered_name']})"
            elif kind and module and module.partition(".")[0] not in known:
                yield f"{kind} ({module})"
            left += part.values()
        elif isinstance(part, list):
            left += part


def _keras_side(config: Mapping[str, Any]) -> int:
    """Return the side of the input in pixels; 0 where it takes any.

    Raises:
        UsageError: If its input is no square picture of three channels.
    """
    layers = config.get("config", {}).get("layers", [])
    inputs = [layer for layer in layers if layer["class_name"] == "InputLayer"]
    shape = (inputs[0]["config"] if inputs else {}).get("batch_shape")
    if not shape:
        shape = (config.get("build_config") or {}).get("input_shape")
    return pictures_of(shape or ())[0]


def pictures_of(shape: Sequence[int | None]) -> tuple[int, bool]:
    """Return the side of the pictures of an input, 0 for any, and whether channels come first.

    Args:
        shape: Of the input, None for what it leaves open.

    Raises:
        UsageError: If they are not square, or not of three channels.
    """
    channels_first = len(shape) == 4 and shape[1] == 3 != shape[3]
    if channels_first:
        shape = [shape[0], *shape[2:], shape[1]]
    if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2]:
        raise UsageError(
            f"its input is {tuple(shape) or 'not stated'}: a network that takes square pictures "
            "of three channels, (images, side, side, 3), is needed"
        )
    return int(shape[1] or 0), channels_first


# ONNX


def _of_onnx(path: Path) -> FileFacts:
    import onnx

    try:
        model = onnx.load(str(path))
        model = onnx.shape_inference.infer_shapes(model)
    except Exception as error:  # whatever protobuf and onnx raise
        raise UsageError(f"it cannot be read as an ONNX model: {shortened(error)}") from error
    _check_runs(model)
    inputs = onnx_inputs(model)
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs) or "none"
        raise UsageError(f"it has {len(inputs)} inputs ({names}); a network of pictures has one")
    side, channels_first = _onnx_side(inputs[0])
    return FileFacts(
        _onnx_digest(model),
        side,
        partial(onnx_operations, model, channels_first),
        channels_first=channels_first,
        outputs=tuple(each.name for each in model.graph.output),
    )


def _check_runs(model: "onnx.ModelProto") -> None:
    """Refuse what ONNX Runtime cannot run, such as operators newer than it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's have no common class
        raise UsageError(
            f"ONNX Runtime {onnxruntime.__version__} cannot run it (opset {opset_of(model)}): "
            f"{shortened(error)}; export it with another opset, such as 18, or without that "
            "operator"
        ) from error


def _onnx_side(entry: "onnx.ValueInfoProto") -> tuple[int, bool]:
    """Return the side of the input, 0 where it is not stated, and whether channels come first."""
    shape = [dim.dim_value or None for dim in entry.type.tensor_type.shape.dim]
    if shape[:1] not in ([None], [1]):
        raise UsageError(
            f"its input takes {shape[:1][0] if shape else 'nothing known'} images at once; export "
            "it with a dynamic number of images, or one"
        )
    return pictures_of(shape)


def _onnx_digest(model: "onnx.ModelProto") -> str:
    """Return a digest of nodes and values."""
    from onnx import numpy_helper

    digest = hashlib.sha256()
    for node in model.graph.node:
        digest.update(node.SerializeToString(deterministic=True))
    for constant in model.graph.initializer:
        array = numpy_helper.to_array(constant)
        digest.update(f"{constant.name}{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]

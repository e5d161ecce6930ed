"""A user's own network, or a detector of others: what its file and description say of it.

`NETWORK.keras` or `NETWORK.onnx` is the file; `NETWORK.yaml` beside it states what cannot be found
in it, or is to be otherwise. Nothing is built here, and no TensorFlow imported.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import yaml

from fakeface_bench.backbones.catalogue import Architecture, NetworkFile, architecture_named
from fakeface_bench.backbones.network_graph import (
    Operation,
    begins_with_scaling,
    blocks_of,
    carriers,
    keras_operations,
    normalised_convolution,
    onnx_operations,
)
from fakeface_bench.backbones.unsafe_files import CONFIG, what_runs_code
from fakeface_bench.config import FITS
from fakeface_bench.support.errors import UsageError, shortened

if TYPE_CHECKING:
    import onnx

KERAS_SUFFIX, ONNX_SUFFIX = ".keras", ".onnx"
ONNX_PREFIX = "onnx:"
_VALUES = "model.weights.h5"
_LONGEST_KEY = 60
#: Layers that tf2onnx is known to express.
_IN_ONNX = frozenset(
    {"InputLayer", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense", "BatchNormalization"}
    | {"ReLU", "LeakyReLU", "Activation", "Add", "Concatenate", "Multiply", "Dropout", "Flatten"}
    | {"MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D"}
    | {"ZeroPadding2D", "Rescaling", "Normalization", "Reshape", "Softmax"}
)
#: What a detector's scores may be, and how the pictures it takes may lie in memory.
PROBABILITIES, LOGITS = "probabilities", "logits"
CHANNELS_LAST, CHANNELS_FIRST = "channels_last", "channels_first"
#: What 0 and 255 become where the network's first layers bring them to its range.
INSIDE = ((0.0,) * 3, (255.0,) * 3)


def network_named(name: str) -> Architecture:
    """Return a row of the catalogue, or one made for the network of a user's file.

    Raises:
        UsageError: If there is neither, or the file cannot be used: with what to do.
    """
    path = file_named(name)
    if path is None:
        return architecture_named(name)
    try:
        content = path.stat()
    except OSError as error:
        raise UsageError(f"model {name!r} cannot be read: {error.strerror}.") from error
    beside = path.with_suffix(".yaml")
    described = beside.stat().st_mtime_ns if beside.is_file() else 0
    try:
        return _read(path.absolute(), content.st_mtime_ns, content.st_size, described)
    except UsageError as error:
        raise UsageError(f"model {name!r} cannot be used: {error}.") from error


def file_named(name: str) -> Path | None:
    """Return the file that a name means; None for that of a row."""
    text = name.removeprefix(ONNX_PREFIX)
    path = Path(text).expanduser()
    suffix = path.suffix.lower()
    if suffix in (KERAS_SUFFIX, ONNX_SUFFIX) or text != name:
        if text != name and suffix != ONNX_SUFFIX:
            raise UsageError(f"model {name!r} names no ONNX file: {ONNX_PREFIX}NAME{ONNX_SUFFIX}.")
        return path
    if path.is_file() or "/" in text:
        raise UsageError(
            f"model {name!r} is no network that can be read: a file that Keras's "
            f"model.save('NAME{KERAS_SUFFIX}') wrote, or NAME{ONNX_SUFFIX}."
        )
    return None


@lru_cache(maxsize=32)
def _read(path: Path, _changed: int, _size: int, _described: int) -> Architecture:
    """Read a file; again where it, or the description beside it, has changed."""
    found = read_file(path)
    stated = read_description(path.with_suffix(".yaml"), found)
    blocks, last = found.blocks, found.last
    if "blocks" in stated or "last" in stated:
        last = stated.get("last", last)
        names = [operation.name for operation in found.operations]
        below = names[: names.index(last)]
        blocks = tuple(name for name in below if name in stated.get("blocks", blocks))
    pixels = stated.get("pixels") or found.pixels
    if pixels is None and not found.statistics:
        raise UsageError(
            "nothing in it tells what pixels become before it (no Rescaling or Normalization comes "
            "first, and no BatchNormalization after its first convolution): "
            f"{how_to_state_pixels(path.with_suffix('.yaml').name)}"
        )
    side = found.side or int(stated.get("image_size", 0))
    file = NetworkFile(
        path=path,
        digest=_digest_with(found.digest, pixels, stated.get("channels"), blocks, last),
        pixels=pixels,
        bgr=stated.get("channels", "rgb") == "bgr",
        last=last,
        statistics=found.statistics,
        scaling=found.scaling,
        any_side=not found.side,
        channels_first=found.channels_first,
        maps_channels_first=tuple(
            operation.channels_first
            for name in (*blocks, last)
            for operation in found.operations
            if operation.name == name
        ),
        stated=tuple(stated),
    )
    return Architecture(
        key=_key_of(path),
        application="",
        preprocessing="inside",
        image_size=side,
        parameters=0,
        mmacs=0,
        blocks=blocks,
        onnx=found.exportable,
        file=file,
    )


def how_to_state_pixels(description: str) -> str:
    """Say what to write into a description."""
    return (
        f"write what it was trained with into {description}, such as 'pixels: [0, 1]' or "
        "'pixels: [-1, 1]'"
    )


def read_file(path: Path, ours: bool = False) -> "FileFacts":
    """Read what a Keras or ONNX file says of its network.

    Args:
        ours: Whether layers of this project may be in it.

    Raises:
        UsageError: If it is none, could run code of its author, or takes no pictures.
    """
    if path.suffix.lower() == ONNX_SUFFIX:
        return _of_onnx(path)
    return _of_keras(path, ("keras", "builtins", *(["fakeface_bench"] if ours else [])))


def _digest_with(digest: str, *read: Any) -> str:
    """Return a digest of a network and of how it is read."""
    return hashlib.sha256(json.dumps([digest, *read]).encode()).hexdigest()[:12]


def _key_of(path: Path) -> str:
    """Return what a network is called in tables: its file's name, as every system takes it."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", path.name)
    return plain if len(plain) <= _LONGEST_KEY else f"{plain[:40]}_{plain[-19:]}"


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
        """Whether it is a Keras file that tf2onnx can express."""
        return not self.outputs and {each.kind for each in self.operations} <= _IN_ONNX

    @property
    def blocks(self) -> tuple[str, ...]:
        return blocks_of(self.operations)[0]

    @property
    def last(self) -> str:
        return blocks_of(self.operations)[1]

    @property
    def scaling(self) -> str:
        return begins_with_scaling(self.operations)

    @property
    def statistics(self) -> tuple[str, str] | None:
        return normalised_convolution(self.operations)

    @property
    def pixels(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        return INSIDE if self.scaling else None


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
    return _side(shape or ())


def _side(shape: Any) -> int:
    if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2]:
        raise UsageError(
            f"its input is {tuple(shape) or 'not stated'}: a network that takes square pictures "
            "of three channels, (images, side, side, 3), is needed"
        )
    return int(shape[1] or 0)


# ONNX


def _of_onnx(path: Path) -> FileFacts:
    import onnx

    try:
        model = onnx.load(str(path))
        model = onnx.shape_inference.infer_shapes(model)
    except Exception as error:  # whatever protobuf and onnx raise
        raise UsageError(f"it cannot be read as an ONNX model: {shortened(error)}") from error
    _check_runs(model)
    constants = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in constants]
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
        newest = max(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
        raise UsageError(
            f"ONNX Runtime {onnxruntime.__version__} cannot run it (opset {newest}): "
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
    if len(shape) == 4 and shape[1] == 3:
        return _side([shape[0], shape[2], shape[3], 3]), True
    return _side(shape), False


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


# The description beside it


def read_description(path: Path, found: FileFacts) -> dict[str, Any]:
    """Read what a user states of a network or a detector; nothing where there is no such file.

    Raises:
        UsageError: If it is no such description: with the line that is wrong.
    """
    if not path.is_file():
        return {}
    try:
        stated = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path.name} cannot be read: {shortened(error)}") from error
    if not isinstance(stated, dict):
        raise UsageError(f"{path.name} states nothing: lines such as 'pixels: [0, 1]' are needed")
    read: dict[str, Any] = {}
    for key, value in stated.items():
        if key not in _STATED:
            raise UsageError(f"{path.name} states {key!r}; it may state {', '.join(_STATED)}")
        try:
            read[key] = _STATED[key](value, found)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{path.name}: {key} {value!r} {error}") from error
    return read


def _stated_pixels(value: Any, _: FileFacts) -> tuple[tuple[float, ...], tuple[float, ...]]:
    try:
        black, white = (
            tuple(map(float, end)) if isinstance(end, list) else (float(end),) * 3 for end in value
        )
    except (TypeError, ValueError):
        black = white = ()
    if len(black) != 3 or len(white) != 3 or black == white:
        raise ValueError(
            "is not what 0 and 255 become: two numbers, such as [0, 1], or two lists of three, as "
            "channels come"
        )
    return black, white


def _stated_side(value: Any, found: FileFacts) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError("is no number of pixels")
    if found.side and value != found.side:
        raise ValueError(f"is not what the file takes, {found.side} px")
    return value


def _stated_block(value: Any, found: FileFacts) -> str:
    operations = found.operations
    position = next((p for p, each in enumerate(operations) if each.name == value), None)
    if position is None:
        raise ValueError("is no layer of it (of ONNX: the name of an output of a node)")
    if position not in carriers(operations):
        raise ValueError("gives no map from which alone the rest follows")
    return str(value)


def _stated_blocks(value: Any, found: FileFacts) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("is no list of layers")
    return tuple(_stated_block(each, found) for each in value)


def _one_of(*known: str) -> Callable[[Any, FileFacts], str]:
    def check(value: Any, _: FileFacts) -> str:
        if value not in known:
            raise ValueError(f"is neither {' nor '.join(known)}")
        return str(value)

    return check


def _stated_fake(value: Any, _: FileFacts) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(
            "is no number of a score: the place of fake among its scores, from 0 on; of a single "
            "score 1 where high is fake, 0 where low is"
        )
    return value


def _stated_output(value: Any, found: FileFacts) -> str:
    if found.outputs and value not in found.outputs:
        raise ValueError(f"is no output of it: {', '.join(found.outputs)}")
    return str(value)


def _stated_threshold(value: Any, _: FileFacts) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("is no probability within 0 and 1")
    return float(value)


def _stated_data(value: Any, _: FileFacts) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("names no dataset or folder; several are joined by '+'")
    return value


#: What a description may state, and what checks it.
_STATED: Mapping[str, Callable[[Any, FileFacts], Any]] = {
    "image_size": _stated_side,
    "pixels": _stated_pixels,
    "channels": _one_of("rgb", "bgr"),
    "blocks": _stated_blocks,
    "last": _stated_block,
    # Of a detector, which is used as it is:
    "fit": _one_of(*FITS),
    "fake": _stated_fake,
    "scores": _one_of(PROBABILITIES, LOGITS),
    "output": _stated_output,
    "threshold": _stated_threshold,
    "trained_on": _stated_data,
    "layout": _one_of(CHANNELS_LAST, CHANNELS_FIRST),
}

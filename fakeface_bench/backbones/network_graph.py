"""The operations of a network in a user's file, and which of them end blocks.

They are read from what Keras or ONNX writes of a network; nothing of it is built or run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fakeface_bench.support.errors import UsageError

if TYPE_CHECKING:
    import onnx

#: Of more places where branches join than these, the ends of resolutions are the blocks.
MOST_BLOCKS = 16
#: Ranks of maps (n, height, width, channels), and of tokens (n, tokens, channels).
_MAP_RANKS = (3, 4)


@dataclass(frozen=True, slots=True)
class Operation:
    """A layer of a Keras model as it is called once, or a node of an ONNX graph.

    Attributes:
        name: Of the layer; of the node's output, where it is a node.
        kind: Its class, or its operator.
        inputs: Positions of what it reads, among all operations; constants are left out.
        rank: Dimensions of what it gives, the first of which counts images; 0 where not known.
        shrinks: Whether it gives fewer positions than it reads, by a stride.
        softmax: Whether it gives shares that add up to 1.
        channels_first: Whether what it gives is (n, channels, height, width).
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    rank: int
    shrinks: bool = False
    softmax: bool = False
    channels_first: bool = False

    @property
    def joins(self) -> bool:
        """Whether it joins branches."""
        return self.kind in _MERGES and len(self.inputs) > 1

    @property
    def scales(self) -> bool:
        """Whether it normalises, where it reads pixels."""
        return self.kind in _SCALES and len(self.inputs) == 1


#: What leaves no positions, and what may make them again, in Keras and in ONNX.
_FLATTENS = frozenset(
    {"Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling1D"}
    | {"GlobalMaxPooling1D", "GlobalAveragePool", "GlobalMaxPool"}
)
_RESHAPES = frozenset({"Reshape", "Unsqueeze", "ExpandDims", "RepeatVector"})
#: What joins branches.
_MERGES = frozenset({"Add", "Concatenate", "Concat"})
_CONVOLUTIONS = frozenset({"Conv", "Conv2D", "DepthwiseConv2D", "SeparableConv2D"})
_DENSE = frozenset({"Dense", "Gemm", "MatMul"})
#: What normalises pixels where it comes before anything that learns.
_SCALES = frozenset(
    {"Rescaling", "Normalization", "TrueDivide", "Divide", "Subtract", "Multiply", "Add"}
    | {"Div", "Sub", "Mul", "BatchNormalization"}
)
#: What changes no value: it may come before that, and gives no map of its own.
_PASSES = frozenset(
    {"InputLayer", "Input", "Identity", "Cast", "Transpose", "Permute", "ZeroPadding2D", "Pad"}
    | {"GetItem", "Resizing", "CenterCrop"}
)


def carriers(operations: Sequence[Operation]) -> list[int]:
    """Return the positions of maps from which alone the last operation follows.

    Neither pixels, nor what is a map before in another order, are among them.
    """
    needed, left = set(), [len(operations) - 1]
    while left:
        position = left.pop()
        if position not in needed:
            needed.add(position)
            left += operations[position].inputs
    read_until = dict.fromkeys(needed, 0)
    for position in sorted(needed):
        for source in operations[position].inputs:
            read_until[source] = position
    found, furthest, pixels = [], 0, True
    for position in sorted(needed):
        operation = operations[position]
        pixels = pixels and (operation.kind in _PASSES or operation.scales)
        new = not pixels and operation.kind not in _PASSES
        if new and operation.rank in _MAP_RANKS and furthest <= position:
            found.append(position)
        furthest = max(furthest, read_until[position])
    return found


def blocks_of(operations: Sequence[Operation]) -> tuple[tuple[str, ...], str]:
    """Return the names of what ends a network's blocks, and of its last map.

    Blocks end where branches join, as long as these are few enough; otherwise before each stride.
    A convolution that gives the shares of classes is no feature, and neither is what follows it.

    Raises:
        UsageError: If it has no map.
    """
    maps = carriers(operations)
    after = operations[maps[-1] :] if maps else []
    if any(each.softmax for each in after) and not any(each.kind in _DENSE for each in after):
        classifier = max(p for p in range(maps[-1] + 1) if operations[p].kind in _CONVOLUTIONS)
        maps = [position for position in maps if position < classifier]
    if not maps:
        raise UsageError("it has no map, of which features could be pooled")
    *before, last = maps
    joined = [position for position in before if operations[position].joins]
    if not 2 <= len(joined) <= MOST_BLOCKS:
        joined = list(_ends_of_resolutions(operations, before))[-MOST_BLOCKS:]
    return tuple(operations[position].name for position in joined), operations[last].name


def _ends_of_resolutions(operations: Sequence[Operation], maps: Sequence[int]) -> Iterator[int]:
    """Yield the last of the maps before each operation with a stride."""
    found: set[int] = set()
    for position, operation in enumerate(operations):
        before = [each for each in maps if each < position]
        if operation.shrinks and before and before[-1] not in found:
            found.add(before[-1])
            yield before[-1]


def begins_with_scaling(operations: Sequence[Operation]) -> str:
    """Return the name of what brings pixels to the range of the rest; empty where nothing does."""
    for operation in operations:
        if operation.scales:
            return operation.name
        if operation.kind not in _PASSES:
            return ""
    return ""


def normalised_convolution(operations: Sequence[Operation]) -> tuple[str, str] | None:
    """Return the first convolution and the BatchNorm right after it, which knows its output."""
    first = next((p for p, each in enumerate(operations) if each.kind in _CONVOLUTIONS), None)
    after = [each for each in operations if first in each.inputs]
    if first is None or [each.kind for each in after] != ["BatchNormalization"]:
        return None
    return operations[first].name, after[0].name


def _flattened(operations: Sequence[Operation], position: int = -1) -> Operation:
    """Return an operation, of rank 2 where it gives one position, whatever its shape."""
    operation = operations[position]
    read = [operations[source].rank for source in operation.inputs]
    kept = operation.kind not in _RESHAPES and read and max(read) == 2
    return replace(operation, rank=2) if kept or operation.kind in _FLATTENS else operation


# Keras

_MODELS = frozenset({"Functional", "Sequential", "Model"})


def keras_operations(config: Mapping[str, Any]) -> list[Operation]:
    """Return the operations of a Keras model in the order in which they can be computed.

    Those of models within it stand in its place, under a name that begins with theirs where it is
    taken.

    Args:
        config: What `model.get_config` and its class give, as a `.keras` file has it.

    Raises:
        UsageError: If it has several inputs or outputs, or is of a class of its author's.
    """
    return _KerasReader().read(config)


class _KerasReader:
    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.names: set[str] = set()

    def read(self, model: Mapping[str, Any]) -> list[Operation]:
        self._add(Operation("input", "InputLayer", (), 4))
        last = self._model(model, 0)
        return self.operations[: last + 1]

    def _add(self, operation: Operation, within: str = "") -> int:
        name = operation.name
        if name in self.names:
            name = f"{within}_{name}"
        self.names.add(name)
        self.operations.append(replace(operation, name=name))
        self.operations[-1] = _flattened(self.operations)
        return len(self.operations) - 1

    def _model(self, model: Mapping[str, Any], entry: int) -> int:
        """Add the operations of a model that reads `entry`; return where its output is."""
        kind, settings = model.get("class_name"), model.get("config", {})
        if kind == "Sequential":
            return self._sequential(settings, entry)
        if kind not in _MODELS or "input_layers" not in settings:
            raise UsageError(
                f"it is a {kind}, whose operations are in its author's code: save a functional or "
                "sequential model"
            )
        return self._functional(settings, entry)

    def _sequential(self, settings: Mapping[str, Any], entry: int) -> int:
        for layer in settings["layers"]:
            shape = (layer.get("build_config") or {}).get("input_shape")
            self._shape(entry, shape)
            entry = self._layer(layer, (entry,), settings.get("name", ""))
        return entry

    def _functional(self, settings: Mapping[str, Any], entry: int) -> int:
        for end in ("input", "output"):
            found = settings[f"{end}_layers"]
            if isinstance(found, dict) or (found and isinstance(found[0], list) and found[1:]):
                raise UsageError(f"it has several {end}s; save a model of one")
        made: dict[tuple[str, int], int] = {}
        for layer in settings["layers"]:
            name = layer.get("name") or layer["config"]["name"]
            if layer["class_name"] == "InputLayer":
                made[name, 0] = entry
                continue
            for number, node in enumerate(layer["inbound_nodes"]):
                tensors = [*_tensors(node)]
                inputs = [made[history[0], history[1]] for history, _ in tensors]
                for position, (_, shape) in zip(inputs, tensors, strict=True):
                    self._shape(position, shape)
                made[name, number] = self._layer(layer, inputs, settings.get("name", ""))
        output = settings["output_layers"]
        name, number, *_ = output[0] if isinstance(output[0], list) else output
        return made[name, number]

    def _layer(self, layer: Mapping[str, Any], inputs: Sequence[int], within: str) -> int:
        kind = layer["class_name"]
        if kind == "InputLayer":
            return inputs[0]
        if kind in _MODELS:
            return self._model(layer, inputs[0])
        settings = layer.get("config", {})
        rank = self.operations[inputs[0]].rank if inputs else 0
        activation = settings.get("activation")
        return self._add(
            Operation(
                str(layer.get("name") or settings.get("name")),
                kind,
                tuple(inputs),
                rank,
                shrinks=_is_stride(settings.get("strides")),
                softmax=kind == "Softmax" or activation == "softmax",
            ),
            within,
        )

    def _shape(self, position: int, shape: Sequence[Any] | None) -> None:
        """Take over the rank of an operation's output from who reads it."""
        if shape:
            self.operations[position] = replace(self.operations[position], rank=len(shape))
            self.operations[position] = _flattened(self.operations, position)


def _is_stride(strides: Any) -> bool:
    return any(int(s) > 1 for s in strides) if isinstance(strides, list | tuple) else False


def _tensors(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what a node of a layer reads: whose output it is, and its shape."""
    left = [node]
    while left:
        part = left.pop(0)
        if isinstance(part, dict) and part.get("class_name") == "__keras_tensor__":
            yield part["config"]["keras_history"], part["config"].get("shape")
        elif isinstance(part, dict):
            left += part.values()
        elif isinstance(part, list):
            left += part


# ONNX


def onnx_inputs(model: "onnx.ModelProto") -> list["onnx.ValueInfoProto"]:
    """Return what a model is given; older files list its constants too."""
    constants = {each.name for each in model.graph.initializer}
    return [each for each in model.graph.input if each.name not in constants]


def opset_of(model: "onnx.ModelProto") -> int:
    """Return the version of ONNX's own operators in a model."""
    own = (each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    return int(max(own))


def onnx_operations(model: "onnx.ModelProto", channels_first: bool) -> list[Operation]:
    """Return the nodes of an ONNX model with shapes, in their order, the input first.

    Args:
        channels_first: Whether the input is (n, channels, height, width).
    """
    graph = model.graph
    ranks = {
        each.name: len(each.type.tensor_type.shape.dim)
        for each in (*graph.value_info, *graph.input, *graph.output)
    }
    (entry,) = (each.name for each in onnx_inputs(model))
    operations = [Operation(entry, "Input", (), ranks[entry], channels_first=channels_first)]
    made = {entry: 0}
    for node in graph.node:
        inputs = tuple(made[name] for name in node.input if name in made)
        if not inputs:  # a constant
            continue
        for name in node.output:
            made[name] = len(operations)
        name = node.output[0]
        strides = next((each.ints for each in node.attribute if each.name == "strides"), ())
        operations.append(
            Operation(
                name,
                node.op_type,
                inputs,
                ranks.get(name, 0),
                shrinks=any(stride > 1 for stride in strides),
                softmax=node.op_type == "Softmax",
                channels_first=_has_channels_first(node, operations[inputs[0]].channels_first),
            )
        )
        operations[-1] = _flattened(operations)
    return operations[: made[graph.output[0].name] + 1]


#: Operators of ONNX that take and give channels before positions.
_OF_CHANNELS_FIRST = frozenset(
    {"Conv", "MaxPool", "AveragePool", "BatchNormalization", "InstanceNormalization"}
)
#: Orders of axes that bring channels to the end, and to the front.
_TO_LAST, _TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def _has_channels_first(node: "onnx.NodeProto", before: bool) -> bool:
    """Whether a node gives channels before positions, given what it reads."""
    if node.op_type in _OF_CHANNELS_FIRST:
        return True
    if node.op_type == "Transpose":
        order = next((tuple(each.ints) for each in node.attribute if each.name == "perm"), ())
        return order == _TO_FIRST or (before and order != _TO_LAST)
    return before

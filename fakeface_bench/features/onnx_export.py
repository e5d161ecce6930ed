"""A model as one ONNX graph: exported by tf2onnx, or joined around a user's own ONNX network."""

import logging
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
from onnx import TensorProto, compose, helper, version_converter
from tf2onnx.handler import tf_op
from tf2onnx.tf_loader import tf_optimize
from tf2onnx.tfonnx import process_tf_graph
from tf2onnx.utils import map_onnx_to_numpy_type

from fakeface_bench.backbones.cut import replayed
from fakeface_bench.backbones.network_graph import onnx_inputs, opset_of
from fakeface_bench.backbones.onnx_network import OnnxNetwork
from fakeface_bench.features.engine import frozen_function

#: Newest operators that tf2onnx knows, and the oldest that what stands around a network needs.
NEWEST_OPSET, OLDEST_OPSET = 18, 13
_MAP_RANK = 4


@tf_op("Erfc")
class _Erfc:
    """1 - erf: TensorFlow's optimiser writes GELU with it, and ONNX has no such operator."""

    @classmethod
    def version_9(cls, graph: Any, node: Any, **_: Any) -> None:
        """Put two operators in its place."""
        kind, shape = graph.get_dtype(node.output[0]), graph.get_shape(node.output[0])
        given, outputs, name = node.input[0], list(node.output), node.name
        graph.remove_node(name)
        erf = graph.make_node("Erf", [given], dtypes=[kind], shapes=[shape])
        one = graph.make_const(f"{name}_one", np.array(1, map_onnx_to_numpy_type(kind)))
        ends = [one.output[0], erf.output[0]]
        graph.make_node("Sub", ends, outputs=outputs, name=name, dtypes=[kind], shapes=[shape])


def onnx_of(model: keras.Model) -> bytes:
    """Return a model for one image, uint8 pixels, as ONNX.

    Keras's own export is not used: it fails on constants that the frozen graph folds, and its
    optimisation, which ONNX Runtime does again, takes longer than all the rest.
    """
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    whole = _around_network(model) if _network_in(model) else _exported(model, tf.uint8)
    return bytes(whole.SerializeToString())


def _exported(model: keras.Model, given: tf.DType, opset: int = NEWEST_OPSET) -> onnx.ModelProto:
    forward = frozen_function(model, 1, given)
    inputs = [each.name for each in forward.inputs]
    outputs = [each.name for each in forward.outputs]
    with tf.Graph().as_default():
        folded = tf_optimize(inputs, outputs, forward.graph.as_graph_def())
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(folded, name="")
        exported: onnx.ModelProto = process_tf_graph(
            graph, opset=opset, input_names=inputs, output_names=outputs
        ).make_model(model.name)
    return exported


# Around a user's own network


def _network_in(model: keras.Model) -> OnnxNetwork | None:
    """Return the layer of a user's ONNX network in a model, at whatever depth."""
    for layer in model.layers:
        if isinstance(layer, OnnxNetwork):
            return layer
        if isinstance(layer, keras.Model) and (found := _network_in(layer)):
            return found
    return None


def _around_network(model: keras.Model) -> onnx.ModelProto:
    """Join what comes before a user's network, that network, and what comes after it.

    One graph is twice as fast as three: the maps need not leave ONNX Runtime.
    """
    before, network, after = _taken_apart(model)
    inner = onnx.load_from_string(network.content)
    opset = max(opset_of(inner), OLDEST_OPSET)
    side = before.inputs[0].shape[1]
    parts = [
        _before(before, opset),
        _prepared(_in_opset(inner, opset), network, side, [each.shape for each in after.inputs]),
        _in_opset(_exported(after, tf.float32, min(opset, NEWEST_OPSET)), opset),
    ]
    newest = max(part.ir_version for part in parts)
    for part in parts:
        part.ir_version = newest
    joined = parts[0]
    for name, part in zip(("network", "after"), parts[1:], strict=True):
        ends = [each.name for each in joined.graph.output]
        entries = [each.name for each in part.graph.input]
        pairs = [(end, f"{name}/{entry}") for end, entry in zip(ends, entries, strict=True)]
        prefixed = compose.add_prefix(part, prefix=f"{name}/")
        joined = compose.merge_models(joined, prefixed, io_map=pairs)
    return joined


def _taken_apart(model: keras.Model) -> tuple[keras.Model, OnnxNetwork, keras.Model]:
    """Return what a model does before a user's network, that network, and what after it."""
    ends: list[tuple[OnnxNetwork, Any, Any]] = []

    def call(layer: Any, *given: Any, **options: Any) -> Any:
        made = layer(*given, **options)
        if isinstance(layer, keras.Model) and (network := _network_in(layer)):
            ends.append((network, given[0], keras.tree.flatten(made)))
        return made

    clone = replayed(model, call)
    ((network, entry, maps),) = ends
    before = keras.Model(clone.inputs[0], entry, name="before")
    return before, network, keras.Model(maps, clone.output, name="after")


def _in_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    if opset_of(model) == opset:
        return model
    return version_converter.convert_version(model, opset)


def _before(before: keras.Model, opset: int) -> onnx.ModelProto:
    """Return what makes of uint8 pixels what the network takes, channels last."""
    if len(before.layers) > 1:
        return _in_opset(_exported(before, tf.uint8, min(opset, NEWEST_OPSET)), opset)
    shape = [1, *before.inputs[0].shape[1:]]
    graph = helper.make_graph(
        [helper.make_node("Cast", ["bytes"], ["floats"], to=TensorProto.FLOAT)],
        "before",
        [helper.make_tensor_value_info("bytes", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("floats", TensorProto.FLOAT, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def _prepared(
    model: onnx.ModelProto, network: OnnxNetwork, side: int, maps: Sequence[Any]
) -> onnx.ModelProto:
    """Let a network take and give channels last, float32, whatever its own order and type are.

    Args:
        maps: Shapes of what it is to give; tokens as maps one position wide.
    """
    graph = model.graph
    (entry,) = onnx_inputs(model)
    kind = entry.type.tensor_type.elem_type
    start = helper.make_tensor_value_info("prepared", TensorProto.FLOAT, [1, side, side, 3])
    first, name = [], "prepared"
    if network.channels_first:
        first.append(helper.make_node("Transpose", [name], ["turned"], perm=[0, 3, 1, 2]))
        name = "turned"
    first.append(helper.make_node("Cast", [name], [entry.name], to=kind))
    last, outputs = [], []
    flags = zip(graph.output, network.maps_channels_first, maps, strict=True)
    for number, (output, channels_first, shape) in enumerate(flags):
        name = output.name
        if channels_first and len(output.type.tensor_type.shape.dim) == _MAP_RANK:
            turned = f"turned_{number}"
            last.append(helper.make_node("Transpose", [name], [turned], perm=[0, 2, 3, 1]))
            name = turned
        sized = f"shape_{number}"
        shown = [1, *shape[1:]]
        graph.initializer.append(helper.make_tensor(sized, TensorProto.INT64, [len(shown)], shown))
        last.append(helper.make_node("Reshape", [name, sized], [f"shaped_{number}"]))
        made = f"map_{number}"
        last.append(helper.make_node("Cast", [f"shaped_{number}"], [made], to=TensorProto.FLOAT))
        outputs.append(helper.make_tensor_value_info(made, TensorProto.FLOAT, shown))
    nodes = [*first, *graph.node, *last]
    kept = [each for each in graph.input if each.name != entry.name]
    for field, values in (("node", nodes), ("input", [start, *kept]), ("output", outputs)):
        graph.ClearField(field)
        getattr(graph, field).extend(values)
    return model

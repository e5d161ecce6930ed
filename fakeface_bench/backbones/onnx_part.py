"""The part of a user's ONNX file that gives some of its outputs, cut out as a layer of Keras."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from fakeface_bench.backbones.network_graph import onnx_inputs
from fakeface_bench.backbones.onnx_network import OnnxNetwork


def onnx_part(
    path: Path, outputs: Mapping[str, bool], image_size: int, channels_first: bool, name: str
) -> OnnxNetwork:
    """Return a layer of that part of a file's network which gives some outputs.

    Args:
        outputs: By name, whether each gives channels before positions.
        channels_first: Whether it takes them so.
    """
    import onnx  # here, for most networks are not of ONNX

    model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
    (entry,) = onnx_inputs(model)
    part = onnx.utils.Extractor(model).extract_model([entry.name], list(outputs))
    for each in (part, part.graph, *part.graph.node):  # may tell where its author's files lie
        each.ClearField("doc_string")
        each.ClearField("metadata_props")
    held = (onnx.numpy_helper.to_array(each) for each in part.graph.initializer)
    parameters = sum(array.size for array in held if array.dtype.kind == "f" and array.ndim)
    sides = (3, image_size, image_size) if channels_first else (image_size, image_size, 3)
    macs = _macs(part, (1, *sides))
    layer = OnnxNetwork(
        channels_first,
        list(outputs.values()),
        [],
        int(parameters),
        macs,
        part.SerializeToString(),
        name=name,
    )
    black = np.zeros((1, image_size, image_size, 3), np.float32)
    layer.shapes = [list(output.shape[1:]) for output in layer.run(black)]
    return layer


def _macs(model: Any, shape: tuple[int, ...]) -> int:
    """Return the multiply-accumulates of convolutions and matrix products at a shape of input."""
    import onnx

    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    dims = sized.graph.input[0].type.tensor_type.shape.dim
    for dim, side in zip(dims, shape, strict=True):
        dim.dim_value = side
    del sized.graph.value_info[:]
    for output in sized.graph.output:
        output.type.tensor_type.ClearField("shape")
    graph = onnx.shape_inference.infer_shapes(sized, data_prop=True).graph
    shapes = {
        each.name: [dim.dim_value for dim in each.type.tensor_type.shape.dim]
        for each in (*graph.value_info, *graph.input, *graph.output)
    } | {each.name: list(each.dims) for each in graph.initializer}
    total = 0
    for node in graph.node:
        made = prod(shapes.get(node.output[0], [0]))
        if node.op_type == "Conv":
            total += made * prod(shapes[node.input[1]][1:])
        elif node.op_type in ("MatMul", "Gemm"):
            transposed = any(each.name == "transA" and each.i for each in node.attribute)
            if len(read := shapes.get(node.input[0], [])) > 1:
                total += made * read[-2 if transposed else -1]
    return int(total)

"""A network of an ONNX file as a layer of Keras, which ONNX Runtime computes."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import numpy.typing as npt
import onnxruntime
import tensorflow as tf

_FILE = "network.onnx"
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


@keras.saving.register_keras_serializable("fakeface_bench")
class OnnxNetwork(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """From pictures (n, height, width, channels) to a list of maps; nothing of it is trained.

    ONNX Runtime takes an image a thread, as `features.engines.OnnxSession` does and for its
    reasons. There are no gradients.

    Args:
        channels_first: Whether the network takes (n, channels, height, width).
        maps_channels_first: Likewise of what it gives.
        shapes: Of what it gives, an image, channels last.
        parameters: Number of its values.
        macs: Multiply-accumulates of a picture through it.
        content: The ONNX model, serialised; None where `load_assets` reads it later.
    """

    def __init__(
        self,
        channels_first: bool,
        maps_channels_first: Sequence[bool],
        shapes: Sequence[Sequence[int]],
        parameters: int = 0,
        macs: int = 0,
        content: bytes | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.trainable = False
        self.channels_first, self.maps_channels_first = channels_first, list(maps_channels_first)
        self.shapes, self.parameters, self.macs = list(shapes), parameters, macs
        self._content = content

    @classmethod
    def cut_out(
        cls,
        path: Path,
        outputs: Mapping[str, bool],
        image_size: int,
        channels_first: bool,
        name: str,
    ) -> Self:
        """Return a layer of that part of a file's network which gives some outputs.

        Args:
            outputs: By name, whether each gives channels before positions.
            channels_first: Whether it takes them so.
        """
        import onnx  # here, for what serves a model has no need of it

        model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
        constants = {each.name for each in model.graph.initializer}
        (entry,) = (each for each in model.graph.input if each.name not in constants)
        part = onnx.utils.Extractor(model).extract_model([entry.name], list(outputs))
        held = (onnx.numpy_helper.to_array(each) for each in part.graph.initializer)
        parameters = sum(array.size for array in held if array.dtype.kind == "f" and array.ndim)
        sides = (3, image_size, image_size) if channels_first else (image_size, image_size, 3)
        macs = _macs(part, (1, *sides))
        layer = cls(
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

    def call(self, pixels: Any) -> list[Any]:
        """Return the maps of some pictures."""
        types = [tf.float32] * len(self.shapes)
        outputs = tf.numpy_function(self.run, [pixels], types, stateful=False)
        for output, shape in zip(outputs, self.shapes, strict=True):
            output.set_shape((pixels.shape[0], *shape))
        return list(outputs)

    def compute_output_spec(self, pixels: Any) -> list[Any]:
        """Return the shapes of the maps."""
        return [keras.KerasTensor((pixels.shape[0], *shape), "float32") for shape in self.shapes]

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor takes, apart from the network itself."""
        own = ("channels_first", "maps_channels_first", "shapes", "parameters", "macs")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def save_assets(self, folder: str) -> None:
        """Write the network beside the values of other layers."""
        (Path(folder) / _FILE).write_bytes(self.content)

    def load_assets(self, folder: str) -> None:
        """Read what `save_assets` wrote."""
        self._content = (Path(folder) / _FILE).read_bytes()

    @property
    def content(self) -> bytes:
        """The ONNX model, serialised."""
        if self._content is None:
            raise ValueError(f"{self.name} has not read its network yet")
        return self._content

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(
            self.content, options, providers=["CPUExecutionProvider"]
        )

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count())

    def run(self, pixels: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Return the maps of some pictures (n, height, width, 3), channels last."""
        rows = list(self._pool.map(self.of_picture, pixels))
        return [np.concatenate(outputs) for outputs in zip(*rows, strict=True)]

    def of_picture(self, picture: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Return the maps of one picture (height, width, 3), computed by the thread that asks."""
        entry = self._session.get_inputs()[0]
        pixels = picture.transpose(2, 0, 1) if self.channels_first else picture
        given = np.ascontiguousarray(pixels[None], dtype=_TYPES[entry.type])
        outputs = self._session.run(None, {entry.name: given})
        pairs = zip(outputs, self.maps_channels_first, strict=True)
        return [_channels_last(output, first).astype(np.float32) for output, first in pairs]


def _channels_last(output: npt.NDArray[Any], channels_first: bool) -> npt.NDArray[Any]:
    return output.transpose(0, 2, 3, 1) if channels_first and output.ndim == 4 else output


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

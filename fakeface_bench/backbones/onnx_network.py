"""A network of an ONNX file as a layer of Keras, which ONNX Runtime computes."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

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
        return one_thread_session(self.content)

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


def one_thread_session(content: bytes) -> onnxruntime.InferenceSession:
    """Open an ONNX model, of which a call takes one thread: each core has an image of its own."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _channels_last(output: npt.NDArray[Any], channels_first: bool) -> npt.NDArray[Any]:
    return output.transpose(0, 2, 3, 1) if channels_first and output.ndim == 4 else output

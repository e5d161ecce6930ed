"""What sends pixels through a network, in extraction and serving, as fast as a machine allows."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.framework.ops import gradient_registry


@contextmanager
def models_let_go() -> Iterator[None]:
    """Let go, when the block ends, of the models made in it that nobody else holds.

    TensorFlow registers every `tf.custom_gradient` that a graph traces under a name of its own,
    never takes one back, and each holds its whole graph
    (https://github.com/tensorflow/tensorflow/issues/97697). Keras's optimizers trace one a model,
    some activations further ones. Names from before the block stay. A model that is kept goes on
    working and training as it was compiled; only a gradient through one of its graphs that was not
    traced yet would look a name up.

    Models are cycles of references, so they are collected. What was there before the block is kept
    out of that: looking at it would cost as much as half the training of a small head.
    """
    before = set(gradient_registry.list())
    gc.freeze()
    try:
        yield
    finally:
        for name in set(gradient_registry.list()) - before:
            del gradient_registry._registry[name]  # no public method takes one back
        gc.collect()
        gc.unfreeze()


class Engine(Protocol):
    """From pixels to named arrays; `tests/features/test_engine.py` is what each has to pass."""

    def __call__(self, images: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs of some images by name, a row each; several threads may ask at once.

        Args:
            images: Shape (n, size, size, 3); at least one, in any number.
        """
        ...


def output_names(model: keras.Model) -> list[str]:
    """Return the names of a model's outputs, in the order in which its graph has them."""
    return sorted(model.output) if isinstance(model.output, dict) else list(model.output_names)


#: Weights of more bytes stay variables: as constants they are copied several times over, 7 GB in
#: place of 2 for vit_base (benchmarks/foundation.py), and save no time without BatchNorm to fold.
LARGEST_FROZEN_BYTES = 150_000_000


def frozen_function(model: keras.Model, step: int | None, pixels: tf.DType = tf.float32) -> Any:
    """Trace a model for `step` images, or any number, its variables frozen to constants."""
    return convert_variables_to_constants_v2(_traced(model, step, pixels))


def _traced(model: keras.Model, step: int | None, pixels: tf.DType = tf.float32) -> Any:
    specs = [tf.TensorSpec((step, *each.shape[1:]), pixels) for each in model.inputs]

    def called(*given: Any) -> Any:
        inputs = [tf.cast(each, tf.float32) for each in given]
        return model(inputs if len(inputs) > 1 else inputs[0], training=False)

    return tf.function(called, input_signature=specs).get_concrete_function()


def _bytes_of(model: keras.Model) -> int:
    return sum(prod(weight.shape) * np.dtype(weight.dtype).itemsize for weight in model.weights)


class FrozenGraph:
    """A model as one TensorFlow graph, with its variables frozen to constants; an `Engine`.

    Constants let TensorFlow fold BatchNorm into convolutions and lay weights out once; measured
    on CPUs in benchmarks/extraction.py. Of very large networks the weights stay variables.

    Args:
        model: Its outputs by name, or a single one.
        step: Images that pass at once: others are divided so, the last filled up with zeros and
            cut again; all there are where None.
    """

    def __init__(self, model: keras.Model, step: int | None = None) -> None:
        self._step = step
        self._names = output_names(model)
        self._forward = self._compiled(model)

    def __call__(self, images: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs of some images by name."""
        if self._step is None:
            return self._outputs(images)
        starts = range(0, len(images), self._step)
        parts = [self._filled(images[start : start + self._step]) for start in starts]
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in self._names}

    def _filled(self, images: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        missing = (self._step or 0) - len(images)
        filled = np.pad(images, [(0, missing), (0, 0), (0, 0), (0, 0)]) if missing else images
        return {name: rows[: len(images)] for name, rows in self._outputs(filled).items()}

    def _outputs(self, images: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        return dict(zip(self._names, self._forward(images), strict=True))

    def _compiled(self, model: keras.Model) -> Callable[[npt.NDArray[np.uint8]], Any]:
        """Return what takes a step's images to the outputs in the order of their names."""
        large = _bytes_of(model) > LARGEST_FROZEN_BYTES
        forward = (_traced if large else frozen_function)(model, self._step)
        return lambda images: [
            rows.numpy() for rows in tf.nest.flatten(forward(tf.cast(images, tf.float32)))
        ]


#: From a batch to a model's outputs.
Forward = Callable[[Any], Any]


def compiled_forward(model: keras.Model) -> Forward:
    """Compile a model's prediction for batches of any size; it follows the model's weights."""
    shape = (None, *model.inputs[0].shape[1:])
    traced = tf.function(
        lambda batch: model(batch, training=False),
        input_signature=[tf.TensorSpec(shape, tf.float32)],
    )
    return lambda batch: traced(tf.cast(batch, tf.float32))


def graph_macs(model: keras.Model) -> int:
    """Return what `backbones.building.count_macs` does, of a network of whatever layers.

    Counted in the graph that one image passes, which takes seconds to trace.
    """
    return sum(_macs_of(operation) for operation in _traced(model, 1).graph.get_operations())


def _macs_of(operation: Any) -> int:
    kind = operation.type
    if kind not in ("Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2", "Einsum"):
        return 0
    made = prod(operation.outputs[0].shape)
    inputs = [tuple(x.shape) for x in operation.inputs]
    if kind == "Conv2D":
        *_, height, width, channels, _ = inputs[1]
        return int(made * height * width * channels)
    if kind == "DepthwiseConv2dNative":
        return int(made * prod(inputs[1][:2]))
    if kind in ("MatMul", "BatchMatMulV2"):
        side = "transpose_a" if kind == "MatMul" else "adj_x"
        summed = inputs[0][-2 if operation.get_attr(side) else -1]
        return int(made * summed)
    letters = str(operation.get_attr("equation"), "utf-8").split("->")[0].split(",")
    sides: dict[str, int] = {}
    for term, shape in zip(letters, inputs, strict=True):
        sides |= dict(zip(term, shape, strict=True))
    return prod(sides.values())

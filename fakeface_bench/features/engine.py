"""The engine of extraction and serving: models as frozen graphs, as fast as a machine allows."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

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


#: From a batch to a model's outputs.
Forward = Callable[[Any], Any]
Extract = Callable[[tf.Tensor], dict[str, npt.NDArray[np.float16]]]


def frozen_graph(model: keras.Model, batch_size: int) -> Extract:
    """Compile a model to one graph with its variables frozen to constants.

    Constants let TensorFlow fold BatchNorm into convolutions and lay weights out once; measured
    on CPUs in benchmarks/first_study.py. The graph takes batches of exactly `batch_size`; a
    smaller last one is filled up with zeros and cut again.

    Returns:
        A function from a uint8 batch (b, size, size, 3), b ≤ batch_size, to the model's outputs by
        name.
    """
    frozen = _frozen(model, batch_size)
    names = sorted(model.output)

    def extract(images: tf.Tensor) -> dict[str, npt.NDArray[np.float16]]:
        missing = batch_size - images.shape[0]
        if missing:
            images = tf.pad(images, [[0, missing], [0, 0], [0, 0], [0, 0]])
        outputs = frozen(tf.cast(images, tf.float32))
        return {
            name: output.numpy()[: batch_size - missing]
            for name, output in zip(names, outputs, strict=True)
        }

    return extract


def frozen_forward(model: keras.Model) -> Forward:
    """Compile a model like `frozen_graph`, for batches of any size, as fast.

    Returns:
        A function from a batch (b, size, size, 3) to the list of the model's outputs; it may be
        called from several threads.
    """
    frozen = _frozen(model, None)
    return lambda images: frozen(tf.cast(images, tf.float32))


def compiled_forward(model: keras.Model) -> Forward:
    """Compile a model's prediction for batches of any size; it follows the model's weights."""
    shape = (None, *model.inputs[0].shape[1:])
    traced = tf.function(
        lambda batch: model(batch, training=False),
        input_signature=[tf.TensorSpec(shape, tf.float32)],
    )
    return lambda batch: traced(tf.cast(batch, tf.float32))


def _frozen(model: keras.Model, batch_size: int | None) -> Any:
    shape = (batch_size, *model.inputs[0].shape[1:])

    def forward(pixels: tf.Tensor) -> Any:
        return model(pixels, training=False)

    traced = tf.function(forward, input_signature=[tf.TensorSpec(shape, tf.float32)])
    return convert_variables_to_constants_v2(traced.get_concrete_function())

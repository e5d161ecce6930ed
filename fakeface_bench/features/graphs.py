"""Lets go of models and graphs that would be held until the process ends."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

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
            del gradient_registry._registry[name]  # there is no public way
        gc.collect()
        gc.unfreeze()

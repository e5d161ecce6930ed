"""Models that a block made are let go with their graphs; one that is kept goes on working."""

import gc
import weakref

import keras
import numpy as np
import tensorflow as tf

from fakeface_bench.features.engine import models_let_go

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
Y = np.array([0, 1, 0, 1], np.float32)


def trained() -> keras.Model:
    """Return a small network after one step."""
    keras.utils.set_random_seed(0)
    entry = keras.Input((3,))
    hidden = keras.layers.Dense(4, activation="silu")(entry)
    model = keras.Model(entry, keras.layers.Dense(1)(hidden))
    model.compile(keras.optimizers.AdamW(0.1), keras.losses.BinaryCrossentropy(from_logits=True))
    model.train_on_batch(X, Y)
    return model


def traced() -> "weakref.ref[tf.Graph]":
    """Return a graph with a gradient of its own that nothing but TensorFlow may hold."""
    step = tf.function(tf.nn.silu).get_concrete_function(tf.TensorSpec((2,), tf.float32))
    return weakref.ref(step.graph)


def test_a_model_of_the_block_goes_on_as_if_there_had_been_none() -> None:
    with models_let_go():
        model = trained()
    other = trained()
    for each in (model, other):
        each.train_on_batch(X, Y)
        each.train_on_batch(X[:2], Y[:2])  # another shape: traced again
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(tf.constant(X), training=False))
    assert np.isfinite(tape.gradient(total, model.trainable_variables[0]).numpy()).all()


def test_its_graphs_are_gone_with_it_and_earlier_ones_stay() -> None:
    earlier = tf.function(tf.nn.silu)
    earlier(tf.constant([1.0, 2.0]))
    with models_let_go():
        graph = traced()
    assert graph() is None
    point = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(point)
        value = earlier(point)
    assert tape.gradient(value, point).shape == (2,)


def test_without_it_they_would_be_held() -> None:
    """Where this fails, TensorFlow lets go by itself: the module is needed no more."""
    with models_let_go():  # so that this test leaves nothing
        graph = traced()
        gc.collect()
        assert graph() is not None

"""The layers that a small network trains with compute what Keras's own do, gradients included."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.config import HeadConfig
from fakeface_bench.features.engine import compiled_forward
from fakeface_bench.training.networks import ScratchNetwork
from fakeface_bench.training.poolings import ACTIVATIONS, POOLINGS_OF_MAPS

NETWORK = ScratchNetwork(architecture_named("simple_cnn"), 32)
HEAD = HeadConfig(batch_norm=True, units=8, dropout=0.0, activation="swish")


def twins(head: HeadConfig) -> tuple[keras.Model, keras.Model]:
    """What is trained and what is served, of the same values, none of them 0."""
    quick = NETWORK.trainable(None, head, 1, "float32")
    served = NETWORK.served(None, head, 1)
    rng = np.random.default_rng(0)
    values = [v + rng.uniform(0.1, 0.5, v.shape).astype(np.float32) for v in quick.get_weights()]
    quick.set_weights(values)
    served.set_weights(values)
    return quick, served


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_trains_and_predicts_as_a_graph(activation: str) -> None:
    """TensorFlow fuses the operations of a graph, and not all that it fuses does it know."""
    quick, served = twins(replace(HEAD, activation=activation))
    pixels = np.random.default_rng(1).uniform(0, 255, (6, 32, 32, 3)).astype(np.float32)
    quick.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    quick.optimizer.learning_rate = 0.0
    assert np.isfinite(quick.train_on_batch(pixels, np.ones((6, 1), np.float32)))
    served.set_weights(quick.get_weights())
    predicted = [np.asarray(compiled_forward(model)(pixels)) for model in (quick, served)]
    np.testing.assert_allclose(*predicted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("features", ["last", "all_blocks"])
@pytest.mark.parametrize("pooling", POOLINGS_OF_MAPS)
def test_what_is_trained_and_what_is_served_agree(
    pooling: str, features: str, batch_norm: bool
) -> None:
    quick, served = twins(replace(HEAD, pooling=pooling, features=features, batch_norm=batch_norm))
    pixels = np.random.default_rng(1).uniform(0, 255, (6, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(quick(pixels), served(pixels), rtol=1e-4, atol=1e-5)
    gradients = []
    for model in (quick, served):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(pixels, training=True) - 1))
        variables = [variable.value for variable in model.trainable_variables]
        gradients.append([np.asarray(g) for g in tape.gradient(loss, variables)])
    for one, other in zip(*gradients, strict=True):
        assert np.abs(other).max() > 0
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * np.abs(other).max())
    for one, other in zip(quick.get_weights(), served.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)  # moving statistics, too


def test_a_channel_that_is_constant_has_a_finite_gradient() -> None:
    quick, _ = twins(replace(HEAD, pooling="avg+std", batch_norm=False))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(quick(np.zeros((2, 32, 32, 3), np.float32), training=True))
    gradients = tape.gradient(loss, [variable.value for variable in quick.trainable_variables])
    assert all(np.isfinite(np.asarray(gradient)).all() for gradient in gradients)


def test_what_is_served_is_of_layers_that_are_keras_own() -> None:
    _, served = twins(HEAD)
    assert {type(layer).__module__.split(".")[0] for layer in served.layers} == {"keras"}

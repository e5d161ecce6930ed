"""The searched head: from pooled features to logits, and from logits to a probability of fake."""

from dataclasses import dataclass
from typing import Any

import keras

from fakeface_bench.config import HeadConfig


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map from a margin to a probability: sigmoid(scale · margin + offset).

    The margin is the logit of fake, or fake's logit less real's. Scale 1 and offset 0 leave a
    network's own probability as it is.
    """

    scale: float = 1.0
    offset: float = 0.0


def head_logits(features: Any, head: HeadConfig, outputs: int) -> Any:
    """Apply the head's layers; returns a tensor of shape (n, outputs).

    The output layer starts at zero: with thousands of features and few images a random start is
    noise that training does not remove.
    """
    x = features
    if head.units:
        x = keras.layers.Dense(head.units, use_bias=not head.batch_norm)(x)
    if head.batch_norm:
        x = keras.layers.BatchNormalization()(x)
    if head.units:
        x = keras.layers.Activation(head.activation)(x)
    x = keras.layers.Dropout(head.dropout)(x)
    return keras.layers.Dense(outputs, kernel_initializer="zeros", name="logits")(x)


def margin(logits: Any) -> Any:
    """Return how far logits lean to fake, shape (n, 1), from one or two outputs.

    The softmax over two logits is the sigmoid of their difference, so one rule serves all losses.
    """
    return logits if logits.shape[-1] == 1 else logits[:, 1:2] - logits[:, 0:1]


def probability(logits: Any, calibration: Calibration) -> Any:
    """Return the probability of fake, shape (n, 1), within 0 and 1."""
    scaled = keras.layers.Rescaling(calibration.scale, offset=calibration.offset)(margin(logits))
    return keras.layers.Activation("sigmoid", name="probability_fake")(scaled)

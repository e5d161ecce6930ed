"""The losses a head may be trained with, and what each asks of its output layer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LABEL_SMOOTHING = 0.1
#: Of the focal loss, as recommended in arXiv:1708.02002, section 5.1.
FOCAL_GAMMA = 2.0


@dataclass(frozen=True, slots=True)
class Loss:
    """One row of `LOSSES`; labels are 0 and 1 and outputs are logits for every row.

    Attributes:
        title: One line for `fakeface-bench list`.
        calibrated: Whether sigmoid of the margin estimates a probability; where not, the study
            always fits a map on validation.
    """

    title: str
    outputs: int
    build: Callable[[], Any]
    calibrated: bool = True


def _binary(smoothing: float) -> Any:
    import keras

    return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)


def _focal() -> Any:
    import keras

    return keras.losses.BinaryFocalCrossentropy(gamma=FOCAL_GAMMA, from_logits=True)


def _hinge() -> Any:
    import keras

    return keras.losses.Hinge()  # turns labels 0 and 1 into -1 and 1 itself


def _categorical() -> Any:
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


LOSSES: Mapping[str, Loss] = {
    "binary_crossentropy": Loss("binary cross-entropy", 1, lambda: _binary(0.0)),
    "binary_crossentropy_smoothed": Loss(
        f"binary cross-entropy, labels smoothed by {LABEL_SMOOTHING}",
        1,
        lambda: _binary(LABEL_SMOOTHING),
    ),
    "focal": Loss(f"focal cross-entropy, gamma {FOCAL_GAMMA:g}", 1, _focal),
    "hinge": Loss("hinge on labels -1 and 1, calibrated on validation", 1, _hinge, False),
    "categorical_crossentropy": Loss("cross-entropy on a softmax of two", 2, _categorical),
}


def accuracy_metric(loss: Loss) -> Any:
    """Return the Keras metric that counts images on the right side of probability 0.5."""
    import keras

    if loss.outputs == 1:
        return keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")

"""A logged detector taken apart where its study did: frozen features, and the head that reads them.

Many heads on one backbone then cost one pass through it.
"""

from dataclasses import dataclass

import keras

#: Array that every study of a frozen backbone extracts.
_FEATURES = "pooled"
#: Array that only a study with a cut extracts: what lies above it was trained.
_CUT = "boundary"


@dataclass(frozen=True)
class DetectorParts:
    """A detector as two models.

    Attributes:
        features: From pixels to the feature arrays by name.
        head: From a list of those arrays to the probability of fake (n, 1).
        names: Of the arrays, in the order of that list.
    """

    features: keras.Model
    head: keras.Model
    names: tuple[str, ...]


def detector_parts(detector: keras.Model) -> DetectorParts | None:
    """Take a detector apart as `FrozenNetwork.complete` joins it; None for any other.

    Args:
        detector: From pixels to the probability of fake.
    """
    for layer in detector.layers:
        if isinstance(layer, keras.Model) and _is_frozen(layer.output):
            # Keras keeps the tensors of a call with the called layer; the names come sorted.
            made = layer._inbound_nodes[-1].output_tensors
            names = keras.tree.flatten({name: name for name in layer.output})
            return DetectorParts(layer, keras.Model(made, detector.output), tuple(names))
    return None


def _is_frozen(outputs: object) -> bool:
    return isinstance(outputs, dict) and _FEATURES in outputs and _CUT not in outputs

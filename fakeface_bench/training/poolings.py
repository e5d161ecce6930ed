"""How a head reads a map: which statistics over its positions. Needs no TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pooling:
    """One row of `POOLINGS`.

    Attributes:
        title: One line for `fakeface-bench list`.
        statistics: Of `avg`, `std`, `max`; empty for the flattened 2×2-max-pooled map.
    """

    title: str
    statistics: tuple[str, ...]

    @property
    def last_only(self) -> bool:
        """Whether it keeps positions, which only the last map is small enough for."""
        return not self.statistics


POOLINGS: Mapping[str, Pooling] = {
    "avg": Pooling("average over positions", ("avg",)),
    "max": Pooling("maximum over positions", ("max",)),
    "avg+max": Pooling("average and maximum", ("avg", "max")),
    "avg+std": Pooling("average and standard deviation", ("avg", "std")),
    "max2x2": Pooling("last map, 2×2-max-pooled and flattened", ()),
}

#: Which maps the head reads.
FEATURES: Mapping[str, str] = {
    "last": "the last map",
    "all_blocks": "every block's map and the last one",
}

ACTIVATIONS: Mapping[str, str] = {
    "relu": "rectified linear",
    "swish": "x · sigmoid(x)",
    "tanh": "hyperbolic tangent",
}

"""How a head reads a map: which statistics over its positions. Needs no TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass

from fakeface_bench.config import RESIDUAL


@dataclass(frozen=True, slots=True)
class Pooling:
    """One row of `POOLINGS`.

    Attributes:
        title: One line for `fakeface-bench list`.
        statistics: Of `avg`, `std`, `max`, `cls`; empty for the flattened 2×2-max-pooled map.
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
    "cls": Pooling("class token of a transformer", ("cls",)),
    "cls+avg": Pooling("class token, and average over positions", ("avg", "cls")),
    "max2x2": Pooling("last map, 2×2-max-pooled and flattened", ()),
}


@dataclass(frozen=True, slots=True)
class Features:
    """One row of `FEATURES`.

    Attributes:
        title: One line for `fakeface-bench list`.
        all_blocks: Whether the maps of all blocks are read, and not the last one alone.
        residual: Whether the picture's residual statistics are read too.
        maps: Whether any map of a network is read.
    """

    title: str
    all_blocks: bool
    residual: bool = False
    maps: bool = True


#: What the head reads.
FEATURES: Mapping[str, Features] = {
    "last": Features("the last map", False),
    "all_blocks": Features("every block's map and the last one", True),
    "last+residual": Features("the last map, and the picture's residual statistics", False, True),
    "all_blocks+residual": Features("every map, and residual statistics", True, True),
    RESIDUAL: Features("residual statistics alone, of no network", False, True, maps=False),
}


#: Of a network without a class token.
POOLINGS_OF_MAPS = tuple(key for key, row in POOLINGS.items() if "cls" not in row.statistics)


def features_with(residual: bool) -> tuple[str, ...]:
    """Return the features of maps, and those with residual statistics; the richest first."""
    maps = {key: row for key, row in FEATURES.items() if row.maps}
    offered = {key: row for key, row in maps.items() if residual or not row.residual}
    rich = {key: (row.residual, row.all_blocks) for key, row in offered.items()}
    return tuple(sorted(rich, key=lambda key: rich[key], reverse=True))


def of_last_map(features: str) -> str:
    """Return the key of the same features that reads the last map alone."""
    return next(
        key
        for key, row in FEATURES.items()
        if row.maps and not row.all_blocks and row.residual == FEATURES[features].residual
    )


ACTIVATIONS: Mapping[str, str] = {
    "relu": "rectified linear",
    "swish": "x · sigmoid(x)",
    "tanh": "hyperbolic tangent",
}

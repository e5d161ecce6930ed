"""Where a detector is cut for its evidence: at the maps that its pooling and head read.

What lies below is run once; what lies above is small, so gradients of a whole batch cost little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras

from fakeface_bench.explanation.graph import PIXELS, FlatGraph, flat_graph

#: Layer that ends every detector; its input is the logit.
_PROBABILITY = "probability_fake"


@dataclass(frozen=True)
class CutDetector:
    """A complete detector, cut at the maps that its head reads.

    Attributes:
        graph: All of it.
        logit: Number of the value that the last sigmoid reads, shape (n, 1).
        maps: Numbers of the maps nearest to the logit, each (n, height, width, channels) with
            more than one position. A standard deviation reads a map less its average; that is a
            map of its own here.
    """

    graph: FlatGraph
    logit: int
    maps: tuple[int, ...]

    @property
    def size(self) -> int:
        """Side of its input in pixels."""
        return int(self.graph.shapes[PIXELS][1] or 0)

    @property
    def are_levels(self) -> list[bool]:
        """Which maps are as a network gives them, and not less their average."""
        return [value not in self._squared for value in self.maps]

    @property
    def dense_layers(self) -> list[keras.layers.Dense]:
        """The layers of the head that weigh features, each once."""
        found = [s.operation for s in self.graph.needed(self.maps, [self.logit])]
        dense = [layer for layer in found if isinstance(layer, keras.layers.Dense)]
        return list(dict.fromkeys(dense))

    @cached_property
    def standardised(self) -> tuple[int, Any] | None:
        """Number of the features that the head standardises, and their average over train.

        None where it standardises none, or not all that it reads.
        """
        for step in self.graph.needed(self.maps, [self.logit]):
            is_scale = isinstance(step.operation, keras.layers.Normalization)
            if is_scale and len(self.graph.shapes[step.reads[0]]) == 2:
                features = step.reads[0]
                reads_all = not nearest_maps(self.graph, self.logit, beyond=features)
                return (features, step.operation.mean) if reads_all else None
        return None

    @cached_property
    def _squared(self) -> set[int]:
        return {value for s in self.graph.steps if _is_square(s) for value in s.reads}


def cut_detector(model: keras.Model) -> CutDetector:
    """Cut a model from pixels to the probability of fake, as `Network.complete` returns it.

    Raises:
        ValueError: If it does not end in the sigmoid of one logit.
    """
    graph = flat_graph(model)
    last = graph.maker(graph.output)
    if last is None or last.operation.name != _PROBABILITY:
        raise ValueError(f"{model.name} does not end in {_PROBABILITY!r}, so it has no logit")
    (logit,) = last.reads
    return CutDetector(graph, logit, nearest_maps(graph, logit))


def nearest_maps(graph: FlatGraph, value: int, beyond: int | None = None) -> tuple[int, ...]:
    """Return the maps that are met first on every way back from a value.

    Args:
        graph: Of all values.
        value: Where the ways start.
        beyond: Ways end here too.
    """
    makers = {made: step for step in graph.steps for made in step.writes}
    found: list[int] = []
    seen = {beyond}
    ways = [value]
    while ways:
        at = ways.pop()
        if at in seen:
            continue
        seen.add(at)
        if at == PIXELS or (_is_map(graph.shapes[at]) and not _is_square(makers[at])):
            found.append(at)
        else:
            ways.extend(makers[at].reads)
    return tuple(sorted(found))


def _is_map(shape: Sequence[int | None]) -> bool:
    return len(shape) == 4 and (shape[1] or 0) * (shape[2] or 0) > 1


def _is_square(step: Any) -> bool:
    """Whether a step squares a map for its variance; Keras exports no name of that class."""
    return type(step.operation).__name__ == "Square"

"""Which parts of a picture speak for fake and which for real, by what a detector's head reads.

HiResCAM (Draelos & Carin 2020, arXiv:2011.08891): the gradient of the logit by a map, times the
map, summed over channels. Every map that the head reads is an input of its own, so nothing counts
twice. Averages, maxima and deviations are of degree one in their map, so for a head without hidden
layer the sum is exactly what the map adds to the logit.

Keras builds a model between two tensors only where both are of one graph; a detector nests
backbone, features and classifier, and what its head reads lies inside them, so it is made flat
first. What lies below the maps is run once; what lies above is small, so gradients of a whole batch
cost little.

Maps that look the same with random weights tell of edges in the picture, not of the model (Adebayo
et al. 2018, arXiv:1810.03292): the same evidence is asked of a shuffled head.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy.stats import rankdata

#: Where the pixels stand among the values.
PIXELS = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a layer or operation.

    Attributes:
        operation: The layer or operation that is called.
        given: Its arguments, positional and by name, with symbolic tensors.
        made: What it made of them, symbolic.
        reads: Numbers of the values that are its tensors, in the order of the arguments.
    """

    operation: Any
    given: tuple[Any, Any]
    made: Any
    reads: tuple[int, ...]
    writes: tuple[int, ...]

    @property
    def rounds(self) -> bool:
        """Whether it only rounds to float16, as the cache of features does."""
        is_layer = isinstance(self.operation, keras.layers.Layer)
        before = [tensor.dtype for tensor in _tensors(self.given)]
        return not is_layer and before == ["float32"] and self.made.dtype == "float16"

    def run(self, values: Sequence[Any]) -> list[Any]:
        """Call it on tensors in place of the symbolic ones, as for prediction."""
        if self.rounds:
            return [_rounded(values[0])]
        tensors = {id(t): v for t, v in zip(_tensors(self.given), values, strict=True)}
        args, kwargs = keras.tree.map_structure(lambda x: tensors.get(id(x), x), self.given)
        return list(keras.tree.flatten(self.operation(*args, **kwargs)))


def _tensors(nested: Any) -> list[Any]:
    return [x for x in keras.tree.flatten(nested) if isinstance(x, keras.KerasTensor)]


@dataclass(frozen=True)
class FlatGraph:
    """All steps from pixels to a model's only output, nested models taken apart.

    Attributes:
        steps: In an order in which they can run; value 0 is the pixels.
        shapes: Of each value, the number of images first.
    """

    steps: tuple[Step, ...]
    shapes: tuple[tuple[int | None, ...], ...]
    output: int

    def maker(self, value: int) -> Step | None:
        """Return the step that makes a value; None for the pixels."""
        return next((step for step in self.steps if value in step.writes), None)

    def needed(self, known: Sequence[int], wanted: Sequence[int]) -> list[Step]:
        """Return the steps from known values to wanted ones."""
        missing = set(wanted).difference(known)
        chosen = []
        for step in reversed(self.steps):
            if missing.intersection(step.writes):
                chosen.append(step)
                missing.difference_update(step.writes)
                missing.update(set(step.reads).difference(known))
        return chosen[::-1]

    def run(self, known: Mapping[int, Any], wanted: Sequence[int]) -> list[Any]:
        """Compute wanted values from known ones; a value is let go after its last use."""
        steps = self.needed(list(known), wanted)
        last = {value: number for number, step in enumerate(steps) for value in step.reads}
        values = dict(known)
        for number, step in enumerate(steps):
            made = step.run([values[value] for value in step.reads])
            values.update(zip(step.writes, made, strict=True))
            for value in set(step.reads).difference(wanted):
                if last[value] == number:
                    del values[value]
        return [values[value] for value in wanted]


def flat_graph(model: keras.Model) -> FlatGraph:
    """Take a functional model of one input and one output apart.

    Keras tells of a model's calls only to whoever clones it, so it is, on the same layers.
    """
    steps: list[Step] = []
    shapes = [tuple(model.inputs[0].shape)]
    numbers: dict[int, int] = {}
    kept: list[Any] = []  # while their ids count

    def name(tensors: Any, values: Sequence[int]) -> None:
        kept.append(tensors)
        numbers.update({id(t): n for t, n in zip(_tensors(tensors), values, strict=True)})

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        made = operation(*args, **kwargs)
        reads = [numbers[id(tensor)] for tensor in _tensors((args, kwargs))]
        if isinstance(operation, keras.Function):
            writes = inline(operation, reads)
        else:
            writes = list(range(len(shapes), len(shapes) + len(_tensors(made))))
            shapes.extend(tuple(tensor.shape) for tensor in _tensors(made))
            steps.append(Step(operation, (args, kwargs), made, tuple(reads), tuple(writes)))
        name(made, writes)
        return made

    def inline(nested: keras.Model, given: Sequence[int]) -> list[int]:
        inputs = keras.tree.map_structure(
            lambda t: keras.Input(batch_shape=t.shape, dtype=t.dtype), nested.input
        )
        name(inputs, given)
        clone = keras.models.clone_model(
            nested, inputs, clone_function=lambda layer: layer, call_function=call
        )
        return [numbers[id(tensor)] for tensor in clone.outputs]

    (output,) = inline(model, [PIXELS])
    return FlatGraph(tuple(steps), tuple(shapes), output)


def _rounded(values: Any) -> Any:
    """Round to float16 in float32, and let gradients pass.

    A cast would round the gradients too: those of a feature that hardly varies exceed float16.
    """
    rounded = tf.cast(tf.cast(values, tf.float16), tf.float32)
    return values + tf.stop_gradient(rounded - values)


#: Layer that ends every detector; its input is the logit.
_PROBABILITY = "probability_fake"


@dataclass(frozen=True)
class CutDetector:
    """A complete detector, cut at the maps that its head reads.

    Attributes:
        logit: Number of the value that the last sigmoid reads, shape (n, 1).
        maps: Numbers of the maps nearest to the logit, each (n, height, width, channels) with
            more than one position. A standard deviation reads a map less its average; that is a
            map of its own here. So is a transformer's class token (n, channels), which is of no
            place: what it adds is spread evenly.
    """

    graph: FlatGraph
    logit: int
    maps: tuple[int, ...]

    @property
    def size(self) -> int:
        """Side of its input in pixels."""
        return int(self.graph.shapes[PIXELS][1] or 0)

    @property
    def batch_size(self) -> int:
        """Pictures whose maps fit into memory at once."""
        values = sum(prod(filter(None, self.graph.shapes[value])) for value in self.maps)
        return max(1, int(_MAPS_BYTES // (4 * values)))

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
    """Return the maps that are met first on every way back from a value."""
    makers = {made: step for step in graph.steps for made in step.writes}
    found: list[int] = []
    seen = {beyond}
    ways = [value]
    while ways:
        at = ways.pop()
        if at in seen:
            continue
        seen.add(at)
        step = makers.get(at)
        if step is None or _is_class_token(graph, at, step):
            found.append(at)
        elif _is_map(graph.shapes[at]) and not _is_square(step):
            found.append(at)
        else:
            ways.extend(makers[at].reads)
    return tuple(sorted(found))


def _is_map(shape: Sequence[int | None]) -> bool:
    return len(shape) == 4 and (shape[1] or 0) * (shape[2] or 0) > 1


def _is_class_token(graph: FlatGraph, value: int, step: Step) -> bool:
    """Whether a value (n, channels) was read of tokens (n, tokens, channels)."""
    ranks = [len(graph.shapes[read]) for read in step.reads]
    return len(graph.shapes[value]) == 2 and ranks == [3]


def _is_square(step: Any) -> bool:
    """Whether a step squares a map for its variance; Keras exports no name of that class."""
    return type(step.operation).__name__ == "Square"


FloatMaps = npt.NDArray[np.float32]

#: Of the maps of the pictures that are explained at once; of VGG16 a picture's take 26 MB.
_MAPS_BYTES = 200_000_000


def attribute(
    model: keras.Model, pixels: npt.NDArray[Any], batch_size: int | None = None
) -> FloatMaps:
    """Return the signed evidence at every pixel: positive speaks for fake, negative for real.

    Args:
        model: A complete detector, from pixels to the probability of fake (n, 1).
        pixels: 0 to 255, shape (n, size, size, 3).
        batch_size: Pictures at once; by the size of their maps if None.

    Returns:
        Shape (n, size, size), in logits; the mean over a picture is its logit. What belongs to no
        place (a bias, a hidden layer's bend) is spread evenly.

    Raises:
        ValueError: If the model does not end in the sigmoid of one logit.
    """
    cut = cut_detector(model)
    evidence = np.empty((len(pixels), cut.size, cut.size), np.float32)
    batch_size = batch_size or cut.batch_size
    for start in range(0, len(pixels), batch_size):
        batch = pixels[start : start + batch_size]
        evidence[start : start + len(batch)] = evidence_of(cut, read_maps(cut, batch))
    return evidence


def reads_places(model: keras.Model) -> bool:
    """Whether a detector reads any map; of what it counts over a picture no evidence has a place.

    Args:
        model: A complete detector.
    """
    cut = cut_detector(model)
    return any(_is_map(cut.graph.shapes[value]) for value in cut.maps if value != PIXELS)


def read_maps(cut: CutDetector, pixels: npt.NDArray[Any]) -> list[tf.Tensor]:
    """Run what lies below the cut."""
    return cut.graph.run({PIXELS: tf.cast(pixels, tf.float32)}, cut.maps)


def evidence_of(cut: CutDetector, maps: Sequence[tf.Tensor]) -> FloatMaps:
    """Return the evidence that maps of some pictures give; see `attribute`."""
    logit, parts = map_evidence(cut, maps)
    shape = (cut.size, cut.size)
    evidence = tf.zeros((len(logit), *shape))
    for part in parts:
        if len(part.shape) != 3:  # a class token's
            continue
        positions = part.shape[1] * part.shape[2]
        evidence += tf.image.resize(positions * part[..., None], shape)[..., 0]
    rest = logit[..., None] - tf.reduce_mean(evidence, axis=(1, 2), keepdims=True)
    return np.asarray(evidence + rest, dtype=np.float32)


def map_evidence(cut: CutDetector, maps: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Return the logits (n, 1), and what each place of each map adds, (n, height, width) each.

    What a class token adds is (n,).

    For a head without hidden layer, logit and sum differ by the same number for all pictures.
    """
    if cut.standardised is None:
        return _from_nothing(cut, maps)
    return _from_typical(cut, maps, *cut.standardised)


def _from_nothing(cut: CutDetector, maps: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Measure against maps of zeros."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(maps)
        (logit,) = cut.graph.run(dict(zip(cut.maps, maps, strict=True)), [cut.logit])
    gradients = tape.gradient(logit, maps, unconnected_gradients="zero")
    return logit, [tf.reduce_sum(g * m, axis=-1) for g, m in zip(gradients, maps, strict=True)]


def _from_typical(
    cut: CutDetector, maps: Sequence[tf.Tensor], number: int, typical: tf.Tensor
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Measure against the level that each feature has in a typical training picture.

    Against zeros a feature that is high in every picture would mark the place of its maximum in
    every picture, many times stronger than what tells pictures apart. An average's marks are the
    same either way but for a constant; a deviation has no level and is taken whole.
    """
    with tf.GradientTape(watch_accessed_variables=False, persistent=True) as pooling:
        pooling.watch(maps)
        (features,) = cut.graph.run(dict(zip(cut.maps, maps, strict=True)), [number])
    with tf.GradientTape(watch_accessed_variables=False) as head:
        head.watch(features)
        (logit,) = cut.graph.run({number: features}, [cut.logit])
    slope = head.gradient(logit, features)
    level = tf.math.divide_no_nan(typical, _gains(cut, [m[:1] for m in maps], number))
    whole, usual = (
        pooling.gradient(features, maps, output_gradients=by, unconnected_gradients="zero")
        for by in (slope, slope * level)
    )
    parts = zip(whole, maps, usual, strict=True)
    return logit, [tf.reduce_sum(w * m - u, axis=-1) for w, m, u in parts]


def _gains(cut: CutDetector, maps: Sequence[tf.Tensor], number: int) -> tf.Tensor:
    """Return by how much each feature (1, width) rises where its whole map rises by one.

    It is the power of two that scales its block, and zero for a deviation.
    """
    levels = [m for m, is_level in zip(maps, cut.are_levels, strict=True) if is_level]
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(levels)
            (features,) = cut.graph.run(dict(zip(cut.maps, maps, strict=True)), [number])
        weights = tf.ones_like(features)
        outer.watch(weights)
        # Linear in the weights; its gradient by them is the wanted sum over each map.
        back = inner.gradient(
            features, levels, output_gradients=weights, unconnected_gradients="zero"
        )
        total = tf.add_n([tf.reduce_sum(part) for part in back])
    return outer.gradient(total, weights, unconnected_gradients="zero")


#: Places a side at which two maps are compared; they are smooth in between.
_PLACES = 56


def attribute_and_check(
    model: keras.Model, pixels: npt.NDArray[Any], seed: int = 0
) -> tuple[FloatMaps, float]:
    """Return the evidence of some pictures, and how alike it is with the head shuffled.

    Args:
        model: A complete detector; it is left as it was.
        pixels: 0 to 255, shape (n, size, size, 3), n ≥ 1.

    Returns:
        What `attribute` does, and the head dependence: Spearman's correlation of how far evidence
        lies from the picture's mean, averaged over the pictures. 1 means that the head does not
        matter.
    """
    cut = cut_detector(model)
    given: list[FloatMaps] = []
    alike: list[float] = []
    for start in range(0, len(pixels), cut.batch_size):
        maps = read_maps(cut, pixels[start : start + cut.batch_size])
        given.append(evidence_of(cut, maps))
        with _shuffled(cut, seed):
            alike += map(_rank_correlation, given[-1], evidence_of(cut, maps))
    return np.concatenate(given), float(np.mean(alike))


@contextmanager
def _shuffled(cut: CutDetector, seed: int) -> Iterator[None]:
    kernels = [layer.kernel for layer in cut.dense_layers]
    before = [keras.ops.convert_to_numpy(kernel) for kernel in kernels]
    rng = np.random.default_rng(seed)
    try:
        for kernel, values in zip(kernels, before, strict=True):
            kernel.assign(rng.permutation(values.ravel()).reshape(values.shape))
        yield
    finally:
        for kernel, values in zip(kernels, before, strict=True):
            kernel.assign(values)


def _rank_correlation(one: FloatMaps, other: FloatMaps) -> float:
    """Compare two maps; one without any difference in it is no evidence of a dependence."""
    step = max(1, len(one) // _PLACES)
    ranks = [
        rankdata(np.abs(evidence - evidence.mean())[::step, ::step].ravel())
        for evidence in (one, other)
    ]
    if min(np.ptp(rank) for rank in ranks) == 0:
        return 1.0
    return float(np.corrcoef(ranks)[0, 1])

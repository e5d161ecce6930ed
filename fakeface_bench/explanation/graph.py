"""A complete model as one flat list of steps, so that it can be cut at maps of nested models.

Keras builds a model between two tensors only where both are of one graph; a detector nests
backbone, features and classifier, and what its head reads lies inside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

#: Where the pixels stand among the values.
PIXELS = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a layer or operation.

    Attributes:
        node: Keras's record of the call, which holds its arguments.
        reads: Numbers of the values that are its tensors, in the order of the arguments.
        writes: Numbers of the values it makes.
    """

    node: Any
    reads: tuple[int, ...]
    writes: tuple[int, ...]

    @property
    def operation(self) -> Any:
        """The layer or operation that is called."""
        return self.node.operation

    @property
    def rounds(self) -> bool:
        """Whether it only rounds to float16, as the cache of features does."""
        is_layer = isinstance(self.operation, keras.layers.Layer)
        before = [tensor.dtype for tensor in self.node.input_tensors]
        return not is_layer and before == ["float32"] and self.node.outputs[0].dtype == "float16"

    def run(self, values: Sequence[Any]) -> list[Any]:
        """Call it on tensors in place of the symbolic ones, as for prediction."""
        if self.rounds:
            return [_rounded(values[0])]
        symbols = {id(t): v for t, v in zip(self.node.input_tensors, values, strict=True)}
        args, kwargs = self.node.arguments.fill_in(symbols)
        return list(keras.tree.flatten(self.operation(*args, **kwargs)))


@dataclass(frozen=True)
class FlatGraph:
    """All steps from pixels to a model's only output, nested models taken apart.

    Attributes:
        steps: In an order in which they can run; value 0 is the pixels.
        shapes: Of each value, the number of images first.
        output: Number of the model's output.
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
    """Take a functional model of one input and one output apart."""
    steps: list[Step] = []
    shapes = [tuple(model.inputs[0].shape)]

    def inline(function: Any, given: Sequence[int]) -> list[int]:
        numbers = {id(t): n for t, n in zip(function.inputs, given, strict=True)}
        for node in _calls(function):
            reads = [numbers[id(tensor)] for tensor in node.input_tensors]
            if isinstance(node.operation, keras.Function):
                made = inline(node.operation, reads)
            else:
                made = list(range(len(shapes), len(shapes) + len(node.outputs)))
                shapes.extend(tuple(tensor.shape) for tensor in node.outputs)
                steps.append(Step(node, tuple(reads), tuple(made)))
            numbers.update({id(t): n for t, n in zip(node.outputs, made, strict=True)})
        return [numbers[id(tensor)] for tensor in function.outputs]

    (output,) = inline(model, [PIXELS])
    return FlatGraph(tuple(steps), tuple(shapes), output)


def _calls(function: Any) -> list[Any]:
    """Return a model's calls in the order in which Keras itself runs them."""
    by_depth = function._nodes_by_depth
    return [
        n for depth in sorted(by_depth, reverse=True) for n in by_depth[depth] if not n.is_input
    ]


def _rounded(values: Any) -> Any:
    """Round to float16 in float32, and let gradients pass.

    A cast would round the gradients too: those of a feature that hardly varies exceed float16.
    """
    rounded = tf.cast(tf.cast(values, tf.float16), tf.float32)
    return values + tf.stop_gradient(rounded - values)

"""Trains a head on cached features, an epoch in one call of a graph that all trials share.

Keras traces a training step for every model, which costs more than the training of a small head.
Here widths, rates, dropout, loss and activation are inputs of the graph, so a process traces it
once for each of four structures: with a hidden layer or not, with batch norm or not.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fakeface_bench.config import HeadConfig
from fakeface_bench.features.samples import Part, Samples
from fakeface_bench.training.losses import LOSSES
from fakeface_bench.training.poolings import ACTIVATIONS

#: Of Adam, as Keras has them by default.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
#: Of batch norm, as Keras has them by default.
MOMENTUM, VARIANCE_EPSILON = 0.99, 1e-3
#: Columns of a split that are kept in memory between trials; what is larger is read in blocks.
RESIDENT_BYTES = 1_500_000_000
_BLOCK_BYTES = 200_000_000
_ROWS_AT_ONCE = 1024
#: A column whose deviation is below this share of its mean only holds float16's rounding.
_CONSTANT_BELOW = 1e-3

Values = list[npt.NDArray[np.float32]]


class HeadRows:
    """The columns of the train split that heads read, kept from trial to trial.

    Args:
        samples: The train split, or a part of it.
        sharers: How many such objects share the memory.

    Attributes:
        kept_bytes: Of memory, at most its share of `RESIDENT_BYTES`.
    """

    def __init__(self, samples: Samples, sharers: int = 1) -> None:
        self.samples = samples
        self._sharers = sharers
        self._kept: OrderedDict[tuple[Any, ...], tf.Tensor] = OrderedDict()
        self.kept_bytes = 0
        self._moments: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def __reduce__(self) -> tuple[type["HeadRows"], tuple[Samples, int]]:
        """Let it travel without what it keeps in memory, which is read again."""
        return HeadRows, (self.samples, self._sharers)

    def scale(self, parts: Sequence[Part]) -> keras.layers.Normalization:
        """Return a fixed layer that standardises some columns; constant ones are only centred."""
        key = _key(parts)
        if key not in self._moments:
            self._moments[key] = _moments(self.samples, parts)
        mean, variance = self._moments[key]
        return keras.layers.Normalization(mean=mean, variance=variance)

    def standard(self, parts: Sequence[Part]) -> tuple[Any, Any]:
        """Return what `scale` takes off some columns and multiplies them by, float32, (width,)."""
        scale = self.scale(parts)
        deviation = np.sqrt(np.asarray(scale.input_variance, np.float32).ravel())
        mean = np.asarray(scale.input_mean, np.float32).ravel()
        return mean, 1 / np.maximum(deviation, keras.config.epsilon())

    def blocks(
        self, parts: Sequence[Part], order: npt.NDArray[np.int64], batch_size: int
    ) -> Iterator[tuple[tf.Tensor, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Yield rows, the places among them in the order of training, and their numbers.

        All at once where they fit into memory, else as many whole batches as do.
        """
        row_bytes = sum(self.samples.width_bytes(part) for part in parts)
        if row_bytes * len(order) <= RESIDENT_BYTES // self._sharers:
            yield self._resident(parts, row_bytes * len(order)), order, order
            return
        rows = max(1, _BLOCK_BYTES // (row_bytes * batch_size)) * batch_size
        for start in range(0, len(order), rows):
            numbers = order[start : start + rows]
            yield tf.constant(self.samples.raw(numbers, parts)), np.arange(len(numbers)), numbers

    def _resident(self, parts: Sequence[Part], size: int) -> tf.Tensor:
        key = _key(parts)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        while self._kept and self.kept_bytes + size > RESIDENT_BYTES // self._sharers:
            _, old = self._kept.popitem(last=False)
            self.kept_bytes -= old.dtype.size * int(np.prod(old.shape))
        numbers = np.arange(len(self.samples))
        first = self.samples.raw(numbers[:_ROWS_AT_ONCE], parts)
        joined = np.empty((len(numbers), first.shape[1]), first.dtype)
        for start in range(0, len(numbers), _ROWS_AT_ONCE):
            block = numbers[start : start + _ROWS_AT_ONCE]
            joined[block] = self.samples.raw(block, parts)
        with tf.device("CPU"):
            rows = tf.constant(joined)
        self._kept[key] = rows
        self.kept_bytes += size
        return rows


def _key(parts: Sequence[Part]) -> tuple[Any, ...]:
    return tuple((name, wanted.start, wanted.stop) for name, wanted in parts)


def _moments(
    train: Samples, parts: Sequence[Part]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean and variance of some columns; constant ones have variance 1.

    Rows are read in blocks, so memory does not grow with their number.
    """
    total: npt.NDArray[np.float64] | float = 0.0
    squares: npt.NDArray[np.float64] | float = 0.0
    for start in range(0, len(train), _ROWS_AT_ONCE):
        numbers = np.arange(start, min(start + _ROWS_AT_ONCE, len(train)))
        block = train.rows(numbers, parts).astype(np.float64)
        total = total + block.sum(axis=0)
        squares = squares + np.square(block).sum(axis=0)
    mean = np.asarray(total) / len(train)
    variance = np.maximum(np.asarray(squares) / len(train) - np.square(mean), 0.0)
    constant = np.sqrt(variance) <= _CONSTANT_BELOW * np.abs(mean)
    return mean, np.where(constant, 1.0, variance)


def initial_values(width: int, head: HeadConfig, outputs: int, seed: int) -> Values:
    """Return the values of a head's layers before training, in the order of `head_logits`."""
    draw = keras.initializers.GlorotUniform(seed)
    values, read = [], width
    if head.units:
        values.append(keras.ops.convert_to_numpy(draw((width, head.units))))
        read = head.units
        if not head.batch_norm:
            values.append(np.zeros(read, np.float32))
    if head.batch_norm:
        ones, zeros = np.ones(read, np.float32), np.zeros(read, np.float32)
        values += [ones, zeros, zeros, ones]
    return [*values, np.zeros((read, outputs), np.float32), np.zeros(outputs, np.float32)]


class HeadTraining:
    """One fit of one head.

    Args:
        rows: Of the train split.
        parts: What of each row the head reads.
    """

    def __init__(
        self,
        rows: HeadRows,
        parts: Sequence[Part],
        head: HeadConfig,
        seed: int,
    ) -> None:
        self._rows, self._parts, self._head = rows, parts, head
        self._row = LOSSES[head.loss]
        self.loss = self._row.build()
        self._mean, self._inverse = rows.standard(parts)
        kept = np.result_type(*(rows.samples.arrays[name].dtype for name, _ in parts))
        self._graph = _graph(bool(head.units), head.batch_norm, kept.name)
        self._random = np.random.default_rng(seed)
        self._seed = seed
        self._steps = 0
        self._order = self._random.permutation(len(rows.samples))
        values = initial_values(len(self._mean), head, self._row.outputs, seed)
        self._graph.begin(values)

    def train_epoch(self, number: int) -> Mapping[str, float]:
        """Train one epoch; return its mean loss and accuracy over the images."""
        samples, head = self._rows.samples, self._head
        labels = samples.labels.astype(np.float32)[:, None]
        weights = samples.weights
        rates = np.array([head.learning_rate, head.weight_decay, head.dropout], np.float32)
        which = list(LOSSES).index(head.loss), list(ACTIVATIONS).index(head.activation)
        totals = np.zeros(2)
        for x, places, numbers in self._rows.blocks(self._parts, self._order, head.batch_size):
            w = np.ones(len(numbers), np.float32) if weights is None else weights[numbers]
            given = _EpochInput(
                x=x,
                mean=self._mean,
                inverse=self._inverse,
                labels=labels[numbers],
                weights=w,
                order=places.astype(np.int32),
                batch_size=np.int32(head.batch_size),
                rates=rates,
                which=np.array(which, np.int32),
                seed=np.array([self._seed, self._steps], np.int32),
            )
            totals += self._graph.epoch(given).numpy()
            self._steps += -(-len(numbers) // head.batch_size)
        self._order = self._random.permutation(len(samples))
        loss, right = totals / len(samples)
        return {"loss": float(loss), "accuracy": float(right)}

    def forward(self, x: npt.NDArray[np.float32]) -> tf.Tensor:
        """Return the logits of rows, shape (n, outputs)."""
        which = np.int32(list(ACTIVATIONS).index(self._head.activation))
        return self._graph.forward(x, self._mean, self._inverse, which)

    def get_weights(self) -> Values:
        """Return the values of the layers, in the order of `head_logits`."""
        return self._graph.values()

    def set_weights(self, values: Values) -> None:
        """Replace them."""
        self._graph.assign(values)


class _EpochInput(NamedTuple):
    """What an epoch of any head is given; every number of it is a tensor to the graph.

    Attributes:
        x: Rows of the split, as they are kept.
        mean: Of each column; `inverse` is one over its deviation.
        labels: Of the rows in the order of training, as their weights are.
        order: Places of the rows in `x`.
        rates: Learning rate, weight decay, dropout.
        which: Numbers of loss and activation in their tables.
        seed: Of dropout, and the steps taken before.
    """

    x: Any
    mean: Any
    inverse: Any
    labels: Any
    weights: Any
    order: Any
    batch_size: Any
    rates: Any
    which: Any
    seed: Any


def _input_of(kept: str) -> _EpochInput:
    vector, integers = tf.TensorSpec([None]), tf.TensorSpec([None], tf.int32)
    return _EpochInput(
        x=tf.TensorSpec([None, None], kept),
        mean=vector,
        inverse=vector,
        labels=tf.TensorSpec([None, 1]),
        weights=vector,
        order=integers,
        batch_size=tf.TensorSpec([], tf.int32),
        rates=tf.TensorSpec([3]),
        which=tf.TensorSpec([2], tf.int32),
        seed=tf.TensorSpec([2], tf.int32),
    )


@cache
def _graph(hidden: bool, batch_norm: bool, kept: str) -> "_HeadGraph":
    return _HeadGraph(hidden, batch_norm, kept)


class _HeadGraph:
    """The variables and the training of one structure; one fit uses it at a time."""

    def __init__(self, hidden: bool, batch_norm: bool, kept: str) -> None:
        self._hidden, self._norm = hidden, batch_norm
        ranks = [2] if hidden else []
        ranks += [1] if hidden and not batch_norm else []
        self._first_norm = len(ranks)
        ranks += [1, 1, 1, 1] if batch_norm else []
        ranks += [2, 1]
        self._variables = [_variable(rank) for rank in ranks]
        moving = {self._first_norm + 2, self._first_norm + 3} if batch_norm else set()
        self._trained = [v for n, v in enumerate(self._variables) if n not in moving]
        self._means = [_variable(len(v.shape)) for v in self._trained]
        self._squares = [_variable(len(v.shape)) for v in self._trained]
        given = _input_of(kept)
        self.epoch = tf.function(self._epoch, (given,), autograph=False)
        of_rows = (tf.TensorSpec([None, None]), given.mean, given.inverse, given.batch_size)
        self.forward = tf.function(self._forward, of_rows, autograph=False)

    def begin(self, values: Values) -> None:
        self.assign(values)
        for variable, mean, square in zip(self._trained, self._means, self._squares, strict=True):
            mean.assign(tf.zeros_like(variable))
            square.assign(tf.zeros_like(variable))

    def assign(self, values: Values) -> None:
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)

    def values(self) -> Values:
        return [variable.numpy() for variable in self._variables]

    def _logits(self, x: tf.Tensor, activation: tf.Tensor, dropout: Any, seed: Any) -> tf.Tensor:
        """Apply the layers of `head_logits`; with a seed as in training."""
        left = list(self._variables)
        training = seed is not None
        if self._hidden:
            x = tf.matmul(x, left.pop(0))
            if not self._norm:
                x = x + left.pop(0)
        if self._norm:
            gamma, beta, mean, variance = (left.pop(0) for _ in range(4))
            if training:
                of_batch, spread = tf.nn.moments(x, [0])
                mean.assign(MOMENTUM * mean + (1 - MOMENTUM) * of_batch)
                variance.assign(MOMENTUM * variance + (1 - MOMENTUM) * spread)
            else:
                of_batch, spread = mean, variance
            x = tf.nn.batch_normalization(x, of_batch, spread, beta, gamma, VARIANCE_EPSILON)
        if self._hidden:
            x = _activated(x, activation)
        if training:
            kept = tf.random.stateless_uniform(tf.shape(x), seed) >= dropout
            x = tf.where(kept, x / (1 - dropout), 0.0)
        return tf.matmul(x, left[0]) + left[1]

    def _forward(self, x: Any, mean: Any, inverse: Any, activation: Any) -> tf.Tensor:
        scaled = (tf.cast(x, tf.float32) - mean) * inverse
        return self._logits(scaled, activation, 0.0, None)

    def _epoch(self, given: _EpochInput) -> tf.Tensor:
        """Train on rows in an order; return the sums of loss and of correct predictions."""
        count = tf.shape(given.order)[0]
        rate, decay, dropout = tf.unstack(given.rates)
        loss_number, activation = tf.unstack(given.which)

        def step(start: Any, number: Any, totals: Any) -> tuple[Any, Any, Any]:
            rows = given.order[start : start + given.batch_size]
            size = tf.shape(rows)[0]
            batch = tf.cast(tf.gather(given.x, rows), tf.float32)
            batch = (batch - given.mean) * given.inverse
            labels = given.labels[start : start + size]
            with tf.GradientTape() as tape:
                seed = tf.stack([given.seed[0], number])
                logits = self._logits(batch, activation, dropout, seed)
            weights = given.weights[start : start + size]
            loss, of_logits = _loss(loss_number, labels, logits, weights)
            gradients = tape.gradient(logits, self._trained, of_logits)
            self._update(gradients, rate, decay, tf.cast(number, tf.float32))
            last = logits[:, -1:]
            margin = tf.where(tf.shape(logits)[1] > 1, last - logits[:, :1], last)
            right = tf.reduce_sum(tf.cast((margin > 0) == (labels > 0.5), tf.float32))
            of_batch = tf.stack([loss * tf.cast(size, tf.float32), right])
            return start + size, number + 1, totals + of_batch

        first = (tf.constant(0), given.seed[1] + 1, tf.zeros(2))
        return tf.while_loop(lambda start, *_: start < count, step, first)[2]

    def _update(self, gradients: Sequence[Any], rate: Any, decay: Any, step: Any) -> None:
        """Take one step of AdamW, as Keras does: decay first, of every trained value."""
        powers = tf.constant(BETA_1) ** step, tf.constant(BETA_2) ** step
        of_all = zip(self._trained, self._means, self._squares, gradients, strict=True)
        for variable, mean, square, gradient in of_all:
            variable.assign(variable * (1 - decay * rate))
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=mean.handle,
                v=square.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradient,
            )


@tf.function(
    input_signature=(
        tf.TensorSpec([], tf.int32),
        tf.TensorSpec([None, 1]),
        tf.TensorSpec([None, None]),
        tf.TensorSpec([None]),
    ),
    autograph=False,
)  # type: ignore[untyped-decorator]
def _loss(which: Any, labels: Any, logits: Any, weights: Any) -> tuple[Any, Any]:
    """Return the mean loss of the row of that number, and its gradient by the logits."""

    def branch(loss: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits, sample_weight=weights)
        return value, tape.gradient(value, logits)

    branches = [partial(branch, row.build()) for row in LOSSES.values()]
    value, of_logits = tf.switch_case(which, branches)
    return value, of_logits


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _activated(x: Any, which: Any) -> tuple[Any, Callable[..., tuple[Any, None]]]:
    """Apply the activation of that number; each acts on every value by itself."""
    value, slope = _value_and_slope(x, which)
    return value, lambda upstream: (upstream * slope, None)


@tf.function(
    input_signature=(tf.TensorSpec([None, None]), tf.TensorSpec([], tf.int32)), autograph=False
)  # type: ignore[untyped-decorator]
def _value_and_slope(x: Any, which: Any) -> tuple[Any, Any]:
    def branch(name: str) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = keras.activations.get(name)(x)
        return value, tape.gradient(value, x)

    value, slope = tf.switch_case(which, [partial(branch, name) for name in ACTIVATIONS])
    return value, slope


def _variable(rank: int) -> tf.Variable:
    shape = tf.TensorShape([None] * rank)
    return tf.Variable(np.zeros([0] * rank, np.float32), shape=shape, trainable=True)

"""The graph that all trials share trains a head as Keras would, whatever it trained before."""

from collections.abc import Iterator
from dataclasses import replace

import keras
import numpy as np
import pytest

from fakeface_bench.config import HeadConfig
from fakeface_bench.features.samples import Part, Samples
from fakeface_bench.training import head_fit
from fakeface_bench.training.head import head_logits, margin
from fakeface_bench.training.head_fit import HeadRows, HeadTraining, Values
from fakeface_bench.training.losses import LOSSES, accuracy_metric
from fakeface_bench.training.poolings import ACTIVATIONS

ROWS, WIDTH, SEED = 120, 12, 3
PARTS: list[Part] = [("pooled", slice(0, 5)), ("pooled", slice(7, WIDTH))]
HEAD = HeadConfig(dropout=0.0, learning_rate=3e-3, weight_decay=0.1, batch_size=32)
SHAPES = [
    {"units": 0, "batch_norm": False},
    {"units": 0, "batch_norm": True},
    {"units": 6, "batch_norm": False},
    {"units": 6, "batch_norm": True},
]


def samples(*, weighed: bool = True) -> Samples:
    rng = np.random.default_rng(0)
    labels = (np.arange(ROWS) % 2).astype(np.uint8)
    pooled = rng.normal(3.0, 1.0, (ROWS, WIDTH)) + 0.8 * labels[:, None]
    weights = rng.uniform(0.5, 1.5, ROWS).astype(np.float32) if weighed else None
    return Samples({"pooled": pooled.astype(np.float16)}, labels, weights)


def trained(head: HeadConfig, epochs: int = 2, rows: HeadRows | None = None) -> Values:
    training = HeadTraining(rows or HeadRows(samples()), PARTS, head, SEED)
    for number in range(epochs):
        training.train_epoch(number)
    return training.get_weights()


def keras_model(head: HeadConfig, rows: HeadRows) -> keras.Model:
    loss = LOSSES[head.loss]
    scale = rows.scale(PARTS)
    features = keras.Input((WIDTH - 2,))
    model = keras.Model(features, head_logits(scale(features), head, loss.outputs))
    model.set_weights(head_fit.initial_values(WIDTH - 2, head, loss.outputs, SEED))
    model.compile(
        keras.optimizers.AdamW(head.learning_rate, weight_decay=head.weight_decay),
        loss.build(),
        metrics=[accuracy_metric(loss)],
    )
    return model


def orders() -> Iterator[np.ndarray]:
    random = np.random.default_rng(SEED)
    while True:
        yield random.permutation(ROWS)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "-".join(map(str, s.values())))
@pytest.mark.parametrize("loss", LOSSES)
def test_values_and_figures_are_those_of_keras(shape: dict, loss: str) -> None:
    """Batch by batch in the same order, the last one smaller, each row with its weight."""
    head = replace(HEAD, loss=loss, **shape)
    rows = HeadRows(samples())
    model = keras_model(head, rows)
    training = HeadTraining(rows, PARTS, head, SEED)
    x = rows.samples.rows(np.arange(ROWS), PARTS)
    y, weights = rows.samples.labels.astype(np.float32)[:, None], rows.samples.weights
    assert weights is not None
    for number, order in zip(range(3), orders(), strict=False):
        told = []
        for start in range(0, ROWS, head.batch_size):
            batch = order[start : start + head.batch_size]
            logs = model.train_on_batch(
                x[batch], y[batch], sample_weight=weights[batch], return_dict=True
            )
            told.append((len(batch), float(logs["loss"])))
        sizes, losses = zip(*told, strict=True)
        figures = training.train_epoch(number)
        assert sizes == (32, 32, 32, 24)
        assert figures["loss"] == pytest.approx(np.average(losses, weights=sizes), rel=1e-4)
    for ours, theirs in zip(training.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(training.forward(x), model(x, training=False), rtol=0, atol=2e-3)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_activation_is_the_one_named(activation: str) -> None:
    head = replace(HEAD, units=6, activation=activation)
    rows = HeadRows(samples())
    training = HeadTraining(rows, PARTS, head, SEED)
    training.train_epoch(0)
    model = keras_model(head, rows)
    model.set_weights(training.get_weights())
    x = rows.samples.rows(np.arange(ROWS), PARTS)
    np.testing.assert_allclose(training.forward(x), model(x, training=False), rtol=0, atol=1e-5)


def test_accuracy_counts_each_image_on_the_side_where_its_batch_found_it() -> None:
    """With a rate of 0 the head never moves, so its accuracy is that of its first values."""
    head = replace(HEAD, units=6, learning_rate=0.0, loss="categorical_crossentropy")
    rows = HeadRows(samples())
    training = HeadTraining(rows, PARTS, head, SEED)
    values = training.get_weights()
    values[-2] = np.random.default_rng(0).normal(size=values[-2].shape).astype(np.float32)
    training.set_weights(values)
    x = rows.samples.rows(np.arange(ROWS), PARTS)
    right = (np.asarray(margin(training.forward(x)))[:, 0] > 0) == (rows.samples.labels == 1)
    assert training.train_epoch(0)["accuracy"] == pytest.approx(right.mean())


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "-".join(map(str, s.values())))
def test_bytes_are_equal_whatever_was_trained_before(shape: dict) -> None:
    head = replace(HEAD, dropout=0.3, **shape)
    head_fit._graph.cache_clear()
    first = trained(head)
    rows = HeadRows(samples())
    other = replace(head, loss="hinge", learning_rate=0.1, batch_size=64, units=3 * head.units)
    trained(other, epochs=3, rows=rows)
    for before, after in zip(first, trained(head, rows=rows), strict=True):
        np.testing.assert_array_equal(before, after)


def test_rows_that_do_not_fit_into_memory_train_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    head = replace(HEAD, units=6, batch_norm=True, dropout=0.3)
    whole = trained(head)
    monkeypatch.setattr(head_fit, "RESIDENT_BYTES", 100)
    monkeypatch.setattr(head_fit, "_BLOCK_BYTES", 2 * 32 * 20)  # two batches a block
    for one, other in zip(whole, trained(head), strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_more_columns_are_kept_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = HeadRows(samples())
    row_bytes = rows.samples.width_bytes(PARTS[0])
    monkeypatch.setattr(head_fit, "RESIDENT_BYTES", 2 * ROWS * row_bytes)
    order = np.arange(ROWS)
    for start in (0, 1, 2, 0):
        parts: list[Part] = [("pooled", slice(start, start + 5))]
        ((x, _, _),) = rows.blocks(parts, order, 32)
        np.testing.assert_array_equal(x, rows.samples.raw(order, parts))
    assert rows.kept_bytes == 2 * ROWS * row_bytes


def test_dropout_drops_and_the_seed_says_what() -> None:
    head = replace(HEAD, units=6)
    without, once = trained(head), trained(replace(head, dropout=0.5))
    again = trained(replace(head, dropout=0.5))
    assert any((a != b).any() for a, b in zip(without, once, strict=True))
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_constant_columns_are_only_centred() -> None:
    rng = np.random.default_rng(0)
    pooled = rng.normal(3.0, 1.0, (ROWS, WIDTH)).astype(np.float16)
    pooled[:, 0] = 7
    scale = HeadRows(Samples({"pooled": pooled}, np.zeros(ROWS, np.uint8))).scale(PARTS)
    assert np.ravel(scale.input_mean)[0] == 7
    assert np.ravel(scale.input_variance)[0] == 1
    columns = [*range(5), *range(7, WIDTH)]
    expected = pooled[:, columns].astype(np.float64).var(axis=0)[1:]
    np.testing.assert_allclose(np.ravel(scale.input_variance)[1:], expected, rtol=1e-5)

"""Rows and their labels travel together, in order for prediction and shuffled for training."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from fakeface_bench.features.engine import Forward
from fakeface_bench.features.samples import EVERYTHING, Samples
from fakeface_bench.training.batches import Batch, Batches, predict_logits

ROWS = 103
PARTS = [("numbers", EVERYTHING)]
SIZES = [1, 7, 32, ROWS - 1, ROWS, ROWS + 1, 1000]


def still(model: keras.Model) -> Forward:
    """A model's prediction, as a head's is made."""
    return lambda batch: model(batch, training=False)


def label_of(number: np.ndarray) -> np.ndarray:
    """A label that follows from the row itself."""
    return (number * 7 % 5 < 2).astype(np.uint8)


@pytest.fixture
def samples() -> Samples:
    """Rows that hold their own number, and labels that follow from it."""
    numbers = np.arange(ROWS)
    arrays = {"numbers": np.stack([numbers, -numbers], axis=1).astype(np.float32)}
    return Samples(arrays, label_of(numbers))


def read(batches: Batches) -> list[Batch]:
    return [batches[number] for number in range(len(batches))]


def numbers_of(batches: Batches) -> np.ndarray:
    return np.concatenate([x[:, 0] for x, _, _ in read(batches)]).astype(int)


@pytest.mark.parametrize("shuffle_seed", [None, 0, 1])
@pytest.mark.parametrize("batch_size", SIZES)
def test_every_label_is_that_of_its_row(
    samples: Samples, batch_size: int, shuffle_seed: int | None
) -> None:
    batches = Batches(samples, PARTS, batch_size, shuffle_seed)
    for _ in range(3):
        for x, y, _ in read(batches):
            np.testing.assert_array_equal(y, label_of(x[:, 0].astype(int)))
        batches.shuffle()


@pytest.mark.parametrize("shuffle_seed", [None, 0])
def test_every_weight_is_that_of_its_row(samples: Samples, shuffle_seed: int | None) -> None:
    weighted = replace(samples, weights=np.arange(ROWS, dtype=np.float32) / 10)
    for x, _, weights in read(Batches(weighted, PARTS, 10, shuffle_seed)):
        np.testing.assert_array_equal(weights, x[:, 0] / np.float32(10))
    assert all(weights is None for _, _, weights in read(Batches(samples, PARTS, 10)))


@pytest.mark.parametrize("batch_size", SIZES)
def test_every_sample_comes_once_an_epoch(samples: Samples, batch_size: int) -> None:
    batches = Batches(samples, PARTS, batch_size, shuffle_seed=0)
    for _ in range(3):
        assert sorted(numbers_of(batches)) == list(range(ROWS))
        batches.shuffle()


@pytest.mark.parametrize("batch_size", SIZES)
def test_batches_are_full_but_for_the_last(samples: Samples, batch_size: int) -> None:
    full, rest = divmod(ROWS, batch_size)
    sizes = [len(y) for _, y, _ in read(Batches(samples, PARTS, batch_size, shuffle_seed=0))]
    assert sizes == [batch_size] * full + [rest] * (rest > 0)


def test_without_a_seed_the_order_is_that_of_the_rows(samples: Samples) -> None:
    batches = Batches(samples, PARTS, 10)
    for _ in range(2):
        assert numbers_of(batches).tolist() == list(range(ROWS))
        batches.shuffle()


def epochs(samples: Samples, seed: int, count: int = 4) -> list[tuple[tuple[int, ...], ...]]:
    """Return which rows stand in which batch, epoch by epoch."""
    batches = Batches(samples, PARTS, 10, seed)
    seen = []
    for _ in range(count):
        seen.append(tuple(tuple(x[:, 0].astype(int)) for x, _, _ in read(batches)))
        batches.shuffle()
    return seen


def test_the_same_seed_gives_the_same_epochs(samples: Samples) -> None:
    assert epochs(samples, seed=3) == epochs(samples, seed=3)


def test_epochs_and_seeds_differ(samples: Samples) -> None:
    every = epochs(samples, seed=3) + epochs(samples, seed=4)
    assert len(set(every)) == len(every)


def test_a_shuffled_epoch_mixes_rows_from_everywhere(samples: Samples) -> None:
    first = epochs(samples, seed=0, count=1)[0]
    assert all(max(batch) - min(batch) > 20 for batch in first[:-1])


def test_the_parts_of_a_row_are_joined_in_their_order() -> None:
    values = np.arange(24, dtype=np.float16).reshape(4, 6)
    samples = Samples({"pooled": values, "max2x2": -values}, np.array([0, 1, 0, 1], np.uint8))
    parts = [("pooled", slice(4, 6)), ("max2x2", EVERYTHING), ("pooled", slice(0, 1))]
    x, _, _ = Batches(samples, parts, 4)[0]
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, np.hstack([values[:, 4:], -values, values[:, :1]]))


def test_pixels_keep_their_type() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    samples = Samples({"images": images}, np.zeros(5, np.uint8))
    x, _, _ = Batches(samples, [("images", EVERYTHING)], 3)[1]
    assert x.dtype == np.uint8
    np.testing.assert_array_equal(x, images[3:])


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A network without dropout whose logits tell rows apart."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((2,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(2)]
    return keras.Sequential(layers)


def test_predictions_of_a_shuffled_pass_are_those_of_the_ordered_one(
    samples: Samples, model: keras.Model
) -> None:
    y_ordered, ordered = predict_logits(still(model), Batches(samples, PARTS, 10))
    assert ordered.shape == (ROWS, 2)
    np.testing.assert_array_equal(y_ordered, samples.labels)
    shuffled = Batches(samples, PARTS, 10, shuffle_seed=1)
    order = numbers_of(shuffled)
    y_shuffled, logits = predict_logits(still(model), shuffled)
    assert order.tolist() != sorted(order)
    np.testing.assert_array_equal(y_shuffled, samples.labels[order])
    np.testing.assert_allclose(logits, ordered[order], rtol=1e-5, atol=1e-6)


def test_predictions_of_permuted_samples_are_permuted_alike(
    samples: Samples, model: keras.Model
) -> None:
    order = np.random.default_rng(0).permutation(ROWS)
    permuted = Samples({"numbers": samples.arrays["numbers"][order]}, samples.labels[order])
    y_true, logits = predict_logits(still(model), Batches(samples, PARTS, 10))
    y_permuted, again = predict_logits(still(model), Batches(permuted, PARTS, 10))
    np.testing.assert_array_equal(y_permuted, y_true[order])
    np.testing.assert_allclose(again, logits[order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_size", SIZES)
def test_predictions_do_not_depend_on_the_batch_size(
    samples: Samples, model: keras.Model, batch_size: int
) -> None:
    _, whole = predict_logits(still(model), Batches(samples, PARTS, ROWS))
    _, logits = predict_logits(still(model), Batches(samples, PARTS, batch_size))
    np.testing.assert_allclose(logits, whole, rtol=1e-5, atol=1e-6)


def test_prediction_leaves_dropout_out(samples: Samples) -> None:
    dropping = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5)])
    _, logits = predict_logits(still(dropping), Batches(samples, PARTS, 10))
    np.testing.assert_array_equal(logits, samples.arrays["numbers"])

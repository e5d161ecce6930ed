"""Training epochs: every row once with its own label, other orders each epoch, the same again."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fakeface_bench.features.epochs import EpochPlan, Epochs
from fakeface_bench.features.samples import EVERYTHING, Samples
from fakeface_bench.support.errors import DataError

ROWS, SIZE, SIDE = 53, 6, 8
LABELS = (np.arange(ROWS) * 7 % 5 < 2).astype(np.uint8)
ROW_PLAN = EpochPlan([("numbers", EVERYTHING)], 8, 0, "light")
PICTURE_PLAN = EpochPlan([("images", EVERYTHING)], 8, 0, "light", SIZE)


def rows() -> Samples:
    """Rows that hold their own number; mirrored, its negative."""
    numbers = np.stack([np.arange(ROWS), np.zeros(ROWS)], axis=1).astype(np.float16)
    return Samples({"numbers": numbers}, LABELS, mirrored={"numbers": -numbers - 1})


def pictures() -> Samples:
    """Pictures of one value each, their number."""
    images = (
        np.ones((ROWS, SIDE, SIDE, 3), np.uint8)
        * np.arange(ROWS, dtype=np.uint8)[:, None, None, None]
    )
    spare = np.full((ROWS, 2), SIDE - SIZE, np.int32)
    return Samples({"images": images, "spare": spare}, LABELS)


def read(samples: Samples, plan: EpochPlan, number: int) -> list[tuple[np.ndarray, ...]]:
    with Epochs(samples, plan).epoch(number) as batches:
        return [tuple(part.numpy() for part in batch) for batch in batches]


def joined(batches: list[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def numbers_of(x: np.ndarray) -> np.ndarray:
    values = x.reshape(len(x), -1)[:, 0].astype(int)
    return np.where(values < 0, -values - 1, values)


CASES = pytest.mark.parametrize(
    ("samples", "plan"), [(rows(), ROW_PLAN), (pictures(), PICTURE_PLAN)], ids=["rows", "pictures"]
)


@CASES
def test_every_row_comes_once_with_its_own_label(samples: Samples, plan: EpochPlan) -> None:
    batches = read(samples, plan, 0)
    x, y, weights = joined(batches)
    assert sorted(numbers_of(x)) == list(range(ROWS))
    np.testing.assert_array_equal(y, LABELS[numbers_of(x)])
    assert (weights == 1).all()
    assert [len(b[0]) for b in batches] == [8] * 6 + [5]
    assert len(Epochs(samples, plan)) == len(batches)


@CASES
def test_weights_are_those_of_their_rows(samples: Samples, plan: EpochPlan) -> None:
    weighted = replace(samples, weights=np.arange(ROWS, dtype=np.float32))
    x, _, weights = joined(read(weighted, plan, 1))
    np.testing.assert_array_equal(weights, numbers_of(x))


@CASES
def test_an_epoch_is_the_same_again_and_unlike_the_next(samples: Samples, plan: EpochPlan) -> None:
    first, again, second = (joined(read(samples, plan, n))[0] for n in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert (numbers_of(first) != numbers_of(second)).any()
    other = joined(read(samples, replace(plan, seed=1), 4))[0]
    assert (numbers_of(first) != numbers_of(other)).any()


def test_half_of_the_rows_are_read_mirrored_where_asked() -> None:
    x, _, _ = joined(read(rows(), ROW_PLAN, 0))
    assert 0.3 < (x[:, 0] < 0).mean() < 0.7
    x, _, _ = joined(read(rows(), replace(ROW_PLAN, augment="none"), 0))
    assert (x[:, 0] >= 0).all()


def test_frozen_layers_see_centres_mirrored_at_most() -> None:
    """What is cached at a cut and what streams through the layers below it are the same views."""
    samples = pictures()
    ramp = np.arange(SIDE, dtype=np.uint8)
    images = np.zeros((ROWS, SIDE, SIDE, 3), np.uint8) + ramp[:, None, None] * 16 + ramp[:, None]
    samples = replace(samples, arrays={**samples.arrays, "images": images})
    plan = replace(PICTURE_PLAN, augment="light", crops=False)
    x, _, _ = joined(read(samples, plan, 0))
    centre = images[0, 1:7, 1:7]
    turned = np.array([(image == centre[:, ::-1]).all() for image in x])
    straight = np.array([(image == centre).all() for image in x])
    assert (turned ^ straight).all()
    rng = np.random.default_rng([0, 0])
    order, mirrored = rng.permutation(ROWS), rng.random(ROWS) < 0.5
    np.testing.assert_array_equal(turned, mirrored)
    same, _, _ = joined(read(rows(), ROW_PLAN, 0))
    np.testing.assert_array_equal(same[:, 0] < 0, mirrored)
    np.testing.assert_array_equal(numbers_of(same), order)


def test_a_picture_that_cannot_be_decoded_any_more_is_told_by_name() -> None:
    class Broken:
        shape = (ROWS, SIDE, SIDE, 3)

        def __getitem__(self, row: Any) -> np.ndarray:
            raise DataError(f"face{int(row)}.jpg: gone")

    samples = replace(pictures(), arrays={**pictures().arrays, "images": Broken()})
    with pytest.raises(DataError, match=r"^face\d+\.jpg: gone$"):
        read(samples, PICTURE_PLAN, 0)

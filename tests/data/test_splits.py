"""The project's own split: whole groups, close to its fractions, repeatable."""

import numpy as np
import pandas as pd
import pytest

from fakeface_bench.data.selection import SplitFractions, split_by_group
from fakeface_bench.support.errors import DataError

SEEDS = range(25)


def grouped(seed: int, images: int = 400, largest: int = 6) -> pd.DataFrame:
    """Draw images in groups of 1 to `largest`, each group of one label."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(images), rng.integers(1, largest + 1, images))[:images]
    label = rng.random(groups.max() + 1) < rng.uniform(0.3, 0.7)
    return pd.DataFrame({"group": [f"g{g}" for g in groups], "label": label[groups].astype(int)})


def split(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    return split_by_group(frame, SplitFractions(), seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_group_is_divided(seed: int) -> None:
    result = split(grouped(seed), seed)
    assert (result.groupby("group")["split"].nunique() == 1).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_image_gets_a_split_and_keeps_its_row(seed: int) -> None:
    frame = grouped(seed)
    result = split(frame, seed)
    assert set(result["split"]) == {"train", "valid", "test"}
    pd.testing.assert_frame_equal(result.drop(columns="split"), frame)
    assert "split" not in frame


@pytest.mark.parametrize("seed", SEEDS)
def test_each_class_is_near_the_fractions(seed: int) -> None:
    result = split(grouped(seed), seed)
    shares = result.groupby("label")["split"].value_counts(normalize=True).unstack()
    assert shares["train"].between(0.65, 0.75).all()
    assert shares["valid"].between(0.11, 0.19).all()
    assert shares["test"].between(0.11, 0.19).all()


def test_single_images_meet_the_fractions_exactly() -> None:
    frame = pd.DataFrame({"group": [f"{n:03}" for n in range(400)], "label": [0, 1] * 200})
    counts = split(frame).groupby(["split", "label"]).size()
    assert counts.unstack().T.to_dict("list") == {
        "test": [30, 30],
        "train": [140, 140],
        "valid": [30, 30],
    }


def test_other_fractions_are_met() -> None:
    frame = pd.DataFrame({"group": [f"{n:03}" for n in range(200)], "label": [0, 1] * 100})
    result = split_by_group(frame, SplitFractions(train=0.5, valid=0.2, test=0.3), seed=0)
    assert result["split"].value_counts().to_dict() == {"train": 100, "test": 60, "valid": 40}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_seed_draws_the_same_split(seed: int) -> None:
    pd.testing.assert_frame_equal(split(grouped(0), seed), split(grouped(0), seed))


def test_seeds_draw_different_splits() -> None:
    drawn = {tuple(split(grouped(0), seed)["split"]) for seed in SEEDS}
    assert len(drawn) == len(SEEDS)


def test_the_two_classes_are_drawn_independently() -> None:
    half = [f"{n:03}" for n in range(100)]
    frame = pd.DataFrame({"group": half + [f"x{g}" for g in half], "label": [0] * 100 + [1] * 100})
    result = split(frame)["split"].to_numpy()
    assert (result[:100] != result[100:]).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    frame = grouped(seed)
    shuffled = frame.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(split(shuffled).sort_index(), split(frame))


@pytest.mark.parametrize(
    ("reals", "fakes", "description"),
    [
        (1, 9, "it shows 1 different real picture;"),
        (9, 2, "it shows 2 different fake pictures;"),
        (2, 1, "it shows 2 different real pictures and 1 different fake picture;"),
    ],
)
def test_too_few_pictures_of_a_class_are_refused_with_their_number(
    reals: int, fakes: int, description: str
) -> None:
    frame = pd.DataFrame(
        {"group": [str(n) for n in range(reals + fakes)], "label": [0] * reals + [1] * fakes}
    )
    with pytest.raises(DataError, match=f"{description} 3 of each class are needed"):
        split(frame)


def test_images_of_one_class_are_divided_as_those_of_a_joined_set_are() -> None:
    frame = pd.DataFrame({"group": [str(n) for n in range(20)], "label": 1})
    counts = split(frame)["split"].value_counts()
    assert set(counts.index) == {"train", "valid", "test"}
    assert counts["train"] == 14


def test_many_copies_of_few_images_are_refused() -> None:
    frame = pd.DataFrame({"group": ["a", "b", "c"] * 100, "label": [0, 1, 1] * 100})
    with pytest.raises(DataError, match=r"1 different real picture \(in 100 files\) and 2 diff"):
        split(frame)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("copies", [1, 5])
@pytest.mark.parametrize(("reals", "fakes"), [(3, 3), (3, 4), (5, 3), (3, 40), (4, 5)])
def test_three_different_pictures_of_a_class_suffice(
    seed: int, copies: int, reals: int, fakes: int
) -> None:
    """Up to five of a class no draw by shares reaches every split."""
    groups = [f"r{n}" for n in range(reals)] + [f"f{n}" for n in range(fakes)]
    frame = pd.DataFrame(
        {"group": groups * copies, "label": [int(g[0] == "f") for g in groups * copies]}
    )
    result = split(frame, seed)
    assert (result.groupby("split")["label"].nunique() == 2).all()
    assert result["split"].nunique() == 3
    assert (result.groupby("group")["split"].nunique() == 1).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("singles", [0, 1, 30])
def test_groups_of_both_labels_are_drawn_among_themselves(seed: int, singles: int) -> None:
    pairs = [(f"m{n:02}", label) for n in range(20 if singles else 3) for label in (0, 1)]
    rows = [*pairs, *((f"{'rf'[label]}{n}", label) for n in range(singles) for label in (0, 1))]
    result = split(pd.DataFrame(rows, columns=["group", "label"]), seed)
    assert (result.groupby("group")["split"].nunique() == 1).all()
    assert (result.groupby("split")["label"].nunique() == 2).all()
    if singles == 30:
        mixed = result[result["group"].str.startswith("m")]
        assert mixed["split"].value_counts().to_dict() == {"train": 28, "valid": 6, "test": 6}


def test_shares_among_some_splits_keep_their_proportion() -> None:
    halves = SplitFractions().among("valid", "test")
    assert (halves.train, halves.valid, halves.test) == (0, 0.5, 0.5)
    assert halves.wanted == ("valid", "test")
    frame = pd.DataFrame({"group": [f"{n:03}" for n in range(80)], "label": [0, 1] * 40})
    counts = split_by_group(frame, halves, 0).groupby(["split", "label"]).size()
    assert counts.unstack().T.to_dict("list") == {"test": [20, 20], "valid": [20, 20]}


def test_a_group_larger_than_test_goes_to_train() -> None:
    rows = (
        [(f"f{n}", 1) for n in range(40)] + [("many", 1)] * 40 + [(f"r{n}", 0) for n in range(80)]
    )
    index = pd.DataFrame(rows, columns=["group", "label"])
    for seed in range(30):
        result = split_by_group(index, SplitFractions(), seed)
        assert set(result.loc[result["group"] == "many", "split"]) == {"train"}
        fakes = result[(result["label"] == 1) & (result["group"] != "many")]
        assert (fakes["split"] == "test").sum() == 6

"""How much each training image weighs: exact figures for small tables."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from fakeface_bench.config import BALANCES, FAKE, REAL
from fakeface_bench.features.samples import sample_weights


def rows(*cells: tuple[str, int, int]) -> pd.DataFrame:
    """Return a table of `images` rows of each `source, label, images`, mixed."""
    table = pd.DataFrame(
        [(source, label) for source, label, images in cells for _ in range(images)],
        columns=["source", "label"],
    )
    return table.assign(generator="", category="").sample(frac=1, random_state=0)


def weight_of(table: pd.DataFrame, balance: str) -> dict[tuple[str, int], float]:
    """Return the one weight of each source and class."""
    weights = sample_weights(table, balance)
    assert weights is not None
    cells = table.assign(weight=weights).groupby(["source", "label"])["weight"]
    assert (cells.nunique() == 1).all()
    return cells.first().to_dict()


def test_without_balance_there_are_no_weights() -> None:
    assert sample_weights(rows(("a", REAL, 9), ("a", FAKE, 1)), "none") is None


def test_classes_weigh_the_same() -> None:
    table = rows(("a", REAL, 6), ("a", FAKE, 2))
    assert weight_of(table, "classes") == pytest.approx(
        {("a", REAL): 8 / (2 * 6), ("a", FAKE): 8 / (2 * 2)}
    )


def test_classes_weigh_the_same_over_all_sources_together() -> None:
    table = rows(("a", REAL, 6), ("a", FAKE, 1), ("b", REAL, 2), ("b", FAKE, 3))
    assert weight_of(table, "classes") == pytest.approx(
        {
            ("a", REAL): 12 / (2 * 8),
            ("b", REAL): 12 / (2 * 8),
            ("a", FAKE): 12 / (2 * 4),
            ("b", FAKE): 12 / (2 * 4),
        }
    )


def test_sources_weigh_the_same_and_each_class_within_them() -> None:
    table = rows(("a", REAL, 6), ("a", FAKE, 1), ("b", REAL, 2), ("b", FAKE, 3))
    assert weight_of(table, "sources") == pytest.approx(
        {
            ("a", REAL): 12 / (4 * 6),
            ("a", FAKE): 12 / (4 * 1),
            ("b", REAL): 12 / (4 * 2),
            ("b", FAKE): 12 / (4 * 3),
        }
    )


def test_of_one_source_balancing_sources_is_balancing_classes() -> None:
    table = rows(("a", REAL, 7), ("a", FAKE, 4))
    np.testing.assert_array_equal(
        sample_weights(table, "sources"), sample_weights(table, "classes")
    )


@pytest.mark.parametrize("balance", ["classes", "sources", "generators"])
def test_what_is_balanced_already_weighs_one(balance: str) -> None:
    table = rows(*((source, label, 5) for source in ("a", "b") for label in (REAL, FAKE)))
    np.testing.assert_array_equal(sample_weights(table, balance), np.ones(20, np.float32))


@pytest.mark.parametrize("balance", ["classes", "sources"])
def test_the_mean_weight_is_one_and_each_cell_weighs_the_same(balance: str) -> None:
    table = rows(("a", REAL, 31), ("a", FAKE, 2), ("b", REAL, 8), ("c", REAL, 1), ("c", FAKE, 70))
    weights = sample_weights(table, balance)
    assert weights is not None
    assert weights.dtype == np.float32
    assert weights.shape == (len(table),)
    assert weights.mean() == pytest.approx(1)
    by = ["label"] if balance == "classes" else ["source", "label"]
    sums = table.assign(weight=weights).groupby(by)["weight"].sum()
    assert sums.to_numpy() == pytest.approx(np.full(len(sums), len(table) / len(sums)), rel=1e-5)


def test_classes_are_weighed_as_by_scikit_learn() -> None:
    table = rows(("a", REAL, 31), ("a", FAKE, 2), ("b", REAL, 8))
    np.testing.assert_allclose(
        sample_weights(table, "classes"),
        compute_sample_weight("balanced", table["label"]),
        rtol=1e-6,
    )


def test_each_weight_stands_in_the_row_of_its_image() -> None:
    table = pd.DataFrame({"source": "a", "label": [REAL, FAKE, REAL, REAL]}, index=[9, 4, 4, 0])
    np.testing.assert_allclose(
        sample_weights(table, "classes"), [4 / 6, 4 / 2, 4 / 6, 4 / 6], rtol=1e-6
    )


@pytest.mark.parametrize("balance", BALANCES)
def test_every_balance_that_can_be_asked_for_is_known(balance: str) -> None:
    weights = sample_weights(rows(("a", REAL, 3), ("a", FAKE, 1)), balance)
    assert (weights is None) == (balance == "none")


def test_each_generator_and_each_real_source_weighs_the_same_within_its_class() -> None:
    cells = [
        (REAL, "a", "ffhq", "", 6),
        (REAL, "a", "unsplash", "", 2),
        (FAKE, "a", "gan", "stylegan2", 9),
        (FAKE, "a", "sd", "stable_diffusion_3", 1),
        (FAKE, "b", "sd", "stable_diffusion_3", 1),
        (FAKE, "a", "other", "", 3),
        (FAKE, "b", "other", "", 2),
    ]
    table = pd.DataFrame(
        [cell[:4] for cell in cells for _ in range(cell[4])],
        columns=["label", "source", "category", "generator"],
    )
    weights = sample_weights(table, "generators")
    assert weights is not None
    assert weights.mean() == pytest.approx(1)
    by = table.assign(weight=weights).groupby(["label", "generator", "source", "category"])
    totals = by["weight"].sum()
    assert totals[REAL].tolist() == pytest.approx([6, 6])
    fakes = totals[FAKE]
    # Of four: unknown ones of two datasets, and two generators, one of which both datasets have.
    assert fakes[""].tolist() == pytest.approx([3, 3])
    assert fakes["stylegan2"].sum() == pytest.approx(3)
    assert fakes["stable_diffusion_3"].tolist() == pytest.approx([1.5, 1.5])

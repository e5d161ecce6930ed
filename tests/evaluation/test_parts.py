"""Figures of a split's parts: exact, on scores small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from fakeface_bench.evaluation.metrics import METRICS, part_metrics, score_metrics

#: What is told of so few images.
OF_FEW = {key for key, row in METRICS.items() if row.least_real == 1}
Y_TRUE = np.array([0, 1, 1, 0, 1, 0, 1, 0], np.uint8)
Y_SCORE = np.array([0.1, 0.9, 0.4, 0.6, 0.5, 0.2, 0.7, 0.3])


def table(sources: str, tiers: str = "........", generators: str = "........") -> pd.DataFrame:
    """Return a row a letter: sources, tiers and generators, of which a dot is none."""
    names = {"e": "easy", "m": "mid", "h": "hard", ".": ""}
    return pd.DataFrame(
        {
            "source": list(sources),
            "tier": [names[tier] for tier in tiers],
            "generator": [name.strip(".") for name in generators],
        }
    )


def test_one_source_without_tiers_has_no_parts() -> None:
    assert part_metrics(Y_TRUE, Y_SCORE, 0.5, table("aaaaaaaa")) == {}


def test_each_of_several_sources_has_every_figure_of_its_own_images() -> None:
    parts = part_metrics(Y_TRUE, Y_SCORE, 0.5, table("bbbaabaa"))
    assert list(parts) == ["a", "b"]
    for source, of in (("a", [3, 4, 6, 7]), ("b", [0, 1, 2, 5])):
        expected = {"images": 4.0, **score_metrics(Y_TRUE[of], Y_SCORE[of], 0.5)}
        assert parts[source] == expected
        assert set(parts[source]) == {"images", *OF_FEW}
    assert parts["a"]["accuracy"] == 3 / 4  # 0.6 is a real one predicted fake
    assert parts["a"]["recall_fake"] == 1
    assert parts["b"]["accuracy"] == 3 / 4  # 0.4 is a fake predicted real
    assert parts["b"]["recall_fake"] == 1 / 2


def test_a_source_with_one_class_has_its_accuracy_alone() -> None:
    """Row 0 is the only image of `c`, rows 1, 2 and 4 (all fake) are of `b`."""
    parts = part_metrics(Y_TRUE, Y_SCORE, 0.5, table("cbbabaaa"))
    assert parts["c"] == {"images": 1.0, "accuracy": 1.0}
    assert parts["b"] == {"images": 3.0, "accuracy": pytest.approx(2 / 3)}
    assert set(parts["a"]) == {"images", *OF_FEW}


@pytest.mark.parametrize(
    ("threshold", "recall"), [(0.0, 1.0), (0.5, 2 / 3), (0.50001, 1 / 3), (0.95, 0.0)]
)
def test_a_tier_is_its_fakes_against_all_real_images(threshold: float, recall: float) -> None:
    """A score at the threshold is predicted fake."""
    hard = {"images": 3.0, "recall_fake": pytest.approx(recall), "roc_auc": pytest.approx(10 / 12)}
    parts = part_metrics(Y_TRUE, Y_SCORE, threshold, table("aaaaaaaa", ".eh.h.h."))
    assert parts == {
        "tier/easy": {"images": 1.0, "recall_fake": float(threshold <= 0.9), "roc_auc": 1.0},
        "tier/hard": hard,
    }


def test_a_tier_counts_no_real_image_as_its_own() -> None:
    parts = part_metrics(Y_TRUE, Y_SCORE, 0.5, table("aaaaaaaa", "mmmmmmmm"))
    assert parts == {"tier/mid": {"images": 4.0, "recall_fake": 3 / 4, "roc_auc": 14 / 16}}


def test_real_images_alone_make_no_tier() -> None:
    assert part_metrics(Y_TRUE, Y_SCORE, 0.5, table("aaaaaaaa", "e..e.e.e")) == {}


def test_fakes_without_a_tier_are_in_none() -> None:
    parts = part_metrics(Y_TRUE, Y_SCORE, 0.5, table("aaaaaaaa", "......e."))
    assert parts == {"tier/easy": {"images": 1.0, "recall_fake": 1.0, "roc_auc": 1.0}}


def test_sources_and_tiers_stand_side_by_side() -> None:
    parts = part_metrics(Y_TRUE, Y_SCORE, 0.5, table("bbbaabaa", ".ee....."))
    assert list(parts) == ["a", "b", "tier/easy"]
    assert parts["tier/easy"] == {"images": 2.0, "recall_fake": 1 / 2, "roc_auc": 7 / 8}


def test_several_generators_are_parts_and_one_alone_is_none() -> None:
    """A real image's generator counts for nothing."""
    parts = part_metrics(Y_TRUE, Y_SCORE, 0.5, table("aaaaaaaa", generators="xgg.h.hx"))
    assert parts == {
        "generator/g": {"images": 2.0, "recall_fake": 1 / 2, "roc_auc": 7 / 8},
        "generator/h": {"images": 2.0, "recall_fake": 1.0, "roc_auc": 7 / 8},
    }
    assert part_metrics(Y_TRUE, Y_SCORE, 0.5, table("aaaaaaaa", generators=".gg.g.g.")) == {}


def test_a_generator_beside_fakes_of_unknown_ones_is_a_part() -> None:
    parts = part_metrics(Y_TRUE, Y_SCORE, 0.5, table("aaaaaaaa", generators=".gg....."))
    assert list(parts) == ["generator/g"]


def test_a_generator_without_real_images_has_its_recall_alone() -> None:
    fakes = np.flatnonzero(Y_TRUE)
    rows = table("aaaa", "....", "gghh")
    parts = part_metrics(Y_TRUE[fakes], Y_SCORE[fakes], 0.5, rows)
    assert parts == {
        "generator/g": {"images": 2.0, "recall_fake": 1 / 2},
        "generator/h": {"images": 2.0, "recall_fake": 1.0},
    }


def test_figures_are_plain_numbers() -> None:
    parts = part_metrics(Y_TRUE, Y_SCORE, 0.5, table("bbbaabaa", ".ee....."))
    assert {type(value) for part in parts.values() for value in part.values()} == {float}


def test_the_order_of_images_does_not_matter() -> None:
    rows = table("bbbaabaa", ".eh.h.m.")
    order = np.random.default_rng(0).permutation(8)
    whole = part_metrics(Y_TRUE, Y_SCORE, 0.5, rows)
    mixed = part_metrics(Y_TRUE[order], Y_SCORE[order], 0.5, rows.iloc[order])
    assert list(mixed) == list(whole)
    for name, metrics in whole.items():
        assert mixed[name] == pytest.approx(metrics)

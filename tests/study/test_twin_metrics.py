"""Test metrics without images that have a twin in training: against scikit-learn, row by row."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from fakeface_bench.analysis.results import twin_metrics
from fakeface_bench.evaluation.metrics import score_metrics
from fakeface_bench.records.study import ScoredSplit

TEST = 60


def scored(seed: int = 0) -> ScoredSplit:
    rng = np.random.default_rng(seed)
    y_true = (np.arange(TEST) % 2).astype(np.uint8)
    y_score = 1 / (1 + np.exp(-rng.normal(2.0 * y_true - 1, 1.5)))
    names = tuple(f"{number}.png" for number in range(TEST))
    metrics = score_metrics(y_true, y_score, 0.5)
    return ScoredSplit(y_true, y_score, names, ("faces",) * TEST, ("",) * TEST, 0.5, metrics)


def with_twins(split: ScoredSplit, *twins: int) -> ScoredSplit:
    """The named images have a twin in train."""
    return replace(split, has_twin=tuple(number in twins for number in range(TEST)))


def test_without_twins_nothing_is_told() -> None:
    assert twin_metrics(with_twins(scored())) == {}


def test_the_others_are_scored_alone_with_the_difference() -> None:
    test, twins = scored(), (1, 3, 5, 8)
    found = twin_metrics(with_twins(test, *twins))
    rest = np.setdiff1d(np.arange(TEST), twins)
    assert found["test_without_twins/images"] == TEST - 4
    roc_auc = roc_auc_score(test.y_true[rest], test.y_score[rest])
    assert found["test_without_twins/roc_auc"] == pytest.approx(roc_auc)
    accuracy = accuracy_score(test.y_true[rest], test.y_score[rest] >= 0.5)
    assert found["test_without_twins/accuracy"] == pytest.approx(accuracy)
    difference = found["test_without_twins/roc_auc_difference"]
    assert difference == pytest.approx(test.metrics["roc_auc"] - roc_auc)


def test_where_a_whole_class_has_twins_only_the_rest_is_counted() -> None:
    found = twin_metrics(with_twins(scored(), *range(1, TEST, 2)))
    assert found == {"test_without_twins/images": TEST / 2}

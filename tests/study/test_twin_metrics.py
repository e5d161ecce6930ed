"""Test metrics without images that have a twin in training: against scikit-learn, row by row."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from fakeface_bench.evaluation.metrics import score_metrics
from fakeface_bench.records.study import ScoredSplit
from fakeface_bench.study.record import twin_metrics

TEST = 60


def scored(seed: int = 0) -> ScoredSplit:
    rng = np.random.default_rng(seed)
    y_true = (np.arange(TEST) % 2).astype(np.uint8)
    y_score = 1 / (1 + np.exp(-rng.normal(2.0 * y_true - 1, 1.5)))
    names = tuple(f"{number}.png" for number in range(TEST))
    metrics = score_metrics(y_true, y_score, 0.5)
    return ScoredSplit(y_true, y_score, names, ("faces",) * TEST, ("",) * TEST, 0.5, metrics)


def index(*twins: int) -> pd.DataFrame:
    """Rows of train and test; the named test images have a twin in train."""
    kin = [f"test {number}" for number in range(TEST)]
    train = [f"test {number}" for number in twins] + ["another"] * 5
    return pd.DataFrame({"kin": kin + train, "split": ["test"] * TEST + ["train"] * len(train)})


def test_without_twins_nothing_is_told() -> None:
    assert twin_metrics(index(), scored()) == {}


def test_the_others_are_scored_alone_with_the_difference() -> None:
    test, twins = scored(), (1, 3, 5, 8)
    found = twin_metrics(index(*twins), test)
    rest = np.setdiff1d(np.arange(TEST), twins)
    assert found["test_without_twins/images"] == TEST - 4
    roc_auc = roc_auc_score(test.y_true[rest], test.y_score[rest])
    assert found["test_without_twins/roc_auc"] == pytest.approx(roc_auc)
    accuracy = accuracy_score(test.y_true[rest], test.y_score[rest] >= 0.5)
    assert found["test_without_twins/accuracy"] == pytest.approx(accuracy)
    difference = found["test_without_twins/roc_auc_difference"]
    assert difference == pytest.approx(test.metrics["roc_auc"] - roc_auc)


def test_where_a_whole_class_has_twins_only_the_rest_is_counted() -> None:
    found = twin_metrics(index(*range(1, TEST, 2)), scored())
    assert found == {"test_without_twins/images": TEST / 2}

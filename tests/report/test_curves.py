"""Curves and counts agree with scikit-learn, ties included."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from fakeface_bench.analysis.curves import confusion_counts, precision_recall_curve, roc_curve
from fakeface_bench.records.study import StudyRecord


@pytest.fixture(params=["distinct", "tied", "constant"])
def scores(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    y_true = (rng.random(200) < 0.3).astype(np.uint8)
    y_score = rng.random(200) * 0.7 + 0.3 * y_true
    decimals = {"distinct": 12, "tied": 1, "constant": -1}[request.param]
    return y_true, np.round(y_score, decimals)


def test_roc_curve_is_sklearns(scores: tuple[np.ndarray, np.ndarray]) -> None:
    curve = roc_curve(*scores)
    x, y, _ = metrics.roc_curve(*scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.x, x)
    np.testing.assert_allclose(curve.y, y)
    assert curve.area == pytest.approx(metrics.roc_auc_score(*scores))


def test_precision_recall_curve_is_sklearns(scores: tuple[np.ndarray, np.ndarray]) -> None:
    curve = precision_recall_curve(*scores)
    precision, recall, _ = metrics.precision_recall_curve(*scores)
    np.testing.assert_allclose(curve.x[1:], recall[-2::-1])
    np.testing.assert_allclose(curve.y[1:], precision[-2::-1])
    assert curve.area == pytest.approx(metrics.average_precision_score(*scores))


def test_confusion_counts_are_sklearns(record: StudyRecord) -> None:
    split = record.test
    predicted = split.y_score >= split.threshold
    expected = metrics.confusion_matrix(split.y_true, predicted)
    assert confusion_counts(split).tolist() == expected.tolist()


def test_a_score_at_the_threshold_is_predicted_fake(record: StudyRecord) -> None:
    at_threshold = replace(record.test, y_score=np.full(60, record.test.threshold))
    assert confusion_counts(at_threshold)[:, 1].tolist() == [36, 24]

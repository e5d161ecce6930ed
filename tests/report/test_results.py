"""The intervals of a study's metrics."""

import pytest

from fakeface_bench.analysis.results import results_of
from fakeface_bench.records.study import StudyRecord


def test_interval_holds_the_metric_and_repeats(record: StudyRecord) -> None:
    first, again = results_of(record).estimates, results_of(record).estimates
    assert first == again
    for key, found in first.items():
        assert found.value == pytest.approx(record.test.metrics[key])
        assert 0 <= found.low < found.value < found.high <= 1


def test_perfect_scores_leave_no_spread_in_roc_auc(perfect: StudyRecord) -> None:
    found = results_of(perfect).estimates
    assert (found["roc_auc"].low, found["roc_auc"].high) == (1.0, 1.0)
    assert found["accuracy"].low < 1.0

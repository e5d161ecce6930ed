"""The intervals of a study's figures."""

from fakeface_bench.records.study import StudyRecord
from fakeface_bench.report.results import split_intervals


def test_interval_holds_the_figure_and_repeats(record: StudyRecord) -> None:
    first, again = split_intervals(record.test), split_intervals(record.test)
    assert first == again
    for key, interval in first.items():
        assert 0 <= interval.low < record.test.metrics[key] < interval.high <= 1


def test_perfect_scores_leave_no_spread_in_roc_auc(perfect: StudyRecord) -> None:
    intervals = split_intervals(perfect.test)
    assert (intervals["roc_auc"].low, intervals["roc_auc"].high) == (1.0, 1.0)
    assert intervals["accuracy"].low < 1.0

"""The intervals of a study's metrics."""

from dataclasses import replace

import pytest

from fakeface_bench.analysis.results import results_of
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import FIRST_TRIAL, BaselineRecord, StudyRecord


def test_interval_holds_the_metric_and_repeats(record: StudyRecord) -> None:
    first, again = results_of(record).estimates, results_of(record).estimates
    assert first == again
    for key, found in first.items():
        assert found.value == pytest.approx(record.test.metrics[key])
        assert 0 <= found.low < found.value < found.high <= 1


def test_perfect_scores_are_not_certain(perfect: StudyRecord) -> None:
    found = results_of(perfect).estimates
    assert found["roc_auc"].value == found["roc_auc"].high == 1
    assert found["roc_auc"].low < 0.9
    assert found["accuracy"].low < 1.0


def test_the_search_gained_what_lies_between_winner_and_baseline(record: StudyRecord) -> None:
    results = results_of(record)
    assert record.baseline
    gain = results.search_gain
    assert gain
    between = record.test.metrics["roc_auc"] - record.baseline.test.metrics["roc_auc"]
    assert gain.value == pytest.approx(between)
    assert gain.low < gain.value < gain.high
    of_search = {key: value for key, value in results.metrics().items() if "search" in key}
    assert of_search == {
        "search/gain_roc_auc": gain.value,
        "search/gain_roc_auc_low": gain.low,
        "search/gain_roc_auc_high": gain.high,
    }
    logged = record.metrics()
    assert logged["baseline/roc_auc"] == record.baseline.test.metrics["roc_auc"]
    assert logged["baseline/val_roc_auc"] == record.baseline.valid.metrics["roc_auc"]


def test_validation_has_an_interval_too(record: StudyRecord) -> None:
    found = results_of(record).metrics()
    assert found["val/roc_auc"] == record.valid.metrics["roc_auc"]
    assert found["val/roc_auc_low"] < found["val/roc_auc"] < found["val/roc_auc_high"]


def test_without_a_baseline_nothing_is_said_of_it(record: StudyRecord) -> None:
    tuned = replace(record, baseline=None)
    assert results_of(tuned).search_gain is None
    assert not [key for key in results_of(tuned).metrics() if key.startswith("search/")]
    assert not [key for key in tuned.metrics() if key.startswith("baseline/")]


def test_a_baseline_that_won_gained_nothing(record: StudyRecord) -> None:
    same = replace(record, baseline=BaselineRecord(FIRST_TRIAL, record.valid, record.test))
    assert results_of(same).search_gain == Estimate(0.0, 0.0, 0.0)

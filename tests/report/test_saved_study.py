"""A comparison reads back from files what the study knew."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from fakeface_bench.analysis.results import results_of
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.study import RepeatRecord, StudyRecord
from fakeface_bench.report.saved_study import SAVED_FILES, read_saved_study
from fakeface_bench.report.study_report import write_costs, write_study_report
from tests.report.conftest import ORIGIN, scored_split


def test_a_study_is_read_back_as_it_was(record: StudyRecord, ledger: Ledger, written: Path) -> None:
    assert all((written / name).is_file() for name in SAVED_FILES)
    study = read_saved_study("abc", written)
    assert study.identity.run_id == "abc"
    assert (study.identity.model, study.identity.weights) == (
        "mobilenetv3_small",
        "file:0123456789ab",
    )
    assert study.label == "mobilenetv3_small"
    assert study.ledger == ledger
    assert study.epochs == record.final_fit.epochs
    assert study.epochs_began_seconds == 40.5
    assert study.trials == len(record.search.trials)
    assert study.machine == record.machine == "a machine"
    assert study.paths == record.test.paths
    np.testing.assert_array_equal(study.y_true, record.test.y_true)
    np.testing.assert_array_equal(study.kept.y_score, record.test.y_score)
    assert study.kept.threshold == record.test.threshold
    accuracy = record.test.metrics["accuracy"]
    assert study.right.mean() == accuracy
    assert record.baseline
    assert study.baseline_roc_auc == record.baseline.test.metrics["roc_auc"]
    assert study.search_gain == results_of(record).search_gain


def test_every_seed_is_read_back_and_the_kept_one_stands_first(
    record: StudyRecord, ledger: Ledger, tmp_path: Path
) -> None:
    other = scored_split(60, seed=5, distance=1.0, threshold=0.3)
    repeated = replace(record, seed=7, repeats=(RepeatRecord(8, other, 4),), fine_tune="last_block")
    write_study_report(repeated, results_of(repeated), tmp_path)
    write_costs(repeated, results_of(repeated), ledger, ORIGIN, tmp_path)
    study = read_saved_study("abc", tmp_path)
    assert [(fit.seed, fit.threshold) for fit in study.seeds] == [(7, 0.47), (8, 0.3)]
    np.testing.assert_array_equal(study.seeds[0].y_score, record.test.y_score)
    np.testing.assert_array_equal(study.seeds[1].y_score, other.y_score)
    assert study.label == "mobilenetv3_small (last_block)"

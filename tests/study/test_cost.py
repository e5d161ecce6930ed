"""When a validation ROC AUC was reached, over trials of one process and of several."""

from dataclasses import replace

import pytest

from fakeface_bench.config import TrialConfig
from fakeface_bench.records.study import EpochRecord, TrialRecord
from fakeface_bench.study.cost import epoch_ends


def trial(uid: str, seconds: float, finished_at: float, *scores: float) -> TrialRecord:
    """Make a trial whose epochs take 2 s each, validation included."""
    epochs = tuple(
        EpochRecord(n, 0.5, 0.8, 0.5, 0.8, score, 1.5, 0.5) for n, score in enumerate(scores)
    )
    record = TrialRecord(uid, 0, "complete", TrialConfig(), 0.9, epochs, seconds, finished_at)
    return replace(record, number=int(uid))


def ends(trials: list[TrialRecord], earlier: set[str]) -> dict[float, float]:
    """Return the end of each epoch by its score; the search began at 100 s, at time 1000."""
    return {score: end for end, score in epoch_ends(trials, earlier, 100.0, 1000.0)}


def test_what_a_trial_spent_outside_its_epochs_stands_before_them() -> None:
    assert ends([trial("0", 10, 1010, 0.6, 0.7)], set()) == {0.7: 110, 0.6: 108}


def test_trials_of_this_process_stand_where_they_ran() -> None:
    trials = [trial("0", 10, 1010, 0.6), trial("1", 10, 1025, 0.7)]
    assert ends(trials, set()) == {0.6: 110, 0.7: 125}


def test_those_of_earlier_processes_stand_before_them_without_a_gap() -> None:
    trials = [trial("0", 10, 50, 0.6), trial("1", 20, 400, 0.7), trial("2", 5, 1007, 0.8)]
    assert ends(trials, {"0", "1"}) == {0.6: 110, 0.7: 130, 0.8: 137}


def test_an_epoch_that_was_gone_on_from_is_not_dated_before_its_trial() -> None:
    """Five epochs are in the record, two of which fit into its three seconds."""
    dated = ends([trial("0", 3, 1003, 0.5, 0.6, 0.7, 0.8, 0.9)], set())
    assert dated == {0.9: 103, 0.8: 101, 0.7: 100, 0.6: 100, 0.5: 100}


def test_the_mean_over_folds_is_known_as_the_last_goes_on_and_only_if_it_ends() -> None:
    """Three folds of two epochs, whose seconds are those of all together."""
    whole = replace(trial("0", 12, 1012, 0.6, 0.7), folds=3)
    cut = replace(trial("1", 8, 1020, 0.9), folds=2, state="pruned")
    dated = {score: end for end, score in epoch_ends([whole, cut], set(), 100.0, 1000.0, 3)}
    assert dated == {0.7: 112, 0.6: pytest.approx(112 - 2 / 3)}


def test_a_trial_without_epochs_reaches_nothing() -> None:
    failed = replace(trial("0", 7, 1007), state="failed")
    assert ends([failed, trial("1", 4, 1011, 0.9)], set()) == {0.9: pytest.approx(111)}

"""When a search reaches a validation ROC AUC, over the orders in which its trials might come."""

from dataclasses import replace

import pytest

from fakeface_bench.config import TrialConfig
from fakeface_bench.records.study import EpochRecord, TrialRecord
from fakeface_bench.study.cost import times_to_targets


def trial(uid: str, seconds: float, *scores: float) -> TrialRecord:
    """Make a trial whose epochs take 2 s each, validation included."""
    epochs = tuple(
        EpochRecord(n, 0.5, 0.8, 0.5, 0.8, score, 1.5, 0.5) for n, score in enumerate(scores)
    )
    record = TrialRecord(uid, 0, "complete", TrialConfig(), 0.9, epochs, seconds, 1000.0)
    return replace(record, number=int(uid))


def reached(*trials: TrialRecord, folds: int = 1) -> dict[str, tuple[float, float, float]]:
    """Return quartiles and median of each target; the search begins after 100 s."""
    return times_to_targets(trials, 100.0, folds)


def test_what_a_trial_spent_outside_its_epochs_stands_before_them() -> None:
    found = reached(trial("0", 10, 0.76, 0.81))
    assert found == {"0.75": (108, 108, 108), "0.8": (110, 110, 110)}


def test_the_first_time_a_target_is_reached_counts() -> None:
    assert reached(trial("0", 6, 0.91, 0.7, 0.92))["0.9"] == (102, 102, 102)


def test_which_trial_comes_first_is_chance() -> None:
    """One of five trials of 10 s reaches 0.9: at 10, 20, 30, 40 or 50 s, each as often."""
    others = [trial(str(n), 10, 0.76) for n in range(4)]
    found = reached(*others, trial("4", 10, 0.92))
    assert found["0.75"] == (110, 110, 110)
    assert found["0.9"] == (120, 130, 140)
    assert found == reached(trial("4", 10, 0.92), *others), "whichever really came first"


def test_an_epoch_that_was_gone_on_from_is_not_dated_before_its_trial() -> None:
    """Five epochs are in the record, two of which fit into its three seconds."""
    found = reached(trial("0", 3, 0.76, 0.81, 0.91, 0.96, 0.995))
    assert [found[key][1] for key in ("0.75", "0.8", "0.9", "0.95", "0.99")] == [
        *(100, 100, 100, 101, 103)
    ]


def test_the_mean_over_folds_is_known_as_the_last_goes_on_and_only_if_it_ends() -> None:
    """Three folds of two epochs, whose seconds are those of all together."""
    whole = replace(trial("0", 12, 0.76, 0.81), folds=3)
    cut = replace(trial("1", 8, 0.9), folds=2, state="pruned")
    found = reached(whole, cut, folds=3)
    assert found.keys() == {"0.75", "0.8"}
    assert found["0.8"][0] == 112
    assert found["0.75"][0] == pytest.approx(112 - 2 / 3)
    assert found["0.8"][2] == 120, "where the one that was cut came first"


def test_a_trial_without_epochs_reaches_nothing() -> None:
    failed = replace(trial("0", 7), state="failed")
    found = reached(failed, trial("1", 4, 0.9))
    assert (found["0.9"][0], found["0.9"][2]) == (104, 111)
    assert reached(failed) == {}
    assert reached() == {}

"""When a search is as good as a target, and how good it is at any time: by hand."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from fakeface_bench.analysis.comparison import Comparison, compare_studies
from fakeface_bench.analysis.time_to_target import (
    anytime_curves,
    course_of,
    times_to_target,
    times_to_targets,
)
from fakeface_bench.config import TrialConfig
from fakeface_bench.records.ledger import Choice, Improvement, SearchCourse
from fakeface_bench.records.study import EpochRecord, TrialRecord, best_so_far
from fakeface_bench.report.comparison_page import write_comparison_report
from fakeface_bench.report.comparison_tables import anytime, target_times
from fakeface_bench.report.format import NEVER, UNKNOWN
from tests.report.compared_studies import calls, labels, study

Y = labels(100)


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


def test_a_course_holds_what_was_better_than_before_and_when() -> None:
    trials = [
        replace(trial("0", 10, 0.7, 0.8), value=0.8, position=0),
        replace(trial("1", 20, 0.85, 0.75), value=None, state="failed", position=1),
        replace(trial("2", 30, 0.8, 0.9, 0.88), value=0.9, position=2),
        replace(trial("3", 5, 0.89), value=0.89, position=3),
    ]
    assert [one.position for one in best_so_far(trials)] == [0, 2]
    course = course_of(7, trials, 100.0, 1, {0: 0.75, 2: 0.82, 3: 0.99})
    assert course == SearchCourse(
        seed=7,
        seconds=165.0,
        improvements=(
            Improvement(108.0, 0.7, 0),
            Improvement(110.0, 0.8, 0),
            Improvement(158.0, 0.9, 2),
        ),
        choices=(Choice(110.0, 0, 0.75), Choice(160.0, 2, 0.82)),
    )
    assert SearchCourse.from_json(json.loads(json.dumps(course.as_json()))) == course
    assert course.reaches(0.85) == Improvement(158.0, 0.9, 2), "a failed trial is never taken"
    assert course.reaches(0.95) is None
    assert [course.best_at(at) for at in (107.9, 108.0, 140.0)] == [None, 0.7, 0.8]
    assert course.choice_at(109.0) is None
    assert course.choice_at(159.0) == Choice(110.0, 0, 0.75)


def test_only_epochs_that_a_study_may_keep_count() -> None:
    tuned = replace(trial("0", 20, 0.95, 0.86, 0.87), value=0.87)
    head, *layers = tuned.epochs
    staged = (head, *(replace(epoch, stage="fine_tune") for epoch in layers))
    pruned = replace(trial("1", 10, 0.96), state="pruned", position=1)
    course = course_of(0, [replace(tuned, epochs=staged), pruned], 100.0, 1, {})
    assert course.improvements == (Improvement(118.0, 0.86, 0), Improvement(120.0, 0.87, 0))
    assert course.seconds == 130.0


def courses(
    seconds: Sequence[float | None], best: float = 0.9, test: float | None = None
) -> tuple[SearchCourse, ...]:
    """Make searches of which each finds something of a value after so many seconds, or never."""
    return tuple(
        SearchCourse(
            seed,
            200.0,
            () if at is None else (Improvement(at, best, 0),),
            () if at is None or test is None else (Choice(at, 0, test),),
        )
        for seed, at in enumerate(seconds)
    )


def compared(**found: tuple[SearchCourse, ...]) -> Comparison:
    """Compare networks, the first named the most accurate."""
    return compare_studies(
        [
            study(name, calls(Y, range(number)), courses=one)
            for number, (name, one) in enumerate(found.items(), start=3)
        ]
    )


def test_the_fastest_and_the_slowest_seed_are_left_out() -> None:
    comparison = compared(slow=courses([90, 30, 70, 50, 40]), quick=courses([20, 10, 60, 30, 25]))
    quick, slow = times_to_target(comparison, 0.85)
    assert (quick.entry.label, slow.entry.label) == ("quick", "slow")
    assert quick.counted == [20, 25, 30]
    assert quick.seconds
    assert (quick.seconds.value, quick.seconds.low, quick.seconds.high) == (25, 10, 60)
    assert slow.seconds
    assert slow.seconds.value == pytest.approx(160 / 3)
    assert quick.behind is None


def test_networks_are_compared_seed_by_seed() -> None:
    comparison = compared(slow=courses([90, 36, 70, 52, 40]), quick=courses([45, 18, 70, 26, 20]))
    _, slow = times_to_target(comparison, 0.85)
    assert slow.behind
    assert slow.behind.of_seeds == (2, 2, 1, 2, 2)
    logs = np.log(slow.behind.of_seeds)
    half = 2.776445 * logs.std(ddof=1) / 5**0.5
    assert slow.behind.value == pytest.approx(2**0.8)
    assert slow.behind.low == pytest.approx(np.exp(logs.mean() - half))
    assert slow.behind.high == pytest.approx(np.exp(logs.mean() + half))
    assert slow.adjusted_p == pytest.approx(ttest_1samp(logs, 0).pvalue)
    assert slow.is_shown_slower
    unlike = compared(slow=courses([90, 30, 70, 50, 40]), quick=courses([10, 60, 20, 70, 41]))
    assert times_to_target(unlike, 0.85)[1].is_shown_slower is False


def test_p_values_are_adjusted_over_all_pairs_and_two_seeds_show_nothing() -> None:
    three = {
        name: courses([factor * at for at in (10, 11 + n / 9, 12, 13 - n / 5)])
        for n, (name, factor) in enumerate({"a": 1.0, "b": 1.3, "c": 1.5}.items())
    }
    first, *others = times_to_target(compared(**three), 0.85)
    alone = times_to_target(compared(a=three["a"], b=three["b"]), 0.85)[1]
    assert first.entry.label == "a"
    assert alone.adjusted_p
    assert others[0].adjusted_p
    assert others[0].adjusted_p > alone.adjusted_p
    two = compared(a=courses([10, 11]), b=courses([20, 21.1]))
    assert [row.behind for row in times_to_target(two, 0.85)] == [None, None]


def test_equal_networks_are_seldom_shown_to_differ() -> None:
    """Of 300 pages of five equal networks, five seeds each: at most one claim in 20, and chance."""
    rng = np.random.default_rng(0)
    claims = 0
    for _ in range(300):
        found = {f"n{n}": courses(list(np.exp(rng.normal(3, 0.5, 5)))) for n in range(5)}
        claims += any(row.is_shown_slower for row in times_to_target(compared(**found), 0.85))
    assert claims / 300 <= 0.07


def test_two_seeds_of_which_one_never_gets_there_have_no_time() -> None:
    (row, other) = times_to_target(compared(a=courses([50, None]), b=courses([60, 70])), 0.85)
    assert row.entry.label == "b"
    assert (other.seconds, other.is_valid) == (None, False)


def test_one_seed_may_miss_the_target_and_two_may_not() -> None:
    comparison = compared(
        once=courses([90, 30, None, 50, 40]),
        twice=courses([9, 3, None, None, 4]),
        never=courses([None] * 5),
    )
    once, *others = times_to_target(comparison, 0.85)
    assert once.counted == [40, 50, 90], "who never gets there is the slowest"
    assert once.missed == 1
    assert [(row.entry.label, row.seconds, row.behind) for row in others] == [
        ("twice", None, None),
        ("never", None, None),
    ]
    rows = target_times(replace(comparison, target=0.85)).rows
    assert [row[1] for row in rows] == ["4 of 5", "3 of 5: no time", "0 of 5"]
    assert rows[0][2] == "1 min (0.5 to 1.5)"
    assert [row[2] for row in rows[1:]] == [NEVER, NEVER]


def test_one_seed_has_a_time_and_no_spread() -> None:
    comparison = compared(one=courses([90], test=0.81), other=courses([100], test=0.7))
    one, other = times_to_target(comparison, 0.85)
    assert one.seconds
    assert (one.seconds.low, one.seconds.high) == (90, 90)
    assert (one.test_roc_auc, other.behind) == (0.81, None)
    (row, _) = target_times(replace(comparison, target=0.85)).rows
    assert row[-4:] == (UNKNOWN, UNKNOWN, UNKNOWN, "0.810")


def test_a_target_that_nobody_reaches_is_told(tmp_path: Path) -> None:
    comparison = replace(compared(one=courses([90] * 3), other=courses([9] * 3)), target=0.99)
    assert all(row.seconds is None for row in times_to_target(comparison, 0.99))
    write_comparison_report(comparison, tmp_path)
    assert "Time to ROC AUC 0.99" in (tmp_path / "report.html").read_text()
    lines = (tmp_path / "time_to_target.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [["one", "3", "3"], ["other", "3", "3"]]


def test_a_curve_is_the_mean_over_seeds_and_its_area_counts_what_is_found_early() -> None:
    steps = (Improvement(50.0, 0.6, 0), Improvement(100.0, 0.9, 1))
    first = SearchCourse(0, 200.0, steps, (Choice(60.0, 0, 0.55), Choice(110.0, 1, 0.8)))
    second = SearchCourse(1, 150.0, (Improvement(100.0, 0.7, 0),), (Choice(120.0, 0, 0.65),))
    longer = SearchCourse(0, 400.0, (Improvement(300.0, 0.95, 0),))
    curve, other = anytime_curves(compared(two=(first, second), one=(longer,)))
    assert curve.seconds.tolist() == [50, 60, 100, 110, 120, 200]
    assert curve.val_roc_auc == pytest.approx([0.55, 0.55, 0.8, 0.8, 0.8, 0.8])
    assert np.isnan(curve.test_roc_auc[:4]).all()
    assert curve.test_roc_auc[4:] == pytest.approx([0.725, 0.725])
    assert curve.area == pytest.approx((50 * 0.5 + 50 * 0.55 + 300 * 0.8) / 400)
    assert other.area == pytest.approx((300 * 0.5 + 100 * 0.95) / 400)
    assert np.isnan(other.test_roc_auc).all()


def test_studies_that_do_not_tell_their_search_are_left_out(tmp_path: Path) -> None:
    comparison = compared(new=courses([90]), old=())
    assert [curve.entry.label for curve in anytime_curves(comparison)] == ["new"]
    assert len(anytime(comparison).rows) == 1
    assert target_times(replace(comparison, target=0.5)).note.endswith("tell their search: old.")
    write_comparison_report(compared(old=()), tmp_path)
    assert not (tmp_path / "anytime.png").exists()
    assert "How good at any time" not in (tmp_path / "report.html").read_text()

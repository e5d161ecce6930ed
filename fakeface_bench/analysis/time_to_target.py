"""When a search is as good as a target, and how good it is at any time.

After the rules of MLPerf Training: the time is of a whole study from a cold start, each seed is a
study of its own, the fastest and the slowest are left out of the mean, and where more than one seed
never gets there the network has no time (Mattson et al. (2020), "MLPerf Training Benchmark").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from fakeface_bench.analysis.comparison import Comparison, LeaderboardEntry
from fakeface_bench.evaluation.over_seeds import mean_difference
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.ledger import (
    TARGETS,
    Choice,
    Improvement,
    SearchCourse,
    target_key,
)
from fakeface_bench.records.study import FloatArray, TrialRecord, best_so_far

#: From so many seeds on the fastest and the slowest are left out.
SEEDS_TO_DROP_FROM = 3
#: More seeds than this that never reach the target, and there is no time.
MOST_MISSED = 1
#: Validation images under which a validation ROC AUC says little.
FEW_VALIDATION_IMAGES = 1_000
#: A search that has found nothing yet is as good as chance.
CHANCE = 0.5
#: Orders of the trials over which a time to target is told of one search.
ORDERS = 1000


def course_of(
    seed: int,
    trials: Sequence[TrialRecord],
    began: float,
    folds: int,
    scored: Mapping[int, float],
) -> SearchCourse:
    """Return how a search came to its best.

    Args:
        trials: In the order in which they were drawn.
        began: Cold seconds before its first epoch.
        folds: Fits that a trial's epochs are the mean over, 1 without folds.
        scored: Test ROC AUC of the trials that were the best so far, by position.
    """
    improvements: list[Improvement] = []
    choices: list[Choice] = []
    best, at = 0.0, began
    taken = {trial.position for trial in best_so_far(trials)} & set(scored)
    for trial in trials:
        if trial.folds == folds:
            for end, epoch in zip(_epoch_ends(trial), trial.epochs, strict=True):
                if epoch.val_roc_auc > best:
                    best = epoch.val_roc_auc
                    improvements.append(Improvement(at + end, best, trial.position))
        at += trial.seconds
        if trial.position in taken and trial.state == "complete":
            choices.append(Choice(at, trial.position, scored[trial.position]))
    return SearchCourse(seed, at, tuple(improvements), tuple(choices))


def _epoch_ends(trial: TrialRecord) -> list[float]:
    """Return the seconds of a trial until each of its epochs ended.

    What it spent outside its epochs counts as spent before the first. The mean over folds is known
    as the last of them goes through its epochs, each of which takes its share of their time.
    """
    end, ends = trial.seconds, []
    for epoch in reversed(trial.epochs):
        ends.append(max(0.0, end))
        end -= (epoch.seconds + epoch.val_seconds) / trial.folds
    return ends[::-1]


def times_to_targets(
    trials: Sequence[TrialRecord], began: float, folds: int = 1
) -> dict[str, tuple[float, float, float]]:
    """Return when a search reaches each of `TARGETS`: lower quartile, median, upper quartile.

    Over orders of its trials, drawn at random, one after another from `began` on: in which the
    sampler drew them is chance, and decides when one that reaches a target comes. A trial that
    ended before its last fold has none. What none reaches is absent.
    """
    seconds = np.array([trial.seconds for trial in trials])
    rows = np.tile(np.arange(len(trials)), (ORDERS, 1))
    orders = np.random.default_rng(0).permuted(rows, axis=1)
    before = np.cumsum(seconds[orders], axis=1) - seconds[orders]
    found = {}
    for target in TARGETS:
        within = np.array([_reached_after(trial, target, folds) for trial in trials])
        if len(trials) and np.isfinite(within).any():
            ends = began + np.min(before + within[orders], axis=1)
            low, middle, high = (float(end) for end in np.quantile(ends, (0.25, 0.5, 0.75)))
            found[target_key(target)] = (low, middle, high)
    return found


def _reached_after(trial: TrialRecord, target: float, folds: int) -> float:
    """Return the seconds of a trial until an epoch of it reached a target; infinite for none."""
    if trial.folds != folds:
        return inf
    ends = zip(_epoch_ends(trial), trial.epochs, strict=True)
    return next((end for end, epoch in ends if epoch.val_roc_auc >= target), inf)


@dataclass(frozen=True, slots=True)
class SeedTime:
    """When one seed's study reached the target.

    Attributes:
        reached: None where it never did.
        choice: The trial that reached it, at its end; where that was pruned, what would have been
            taken before. None where that was not scored.
    """

    seed: int
    reached: Improvement | None
    choice: Choice | None

    @property
    def seconds(self) -> float | None:
        """Cold seconds; None where it never did."""
        return self.reached.seconds if self.reached else None


@dataclass(frozen=True, slots=True)
class TimeToTarget:
    """How long a network takes to a target, over its seeds.

    Attributes:
        entry: Its study.
        times: Of each seed, the first's first.
        behind: Seconds that it takes beyond the fastest network, paired over the seeds that both
            reached it with; None of the fastest, and where fewer than two seeds did.
    """

    entry: LeaderboardEntry
    times: tuple[SeedTime, ...]
    behind: Estimate | None = None

    @property
    def missed(self) -> int:
        """Seeds that never reached it."""
        return sum(time.reached is None for time in self.times)

    @property
    def is_valid(self) -> bool:
        """Whether there is a time: some seed reached it, and at most one did not."""
        return self.missed < len(self.times) and self.missed <= MOST_MISSED

    @property
    def counted(self) -> list[float]:
        """The seconds that count: without the fastest and the slowest where seeds suffice.

        A seed that never reaches the target is the slowest.
        """
        seconds = sorted(inf if one.seconds is None else one.seconds for one in self.times)
        if len(seconds) >= SEEDS_TO_DROP_FROM:
            seconds = seconds[1:-1]
        return [one for one in seconds if one != inf]

    @property
    def seconds(self) -> Estimate | None:
        """Their mean, from the least to the most; None where there is no time."""
        if not self.is_valid:
            return None
        counted = self.counted
        return Estimate(float(np.mean(counted)), counted[0], counted[-1], tuple(counted))

    @property
    def test_roc_auc(self) -> float | None:
        """Mean test ROC AUC of what the seeds would have taken then; None where not scored."""
        known = [one.choice.test_roc_auc for one in self.times if one.choice]
        return float(np.mean(known)) if known else None

    @property
    def is_shown_slower(self) -> bool | None:
        """Whether it is shown to be slower than the fastest; None where there is no saying."""
        return None if self.behind is None else self.behind.low > 0


def times_to_target(comparison: Comparison, target: float) -> list[TimeToTarget]:
    """Return a row a network, the fastest first; those without a time stand last."""
    rows = [
        TimeToTarget(entry, tuple(_seed_time(course, target) for course in entry.study.courses))
        for entry in comparison.entries
        if entry.study.courses
    ]
    rows.sort(key=lambda row: (row.seconds.value if row.seconds else inf, row.entry.rank))
    return [
        TimeToTarget(row.entry, row.times, _behind(rows[0], row) if number else None)
        for number, row in enumerate(rows)
    ]


def _seed_time(course: SearchCourse, target: float) -> SeedTime:
    reached = course.reaches(target)
    if reached is None:
        return SeedTime(course.seed, None, None)
    own = (choice for choice in course.choices if choice.position == reached.position)
    return SeedTime(course.seed, reached, next(own, course.choice_at(reached.seconds)))


def _behind(fastest: TimeToTarget, row: TimeToTarget) -> Estimate | None:
    """Return the mean difference over the seeds with which both reached the target."""
    if not (fastest.is_valid and row.is_valid):
        return None
    theirs = {one.seed: one.seconds for one in fastest.times if one.seconds is not None}
    pairs = [
        one.seconds - theirs[one.seed]
        for one in row.times
        if one.seconds is not None and one.seed in theirs
    ]
    if len(pairs) < 2:
        return None
    return mean_difference(pairs)


@dataclass(frozen=True, slots=True)
class AnytimeCurve:
    """How good a network's search is at any time, as the mean over its seeds.

    Attributes:
        seconds: Cold, rising, shape (k,): at each something changes, at the last the search ends.
        val_roc_auc: The best so far, from each on, shape (k,); `CHANCE` of a seed without any.
        test_roc_auc: Of what would have been taken, shape (k,); missing (nan) before every seed
            has a choice that was scored.
        area: Mean of `val_roc_auc` from the begin to the time at which the longest search of the
            comparison ended, `CHANCE` before the first.
    """

    entry: LeaderboardEntry
    seconds: FloatArray
    val_roc_auc: FloatArray
    test_roc_auc: FloatArray
    area: float


def anytime_curves(comparison: Comparison) -> list[AnytimeCurve]:
    """Return the curve of each study whose search is known, in the order of the entries."""
    known = [entry for entry in comparison.entries if entry.study.courses]
    ends = [course.seconds for entry in known for course in entry.study.courses]
    return [_anytime_curve(entry, max(ends)) for entry in known]


def _anytime_curve(entry: LeaderboardEntry, horizon: float) -> AnytimeCurve:
    courses = entry.study.courses
    changes = {one.seconds for course in courses for one in course.improvements}
    changes |= {one.seconds for course in courses for one in course.choices}
    end = max(course.seconds for course in courses)
    seconds = np.array(sorted({*changes, end}), dtype=np.float64)
    best = np.array([[c.best_at(at) or CHANCE for at in seconds] for c in courses]).mean(axis=0)
    taken = [[course.choice_at(at) for at in seconds] for course in courses]
    test = np.array([[one.test_roc_auc if one else np.nan for one in row] for row in taken])
    steps = np.diff([0.0, *seconds, max(horizon, end)])
    area = float(np.dot(steps, [CHANCE, *best]) / steps.sum())
    return AnytimeCurve(entry, seconds, best, test.mean(axis=0), area)

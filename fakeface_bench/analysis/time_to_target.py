"""When a search is as good as a target, and how good it is at any time.

After the rules of MLPerf Training: the time is from a cold start, each seed has a search of its
own, the fastest and the slowest are left out of the mean, and where more than one seed never gets
there the network has no time (Mattson et al. (2020), "MLPerf Training Benchmark"). Unlike there,
what prepares the data is in it, and a network may have any number of seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf

import numpy as np

from fakeface_bench.analysis.comparison import SIGNIFICANT, Comparison, LeaderboardEntry
from fakeface_bench.evaluation.over_seeds import Difference, mean_ratio
from fakeface_bench.evaluation.paired import holm
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.ledger import (
    TARGETS,
    Choice,
    Improvement,
    SearchCourse,
    target_key,
)
from fakeface_bench.records.study import (
    SEEDS_OF_A_NETWORK,
    FloatArray,
    TrialRecord,
    best_so_far,
    last_stage,
)
from fakeface_bench.records.transfer import CHANCE

#: From so many seeds on the fastest and the slowest are left out.
SEEDS_TO_DROP_FROM = 3
#: More seeds than this that never reach the target, and there is no time.
MOST_MISSED = 1
#: Orders of the trials over which a time to target is told of one search.
ORDERS = 1000


def course_of(
    seed: int,
    trials: Sequence[TrialRecord],
    began: float,
    folds: int,
    scored: Mapping[int, float],
) -> SearchCourse:
    """Return how a search came to its best, by epochs that a study may keep.

    Those are of the last stage of complete trials.

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
        if trial.folds == folds and trial.state == "complete":
            kept = last_stage(trial.epochs)
            for end, epoch in zip(_epoch_ends(trial)[-len(kept) :], kept, strict=True):
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
        choice: The trial that reached it, at its end; None where it was not scored.
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
        behind: How many times as long it takes as the fastest network, paired over their seeds;
            None of the fastest, and where either has fewer than three or one that never got there.
        adjusted_p: Of that, after Holm's adjustment over all pairs of networks.
    """

    entry: LeaderboardEntry
    times: tuple[SeedTime, ...]
    behind: Estimate | None = None
    adjusted_p: float | None = None

    @property
    def reached(self) -> list[float]:
        """Seconds of the seeds that reached it, rising."""
        return sorted(one.seconds for one in self.times if one.seconds is not None)

    @property
    def missed(self) -> int:
        """Seeds that never reached it."""
        return len(self.times) - len(self.reached)

    @property
    def is_valid(self) -> bool:
        """Whether there is a time: all seeds reached it; of three or more, all but one."""
        allowed = MOST_MISSED if len(self.times) >= SEEDS_TO_DROP_FROM else 0
        return bool(self.reached) and self.missed <= allowed

    @property
    def counted(self) -> list[float]:
        """The seconds that count: without the fastest and the slowest where seeds suffice.

        A seed that never reaches the target is the slowest.
        """
        if len(self.times) < SEEDS_TO_DROP_FROM:
            return self.reached
        return self.reached[1 : len(self.times) - 1]

    @property
    def seconds(self) -> Estimate | None:
        """Their mean, with the least and the most of all seeds; None where there is no time."""
        if not self.is_valid:
            return None
        seconds = self.reached
        return Estimate(float(np.mean(self.counted)), seconds[0], seconds[-1], tuple(seconds))

    @property
    def test_roc_auc(self) -> float | None:
        """Mean test ROC AUC of the trials that reached it, at their ends; None where not scored."""
        known = [one.choice.test_roc_auc for one in self.times if one.choice]
        return float(np.mean(known)) if known else None

    @property
    def is_compared(self) -> bool:
        """Whether seeds suffice to compare it, and all reached the target."""
        return len(self.times) >= SEEDS_OF_A_NETWORK and not self.missed

    @property
    def is_shown_slower(self) -> bool | None:
        """Whether it is shown to be slower than the fastest; None where there is no saying."""
        if self.behind is None or self.adjusted_p is None:
            return None
        return self.behind.value > 1 and self.adjusted_p < SIGNIFICANT


def times_to_target(comparison: Comparison, target: float) -> list[TimeToTarget]:
    """Return a row a network, the fastest first; those without a time stand last."""
    rows = [
        TimeToTarget(entry, tuple(_seed_time(course, target) for course in entry.study.courses))
        for entry in comparison.entries
        if entry.study.courses
    ]
    rows.sort(key=lambda row: (row.seconds.value if row.seconds else inf, row.entry.rank))
    compared = [row for row in rows if row.is_compared]
    ratios = {
        (one.entry.rank, other.entry.rank): _ratio(one, other)
        for one, other in combinations(compared, 2)
    }
    adjusted = holm([ratio.p if ratio else 1.0 for ratio in ratios.values()])
    told = dict(zip(ratios, zip(ratios.values(), adjusted, strict=True), strict=True))
    first = compared[0].entry.rank if compared else 0
    found = []
    for row in rows:
        ratio, p = told.get((first, row.entry.rank), (None, None))
        found.append(replace(row, behind=ratio.estimate, adjusted_p=p) if ratio else row)
    return found


def _seed_time(course: SearchCourse, target: float) -> SeedTime:
    reached = course.reaches(target)
    if reached is None:
        return SeedTime(course.seed, None, None)
    own = (choice for choice in course.choices if choice.position == reached.position)
    return SeedTime(course.seed, reached, next(own, None))


def _ratio(fastest: TimeToTarget, row: TimeToTarget) -> Difference | None:
    """Return how many times as long a network takes as another, paired over their seeds.

    The geometric mean of the ratios; None where they share fewer than three seeds.
    """
    theirs = {one.seed: one.seconds for one in fastest.times}
    pairs = [
        (one.seconds, theirs[one.seed])
        for one in row.times
        if one.seconds is not None and theirs.get(one.seed) is not None
    ]
    if len(pairs) < SEEDS_OF_A_NETWORK:
        return None
    return mean_ratio([own / other for own, other in pairs if other])


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
    best = np.array([[c.best_at(at) or CHANCE for at in seconds] for c in courses])
    best = best.clip(min=CHANCE).mean(axis=0)
    taken = [[course.choice_at(at) for at in seconds] for course in courses]
    test = np.array([[one.test_roc_auc if one else np.nan for one in row] for row in taken])
    steps = np.diff([0.0, *seconds, max(horizon, end)])
    area = float(np.dot(steps, [CHANCE, *best]) / steps.sum())
    return AnytimeCurve(entry, seconds, best, test.mean(axis=0), area)

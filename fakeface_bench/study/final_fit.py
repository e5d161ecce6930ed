"""How a study ends: the winner refitted, its threshold chosen on validation, test scored once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fakeface_bench.config import TrialConfig
from fakeface_bench.evaluation.cross_validation import best_lengths
from fakeface_bench.evaluation.detector import Detector, Margins, train_detector
from fakeface_bench.features.engine import models_let_go
from fakeface_bench.features.samples import Samples
from fakeface_bench.records.ledger import StageCost
from fakeface_bench.records.study import (
    FIRST_TRIAL,
    SIMPLE_BASELINE,
    BaselineRecord,
    EpochRecord,
    FitRecord,
    RepeatRecord,
    ScoredSplit,
    SearchRecord,
)
from fakeface_bench.study.search import SeedSearch
from fakeface_bench.study.setup import Setup, space_of
from fakeface_bench.support.progress import Progress
from fakeface_bench.training.networks import FitTask


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The winner, its scores, and the costs of stages `final_fit`, `repeats` and `evaluation`.

    `test_arrays` are what it was scored on, as in `Samples`.
    """

    detector: Detector
    final_fit: FitRecord
    valid: ScoredSplit
    test: ScoredSplit
    repeats: tuple[RepeatRecord, ...]
    baseline: BaselineRecord | None
    costs: tuple[StageCost, ...]
    test_arrays: Mapping[str, Any]


def conclude(setup: Setup, searches: Sequence[SeedSearch], progress: Progress) -> Conclusion:
    """Refit the winner, choose its threshold on validation, and only then read test.

    The winner of the first search is kept. Those of further seeds, or further fits of the first
    where they are asked for, tell how far chance moves the results. What the baseline takes belongs
    to `evaluation`, its images are not counted; a winner that has the baseline's options is the
    baseline.
    """
    first, *others = searches
    search, task = first.record, _final_task(first)
    config = search.best.config
    progress.say(f"refitting trial {search.best.number}, then scoring the test split")
    started = time.perf_counter()
    run_now: list[EpochRecord] = []
    unsure_error = setup.plan.config.unsure_error
    detector, final_fit, found = train_detector(task, config, run_now.append, unsure_error)
    fitted = time.perf_counter()
    valid = detector.judged(found, setup.held_out_rows)
    against = _baseline_options(setup, search)
    simple = None
    if against and against.config != config:
        simple = _fitted_baseline(task, against)
    scored = time.perf_counter()
    test_samples = setup.reader.read("test")
    read = time.perf_counter()
    test = detector.score(test_samples, setup.index.split("test"))
    baseline = BaselineRecord(against.title, valid, test) if against else None
    if against and simple:
        baseline = _scored_baseline(setup, against, simple, test_samples)
    evaluated = time.perf_counter()
    again = [_Again(_final_task(one), one.record.best.config, one.record) for one in others]
    for step in range(1, setup.plan.config.refits):
        again.append(_Again(task.changed(seed=task.seed + step, checkpoints=None), config))
    repeats = _repeat(setup, again, test_samples, progress) if again else ()
    an_epoch = len(setup.index.split("train")) + len(setup.index.split("valid"))
    repeated = sum(repeat.epochs for repeat in repeats) * (1 + len(task.folds))
    repeated += sum(one.epochs for one in others)
    costs = (
        StageCost("final_fit", fitted - started, images=len(run_now) * an_epoch),
        StageCost(
            "repeats",
            time.perf_counter() - evaluated + sum(one.seconds for one in others),
            sum(one.amortised_seconds for one in others),
            repeated * an_epoch,
            sum(one.elsewhere_seconds for one in others),
        ),
        StageCost(
            "evaluation",
            (scored - fitted) + (evaluated - read),
            images=len(found.y_true) + len(test_samples),
        ),
    )
    arrays = test_samples.arrays
    return Conclusion(detector, final_fit, valid, test, repeats, baseline, costs, arrays)


@dataclass(frozen=True, slots=True)
class _Against:
    """What a search is held against, and how long its stages are fitted where there are folds."""

    title: str
    config: TrialConfig
    lengths: Mapping[str, int]


def _baseline_options(setup: Setup, search: SearchRecord) -> _Against | None:
    """Return logistic regression as it comes where there are frozen features.

    Else the plain options, which the first trial had; None where that trial failed.
    """
    space = space_of(setup.plan, setup.network)
    if simple := space.baseline():
        return _Against(SIMPLE_BASELINE, simple, {})
    first = search.complete(space.plain())
    if first is None:
        return None
    return _Against(FIRST_TRIAL, first.config, best_lengths(first.epochs))


def _fitted_baseline(task: FitTask, against: _Against) -> tuple[Detector, Margins]:
    """Fit it; of a first trial the checkpoint is still there, but for folds."""
    if task.folds:
        task = task.changed(lengths=against.lengths)
    with models_let_go():
        detector, _, found = train_detector(task, against.config)
    return detector, found


def _scored_baseline(
    setup: Setup, against: _Against, fitted: tuple[Detector, Margins], test_samples: Samples
) -> BaselineRecord:
    detector, found = fitted
    return BaselineRecord(
        title=against.title,
        valid=detector.judged(found, setup.held_out_rows),
        test=detector.score(test_samples, setup.index.split("test")),
    )


def _final_task(search: SeedSearch) -> FitTask:
    """Return how the winner of a search is fitted.

    With folds for as long as is best, which is another fit than those that trials kept.
    """
    if not search.task.folds:
        return search.task
    lengths = best_lengths(search.record.best.epochs)
    return search.task.changed(lengths=lengths, checkpoints=None)


@dataclass(frozen=True, slots=True)
class _Again:
    """What is fitted with another seed; `search` has chosen its options, where it was repeated."""

    task: FitTask
    config: TrialConfig
    search: SearchRecord | None = None


def _repeat(
    setup: Setup, again: Sequence[_Again], test_samples: Samples, progress: Progress
) -> tuple[RepeatRecord, ...]:
    """Fit with the seed of each task, and score test."""
    rows = setup.index.split("test")
    repeats = []
    with progress.stage("repeating the final fit", len(again), "fits") as advance:
        for one in again:
            started = time.perf_counter()
            with models_let_go():
                detector, fit, _ = train_detector(one.task, one.config)
                seconds = time.perf_counter() - started
                scored = detector.score(test_samples, rows)
            epochs = len(fit.epochs)
            repeats.append(RepeatRecord(one.task.seed, scored, epochs, one.search, seconds))
            advance(1)
    return tuple(repeats)

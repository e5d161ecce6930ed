"""How a study ends: the winner refitted, its threshold chosen on validation, test scored once."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fakeface_bench.config import TrialConfig
from fakeface_bench.evaluation.cross_validation import best_lengths
from fakeface_bench.evaluation.detector import Detector
from fakeface_bench.evaluation.fits import DetectorUnit, FittedDetector, RepeatUnit
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
    TrialRecord,
    best_so_far,
)
from fakeface_bench.study.search import SeedSearch
from fakeface_bench.study.setup import Setup, space_of
from fakeface_bench.support.executor import THIS_PROCESS, Executor, in_order
from fakeface_bench.support.progress import Progress
from fakeface_bench.training.checkpoint import KeptFit, kept_files
from fakeface_bench.training.networks import FitTask, FrozenNetwork, Network


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The winner, its scores, and the costs of stages `final_fit`, `repeats` and `evaluation`.

    `test_arrays` are what it was scored on, as in `Samples`; `choices` as in `StudyRecord`.
    """

    detector: Detector
    final_fit: FitRecord
    valid: ScoredSplit
    test: ScoredSplit
    repeats: tuple[RepeatRecord, ...]
    baseline: BaselineRecord | None
    costs: tuple[StageCost, ...]
    test_arrays: Mapping[str, Any]
    choices: Mapping[int, Mapping[int, float]]


def conclude(
    setup: Setup,
    searches: Sequence[SeedSearch],
    progress: Progress,
    executor: Executor = THIS_PROCESS,
) -> Conclusion:
    """Refit the winner, choose its threshold on validation, and only then read test.

    The winner of the first search is kept. Those of further seeds, or further fits of the first
    where they are asked for, tell how far chance moves the results. What the baseline takes belongs
    to `evaluation`, its images are not counted; a winner that has the baseline's options is the
    baseline. So does scoring what was the best before, where that is asked for.

    Args:
        executor: Who fits them; what is kept is scored here.
    """
    first, *others = searches
    search, task = first.record, _final_task(first)
    config = search.best.config
    progress.say(f"refitting trial {search.best.number}, then scoring the test split")
    fits = _Fits(executor, progress)
    started = time.perf_counter()
    winner = fits.detector(task, config, setup.plan.config.unsure_error)
    detector, found, run_now = winner.on(task.network), winner.found, fits.epochs
    fitted = time.perf_counter()
    valid = detector.judged(found, setup.held_out_rows)
    against = _baseline_options(setup, search)
    simple = None
    if against and against.config != config:
        lengths = {"lengths": against.lengths} if task.folds else {}
        simple = fits.detector(task.changed(**lengths), against.config)
    scored = time.perf_counter()
    test_samples = setup.reader.read("test")
    read = time.perf_counter()
    test = detector.score(test_samples, setup.index.split("test"))
    baseline = BaselineRecord(against.title, valid, test) if against else None
    if against and simple:
        baseline = _scored_baseline(setup, against, simple, task.network, test_samples)
    evaluated = time.perf_counter()
    again = _fits_again(setup, first, others)
    on_test = test_samples, setup.index.split("test")
    repeats = fits.repeats("repeating the final fit", again, on_test)
    repeated = time.perf_counter()
    asked = searches if setup.plan.config.anytime else ()
    choices = fits.choices(asked, [test, *(repeat.test for repeat in repeats)], on_test)
    chosen = time.perf_counter()
    an_epoch = len(setup.index.split("train")) + len(setup.index.split("valid"))
    costs = (
        StageCost("final_fit", fitted - started, images=run_now * an_epoch),
        _cost_of_repeats(repeats, others, repeated - evaluated, an_epoch, len(task.folds)),
        StageCost(
            "evaluation",
            (scored - fitted) + (evaluated - read) + (chosen - repeated),
            images=len(found.y_true) + len(test_samples),
            elsewhere_seconds=max(0.0, fits.chosen_seconds - (chosen - repeated)),
        ),
    )
    arrays = test_samples.arrays
    ended = (detector, winner.record, valid, test, repeats, baseline, costs, arrays, choices)
    return Conclusion(*ended)


def _fits_again(setup: Setup, first: SeedSearch, others: Sequence[SeedSearch]) -> list["_Again"]:
    """Return the winners of further seeds, and the first's with other seeds."""
    task, config = _final_task(first), first.record.best.config
    again = [_Again(_final_task(one), one.record.best.config, one.record) for one in others]
    for step in range(1, setup.plan.config.refits):
        again.append(_Again(task.changed(seed=task.seed + step, checkpoints=None), config))
    return again


def _cost_of_repeats(
    repeats: Sequence[RepeatRecord],
    others: Sequence[SeedSearch],
    seconds: float,
    an_epoch: int,
    folds: int,
) -> StageCost:
    """Return what further searches and fits took.

    Args:
        seconds: Of the fits, on the wall clock.
        an_epoch: Images that one passes; of each fold, where there are folds.
    """
    epochs = sum(repeat.epochs * (1 + folds) for repeat in repeats)
    epochs += sum(one.epochs for one in others)
    beyond = max(0.0, sum(repeat.fit_seconds for repeat in repeats) - seconds)
    return StageCost(
        "repeats",
        seconds + sum(one.seconds for one in others),
        sum(one.amortised_seconds for one in others),
        epochs * an_epoch,
        beyond + sum(one.elsewhere_seconds for one in others),
    )


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


def _scored_baseline(
    setup: Setup,
    against: _Against,
    fitted: FittedDetector,
    network: Network,
    test_samples: Samples,
) -> BaselineRecord:
    with models_let_go():
        detector = fitted.on(network)
        return BaselineRecord(
            title=against.title,
            valid=detector.judged(fitted.found, setup.held_out_rows),
            test=detector.score(test_samples, setup.index.split("test")),
        )


def _final_task(search: SeedSearch, trial: TrialRecord | None = None) -> FitTask:
    """Return how the winner of a search is fitted, or another of its trials.

    With folds for as long as is best, which is another fit than those that trials kept.
    """
    if not search.task.folds:
        return search.task
    lengths = best_lengths((trial or search.record.best).epochs)
    return search.task.changed(lengths=lengths, checkpoints=None)


@dataclass(frozen=True, slots=True)
class _Again:
    """What is fitted with another seed; `search` has chosen its options, where it was repeated."""

    task: FitTask
    config: TrialConfig
    search: SearchRecord | None = None


class _Fits:
    """Has detectors fitted by an executor.

    Attributes:
        epochs: That the last fit went through now, and did not find done.
        chosen_seconds: Of all fits of earlier choices, wherever they ran.
    """

    def __init__(self, executor: Executor, progress: Progress) -> None:
        self._executor, self._progress = executor, progress
        self.epochs = 0
        self.chosen_seconds = 0.0

    def detector(
        self, task: FitTask, config: TrialConfig, unsure_error: float = 0.0
    ) -> FittedDetector:
        """Have one fitted; of a first trial the checkpoint is still there, but for folds.

        Raises:
            WorkerDiedError: If no process survives it.
        """
        self.epochs = 0
        with self._executor.shared(task.travelling()) as shared:
            kept = kept_files(task, config)
            unit = DetectorUnit(shared, config, unsure_error, _is_long(task), kept)

            def hear(number: int, told: Any) -> None:
                self._hear(told, task.checkpoints)

            with closing(self._executor.results([unit], hear)) as results:
                (fitted,) = in_order(results)
        return fitted

    def choices(
        self,
        searches: Sequence[SeedSearch],
        ends: Sequence[ScoredSplit],
        test: tuple[Samples, pd.DataFrame],
    ) -> dict[int, dict[int, float]]:
        """Return the test ROC AUC of all trials that were the best so far, as in `StudyRecord`.

        Args:
            ends: What the winner of each search has scored, in their order.
        """
        return {
            one.task.seed: self._choices(one, end, test)
            for one, end in zip(searches, ends, strict=False)
        }

    def _choices(
        self, search: SeedSearch, end: ScoredSplit, test: tuple[Samples, pd.DataFrame]
    ) -> dict[int, float]:
        best = search.record.best
        earlier = [t for t in best_so_far(search.record.trials) if t.position != best.position]
        again = [_Again(_final_task(search, trial), trial.config) for trial in earlier]
        ends = self.repeats("scoring earlier choices", again, test)
        self.chosen_seconds += sum(one.fit_seconds for one in ends)
        positions = [trial.position for trial in earlier]
        scored = dict(zip(positions, (one.test.metrics["roc_auc"] for one in ends), strict=True))
        return {**scored, best.position: end.metrics["roc_auc"]}

    def repeats(
        self, title: str, again: Sequence["_Again"], test: tuple[Samples, pd.DataFrame]
    ) -> tuple[RepeatRecord, ...]:
        """Have several fitted, each with the seed of its task, and scored on test."""
        if not again:
            return ()
        first = again[0].task
        with (
            self._executor.shared(first.travelling()) as task,
            self._executor.shared(test) as scored,
            self._progress.stage(title, len(again), "fits") as advance,
        ):
            units = [
                RepeatUnit(
                    *(task, scored, one.config, _own(one.task)),
                    fresh=_is_long(first),
                    kept=kept_files(one.task, one.config),
                )
                for one in again
            ]
            repeats = []
            results = self._executor.results(units, lambda _, told: self._hear(told, None))
            with closing(results):
                for one, end in zip(again, in_order(results), strict=True):
                    record = (one.task.seed, end.test, end.epochs, one.search, end.seconds)
                    repeats.append(RepeatRecord(*record))
                    advance(1)
        return tuple(repeats)

    def _hear(self, told: Any, checkpoints: Path | None) -> None:
        if isinstance(told, EpochRecord):
            self.epochs += 1
        elif isinstance(told, KeptFit):
            if checkpoints is not None:
                told.write(checkpoints)
        else:
            self._progress.warn(told)


def _is_long(task: FitTask) -> bool:
    return not isinstance(task.network, FrozenNetwork)


def _own(task: FitTask) -> dict[str, Any]:
    """Return wherein the fits of a study's seeds differ."""
    return {"seed": task.seed, "checkpoints": task.checkpoints, "lengths": task.lengths}

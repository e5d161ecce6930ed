"""Tops a study up to its number of trials, and says what they found."""

import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from fakeface_bench.config import TrialConfig
from fakeface_bench.evaluation.cross_validation import cross_validate
from fakeface_bench.features.engine import models_let_go
from fakeface_bench.records.study import EpochRecord, FitRecord, SearchRecord, TrialRecord
from fakeface_bench.search.rounds import Draw, draw_of, next_draw, put_up, waiting
from fakeface_bench.search.space import Space, suggest
from fakeface_bench.search.storage import (
    USEFUL,
    Study,
    ask,
    claim,
    configs_under_way,
    ended_by_itself,
    ended_trials,
    fail_dead,
    given_up,
    heartbeat,
    keep_config,
    keep_epochs,
    keep_reason,
    trial_record,
    turn,
)
from fakeface_bench.support.errors import (
    DataError,
    DiskError,
    ListenerError,
    OutageError,
    StopSearch,
    StopTrial,
    StorageError,
    StudyError,
)
from fakeface_bench.support.processes import CUT_OFF, as_interruption
from fakeface_bench.support.progress import Progress, show_detail
from fakeface_bench.training.checkpoint import forget_fit
from fakeface_bench.training.fit import fit_record
from fakeface_bench.training.networks import FitTask


def search_record(study: Study) -> SearchRecord:
    """Return what a study holds."""
    trials = tuple(ended_trials(study))
    best = best_trial(trials)
    if best is None:
        raise StudyError("no trial completed; ask for more trials.")
    return SearchRecord(trials, best, _importances(study, trials))


def best_trial(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the best of some trials, the earliest of equals; None where none is complete."""
    complete = [trial for trial in trials if trial.state == "complete"]
    return max(
        complete,
        key=lambda trial: (trial.value or 0.0, -trial.position, -trial.number),
        default=None,
    )


def _importances(study: Study, trials: Sequence[TrialRecord]) -> Mapping[str, float]:
    """Return the importance of each option; empty for too few complete trials."""
    values = [trial.value for trial in trials if trial.state == "complete"]
    if len(values) < 4 or len(set(values)) < 2:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        # Of options that few trials had: the importance of any is told as that of few trials.
        warnings.filterwarnings("ignore", message="Some regimes for parameter")
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


#: After this many failed trials in a row something other than the options is wrong.
MAX_FAILURES_IN_A_ROW = 3
#: Random trials before the sampler models what it has seen.
SAMPLER_STARTUP_TRIALS = 8
#: Trials, and epochs (or folds), that the median pruner watches before it cuts.
PRUNER_STARTUP_TRIALS = 4
PRUNER_WARMUP_EPOCHS = 1
#: Between two looks at the trials that other processes run.
OTHERS_SECONDS = 1.0
#: Epochs are written down this often at most, for many a trial ends sooner; and at its end.
EPOCHS_SECONDS = 1.0
#: What ends a study, since no other options would do better.
_NOT_OF_THE_OPTIONS = (DataError, DiskError, OutageError, ListenerError)


class TrialListener:
    """Somebody who watches trials; the methods do nothing unless overridden."""

    def started(self, uid: str, number: int, config: TrialConfig) -> None:
        """A trial begins."""

    def epoch(self, uid: str, record: EpochRecord) -> None:
        """One more epoch of it has ended; may raise `StopTrial` or `StopSearch`, as all may."""

    def epochs(self, uid: str, records: Sequence[EpochRecord]) -> None:
        """Some more epochs of it have ended, told seldom."""

    def ended(self, trial: TrialRecord) -> None:
        """It was completed, pruned or failed."""


class Listeners(TrialListener):
    """Tells several what it is told, one after another; the first is told all the same."""

    def __init__(self, listeners: Sequence[TrialListener]) -> None:
        self._listeners = listeners

    def started(self, uid: str, number: int, config: TrialConfig) -> None:
        for each in self._listeners:
            each.started(uid, number, config)

    def epoch(self, uid: str, record: EpochRecord) -> None:
        for each in self._listeners:
            each.epoch(uid, record)

    def epochs(self, uid: str, records: Sequence[EpochRecord]) -> None:
        for each in self._listeners:
            each.epochs(uid, records)

    def ended(self, trial: TrialRecord) -> None:
        for each in self._listeners:
            each.ended(trial)


@dataclass(frozen=True, slots=True)
class SearchTask:
    """What to search: a fit of train and validation; test is out of its reach."""

    fit: FitTask
    trials: int  # complete and pruned trials that the study shall hold in the end
    seed: int
    space: Space
    timeout_seconds: float  # after this time no new trial starts; 0 for never
    sampler: str = "tpe"  # one of `config.SAMPLERS`
    pruner: str = "median"  # one of `config.PRUNERS`
    parallel: int = 1  # trials that are drawn together


def optimise(
    study: Study, task: SearchTask, listener: TrialListener, progress: Progress
) -> SearchRecord:
    """Run trials until the study holds as many as asked for.

    The sampler is seeded again for each trial from the seed and the trials before it that count, so
    a study that was interrupted goes on as if it had not been. Of trials that are drawn together
    it is so whatever becomes of them, and in whatever processes they run (`search.rounds`). A space
    of no more points than trials is tried out, each point once.
    """
    study.pruner = _pruner(task)
    first = _first_trials(task)
    if first.everything and len(first.params) < task.trials:
        points = len(first.params)
        progress.say(f"what is asked for leaves {points} different trial{'s' * (points > 1)}")
        task = replace(task, trials=points)
    deadline = time.monotonic() + task.timeout_seconds if task.timeout_seconds else None
    failures = 0
    useful = _count(study.get_trials(deepcopy=False), *USEFUL)
    if useful >= task.trials:
        progress.say(f"all {task.trials} trials were run before")
        return search_record(study)
    with progress.stage("searching", task.trials - useful, "trials") as advance:
        while useful < task.trials:
            if useful and deadline is not None and time.monotonic() >= deadline:
                progress.warn(f"time is up: {useful} of {task.trials} trials were run")
                break
            begun = _begin_trial(study, task, first.params)
            if begun is None:  # other processes run what is missing
                time.sleep(OTHERS_SECONDS)
            else:
                try:
                    with models_let_go():
                        ended = _run_trial(study, begun, task, listener)
                except StopSearch:
                    progress.say("the search was stopped by who watches it")
                    useful = _count(study.get_trials(deepcopy=False), *USEFUL)
                    return replace(search_record(study), stopped=useful < task.trials)
                failures = failures + 1 if ended.state == "failed" else 0
            if failures == MAX_FAILURES_IN_A_ROW:
                raise StudyError(f"{failures} trials in a row failed, the last: {ended.reason}")
            before, useful = useful, _count(study.get_trials(deepcopy=False), *USEFUL)
            if best := best_trial(ended_trials(study)):
                show_detail(advance, f"best validation ROC AUC {best.value:.3f}, optimistic")
            advance(useful - before)
    return search_record(study)


@dataclass(frozen=True, slots=True)
class _FirstTrials:
    """Params of the trials that a study begins with; `everything`: no others are left."""

    params: Sequence[Mapping[str, Any]]
    everything: bool


def _first_trials(task: SearchTask) -> _FirstTrials:
    """Return the usual ones; all points, in an order by the seed, where they are to be tried."""
    first = task.space.first_trials()
    points = task.space.points()
    if points is None or (task.sampler != "grid" and len(points) > task.trials):
        return _FirstTrials(first, everything=False)
    others = points[len(first) :]
    order = np.random.default_rng(task.seed).permutation(len(others))
    return _FirstTrials([*first, *(others[place] for place in order)], everything=True)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A trial that was started, and the options that it tries.

    Attributes:
        judged: The same trial in a study that knows what the pruner may know.
    """

    trial: optuna.Trial
    uid: str
    config: TrialConfig
    judged: optuna.Trial


def _begin_trial(
    study: Study, task: SearchTask, first: Sequence[Mapping[str, Any]]
) -> _Begun | None:
    """Start a trial; None where those that run now may suffice."""
    with turn(study):
        fail_dead(study, again=False)
        if task.parallel > 1:
            return _begin_together(study, task, first)
        trials = study.get_trials(deepcopy=False)  # at one moment: others end theirs meanwhile
        if _count(trials, *USEFUL, TrialState.RUNNING) >= task.trials:
            return None
        left = given_up(study)
        counted = sum(ended_by_itself(trial, left) for trial in trials)
        begun = counted + _count(trials, TrialState.WAITING, TrialState.RUNNING)
        for params in first[begun : begun + 1]:
            study.enqueue_trial(dict(params))
        study.sampler = _sampler(task, counted)
        trial = ask(study)
        uid = claim(trial)
    return _Begun(trial, uid, _configured(trial, task), trial)


def _begin_together(
    study: Study, task: SearchTask, first: Sequence[Mapping[str, Any]]
) -> _Begun | None:
    """Start a trial of the round that runs; None where those that run have to end first.

    Its options are known at once, for those that are drawn beside it depend on them.
    """
    if waiting(study):
        trial = ask(study)
        judged = _view(study, task, draw_of(study, trial, task.parallel)).ask()
    else:
        draw = next_draw(study, task.parallel, task.trials)
        if draw is None:
            return None
        judged = _view(study, task, draw).ask()
        if draw.position < len(first):
            params = first[draw.position]
        else:
            suggest(judged, task.space)
            params = judged.params
        trial = put_up(study, draw, params)
    uid = claim(trial)
    return _Begun(trial, uid, _configured(trial, task), judged)


def _configured(trial: optuna.Trial, task: SearchTask) -> TrialConfig:
    """Draw what a started trial leaves open, and write its options down."""
    config = suggest(trial, task.space)
    keep_config(trial, config)
    return config


def _view(study: Study, task: SearchTask, draw: Draw) -> optuna.Study:
    """Return what one of several trials that are drawn together may know of the study."""
    return draw.view(study.study_name, _sampler(task, draw.position), _pruner(task))


def _sampler(task: SearchTask, trials_before: int) -> optuna.samplers.BaseSampler:
    """Return what draws the next trial; points of a grid are put up before and not drawn."""
    (state,) = np.random.SeedSequence([task.seed, trials_before]).generate_state(1)
    seed = int(state)
    if task.sampler == "cmaes":
        return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    if task.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=SAMPLER_STARTUP_TRIALS)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(task: SearchTask) -> optuna.pruners.BasePruner:
    if task.pruner == "hyperband":
        steps = len(task.fit.folds) or task.fit.epochs
        return optuna.pruners.HyperbandPruner(max_resource=steps)
    if task.pruner == "median":
        return optuna.pruners.MedianPruner(PRUNER_STARTUP_TRIALS, PRUNER_WARMUP_EPOCHS)
    return optuna.pruners.NopPruner()


def _count(trials: Sequence[FrozenTrial], *states: TrialState) -> int:
    return sum(trial.state in states for trial in trials)


class _Course:
    """The epochs of a trial as it runs: written down, told, and judged by the pruner."""

    def __init__(self, begun: _Begun, fit: FitTask, listener: TrialListener) -> None:
        self._trial, self._judged, self._uid = begun.trial, begun.judged, begun.uid
        self._listener = listener
        self._last_stage = fit.network.stages[-1]
        self._all_folds = len(fit.folds)
        self._epochs: list[EpochRecord] = []
        self._told = self._folds = 0
        self._began = self._written = time.monotonic()

    def epoch(self, record: EpochRecord) -> None:
        """Note an epoch that ended; the pruner is told of those of the last stage."""
        self._epochs.append(record)
        self._listener.epoch(self._uid, record)
        if time.monotonic() - self._written >= EPOCHS_SECONDS:
            self._write_down()
        if record.stage == self._last_stage:
            step = sum(epoch.stage == self._last_stage for epoch in self._epochs) - 1
            self._judge(record.val_roc_auc, step)

    def fold(self, mean: FitRecord) -> None:
        """Note a fold that ended, by the mean over it and those before.

        After the last there is nothing left to save.
        """
        self._epochs = list(mean.epochs)
        self._folds += 1
        keep_epochs(self._trial, self._epochs, time.monotonic() - self._began, self._folds)
        if mean.best.stage == self._last_stage and self._folds < self._all_folds:
            self._judge(mean.best.val_roc_auc, self._folds - 1)

    def end(self) -> None:
        """Write down what was not yet, and how long it took where no epoch was told."""
        if self._told < len(self._epochs) or not self._told:
            self._write_down()

    def _judge(self, value: float, step: int) -> None:
        self._trial.report(value, step)
        if self._judged is not self._trial:
            self._judged.report(value, step)
        if self._judged.should_prune():
            raise optuna.TrialPruned

    def _write_down(self) -> None:
        self._written = time.monotonic()
        keep_epochs(self._trial, self._epochs, self._written - self._began, self._folds)
        self._listener.epochs(self._uid, self._epochs[self._told :])
        self._told = len(self._epochs)


def _run_trial(
    study: Study, begun: _Begun, task: SearchTask, listener: TrialListener
) -> TrialRecord:
    trial, uid, config = begun.trial, begun.uid, begun.config
    course = _Course(begun, task.fit, listener)
    value: float | None = None
    state = TrialState.COMPLETE
    stop: StopSearch | None = None
    try:
        listener.started(uid, trial.number, config)
        with heartbeat(study, trial), as_interruption():
            try:
                if task.fit.folds:
                    fitted = cross_validate(task.fit, config, course.fold)
                else:
                    fitted = fit_record(task.fit, config, course.epoch)
            finally:
                course.end()
        value = fitted.best.val_roc_auc
    except (optuna.TrialPruned, StopTrial):
        state = TrialState.PRUNED
    except StopSearch as asked:
        state, stop = TrialState.PRUNED, asked
    except StorageError:  # found dead by the next run, which repeats the trial
        raise
    except Exception as error:  # a trial may fail by its options alone; the study goes on
        if isinstance(error, _NOT_OF_THE_OPTIONS):
            _tell_cut_off(study, trial, listener)
            raise
        state = TrialState.FAIL
        keep_reason(trial, f"{type(error).__name__}: {error}")
    except BaseException:  # interrupted: counts as killed, so that the next run repeats it
        _tell_cut_off(study, trial, listener)
        raise
    ended = trial_record(study.tell(trial, value, state))
    try:
        listener.ended(ended)
    except StopSearch as asked:
        stop = asked
    _forget_all_but_the_best(study, task.fit)
    if stop is not None:
        raise stop
    return ended


def _tell_cut_off(study: Study, trial: optuna.Trial, listener: TrialListener) -> None:
    """Mark a trial failed whose end is nothing of its own; whoever watches cannot change it."""
    ended = trial_record(study.tell(trial, state=TrialState.FAIL))
    with suppress(StopSearch, ListenerError):
        listener.ended(ended)


def _forget_all_but_the_best(study: Study, task: FitTask) -> None:
    """Delete what ended trials could be gone on from; the refits load the best's and the first's.

    What a killed trial left is kept for the one that repeats it.
    """
    if task.checkpoints is None:
        return
    ended = [trial for trial in ended_trials(study) if trial.reason != CUT_OFF]
    kept = configs_under_way(study)
    if not task.folds:  # folds are refitted for as long as is best
        complete = [trial for trial in ended if trial.state == "complete"]
        kept += [trial.config for trial in (*complete[:1], best_trial(ended)) if trial]
    for trial in ended:
        if trial.config not in kept:
            forget_fit(task, trial.config)

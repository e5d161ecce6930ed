"""Tops a study up to its number of trials, and says what they found."""

import time
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from fakeface_bench.config import TrialConfig
from fakeface_bench.records.study import SearchRecord, TrialRecord, best_so_far
from fakeface_bench.search.rounds import Draw, Judged, as_begun, draw_of, next_draws
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
    keep_config,
    keep_ran,
    keep_reason,
    start,
    trial_record,
    turn,
)
from fakeface_bench.search.trial import (
    BegunTrial,
    TrialCourse,
    TrialEnd,
    TrialListener,
    TrialUnit,
)
from fakeface_bench.support.errors import (
    FakefaceError,
    ListenerError,
    StopSearch,
    StopTrial,
    StorageError,
    StudyError,
    WorkerDiedError,
)
from fakeface_bench.support.executor import THIS_PROCESS, Ended, Executor, Shared
from fakeface_bench.support.processes import CUT_OFF
from fakeface_bench.support.progress import Progress, show_detail
from fakeface_bench.training.checkpoint import forget_fit, kept_files
from fakeface_bench.training.networks import FitTask, FrozenNetwork


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
#: Trials that are started before the first of them is handed out: for each lot the study is read
#: once, and workers wait until it has started.
TOGETHER = 4
#: Between two looks at the trials that other processes run.
OTHERS_SECONDS = 1.0
#: Between two looks at how far the study is, which takes as long as writing down a trial's end.
SHOW_SECONDS = 0.5


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
    anytime: bool = False  # whether all that were the best so far are fitted again in the end


def optimise(
    study: Study,
    task: SearchTask,
    listener: TrialListener,
    progress: Progress,
    executor: Executor = THIS_PROCESS,
) -> SearchRecord:
    """Run trials until the study holds as many as asked for.

    The sampler is seeded again for each trial from the seed and the trials before it that count, so
    a study that was interrupted goes on as if it had not been. Of trials that are drawn together
    it is so whatever becomes of them, and in whatever processes they run (`search.rounds`). A space
    of no more points than trials is tried out, each point once.

    Args:
        executor: Who fits them. Database, listener and pruner are asked and told here alone.
    """
    study.pruner = _pruner(task)
    first = _first_trials(task)
    if first.everything and len(first.params) < task.trials:
        points = len(first.params)
        progress.say(f"what is asked for leaves {points} different trial{'s' * (points > 1)}")
        task = replace(task, trials=points)
    search = _Search(study, task, first.params, listener)
    if not search.missing:
        progress.say(f"all {task.trials} trials were run before")
        return search_record(study)
    left, shown = search.missing, -SHOW_SECONDS
    with (
        executor.shared(task.fit.travelling()) as fit,
        progress.stage("searching", left, "trials") as advance,
    ):

        def show(now: bool) -> None:
            nonlocal left, shown
            if not now and time.monotonic() - shown < SHOW_SECONDS:
                return
            shown = time.monotonic()
            trials = study.get_trials(deepcopy=False)
            details = [_format_best(trials), executor.detail]
            show_detail(advance, ", ".join(filter(None, details)))
            before, left = left, _missing(trials, task)
            advance(before - left)

        while left and not search.time_is_up:
            try:
                with closing(search.run(fit, executor)) as ended:
                    for _ in ended:
                        show(now=False)
            except StopSearch:
                progress.say("the search was stopped by who watches it")
                return replace(search_record(study), stopped=search.missing > 0)
            if not search.begun:  # other processes run what is missing
                time.sleep(OTHERS_SECONDS)
            show(now=True)
    if search.missing:
        done = task.trials - search.missing
        progress.warn(f"time is up: {done} of {task.trials} trials were run")
    return search_record(study)


def _format_best(trials: Sequence[FrozenTrial]) -> str:
    """Return what to say of the best value; empty where no trial is complete."""
    complete = [trial.value or 0.0 for trial in trials if trial.state == TrialState.COMPLETE]
    return f"best validation ROC AUC {max(complete):.3f}, optimistic" if complete else ""


def _missing(trials: Sequence[FrozenTrial], task: SearchTask) -> int:
    """Return how many trials a study lacks of those asked for."""
    return max(0, task.trials - _count(trials, *USEFUL))


class _Search:
    """The trials that this process begins, and hands to who fits them.

    Attributes:
        begun: How many the last `run` has begun.
    """

    def __init__(
        self,
        study: Study,
        task: SearchTask,
        first: Sequence[Mapping[str, Any]],
        listener: TrialListener,
    ) -> None:
        self._study, self._task, self._first, self._listener = study, task, first, listener
        self._courses: dict[int, TrialCourse] = {}
        seconds = task.timeout_seconds
        self._deadline = time.monotonic() + seconds if seconds else None
        self._ended: list[TrialRecord] = []
        #: Whether trials run elsewhere, and may wait for that.
        self._apart = False
        self.begun = 0

    @property
    def missing(self) -> int:
        """Trials that the study lacks of those asked for."""
        return _missing(self._study.get_trials(deepcopy=False), self._task)

    @property
    def time_is_up(self) -> bool:
        """Whether no further trial is to start; without any there would be no result."""
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return late and self.missing < self._task.trials

    def run(self, fit: Shared[FitTask], executor: Executor) -> Generator[TrialRecord, None, None]:
        """Begin trials while any may begin, and yield each that has ended.

        Raises:
            StopSearch: If who watches them wants no more; it is recorded by then.
        """
        self.begun = 0
        self._apart = executor is not THIS_PROCESS
        try:
            with closing(executor.results(self._units(fit, executor), self._hear)) as results:
                for ended in results:
                    yield self._settled(ended)
        except StorageError:  # found dead by the next run, which repeats them
            raise
        except BaseException:  # interrupted: they count as killed, so that the next run does
            for course in self._courses.values():
                if course.begun:
                    with suppress(StopTrial, StopSearch, ListenerError):
                        course.end()
                    _tell_cut_off(self._study, course.trial, self._listener)
                else:  # it still waited for a worker, and nobody has heard of it
                    self._study.tell(course.trial, state=TrialState.FAIL)
            raise
        finally:
            for course in self._courses.values():
                course.close()
            self._courses.clear()

    def _check_failures(self) -> None:
        """Look at the trials that ended here, in the order in which they were drawn.

        Raises:
            StudyError: If something other than their options must be wrong.
        """
        in_a_row = 0
        self._ended.sort(key=lambda trial: (trial.position, trial.number))
        for trial in self._ended:
            in_a_row = in_a_row + 1 if trial.state == "failed" else 0
            if in_a_row == MAX_FAILURES_IN_A_ROW:
                raise StudyError(f"{in_a_row} trials in a row failed, the last: {trial.reason}")
        del self._ended[: 1 - MAX_FAILURES_IN_A_ROW]  # what follows is drawn later

    def _units(self, fit: Shared[FitTask], executor: Executor) -> Iterator[TrialUnit]:
        while not self.time_is_up:
            if not self._courses:
                self._check_failures()
            elif self._task.parallel == 1:
                return  # the next is drawn from what this one finds
            room = min(executor.free, TOGETHER)
            begun = _begin_trials(self._study, self._task, self._first, room)
            courses = [
                TrialCourse(self._study, trial, self._task.fit, self._listener) for trial in begun
            ]
            self._courses |= dict(enumerate(courses, self.begun))
            self.begun += len(begun)
            fresh = not isinstance(self._task.fit.network, FrozenNetwork)
            for trial in begun:
                kept = kept_files(self._task.fit, trial.config)
                yield TrialUnit(fit, trial.config, fresh, kept)
            if not begun:
                return

    def _hear(self, number: int, told: Any) -> None:
        self._courses[number].hear(told)

    def _settled(self, ended: Ended[TrialEnd]) -> TrialRecord:
        """Write down how a trial ended."""
        course = self._courses[ended.number]
        by, result = ended.ended_by, ended.result
        if isinstance(by, WorkerDiedError):
            by, result = None, TrialEnd(None, str(by))
        try:
            if by is None:
                course.begin()  # as it may not have, where every process died at once
            course.end()
        except (StopTrial, StopSearch) as asked:
            by, result = by or asked, None
        if self._apart:
            keep_ran(course.trial, course.seconds)
        if by is not None and not isinstance(by, optuna.TrialPruned | StopTrial | StopSearch):
            raise by
        value, state = None, TrialState.PRUNED
        if result is not None:
            value, state = result.value, TrialState.COMPLETE
            if value is None:
                state = TrialState.FAIL
                keep_reason(course.trial, result.reason)
        record = trial_record(self._study.tell(course.trial, value, state))
        course.close()
        del self._courses[ended.number]
        self._ended.append(record)
        stop = by if isinstance(by, StopSearch) else None
        try:
            self._listener.ended(record)
        except StopSearch as asked:
            stop = asked
        _forget_all_but_the_best(self._study, self._task)
        if stop is not None:
            raise stop
        return record


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


def _begin_trials(
    study: Study, task: SearchTask, first: Sequence[Mapping[str, Any]], room: int
) -> list[BegunTrial]:
    """Start trials while there is room; none where those that run now may suffice."""
    with turn(study):
        trials = study.get_trials(deepcopy=False)  # at one moment: others end theirs meanwhile
        if fail_dead(study, trials, again=False):
            trials = study.get_trials(deepcopy=False)
        if task.parallel > 1:
            return _begin_together(study, trials, task, first, room)
        if _count(trials, *USEFUL, TrialState.RUNNING) >= task.trials:
            return []
        left = given_up(study)
        counted = sum(ended_by_itself(trial, left) for trial in trials)
        begun = counted + _count(trials, TrialState.WAITING, TrialState.RUNNING)
        for params in first[begun : begun + 1]:
            study.enqueue_trial(dict(params))
        study.sampler = _sampler(task, counted)
        trial = ask(study)
        uid = claim(trial)
    return [BegunTrial(trial, uid, _configured(trial, task), trial)]


def _begin_together(
    study: Study,
    trials: Sequence[FrozenTrial],
    task: SearchTask,
    first: Sequence[Mapping[str, Any]],
    room: int,
) -> list[BegunTrial]:
    """Start trials of the round that runs; none where those that run have to end first.

    Their options are known at once, for those that are drawn beside them depend on them.
    """

    def judged(trial: optuna.Trial, draw: Draw) -> optuna.Trial | Judged:
        pruned = task.pruner != "none"
        return Judged(draw, study.study_name, _pruner(task)) if pruned else trial

    if _count(trials, TrialState.WAITING):  # of a dead process, to be repeated
        trial = ask(study)
        uid = claim(trial)
        draw = draw_of(study, trials, trial, task.parallel)
        return [BegunTrial(trial, uid, _configured(trial, task), judged(trial, draw))]
    begun: list[BegunTrial] = []
    known: dict[int, FrozenTrial] = {}
    try:
        for place in next_draws(study, trials, task.parallel, task.trials)[: max(1, room)]:
            draw = place.knowing(known)
            params = next(iter(first[draw.position : draw.position + 1]), None)
            drawn = draw.ask(study.study_name, _pruner(task), _sampler(task, draw.position), params)
            config = suggest(drawn, task.space)
            known[draw.position] = as_begun(drawn)
            trial, uid = start(study, drawn, config, draw.position)
            begun.append(BegunTrial(trial, uid, config, judged(trial, draw)))
    except BaseException:  # nobody would run those that have begun
        with suppress(FakefaceError):
            for one in begun:
                study.tell(one.trial, state=TrialState.FAIL)
        raise
    return begun


def _configured(trial: optuna.Trial, task: SearchTask) -> TrialConfig:
    """Draw what a started trial leaves open, and write its options down."""
    config = suggest(trial, task.space)
    keep_config(trial, config)
    return config


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


def _tell_cut_off(study: Study, trial: optuna.Trial, listener: TrialListener) -> None:
    """Mark a trial failed whose end is nothing of its own; whoever watches cannot change it."""
    ended = trial_record(study.tell(trial, state=TrialState.FAIL))
    with suppress(StopSearch, ListenerError):
        listener.ended(ended)


def _forget_all_but_the_best(study: Study, search: SearchTask) -> None:
    """Delete what ended trials could be gone on from; the refits load the best's and the first's.

    What a killed trial left is kept for the one that repeats it.
    """
    task = search.fit
    if task.checkpoints is None:
        return
    ended = [trial for trial in ended_trials(study) if trial.reason != CUT_OFF]
    kept = configs_under_way(study)
    if not task.folds:  # folds are refitted for as long as is best
        complete = [trial for trial in ended if trial.state == "complete"]
        kept += [trial.config for trial in (*complete[:1], best_trial(ended)) if trial]
        if search.anytime:
            kept += [trial.config for trial in best_so_far(ended)]
    for trial in ended:
        if trial.config not in kept:
            forget_fit(task, trial.config)

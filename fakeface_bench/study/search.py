"""A study's searches, one for each seed, each with its own trials."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fakeface_bench.records.study import SearchRecord
from fakeface_bench.resolve import Plan
from fakeface_bench.search.optimise import SearchTask, optimise
from fakeface_bench.search.storage import Study, ended_trials, study_uid
from fakeface_bench.search.trial import Listeners, TrialListener
from fakeface_bench.study.setup import Setup, fit_task, open_study_of, space_of
from fakeface_bench.support.disk import cache_folder
from fakeface_bench.support.executor import Executor
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking import names
from fakeface_bench.tracking.runs import TrackedRun
from fakeface_bench.tracking.studies import STOPPED
from fakeface_bench.tracking.trials import TrialRuns
from fakeface_bench.training.networks import FitTask


@dataclass(frozen=True, slots=True)
class SeedSearch:
    """The search of one seed, and what its winner is fitted by.

    Attributes:
        earlier: Uids of the trials that earlier processes ran.
        seconds: That it took in this process.
    """

    task: FitTask
    record: SearchRecord
    earlier: frozenset[str]
    seconds: float

    @property
    def share_of_wall_clock(self) -> float:
        """What a second of its trials took here: 1, or less where they ran side by side."""
        return min(1.0, self.seconds / self._ran_seconds) if self._ran_seconds else 1.0

    @property
    def elsewhere_seconds(self) -> float:
        """What its trials took beyond the wall clock."""
        return self._ran_seconds * (1 - self.share_of_wall_clock)

    @property
    def _ran_seconds(self) -> float:
        return sum(trial.seconds for trial in self.record.trials if trial.uid not in self.earlier)

    @property
    def amortised_seconds(self) -> float:
        """Spent on its trials by earlier processes."""
        return sum(trial.seconds for trial in self.record.trials if trial.uid in self.earlier)

    @property
    def epochs(self) -> int:
        """Epochs of all trials, each fold's."""
        return sum(len(trial.epochs) * trial.folds for trial in self.record.trials)


@dataclass(frozen=True, slots=True)
class SearchedBy:
    """Who fits the trials of a search, and who hears of those of the first seed beside MLflow."""

    executor: Executor
    listeners: Sequence[TrialListener] = ()


def search_all(
    plan: Plan,
    setup: Setup,
    run: TrackedRun,
    tags: dict[str, str],
    progress: Progress,
    by: SearchedBy,
) -> Iterator[SeedSearch]:
    """Search once for each seed that is asked for, on the same images and their folds.

    Every seed has its own trials, random numbers and fits; a killed study goes on in the search
    that it was in.
    """
    study = open_study_of(plan, setup, run.experiment_id)
    task = fit_task(plan, setup, study, run, progress)
    search = _search(plan, study, task, TrialRuns(run, tags), progress, by)
    if search.record.stopped:
        run.log_params({STOPPED: "true"})
    yield search
    if search.record.stopped:
        return
    for number in range(2, plan.config.seeds + 1):
        seed = task.seed + number - 1
        progress.say(f"seed {number} of {plan.config.seeds}: a search of its own")
        study = open_study_of(plan, setup, run.experiment_id, seed)
        own = task.changed(seed=seed)
        if task.checkpoints:
            own = own.changed(checkpoints=cache_folder("fits") / study_uid(study))
        runs = TrialRuns(run, tags | {names.SEED: str(seed)})
        yield _search(plan, study, own, runs, progress, replace(by, listeners=()))


def _search(
    plan: Plan,
    study: Study,
    task: FitTask,
    runs: TrialRuns,
    progress: Progress,
    by: SearchedBy,
) -> SeedSearch:
    """Adopt the trials of earlier processes, and run what is missing."""
    config = plan.config
    earlier = ended_trials(study)
    began = time.perf_counter()
    runs.adopt_earlier(earlier)
    asked = SearchTask(
        fit=task,
        trials=config.trials,
        seed=task.seed,
        space=space_of(plan, task.network),
        timeout_seconds=60 * config.timeout_minutes,
        sampler=config.search.sampler,
        pruner=config.search.pruner,
        parallel=config.search.parallel,
        anytime=config.anytime,
    )
    record = optimise(study, asked, Listeners([runs, *by.listeners]), progress, by.executor)
    uids = frozenset(trial.uid for trial in earlier)
    return SeedSearch(task, record, uids, time.perf_counter() - began)

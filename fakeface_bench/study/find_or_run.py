"""Finds a finished study of a request, or runs one.

Nothing here loads TensorFlow, so that a finished study is found within seconds. A study that is run
is a process of its own: what it allocates or breaks is gone with it, and its wall clock is a
process's.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from typing import ClassVar

from fakeface_bench import __version__
from fakeface_bench.analysis.results import Results
from fakeface_bench.backbones.network_file import network_named
from fakeface_bench.backbones.weights import file_label, weights_may_be_had
from fakeface_bench.config import AUTO, METRICS_VERSION, STORAGE_VARIABLE, StudyConfig, listed
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.records.registration import Registration
from fakeface_bench.records.study import ComparedStudy, LeftOut
from fakeface_bench.report.saved_study import RESULTS_FILE, SAVED_FILES, read_results
from fakeface_bench.resolve import RequestLike, checked
from fakeface_bench.study.finished import read_studies
from fakeface_bench.study.preparation import PreparedDataset, prepare_dataset
from fakeface_bench.study.register import register_study
from fakeface_bench.support.disk import draft_folder, existing_path
from fakeface_bench.support.errors import INTERRUPTED, UsageError
from fakeface_bench.support.executor import THIS_PROCESS, Executor, Known, Tell, Unit, in_order
from fakeface_bench.support.machine import Clock
from fakeface_bench.support.processes import commands_told_to, end_commands, wait_for
from fakeface_bench.support.progress import Advance, Progress
from fakeface_bench.support.side_by_side import SideBySide
from fakeface_bench.tracking.lifetime import point_adopted_run
from fakeface_bench.tracking.registry import check_registry
from fakeface_bench.tracking.runs import TrackedRun
from fakeface_bench.tracking.store import current_experiment, open_store, store_errors_named
from fakeface_bench.tracking.studies import (
    FINISHED,
    GENERATORS_DIGEST,
    NETWORK_DIGEST,
    STOPPED,
    StudyRun,
    download_study,
    environment_of,
    find_studies,
    open_study_run,
    settle_study_run,
    study_named,
)
from fakeface_bench.tracking.succession import useful_trials


@dataclass(frozen=True, slots=True)
class FinishedStudy:
    """A finished study as MLflow holds it; `registration` is that of its model, if made now."""

    run: StudyRun
    saved: ComparedStudy
    results: Results
    registration: Registration | None = None
    #: Nothing of it is kept back from MLflow's server.
    unsent: ClassVar[str] = ""

    @property
    def run_id(self) -> str:
        """Of its MLflow run."""
        return self.run.run_id


def find_finished(
    asked: RequestLike[StudyConfig], progress: Progress, clock: Clock | None = None
) -> tuple[FinishedStudy | None, PreparedDataset | None]:
    """Find the same study, finished, and register its model where that is asked for.

    It is the same if its request, version, values of weights and contents of images were the same,
    and if it holds as many trials and seeds. The run that `mlflow run` opened for this process then
    points to it: see `point_adopted_run`.

    Args:
        clock: Of the command, which is told what opening MLflow's store took.

    Returns:
        The study, or None where it is to be run; and its dataset where that had to be prepared.
    """
    config = checked(asked).request
    if config.again:
        return None, None
    with (clock or Clock()).timing("store"):
        open_store()
    with store_errors_named():
        experiment = current_experiment()
        finished = finished_studies(config, experiment) if experiment else ()
        similar = [study for study in finished if _is_same(config, study)]
    if not similar:
        return None, None
    dataset = prepare_dataset(config.data, config.seed, progress, config.classes)
    # The study's run has said which images are not used, and says so again if it is run again.
    index = dataset.index(config.limit, _WithoutLines(progress), listed(config.leave_out))
    for study in similar:
        if not uses_images(study, index):
            continue
        try:
            (saved,) = read_studies([study], progress)
            with draft_folder() as folder:
                download_study(study, [RESULTS_FILE], folder)
                results = read_results(folder / RESULTS_FILE)
        except UsageError as error:
            progress.warn(f"{error} It is run again.")
            continue
        registration = None
        if config.register:
            check_registry()
            registration = register_study(study, config.register, False, progress)
        point_adopted_run(study.run_id)
        return FinishedStudy(study, saved, results, registration), dataset
    return None, dataset


def _is_same(config: StudyConfig, earlier: StudyRun) -> bool:
    """Whether a finished study is of the same request, whatever its images."""
    if not matches_request(config, earlier):
        return False
    named = config.study in ("", earlier.params.get("study"))
    priced = config.dollars_per_hour in (0.0, float(earlier.params.get("dollars_per_hour", 0)))
    if not (named and priced):
        return False
    if config.weights == AUTO and earlier.weights == "random":
        architecture = network_named(config.model)
        if architecture.pretrained and weights_may_be_had(architecture):
            return False
    stopped = STOPPED in earlier.params
    if stopped and config.seeds > 1:  # its other searches were never begun
        return False
    hurried = stopped or float(earlier.params.get("timeout_minutes", 0)) > 0
    return not hurried or useful_trials(earlier.experiment_id, earlier.run_id) >= config.trials


@dataclass(frozen=True, slots=True)
class _WithoutLines:
    """Shows how far work is, and no lines or warnings."""

    shown: Progress

    def stage(self, title: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        return self.shown.stage(title, total, unit)

    def say(self, line: str) -> None:
        """Show nothing."""

    warn = say


#: Params in which a finished study may differ from a request: the images are compared by digest;
#: of trials, seeds and time it may have more; the rest changes no metric.
_MAY_DIFFER = (
    *("model", "data", "classes", "leave_out", "limit", "trials", "seeds", "refits", "study"),
    *("cache_gb", "storage", "timeout_minutes", "dollars_per_hour", "register", "again"),
    *("cluster", "share", "anytime"),
)


#: What options meant that finished studies may be older than.
_NEWER = {"canvas": "0", "parallel": "1", "trial_cores": "0", "trial_gpus": "0.0"}


@dataclass(frozen=True, slots=True)
class NeededStudy:
    """A study that a job needs.

    Attributes:
        name: Shown when it is begun; nothing is shown where it is empty.
        same_trials: Whether a finished study with more trials does not do.
    """

    study: StudyConfig
    index: ImageIndex
    name: str = ""
    same_trials: bool = False


@dataclass(frozen=True, slots=True)
class StudyUnit:
    """A study to run in a process of its own, which finds its open MLflow run by `variables`."""

    study: StudyConfig
    run_id: str
    variables: Mapping[str, str]
    beside_others: bool = False
    fresh: ClassVar[bool] = False

    def run(self, tell: Tell) -> "StudyEnd":
        """Run it to its end; beside others it tells what it prints, line by line."""
        # `again`: the job has found no finished study that it could use.
        # Storage may hold a password, which a command line shows to everybody.
        options = replace(self.study, again=True).as_words(without=("storage",))
        command = [sys.executable, "-m", "fakeface_bench", "run", *options]
        variables = {**self.variables, STORAGE_VARIABLE: self.study.storage}
        told = commands_told_to(lambda line: tell(f"{self.study.model}: {line}"))
        try:
            with told if self.beside_others else nullcontext():
                code = wait_for(command, variables)
        except OSError as error:
            return StudyEnd(self.study.model, self.run_id, obstacle=str(error))
        obstacle = f"its process ended with code {code}." if code else ""
        return StudyEnd(self.study.model, self.run_id, obstacle, code == INTERRUPTED)


@dataclass(frozen=True, slots=True)
class StudyEnd:
    """How a unit ended; `obstacle` says why its process failed, and is empty where it did not."""

    model: str
    run_id: str
    obstacle: str
    interrupted: bool = False


def find_or_run_studies(
    run: TrackedRun,
    needed: Sequence[NeededStudy],
    progress: Progress,
    executor: Executor = THIS_PROCESS,
) -> Iterator[StudyRun | LeftOut]:
    """Yield each study that is needed, found or run, or why there is none, in their order.

    Only this function talks to MLflow: it opens a study's run, below the job's, when the executor
    takes the study, and closes it whatever happens.
    """
    under_way: set[str] = set()

    def units() -> Iterator[Unit[StudyRun | StudyEnd]]:
        for number, one in enumerate(needed, start=1):
            if one.name:
                progress.say(f"study {number} of {len(needed)}: {one.name}")
            if earlier := _find_readable(run, one, progress):
                yield Known(earlier)
                continue
            model = network_named(one.study.model).key
            run_id = open_study_run(run, model, one.index.name)
            under_way.add(run_id)
            variables = environment_of(run_id, run.experiment_id)
            yield StudyUnit(one.study, run_id, variables, executor is not THIS_PROCESS)

    try:
        with closing(executor.results(units(), lambda _, line: progress.say(line))) as results:
            for ended in in_order(results):
                if isinstance(ended, StudyRun):
                    yield ended
                    continue
                under_way.remove(ended.run_id)
                yield _settle(ended)
    except BaseException:
        for run_id in under_way:
            settle_study_run(run_id, "interrupted")
        raise


def studies_by(at_once: int) -> Executor:
    """Return who runs studies of which so many may run at once."""
    return THIS_PROCESS if at_once == 1 else SideBySide(at_once, end_commands)


def _settle(ended: StudyEnd) -> StudyRun | LeftOut:
    """Return the study of a process that ended, or why it failed."""
    if not ended.obstacle:
        return study_named(ended.run_id)
    reason = settle_study_run(ended.run_id, ended.obstacle)
    if ended.interrupted:
        raise KeyboardInterrupt
    return LeftOut(ended.model, ended.run_id, f"it failed: {reason}")


def _find_readable(run: TrackedRun, needed: NeededStudy, progress: Progress) -> StudyRun | None:
    """Return the newest finished study that a job can use, if there is one."""
    for earlier in finished_studies(needed.study, run.experiment_id):
        same = matches_request(needed.study, earlier, needed.same_trials)
        same = same and STOPPED not in earlier.params
        if not same or not uses_images(earlier, needed.index):
            continue
        try:
            with draft_folder() as folder:
                download_study(earlier, SAVED_FILES, folder)
        except UsageError as error:
            progress.warn(f"{error} It is run again.")
            continue
        which = f"{earlier.weights} weights, run {earlier.run_id}"
        progress.say(f"{needed.study.model} was finished before ({which})")
        return earlier
    return None


def finished_studies(study: StudyConfig, experiment_id: str) -> Iterator[StudyRun]:
    """Yield the finished studies of a request's network, the newest first."""
    network = network_named(study.model)
    digest = network.file.digest if network.file else None
    for earlier in find_studies(experiment_id):
        same = earlier.model == network.key and earlier.params.get(NETWORK_DIGEST) == digest
        if earlier.status == FINISHED and same:
            yield earlier


def uses_images(study: StudyRun, index: ImageIndex) -> bool:
    """Whether a study used exactly these images, made by the same, and tested on the same."""
    used = (study.digest, study.test_digest, study.params.get(GENERATORS_DIGEST, ""))
    return used == (index.digest, index.split_digest("test"), index.generators_digest)


def matches_request(study: StudyConfig, earlier: StudyRun, same_trials: bool = False) -> bool:
    """Whether a finished study holds all that is asked for, by the same version of the suite.

    Neither network nor images are compared: see `finished_studies` and `uses_images`.

    Args:
        same_trials: Whether it must hold no further trials either.
    """
    params = earlier.params
    asked = {key: str(value) for key, value in study.as_params().items() if key not in _MAY_DIFFER}
    asked |= {"version_fakeface_bench": __version__, "version_figures": METRICS_VERSION}
    if study.balance == "sources":  # then it matters which images are one source
        asked["data"] = study.data
    file = existing_path(study.weights)
    if file:  # then its values matter, not its place
        asked.pop("weights")
        if earlier.weights != file_label(file):
            return False
    trials, seeds = (float(params.get(key, 0)) for key in ("trials", "seeds"))
    refits = float(params.get("refits", seeds))
    if "refits" not in params:  # of a time when seeds named what refits does
        seeds = min(seeds, 1)
    if trials < study.trials or (same_trials and trials > study.trials):
        return False
    if seeds < study.seeds or refits < study.refits:
        return False
    if study.anytime and params.get("anytime") != str(True):
        return False
    if float(params.get("timeout_minutes", 0)) not in (0.0, study.timeout_minutes):
        return False
    return all(params.get(key, _NEWER.get(key)) == value for key, value in asked.items())


def format_failures(failed: Sequence[LeftOut], studies: int) -> str:
    """Say which studies failed and why; empty where none did."""
    if not failed:
        return ""
    reasons = " ".join(f"{study.name}: {study.reason}" for study in failed)
    some = len(failed) < studies
    rest = " The same command runs only what is missing." if some else ""
    return f"{len(failed)} of {studies} studies failed. {reasons}{rest}"

"""Obtains a finished study that answers a request: an earlier one, else one that is run now.

Nothing here loads TensorFlow, so that an answer that is there already is told within seconds. A
study that is run is a process of its own: what it allocates or breaks is gone with it, and its wall
clock is a process's.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from fakeface_bench import __version__
from fakeface_bench.analysis.results import Results
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import file_label, imagenet_may_be_had
from fakeface_bench.config import AUTO, METRICS_VERSION, STORAGE_VARIABLE, StudyConfig
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.records.study import ComparedStudy, LeftOut, Registration
from fakeface_bench.report.results import RESULTS_FILE, read_results
from fakeface_bench.report.saved_study import SAVED_FILES
from fakeface_bench.resolve import RequestLike, checked
from fakeface_bench.study.finished import read_studies
from fakeface_bench.study.preparation import PreparedDataset, prepare_dataset
from fakeface_bench.study.register import register_study
from fakeface_bench.support.disk import draft_folder, existing_path
from fakeface_bench.support.errors import INTERRUPTED, UsageError
from fakeface_bench.support.executor import THIS_PROCESS, Executor, Known, Unit
from fakeface_bench.support.processes import wait_for
from fakeface_bench.support.progress import Advance, Progress
from fakeface_bench.tracking.lifetime import point_adopted_run
from fakeface_bench.tracking.registry import check_registry
from fakeface_bench.tracking.runs import TrackedRun
from fakeface_bench.tracking.store import current_experiment, open_store, store_errors_named
from fakeface_bench.tracking.studies import (
    FINISHED,
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
    """A study that was finished before, as MLflow holds it.

    Attributes:
        registration: Of its model, where that was asked for now.
    """

    run: StudyRun
    saved: ComparedStudy
    results: Results
    registration: Registration | None = None


@dataclass(frozen=True, slots=True)
class EarlierStudy:
    """What is known before a study begins.

    Attributes:
        finished: The same study, finished; None where it is to be run.
        dataset: Made ready to find that out; None where it need not have been.
    """

    finished: FinishedStudy | None = None
    dataset: PreparedDataset | None = None


def find_earlier(asked: RequestLike[StudyConfig], progress: Progress) -> EarlierStudy:
    """Find out whether a study is finished already, and register its model if that is asked for.

    It is the same if all that is asked was asked then, of the same version, with weights of the
    same values and images of the same contents, and if it holds as many trials and seeds. The run
    that `mlflow run` opened for this process then stands for it: see `point_adopted_run`.

    Args:
        asked: What is asked; nothing is looked for where it says `again`.
    """
    config = checked(asked).request
    if config.again:
        return EarlierStudy()
    open_store()
    with store_errors_named():
        similar = _similar(config)
    if not similar:
        return EarlierStudy()
    dataset = prepare_dataset(config.data, config.seed, progress, config.classes)
    # What is not used was told when the study ran, and is again if it does.
    index = dataset.index(config.limit, _QuietProgress(progress), config.left_out)
    for earlier in (study for study in similar if is_of_images(study, index)):
        try:
            finished = _read(earlier, progress)
        except UsageError as error:
            progress.warn(f"{error} It is run again.")
            continue
        return EarlierStudy(_concluded(finished, config, progress), dataset)
    return EarlierStudy(dataset=dataset)


def _similar(config: StudyConfig) -> list[StudyRun]:
    """Return the finished studies of the same request, whatever their images; the newest first."""
    experiment = current_experiment()
    found = finished_studies(config, experiment) if experiment else iter(())
    return [study for study in found if _is_same(config, study)]


def _is_same(config: StudyConfig, earlier: StudyRun) -> bool:
    if not answered(config, earlier):
        return False
    named = config.study in ("", earlier.params.get("study"))
    priced = config.dollars_per_hour in (0.0, float(earlier.params.get("dollars_per_hour", 0)))
    if not (named and priced):
        return False
    if config.weights == AUTO and earlier.weights == "random":
        architecture = architecture_named(config.model)
        if architecture.pretrained and imagenet_may_be_had(architecture):
            return False
    hurried = float(earlier.params.get("timeout_minutes", 0)) > 0
    return not hurried or useful_trials(earlier.experiment_id, earlier.run_id) >= config.trials


def _read(study: StudyRun, progress: Progress) -> FinishedStudy:
    (saved,) = read_studies([study], progress)
    with draft_folder() as folder:
        download_study(study, [RESULTS_FILE], folder)
        return FinishedStudy(study, saved, read_results(folder / RESULTS_FILE))


def _concluded(finished: FinishedStudy, config: StudyConfig, progress: Progress) -> FinishedStudy:
    registration = None
    if config.register:
        check_registry()
        registration = register_study(finished.run, config.register, False, progress)
    point_adopted_run(finished.run.run_id)
    return FinishedStudy(finished.run, finished.saved, finished.results, registration)


@dataclass(frozen=True, slots=True)
class _QuietProgress:
    """Shows how far work is, and tells nothing else."""

    shown: Progress

    @contextmanager
    def stage(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        with self.shown.stage(title, total, unit) as advance:
            yield advance

    def say(self, line: str) -> None:
        """Tell nothing."""

    def warn(self, line: str) -> None:
        """Tell nothing."""


#: Params that may differ between a study that is asked for and one that is as good: the dataset and
#: what is used of it are compared by digest, trials, seeds and time by what is enough; the rest
#: moves no metric.
_MAY_DIFFER = (
    *("model", "data", "classes", "leave_out", "limit", "trials", "seeds", "study"),
    *("cache_gb", "storage", "timeout_minutes", "dollars_per_hour", "register", "again"),
)


@dataclass(frozen=True, slots=True)
class WantedStudy:
    """A study that a job needs.

    Attributes:
        name: By which it is told which of how many it is; nothing is told where empty.
        as_long: Whether an earlier one must have searched neither less nor more.
    """

    study: StudyConfig
    index: ImageIndex
    name: str = ""
    as_long: bool = False


@dataclass(frozen=True, slots=True)
class StudyUnit:
    """A study to run in a process of its own, which adopts the run that is open for it.

    Attributes:
        variables: Of the environment, by which the process finds the run.
    """

    study: StudyConfig
    run_id: str
    variables: Mapping[str, str]

    def run(self) -> "StudyEnd":
        """Run it to its end."""
        # That it is not finished has been found out before, by what the job takes for it.
        options = [
            word
            for key, value in replace(self.study, again=True).as_params().items()
            if key != "storage"  # it may hold a password, which a command line shows to everybody
            for word in (f"--{key.replace('_', '-')}", str(value))
        ]
        command = [sys.executable, "-m", "fakeface_bench", "run", *options]
        variables = {**self.variables, STORAGE_VARIABLE: self.study.storage}
        try:
            code = wait_for(command, variables)
        except OSError as error:
            return StudyEnd(self.study.model, self.run_id, obstacle=str(error))
        obstacle = f"its process ended with code {code}." if code else ""
        return StudyEnd(self.study.model, self.run_id, obstacle, code == INTERRUPTED)


@dataclass(frozen=True, slots=True)
class StudyEnd:
    """How a unit ended.

    Attributes:
        obstacle: Why its process failed; empty where it did not.
        interrupted: Whether a user ended that process.
    """

    model: str
    run_id: str
    obstacle: str
    interrupted: bool = False


def obtain_studies(
    run: TrackedRun,
    wanted: Sequence[WantedStudy],
    progress: Progress,
    executor: Executor = THIS_PROCESS,
) -> Iterator[StudyRun | LeftOut]:
    """Yield the finished study that answers each request: an earlier one, else one that is run.

    MLflow is asked and told here alone: a study's run is opened when somebody is there to run it,
    and closed whatever happens.

    Args:
        run: Of the job that asks; a study that is run now hangs under it.
        wanted: In the order of what is yielded.

    Yields:
        The study, or why there is none.
    """
    under_way: set[str] = set()

    def units() -> Iterator[Unit[StudyRun | StudyEnd]]:
        for number, one in enumerate(wanted, start=1):
            if one.name:
                progress.say(f"study {number} of {len(wanted)}: {one.name}")
            if earlier := _finished_before(run, one, progress):
                yield Known(earlier)
                continue
            model = architecture_named(one.study.model).key
            run_id = open_study_run(run, model, one.index.name)
            under_way.add(run_id)
            yield StudyUnit(one.study, run_id, environment_of(run_id, run.experiment_id))

    try:
        with closing(executor.results(units())) as results:
            for ended in results:
                if isinstance(ended, StudyRun):
                    yield ended
                    continue
                under_way.remove(ended.run_id)
                yield _settled(ended)
    except BaseException:
        for run_id in under_way:
            settle_study_run(run_id, "interrupted")
        raise


def obtain_study(run: TrackedRun, wanted: WantedStudy, progress: Progress) -> StudyRun | LeftOut:
    """Return the finished study that answers one request; see `obtain_studies`."""
    (obtained,) = obtain_studies(run, [wanted], progress)
    return obtained


def _settled(ended: StudyEnd) -> StudyRun | LeftOut:
    """Return the study of a process that ended; one that failed leaves its reason."""
    if not ended.obstacle:
        return study_named(ended.run_id)
    reason = settle_study_run(ended.run_id, ended.obstacle)
    if ended.interrupted:
        raise KeyboardInterrupt
    return LeftOut(ended.model, ended.run_id, f"it failed: {reason}")


def _finished_before(run: TrackedRun, wanted: WantedStudy, progress: Progress) -> StudyRun | None:
    """Return the newest finished study that answers the same request; None where there is none."""
    for earlier in finished_studies(wanted.study, run.experiment_id):
        same = answered(wanted.study, earlier, wanted.as_long)
        same = same and is_of_images(earlier, wanted.index)
        if same and _is_whole(earlier, progress):
            which = f"{earlier.weights} weights, run {earlier.run_id}"
            progress.say(f"{wanted.study.model} was finished before ({which})")
            return earlier
    return None


def finished_studies(study: StudyConfig, experiment_id: str) -> Iterator[StudyRun]:
    """Yield the finished studies of the network that is asked for, the newest first."""
    model = architecture_named(study.model).key
    for earlier in find_studies(experiment_id):
        if earlier.status == FINISHED and earlier.model == model:
            yield earlier


def is_of_images(study: StudyRun, index: ImageIndex) -> bool:
    """Whether a study used just these images, and tested on the same of them."""
    return (study.digest, study.test_digest) == (index.digest, index.split_digest("test"))


def answered(study: StudyConfig, earlier: StudyRun, as_long: bool = False) -> bool:
    """Whether a finished study holds all that is asked for, by the same version of the suite.

    Neither network nor images are compared: see `finished_studies` and `is_of_images`.

    Args:
        as_long: Whether it must hold no further trials either.
    """
    params = earlier.params
    asked = {key: str(value) for key, value in study.as_params().items() if key not in _MAY_DIFFER}
    asked |= {"version_fakeface_bench": __version__, "version_figures": METRICS_VERSION}
    if study.balance == "sources":  # which images come together counts then, not only which
        asked["data"] = study.data
    file = existing_path(study.weights)
    if file:  # whose values count, not where it lies
        asked.pop("weights")
    same_weights = file is None or earlier.weights == file_label(file)
    held = {key: float(params.get(key, 0)) for key in ("trials", "seeds")}
    enough = all(held[key] >= getattr(study, key) for key in held)
    enough = enough and (held["trials"] == study.trials or not as_long)
    in_time = float(params.get("timeout_minutes", 0)) in (0.0, study.timeout_minutes)
    same = all(params.get(key) == value for key, value in asked.items())
    return same and same_weights and enough and in_time


def _is_whole(study: StudyRun, progress: Progress) -> bool:
    """Whether a comparison could read a finished study; if not, it is to be run again."""
    try:
        with draft_folder() as folder:
            download_study(study, SAVED_FILES, folder)
    except UsageError as error:
        progress.warn(f"{error} It is run again.")
        return False
    return True


def failure_of(failed: Sequence[LeftOut], studies: int) -> str:
    """Say which studies failed and why; empty where none did."""
    if not failed:
        return ""
    description = " ".join(f"{study.name}: {study.reason}" for study in failed)
    some = len(failed) < studies
    rest = " The same command runs only what is missing." if some else ""
    return f"{len(failed)} of {studies} studies failed. {description}{rest}"

"""A study that is asked for again: where it is finished, it is told and nothing is run.

Here nothing loads TensorFlow, so that the answer is there within seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fakeface_bench.architectures.catalogue import architecture_named
from fakeface_bench.architectures.weights_spec import imagenet_may_be_had
from fakeface_bench.config import AUTO, StudyConfig
from fakeface_bench.errors import UsageError
from fakeface_bench.folders import draft_folder
from fakeface_bench.obtaining import answered, finished_studies, is_of_images
from fakeface_bench.preparation import PreparedDataset, prepare_dataset
from fakeface_bench.progress import Advance, Progress
from fakeface_bench.reading import read_studies
from fakeface_bench.records import ComparedStudy, Registration
from fakeface_bench.register import register_study
from fakeface_bench.report import RESULTS_FILE, Results, read_results
from fakeface_bench.tracking.lifetime import point_adopted_run
from fakeface_bench.tracking.queries import useful_trials
from fakeface_bench.tracking.registry import check_registry
from fakeface_bench.tracking.store import current_experiment, open_store, store_asked
from fakeface_bench.tracking.studies import StudyRun, download_study


@dataclass(frozen=True, slots=True)
class FinishedStudy:
    """A study that was finished before, as MLflow holds it.

    Attributes:
        run: Of it.
        saved: Its files.
        results: Its figures.
        registration: Of its model, where that was asked for now.
    """

    run: StudyRun
    saved: ComparedStudy
    results: Results
    registration: Registration | None = None


@dataclass(frozen=True, slots=True)
class LookBack:
    """What is known before a study begins.

    Attributes:
        finished: The same study, finished; None where it is to be run.
        dataset: Made ready to find that out; None where it need not have been.
    """

    finished: FinishedStudy | None = None
    dataset: PreparedDataset | None = None


def look_back(config: StudyConfig, progress: Progress) -> LookBack:
    """Find out whether a study is finished already, and register its model if that is asked for.

    It is the same if all that is asked was asked then, of the same version, with weights of the
    same values and images of the same contents, and if it holds as many trials and seeds. The run
    that `mlflow run` opened for this process then stands for it: see `point_adopted_run`.

    Args:
        config: What is asked; nothing is looked for where it says `again`.
        progress: Told how far it is.

    Raises:
        FakefaceError: For whatever a user can mend.
    """
    if config.again:
        return LookBack()
    open_store()
    with store_asked():
        similar = _similar(config)
    if not similar:
        return LookBack()
    dataset = prepare_dataset(config.data, config.seed, progress, config.classes)
    # What is not used was told when the study ran, and is again if it does.
    index = dataset.index(config.limit, _Unheard(progress), config.left_out)
    for earlier in (study for study in similar if is_of_images(study, index)):
        try:
            finished = _read(earlier, progress)
        except UsageError as error:
            progress.warn(f"{error} It is run again.")
            continue
        return LookBack(_concluded(finished, config, progress), dataset)
    return LookBack(dataset=dataset)


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
class _Unheard:
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

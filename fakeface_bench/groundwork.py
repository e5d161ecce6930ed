"""What a study's search stands on: its images, its storage, its task, each told to its run."""

from dataclasses import replace

from fakeface_bench.config import FIGURES_VERSION
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.folders import cache_folder
from fakeface_bench.models.networks import Network
from fakeface_bench.plan import Plan
from fakeface_bench.preparation import PreparedDataset
from fakeface_bench.progress import Progress
from fakeface_bench.runtime import hardware_facts
from fakeface_bench.search.space import Space
from fakeface_bench.search.storage import (
    Study,
    keep_precision,
    kept_precision,
    open_study,
    study_uid,
)
from fakeface_bench.subject import Subject, prepare_subject
from fakeface_bench.tracking import names
from fakeface_bench.tracking.runs import TrackedRun
from fakeface_bench.tracking.store import storage_beside_store
from fakeface_bench.training.precision import choose_precision
from fakeface_bench.training.task import FitTask


def open_subject(
    plan: Plan, run: TrackedRun, progress: Progress, dataset: PreparedDataset | None = None
) -> tuple[Subject, dict[str, str]]:
    """Prepare what is studied, and tell the run; return it with the tags of its trials.

    Args:
        plan: What is asked.
        run: Of the study.
        progress: Told how far it is.
        dataset: Where it has been made ready already.
    """
    versions = {"version_figures": FIGURES_VERSION}
    run.log_params(hardware_facts() | versions)
    if plan.weights.warning:
        progress.warn(plan.weights.warning)
    run.tag(_tags(plan))
    subject = prepare_subject(plan, progress, dataset)
    tags = _tags(plan) | _data_tags(plan, subject.index)
    run.tag(tags)
    inputs = {"image_size_px": plan.image_size, "trained_on": subject.inputs.told}
    if plan.equalises:
        inputs["jpeg_quality"] = subject.plan.jpeg_quality
    run.log_params(inputs | subject.images_by_source())
    index = subject.index
    run.log_dataset(index.name, index.digest, index.frame, index.folders)
    return subject, tags


def _tags(plan: Plan) -> dict[str, str]:
    return {
        names.MODEL: plan.architecture.key,
        names.DATASET: plan.data_name,
        names.WEIGHTS: plan.weights.label,
        names.FINE_TUNE: plan.unfrozen.label,
        names.WEIGHTS_WARNING: plan.weights.warning,
    }


def _data_tags(plan: Plan, index: ImageIndex) -> dict[str, str]:
    return {
        names.DATASET_DIGEST: index.digest,
        names.TEST_DIGEST: index.split_digest("test"),
        names.STUDY: plan.study_name(index),
    }


def open_study_of(plan: Plan, subject: Subject, experiment_id: str) -> Study:
    """Open the study's storage, before anything long is done for a study that is refused.

    Args:
        plan: Of the study.
        subject: What it is of.
        experiment_id: Of the experiment that shows it.
    """
    storage = storage_beside_store(plan.config.storage, experiment_id)
    return open_study(storage, plan.study_name(subject.index), plan.definition(subject.index))


def fit_task(
    plan: Plan, subject: Subject, study: Study, run: TrackedRun, progress: Progress
) -> FitTask:
    """Read train and validation, and settle in what numbers trained layers compute."""
    task = FitTask(
        network=subject.network,
        train=subject.reader.read("train"),
        valid=subject.reader.read("valid"),
        epochs=plan.config.epochs,
        seed=plan.config.seed,
        objective=roc_auc,
        warn=progress.warn,
    )
    if not plan.unfrozen.anything:
        return task
    asked = kept_precision(study) or plan.config.precision
    measured = choose_precision(asked, task, space_of(plan, subject.network).baseline())
    precision = keep_precision(study, measured.name)
    progress.say(f"trained on {subject.inputs.told}, in {precision}")
    run.log_params({"trained_in": precision})
    run.log_figures(measured.as_metrics())
    return replace(task, precision=precision, checkpoints=cache_folder("fits") / study_uid(study))


def space_of(plan: Plan, network: Network) -> Space:
    """Return what the trials draw from."""
    return Space(network, plan.config.batch_size, plan.config.augment)

"""One study: search one architecture's head on one dataset, score test once, record it all."""

import shlex
import time
from dataclasses import dataclass, replace

from fakeface_bench.accounting import Expenses, close_ledger
from fakeface_bench.bias import measure_bias
from fakeface_bench.clock import Clock
from fakeface_bench.conclusion import conclude
from fakeface_bench.config import FIGURES_VERSION, StudyConfig
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.energy import energy_meter
from fakeface_bench.errors import FakefaceError, ModelError
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.folders import cache_folder
from fakeface_bench.models.networks import Network
from fakeface_bench.plan import Plan, make_plan
from fakeface_bench.progress import Progress
from fakeface_bench.recording import (
    log_bias,
    log_costs,
    log_explanation,
    log_results,
    log_winner,
    origin_of,
    record_of,
)
from fakeface_bench.records import Bias, Ledger, Registration, SearchRecord, StudyRecord
from fakeface_bench.register import register_study
from fakeface_bench.request import check_request
from fakeface_bench.runtime import hardware_facts
from fakeface_bench.search.optimise import SearchTask, optimise
from fakeface_bench.search.space import Space
from fakeface_bench.search.storage import (
    Study,
    finished_trials,
    keep_precision,
    kept_precision,
    open_study,
    study_uid,
    trial_record,
)
from fakeface_bench.subject import Subject, prepare_subject
from fakeface_bench.tracking import names
from fakeface_bench.tracking.registry import check_registry
from fakeface_bench.tracking.runs import TrackedRun, tracked_run
from fakeface_bench.tracking.store import open_store, storage_beside_store
from fakeface_bench.tracking.studies import study_named
from fakeface_bench.tracking.trials import TrialRuns
from fakeface_bench.training.precision import choose_precision
from fakeface_bench.training.task import FitTask


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """What a finished study leaves: its results, its cost, and where MLflow holds them."""

    record: StudyRecord
    ledger: Ledger
    run_id: str
    experiment_id: str
    registration: Registration | None = None
    bias: Bias | None = None


def run_study(config: StudyConfig, progress: Progress, clock: Clock | None = None) -> StudyOutcome:
    """Run a study, or top an earlier one up, and record it in MLflow.

    The test split is read after search, last fit and threshold are done, and once.

    Args:
        config: What to study.
        progress: Told how far it is.
        clock: Of all that the study is charged; it begins now unless the caller began earlier.

    Raises:
        FakefaceError: For whatever a user can mend; an opened MLflow run is then FAILED and says
            why.
    """
    clock = clock or Clock()
    check_request(config)
    plan = make_plan(config)
    open_store()
    if config.register:
        check_registry()
    with tracked_run("study", plan.title) as run, energy_meter() as meter:
        subject, tags = _open_subject(plan, run, progress)
        plan = subject.plan
        study = _open_study(plan, subject)
        task = _fit_task(plan, subject, study, run, progress)
        runs = TrialRuns(run, tags)
        earlier = frozenset(trial_record(trial).uid for trial in finished_trials(study))
        began = clock.seconds(), time.time()
        search = _search(plan, study, task, runs, progress)
        conclusion = conclude(subject, task, search, config.seeds, progress)
        record = record_of(plan, subject, search, conclusion)
        model_id = log_winner(run.run_id, plan, subject, record, conclusion.detector)
        log_results(run, record, model_id)
        log_explanation(run, plan, subject, record, conclusion.detector)
        expenses = Expenses(subject, search, earlier, *began, conclusion)
        ledger = close_ledger(expenses, config.dollars_per_hour, clock, meter)
        log_costs(run, record, ledger, origin_of(run.run_id, plan, subject, conclusion.detector))
        runs.supersede_older()
        bias = None
        if plan.equalises:
            bias = measure_bias(run, plan, subject, record, progress)
            log_bias(run, record, ledger, bias)
    registration = _register(run.run_id, config.register, progress) if config.register else None
    return StudyOutcome(record, ledger, run.run_id, run.experiment_id, registration, bias)


def _register(run_id: str, name: str, progress: Progress) -> Registration:
    """Register the winner; what goes wrong leaves a finished study."""
    try:
        return register_study(study_named(run_id), name, False, progress)
    except FakefaceError as error:
        raise ModelError(
            f"the study is finished and kept (run {run_id}), its model is not registered: {error} "
            f"'fakeface-bench register --run {run_id} --name {shlex.quote(name)}' tries again."
        ) from error


def _open_subject(
    plan: Plan, run: TrackedRun, progress: Progress
) -> tuple[Subject, dict[str, str]]:
    """Prepare what is studied, and tell the run; return it with the tags of its trials."""
    config = plan.config
    versions = {"version_figures": FIGURES_VERSION}
    run.log_params(config.shown_params() | hardware_facts() | versions)
    if plan.weights.warning:
        progress.warn(plan.weights.warning)
    run.tag(_tags(plan))
    subject = prepare_subject(plan, progress)
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


def _open_study(plan: Plan, subject: Subject) -> Study:
    """Open the study's storage, before anything long is done for a study that is refused."""
    storage = storage_beside_store(plan.config.storage)
    return open_study(storage, plan.study_name(subject.index), plan.definition(subject.index))


def _fit_task(
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
    measured = choose_precision(asked, task, _space(plan, subject.network).baseline())
    precision = keep_precision(study, measured.name)
    progress.say(f"trained on {subject.inputs.told}, in {precision}")
    run.log_params({"trained_in": precision})
    run.log_figures(measured.as_metrics())
    return replace(task, precision=precision, checkpoints=cache_folder("fits") / study_uid(study))


def _space(plan: Plan, network: Network) -> Space:
    return Space(network, plan.config.batch_size, plan.config.augment)


def _search(
    plan: Plan, study: Study, task: FitTask, runs: TrialRuns, progress: Progress
) -> SearchRecord:
    runs.adopt_earlier([trial_record(trial) for trial in finished_trials(study)])
    search_task = SearchTask(
        fit=task,
        trials=plan.config.trials,
        seed=plan.config.seed,
        space=_space(plan, task.network),
        timeout_seconds=60 * plan.config.timeout_minutes,
    )
    return optimise(study, search_task, runs, progress)

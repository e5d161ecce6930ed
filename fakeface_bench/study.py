"""One study: search one architecture's head on one dataset, score test once, record it all."""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fakeface_bench.architectures.macs import count_macs
from fakeface_bench.config import StudyConfig
from fakeface_bench.evaluation.detector import Detector, train_detector
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.folders import cache_folder
from fakeface_bench.models.networks import Network
from fakeface_bench.plan import Plan, make_plan
from fakeface_bench.progress import Progress
from fakeface_bench.records import (
    CostRecord,
    SearchRecord,
    StudyRecord,
    WeightsRecord,
)
from fakeface_bench.report import audit_metrics, summary_markdown, write_study_report
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
    without_credentials,
)
from fakeface_bench.subject import Subject, prepare_subject
from fakeface_bench.tracking import names
from fakeface_bench.tracking.model import log_model
from fakeface_bench.tracking.runs import TrackedRun, tracked_run
from fakeface_bench.tracking.store import open_store, storage_beside_store
from fakeface_bench.tracking.trials import TrialRuns
from fakeface_bench.training.precision import choose_precision
from fakeface_bench.training.task import FitTask


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """What a finished study leaves: its record, and where MLflow holds it."""

    record: StudyRecord
    run_id: str
    experiment_id: str


def run_study(config: StudyConfig, progress: Progress) -> StudyOutcome:
    """Run a study, or top an earlier one up, and record it in MLflow.

    The test split is read after search, last fit and threshold are done, and once.

    Raises:
        FakefaceError: For whatever a user can mend; an opened MLflow run is then FAILED and says
            why.
    """
    check_request(config)
    plan = make_plan(config)
    open_store()
    with tracked_run("study", plan.title) as run:
        started = time.perf_counter()
        shown = {"storage": without_credentials(config.storage)} if config.storage else {}
        run.log_params(config.as_params() | shown | hardware_facts())
        if plan.weights.warning:
            progress.warn(plan.weights.warning)
        subject = prepare_subject(plan, progress)
        tags = _tags(plan, subject)
        run.tag(tags)
        inputs = {"image_size_px": plan.image_size, "trained_on": subject.trained_on}
        run.log_params(inputs | subject.images_by_source())
        index = subject.index
        run.log_dataset(index.name, index.digest, index.frame, index.folders)
        study = _open_study(plan, subject)
        task = _fit_task(plan, subject, study, run, progress)
        runs = TrialRuns(run, tags)
        search = _search(plan, study, task, runs, progress)
        detector, record = _conclude(plan, subject, task, search, progress)
        total = time.perf_counter() - started
        record = replace(record, cost=replace(record.cost, total_seconds=total))
        _log(run, record)
        facts = {"study": record.study, "threshold": detector.threshold}
        log_model(detector.complete, subject.example(plan), facts)
        runs.supersede_older()
    return StudyOutcome(record, run.run_id, run.experiment_id)


def _tags(plan: Plan, subject: Subject) -> dict[str, str]:
    return {
        names.MODEL: plan.architecture.key,
        names.DATASET: subject.index.name,
        names.DATASET_DIGEST: subject.index.digest,
        names.TEST_DIGEST: subject.index.split_digest("test"),
        names.WEIGHTS: plan.weights.label,
        names.FINE_TUNE: plan.unfrozen.label,
        names.WEIGHTS_WARNING: plan.weights.warning,
        names.STUDY: plan.study_name(subject.index),
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
    progress.say(f"trained on {subject.trained_on}, in {precision}")
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


def _conclude(
    plan: Plan, subject: Subject, task: FitTask, search: SearchRecord, progress: Progress
) -> tuple[Detector, StudyRecord]:
    """Refit the winner, choose its threshold on validation, and only then read test."""
    progress.say(f"refitting trial {search.best.number}, then scoring the test split")
    started = time.perf_counter()
    detector, final_fit = train_detector(task, search.best.config)
    fitted = time.perf_counter()
    valid = detector.score(task.valid, subject.index.split("valid"))
    read = time.perf_counter()
    test_samples = subject.reader.read("test")
    extracted = time.perf_counter()
    test = detector.score(test_samples, subject.index.split("test"))
    evaluated = time.perf_counter()
    cost = CostRecord(
        extract_seconds=subject.reader.seconds,
        extracted_images=subject.reader.images_made,
        search_seconds=sum(trial.seconds for trial in search.trials),
        final_fit_seconds=fitted - started,
        evaluate_seconds=(read - fitted) + (evaluated - extracted),
    )
    return detector, StudyRecord(
        model=plan.architecture.key,
        study=plan.study_name(subject.index),
        data=subject.index.name,
        data_folders={name: str(folder) for name, folder in subject.index.folders.items()},
        weights=WeightsRecord(plan.weights.label, plan.weights.warning),
        search=search,
        final_fit=final_fit,
        valid=valid,
        test=test,
        cost=cost,
        floor=subject.audit.floor,
        source_floors=subject.audit.source_floors,
        facts=_facts(subject, detector),
        fine_tune=plan.unfrozen.label,
    )


def _facts(subject: Subject, detector: Detector) -> dict[str, float]:
    model = detector.complete
    trained = sum(np.prod(weight.shape) for weight in detector.classifier.trainable_weights)
    return {
        **audit_metrics(subject.audit),
        **subject.images_used(),
        "cost/mmacs_per_image": count_macs(model) / 1e6,
        "cost/parameters": float(model.count_params()),
        "cost/parameters_trained": float(trained),
    }


def _log(run: TrackedRun, record: StudyRecord) -> None:
    run.log_fit(record.final_fit.epochs, record.metrics())
    run.log_params({f"best_{key}": value for key, value in record.config.as_params().items()})
    run.tag({names.NOTE: summary_markdown(record)})
    with tempfile.TemporaryDirectory() as folder:
        write_study_report(record, Path(folder))
        run.log_folder(Path(folder))

"""One study: search one architecture's head on one dataset, score test once, record it all."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fakeface_bench.analysis.results import Results, results_of
from fakeface_bench.config import StudyConfig
from fakeface_bench.data.equalising import more_compressed
from fakeface_bench.evaluation.paired import paired_effect
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.registration import Registration
from fakeface_bench.records.study import LeftOut, SeedScores, StudyRecord
from fakeface_bench.records.transfer import EqualisationEffect
from fakeface_bench.report.drawing import drawn_apart
from fakeface_bench.report.saved_study import ENVIRONMENT_FILE
from fakeface_bench.report.study_report import write_study_report
from fakeface_bench.resolve import Plan, RequestLike, as_they_are, make_plan
from fakeface_bench.search.trial import TrialListener
from fakeface_bench.study.cost import Expenses, close_ledger
from fakeface_bench.study.final_fit import conclude
from fakeface_bench.study.find_or_run import NeededStudy, find_or_run_studies
from fakeface_bench.study.finished import read_studies
from fakeface_bench.study.preparation import PreparedDataset
from fakeface_bench.study.record import (
    explain_winner,
    log_costs,
    log_equalisation,
    log_results,
    log_winner,
    origin_of,
    record_of,
)
from fakeface_bench.study.register import register_study
from fakeface_bench.study.search import SearchedBy, search_all
from fakeface_bench.study.setup import Setup, open_setup
from fakeface_bench.support.disk import draft_folder
from fakeface_bench.support.errors import FakefaceError, ModelError, StudyError, UnsentError
from fakeface_bench.support.machine import Clock, EnergyMeter, energy_meter, environment_lock
from fakeface_bench.support.progress import Progress
from fakeface_bench.support.workers import executor_for
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.names import run_name
from fakeface_bench.tracking.registry import check_registry
from fakeface_bench.tracking.runs import TrackedRun
from fakeface_bench.tracking.store import open_store
from fakeface_bench.tracking.studies import study_named
from fakeface_bench.tracking.succession import same_study


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """What a finished study leaves: its results, its cost, and where MLflow holds them.

    `unsent` says what MLflow's server did not take; empty if it took all.
    """

    record: StudyRecord
    results: Results
    ledger: Ledger
    run_id: str
    experiment_id: str
    registration: Registration | None = None
    equalisation: EqualisationEffect | None = None
    unsent: str = ""


@dataclass(frozen=True, slots=True)
class Charged:
    """What measures a study while it runs."""

    clock: Clock
    meter: EnergyMeter


def run_study(
    asked: RequestLike[StudyConfig],
    progress: Progress,
    clock: Clock | None = None,
    dataset: PreparedDataset | None = None,
    listeners: Sequence[TrialListener] = (),
) -> StudyOutcome:
    """Run a study, or add trials to an earlier one, and record it in MLflow.

    The test split is read after search, last fit and threshold are done, and once.

    Args:
        clock: Of all time that the study is charged; it begins now where none is given.
        dataset: Where the caller has prepared it already, within that time.
        listeners: Who hears of its trials, beside MLflow.
    """
    clock = clock or Clock()
    plan = make_plan(asked)
    config = plan.config
    with clock.timing("store"):
        open_store()
    if config.register:
        check_registry()
    outcome, params = None, config.shown_params()
    try:
        with (
            tracked_run("study", run_name("study", plan.data_name, plan.title), params) as run,
            energy_meter() as meter,
        ):
            charged = Charged(clock, meter)
            with executor_for(config.workers, progress, clock) as executor:
                by = SearchedBy(executor, listeners)
                outcome = _search_fit_and_record(plan, run, charged, progress, dataset, by)
    except UnsentError as error:
        if outcome is None:
            raise
        return replace(outcome, unsent=str(error))
    if config.register:
        registration = _register(run.run_id, config.register, progress)
        return replace(outcome, registration=registration)
    return outcome


def _search_fit_and_record(
    plan: Plan,
    run: TrackedRun,
    charged: Charged,
    progress: Progress,
    dataset: PreparedDataset | None,
    by: SearchedBy,
) -> StudyOutcome:
    """Set up, search, fit, score and record a study in an open run."""
    config, clock = plan.config, charged.clock
    setup, tags = open_setup(plan, run, progress, dataset, by.executor)
    plan = setup.plan
    searches = list(search_all(plan, setup, run, tags, progress, by))
    conclusion = conclude(setup, searches, progress, by.executor)
    progress.say("recording results, model and pictures in MLflow")
    record = record_of(plan, setup, searches[0].record, conclusion)
    with draft_folder() as folder:
        with drawn_apart():
            with clock.timing("report"):
                results = results_of(record)
                write_study_report(record, results, folder)
                (folder / ENVIRONMENT_FILE).write_text(environment_lock(), encoding="utf-8")
            with clock.timing("explanation"):
                explain_winner(run, plan, setup, record, conclusion, folder, progress)
            with clock.timing("model"):
                model = log_winner(run, plan, setup, record, conclusion.detector)
                log_results(run, record, results, model)
        run.log_folder(folder)
    expenses = Expenses(setup, searches[0], conclusion)
    ledger = close_ledger(expenses, config.dollars_per_hour, clock, charged.meter)
    origin = origin_of(run.run_id, plan, setup, conclusion.detector)
    log_costs(run, record, results, ledger, origin)
    run.study = same_study(tags)
    equalisation = None
    if plan.equalises:
        equalisation = _measure_equalisation(run, plan, setup, record, progress)
        log_equalisation(run, record, results, ledger, equalisation)
    return StudyOutcome(
        record, results, ledger, run.run_id, run.experiment_id, equalisation=equalisation
    )


def _register(run_id: str, name: str, progress: Progress) -> Registration:
    """Register the winner; an error here leaves the study finished."""
    try:
        return register_study(study_named(run_id), name, False, progress)
    except FakefaceError as error:
        raise ModelError(
            f"the study is finished and kept (run {run_id}), its model is not registered: {error} "
            f"'fakeface-bench register --run {run_id} --name {shlex.quote(name)}' tries again."
        ) from error


def _measure_equalisation(
    run: TrackedRun, plan: Plan, setup: Setup, record: StudyRecord, progress: Progress
) -> EqualisationEffect:
    """Compare an equalised study with one on untouched pictures, which is found or run."""
    trials = plan.config.trials
    if record.search.stopped:  # as many, so that the difference is none of effort
        trials = sum(trial.state != "failed" for trial in record.search.trials)
    untouched = replace(as_they_are(plan.config), study="", register="", trials=trials)
    progress.say("the same study on untouched pictures, to compare with")
    needed = NeededStudy(untouched, setup.index, same_trials=True)
    (study,) = find_or_run_studies(run, [needed], progress)
    if isinstance(study, LeftOut):
        raise StudyError(
            f"the equalised study is finished and kept (run {run.run_id}), but not the one on "
            f"untouched pictures that bias/delta_auc compares it with: {study.reason}"
        )
    (other,) = read_studies([study], progress)
    test = record.test
    passed = plan.equalisation
    effect = paired_effect(
        test.y_true, other.kept, SeedScores(record.seed, test.y_score, test.threshold)
    )
    equalised_auc = test.metrics["roc_auc"]
    delta = effect["roc_auc"]
    outlasting = more_compressed(setup.dataset.audit.used, passed.jpeg_quality)
    return EqualisationEffect(
        canvas=passed.side,
        jpeg_quality=passed.jpeg_quality,
        images=len(test.y_true),
        untouched_auc=equalised_auc + delta.value,
        equalised_auc=equalised_auc,
        delta_auc=delta,
        untouched_run=study.run_id,
        outlasting=int(outlasting.sum()),
    )

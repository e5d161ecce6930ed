"""One comparison of finished studies, and a suite: a study each of several networks before it."""

from dataclasses import dataclass, replace
from pathlib import Path

from fakeface_bench.analysis.comparison import Comparison, compare_studies
from fakeface_bench.config import CompareConfig, SuiteConfig
from fakeface_bench.records.study import ComparedStudy, LeftOut
from fakeface_bench.report.comparison_page import write_comparison_report
from fakeface_bench.report.comparison_text import comparison_markdown
from fakeface_bench.resolve import RequestLike, checked, suite_studies
from fakeface_bench.study.find_or_run import WantedStudy, failure_of, obtain_studies
from fakeface_bench.study.finished import (
    Chosen,
    newest_studies,
    of_one_dataset,
    read_studies,
    under_one_name,
)
from fakeface_bench.study.preparation import prepare_dataset
from fakeface_bench.support.errors import StudyError
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking import names
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.runs import TrackedRun, publish
from fakeface_bench.tracking.store import open_store
from fakeface_bench.tracking.studies import StudyRun, find_studies, study_named


@dataclass(frozen=True, slots=True)
class ComparisonOutcome:
    """What a finished comparison leaves: its findings, and where they are."""

    comparison: Comparison
    run_id: str
    experiment_id: str
    folder: Path | None


def run_comparison(asked: RequestLike[CompareConfig], progress: Progress) -> ComparisonOutcome:
    """Compare the newest finished studies of one dataset and record it in MLflow.

    Raises:
        UsageError: If there is nothing to compare, or what is asked for does not belong together;
            the MLflow run is then FAILED and says why.
    """
    config = checked(asked).request
    open_store()
    with tracked_run("comparison", "comparison", config.as_params()) as run:
        if config.runs:
            chosen = of_one_dataset([study_named(run_id) for run_id in config.run_ids])
        else:
            chosen = newest_studies(find_studies(run.experiment_id), config.data)
        return record_comparison(run, chosen, config, progress)


def record_comparison(
    run: TrackedRun, chosen: Chosen, config: CompareConfig, progress: Progress
) -> ComparisonOutcome:
    """Read the chosen studies, compare them, and leave all of it in a run and a folder."""
    studies = under_one_name(list(read_studies(chosen.studies, progress)))
    priced = [_priced(study, config.dollars_per_hour) for study in studies]
    comparison = compare_studies(priced, chosen.left_out)
    first = chosen.studies[0]
    run.tag(
        {
            names.RUN_NAME: f"comparison of {len(studies)} on {first.dataset}",
            names.DATASET: first.dataset,
            names.DATASET_DIGEST: first.digest,
            names.TEST_DIGEST: first.test_digest,
            names.COMPARED: ",".join(study.run_id for study in chosen.studies),
            names.BEST: comparison.best.study.identity.run_id,
            names.RECOMMENDED: comparison.recommended.study.identity.run_id,
            names.NOTE: comparison_markdown(comparison),
        }
    )
    folder = publish(
        run, config.output, lambda draft: write_comparison_report(comparison, draft), progress
    )
    return ComparisonOutcome(comparison, run.run_id, run.experiment_id, folder)


def _priced(study: ComparedStudy, dollars_per_hour: float) -> ComparedStudy:
    """Return a study at another price of the machine; at its own where none is asked for."""
    if not dollars_per_hour:
        return study
    return replace(study, ledger=replace(study.ledger, dollars_per_hour=dollars_per_hour))


@dataclass(frozen=True, slots=True)
class SuiteOutcome:
    """What a suite leaves: the comparison, and which studies failed; empty where none did."""

    comparison: ComparisonOutcome
    failure: str


def run_suite(asked: RequestLike[SuiteConfig], progress: Progress) -> SuiteOutcome:
    """Run what is missing of a suite's studies, then compare them all in one MLflow run.

    Raises:
        StudyError: If every study failed.
    """
    config = checked(asked).request
    open_store()
    with tracked_run("comparison", "suite", config.shown_params()) as run:
        shared = config.study
        dataset = prepare_dataset(shared.data, shared.seed, progress, shared.classes)
        index = dataset.index(shared.limit, progress, shared.left_out)
        studies = [WantedStudy(study, index, study.model) for study in suite_studies(config)]
        results = list(obtain_studies(run, studies, progress))
        finished = [result for result in results if isinstance(result, StudyRun)]
        failed = tuple(result for result in results if isinstance(result, LeftOut))
        failure = failure_of(failed, len(studies))
        if not finished:
            raise StudyError(failure)
        chosen = of_one_dataset(finished, failed)
        compare = CompareConfig(output=config.output, dollars_per_hour=shared.dollars_per_hour)
        outcome = record_comparison(run, chosen, compare, progress)
        if failure:
            run.fail(failure)
    return SuiteOutcome(outcome, failure)

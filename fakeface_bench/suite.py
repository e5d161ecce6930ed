"""One suite: a study each of several networks, in processes of their own, and their comparison."""

from dataclasses import dataclass

from fakeface_bench.choice import of_one_dataset
from fakeface_bench.compare import ComparisonOutcome, record_comparison
from fakeface_bench.config import CompareConfig, SuiteConfig
from fakeface_bench.errors import StudyError
from fakeface_bench.obtaining import failure_of, obtain_study
from fakeface_bench.preparation import prepare_dataset
from fakeface_bench.progress import Progress
from fakeface_bench.records import LeftOut
from fakeface_bench.suite_request import check_suite, suite_studies
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.store import open_store
from fakeface_bench.tracking.studies import StudyRun


@dataclass(frozen=True, slots=True)
class SuiteOutcome:
    """What a suite leaves: the comparison, and which studies failed; empty where none did."""

    comparison: ComparisonOutcome
    failure: str


def run_suite(config: SuiteConfig, progress: Progress) -> SuiteOutcome:
    """Run what is missing of a suite's studies, then compare them all in one MLflow run.

    Raises:
        StudyError: If every study failed.
        FakefaceError: For whatever a user can mend; the MLflow run is then FAILED and says why.
    """
    check_suite(config)
    open_store()
    with tracked_run("comparison", "suite", config.shown_params()) as run:
        shared = config.study
        dataset = prepare_dataset(shared.data, shared.seed, progress, shared.classes)
        index = dataset.index(shared.limit, progress, shared.left_out)
        results = []
        studies = suite_studies(config)
        for number, study in enumerate(studies, start=1):
            progress.say(f"study {number} of {len(studies)}: {study.model}")
            results.append(obtain_study(run, study, index, progress))
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

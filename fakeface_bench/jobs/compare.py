"""One comparison of finished studies, and a suite: a study each of several networks before it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from fakeface_bench.analysis.comparison import Comparison, compare_studies
from fakeface_bench.analysis.external import compare_detectors
from fakeface_bench.config import CompareConfig, SuiteConfig, listed
from fakeface_bench.jobs import JobOutcome
from fakeface_bench.jobs.test_sets import study_test_set
from fakeface_bench.jobs.verify import first_difference
from fakeface_bench.records.publication import PublishedStudy
from fakeface_bench.records.study import ComparedStudy, LeftOut
from fakeface_bench.report.comparison_page import comparison_markdown, write_comparison_report
from fakeface_bench.report.publication import DIGEST_DIGITS
from fakeface_bench.resolve import RequestLike, checked, suite_studies
from fakeface_bench.study.find_or_run import (
    NeededStudy,
    find_or_run_studies,
    format_failures,
    studies_by,
)
from fakeface_bench.study.finished import (
    Chosen,
    compared_of,
    newest_studies,
    of_one_dataset,
    read_studies,
    run_of,
    with_same_paths,
)
from fakeface_bench.study.preparation import prepare_dataset
from fakeface_bench.support.errors import StudyError, UsageError
from fakeface_bench.support.progress import Progress
from fakeface_bench.support.workers import one_for_all
from fakeface_bench.tracking import names
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.runs import TrackedRun, log_report
from fakeface_bench.tracking.store import open_store
from fakeface_bench.tracking.studies import StudyRun, find_studies, study_named


def run_comparison(asked: RequestLike[CompareConfig], progress: Progress) -> JobOutcome[Comparison]:
    """Compare the newest finished studies of one dataset and record it in MLflow."""
    config = checked(asked).request
    open_store()
    with tracked_run("comparison", "comparison", config.as_params()) as run:
        published = _published_studies(listed(config.published), progress)
        if config.runs or published:
            named = [study_named(run_id) for run_id in listed(config.runs)]
            theirs = list(map(run_of, published))
            if theirs:
                _check_runs([study.run_id for study in (*named, *theirs)])
            chosen = of_one_dataset([*named, *theirs])
        else:
            chosen = newest_studies(find_studies(run.experiment_id), config.data)
        return _record_comparison(run, chosen, config, progress, published)


def _published_studies(folders: Sequence[str], progress: Progress) -> list[PublishedStudy]:
    """Read studies that others published.

    Raises:
        UsageError: If a folder does not follow from its own scores.
    """
    found: list[PublishedStudy] = []
    for folder in folders:
        published, difference = first_difference(folder, progress)
        if difference:
            raise UsageError(
                f"{folder!r} is not compared, since it does not follow from its own scores: "
                f"{difference.of}, {difference.name}: published {difference.published}, found "
                f"{difference.found}. 'fakeface-bench verify' shows all."
            )
        found += published.studies
    return found


def _check_runs(runs: Sequence[str]) -> None:
    """Refuse a run that stands among the studies twice: who published it may have changed it."""
    for run, count in Counter(runs).items():
        if count > 1:
            raise UsageError(f"the run {run} is among the studies twice; name it once.")


def _check_images(studies: Sequence[ComparedStudy]) -> None:
    """Refuse studies that tell the same test digest, and were tested on other images."""
    known = [study for study in studies if study.digests]
    for one, other in pairwise(known):
        ours, theirs = ([d[:DIGEST_DIGITS] for d in study.digests] for study in (one, other))
        if ours != theirs or not np.array_equal(one.y_true, other.y_true):
            raise UsageError(
                f"{one.label} ({one.identity.run_id}) and {other.label} "
                f"({other.identity.run_id}) tell the same test digest, and other test images or "
                "labels: one of them is not to be trusted."
            )


def _record_comparison(
    run: TrackedRun,
    chosen: Chosen,
    config: CompareConfig,
    progress: Progress,
    published: Sequence[PublishedStudy] = (),
) -> JobOutcome[Comparison]:
    """Read the chosen studies, compare them, and record the comparison in a run and a folder."""
    others = {study.facts.run_id for study in published}
    ours = [study for study in chosen.studies if study.run_id not in others]
    read = [*read_studies(ours, progress), *map(compared_of, published)]
    if published:
        _check_images(read)
    studies = with_same_paths(read)
    if config.dollars_per_hour:  # instead of the price that each study was given
        price = config.dollars_per_hour
        studies = [
            replace(study, ledger=replace(study.ledger, dollars_per_hour=price))
            for study in studies
        ]
    comparison = compare_studies(studies, chosen.left_out, config.margin)
    comparison = replace(comparison, budget_minutes=config.budget_minutes, target=config.target)
    if config.target and not comparison.tells_searches:
        progress.warn(
            f"nothing is timed to target {config.target:g}: no study here tells its search, as "
            "studies do that are run from this version on."
        )
    comparison = _with_detectors(comparison, run, config, progress)
    first = chosen.studies[0]
    run.tag(
        {
            names.RUN_NAME: names.run_name("compare", first.dataset, f"{len(studies)} studies"),
            names.DATASET: first.dataset,
            names.DATASET_DIGEST: first.digest,
            names.TEST_DIGEST: first.test_digest,
            names.COMPARED: ",".join(study.run_id for study in chosen.studies),
            names.BEST: comparison.best.study.identity.run_id,
            names.RECOMMENDED: comparison.recommended.study.identity.run_id,
            names.NOTE: comparison_markdown(comparison),
        }
    )
    folder = log_report(
        run, config.output, lambda draft: write_comparison_report(comparison, draft), progress
    )
    return JobOutcome(comparison, run.run_id, run.experiment_id, folder)


def _with_detectors(
    comparison: Comparison, run: TrackedRun, config: CompareConfig, progress: Progress
) -> Comparison:
    """Test detectors of others on the images that the studies were tested on."""
    names_asked = listed(config.detectors)
    if not names_asked:
        return comparison
    # TensorFlow takes seconds to import, and a comparison of studies alone has no need of it.
    from fakeface_bench.jobs.evaluate import score_set
    from fakeface_bench.jobs.trained_model import open_trained

    best = comparison.best.study
    test_set = study_test_set(best.identity.run_id, progress)
    scored = []
    for name in names_asked:
        trained = open_trained(
            name, run.experiment_id, progress, config.allow_unsafe_model, config.description
        )
        if not trained.model.external:
            raise UsageError(
                f"detectors names {name!r}, which a study logged: its run belongs into runs."
            )
        scored.append(score_set(trained, test_set, progress))
    return replace(comparison, detectors=compare_detectors(best, scored))


def run_suite(asked: RequestLike[SuiteConfig], progress: Progress) -> JobOutcome[Comparison]:
    """Run what is missing of a suite's studies, then compare them all in one MLflow run."""
    config = checked(asked).request
    open_store()
    with tracked_run("comparison", "suite", config.shown_params()) as run:
        shared = config.study
        if config.target:  # what test shows at that moment stands beside it
            shared = replace(shared, anytime=True)
        dataset = prepare_dataset(shared.data, shared.seed, progress, shared.classes)
        index = dataset.index(shared.limit, progress, listed(shared.leave_out))
        with one_for_all(shared.workers) as workers:
            same = replace(config, study=replace(shared, workers=workers))
            studies = [NeededStudy(study, index, study.model) for study in suite_studies(same)]
            by = studies_by(config.at_once)
            results = list(find_or_run_studies(run, studies, progress, by))
        finished = [result for result in results if isinstance(result, StudyRun)]
        failed = [result for result in results if isinstance(result, LeftOut)]
        failure = format_failures(failed, len(studies))
        if not finished:
            raise StudyError(failure)
        chosen = of_one_dataset(finished, failed)
        compare = CompareConfig(
            output=config.output,
            dollars_per_hour=shared.dollars_per_hour,
            margin=config.margin,
            budget_minutes=config.budget_minutes,
            target=config.target,
        )
        outcome = _record_comparison(run, chosen, compare, progress)
        if failure:
            run.fail(failure)
    return replace(outcome, failure=failure)

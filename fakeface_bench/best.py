"""The study that is meant by `best`: the one that a comparison would take."""

from fakeface_bench.choice import newest_studies
from fakeface_bench.errors import UsageError
from fakeface_bench.progress import Progress
from fakeface_bench.reading import read_studies, under_one_name
from fakeface_bench.report import compare_studies
from fakeface_bench.tracking.registry import detector_of
from fakeface_bench.tracking.studies import StudyRun, find_studies


def best_study(experiment_id: str, data: str, progress: Progress) -> StudyRun:
    """Return the cheapest study not shown to be less accurate than the best.

    Those without a model that can be loaded are told and passed over.

    Args:
        experiment_id: Where to look.
        data: Dataset, by name or by the first digits of its digest; that of the newest finished
            study when empty.
        progress: Warned of what is passed over.

    Raises:
        UsageError: If there is none.
    """
    chosen = newest_studies(find_studies(experiment_id), data).studies
    having = [study for study in chosen if _has_detector(study, progress)]
    if not having:
        raise UsageError("no finished study has a model that can be loaded; run one again.")
    studies = under_one_name(list(read_studies(having, progress)))
    run_id = compare_studies(studies).recommended.study.identity.run_id
    return next(study for study in having if study.run_id == run_id)


def _has_detector(study: StudyRun, progress: Progress) -> bool:
    try:
        detector_of(study)
    except UsageError as error:
        progress.warn(str(error))
        return False
    return True

"""The study that is meant by `best`: the one that a comparison would take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fakeface_bench.choice import images_told, newest_studies
from fakeface_bench.config import DIGEST_DIGITS
from fakeface_bench.errors import UsageError
from fakeface_bench.gate import clearly_beats_chance
from fakeface_bench.progress import Progress
from fakeface_bench.reading import read_studies, under_one_name
from fakeface_bench.records import ComparedStudy, LeftOut
from fakeface_bench.report import Comparison, compare_studies, figures_told
from fakeface_bench.tracking.registry import detector_of
from fakeface_bench.tracking.studies import StudyRun, find_studies


@dataclass(frozen=True, slots=True)
class Best:
    """A study that was chosen, and how.

    Attributes:
        study: That one.
        told: What it was chosen among, by which figures, and what was left out; a sentence each.
    """

    study: StudyRun
    told: tuple[str, ...]


def best_study(
    experiment_id: str, data: str, progress: Progress, others: str = "name its run to take it"
) -> Best:
    """Return the cheapest study not shown to be less accurate than the best.

    Only studies of all images of a dataset are chosen among; of those, the ones clearly better
    than chance where there are any. Studies without a model that can be loaded are passed over.

    Args:
        experiment_id: Where to look.
        data: Dataset, by name or by the first digits of its digest; that of the newest finished
            study when empty.
        progress: Warned of what has no model.
        others: How studies of another dataset are chosen.

    Raises:
        UsageError: If there is none.
    """
    chosen = newest_studies(find_studies(experiment_id), data, others)
    if all(study.limit for study in chosen.studies):
        raise UsageError(_only_parts(chosen.studies))
    having = [study for study in chosen.studies if _has_detector(study, progress)]
    if not having:
        raise UsageError("no finished study has a model that can be loaded; run one again.")
    studies = under_one_name(list(read_studies(having, progress)))
    comparison, unable = _able(compare_studies(studies))
    run_id = comparison.recommended.study.identity.run_id
    study = next(study for study in having if study.run_id == run_id)
    return Best(study, tuple(_told(study, comparison, (*unable, *chosen.left_out))))


def _able(comparison: Comparison) -> tuple[Comparison, list[LeftOut]]:
    """Compare only what is clearly better than chance, where anything is; tell of the others.

    On few images a network that has learned nothing is often not shown to be less accurate.
    """
    able: list[ComparedStudy] = []
    unable = []
    for standing in comparison.standings:
        if clearly_beats_chance(standing.roc_auc.interval):
            able.append(standing.study)
        else:
            why = f"not clearly better than chance: {figures_told(standing)}."
            unable.append(LeftOut(standing.label, standing.study.identity.run_id, why))
    return (compare_studies(able), unable) if able and unable else (comparison, [])


def _told(study: StudyRun, comparison: Comparison, left_out: Sequence[LeftOut]) -> Iterator[str]:
    count = len(comparison.standings)
    among = f"{count} finished studies" if count > 1 else "one finished study"
    yield (
        f"best is {comparison.recommended.label}, run {study.run_id}, chosen among {among} of "
        f"{study.dataset} (digest {study.digest[:DIGEST_DIGITS]}, n = {comparison.images:,} test "
        "images): the cheapest not shown to be less accurate than the most accurate."
    )
    for standing in comparison.standings:
        cost = f"{standing.cold_seconds:,.0f} s from a cold start"
        run_id = standing.study.identity.run_id
        yield f"Among them {standing.label}: {figures_told(standing)}, {cost} (run {run_id})."
    for other in left_out:
        run = f" (run {other.run_id})" if other.run_id else ""
        yield f"Left out {other.name}{run}: {other.reason}"


def _only_parts(studies: Sequence[StudyRun]) -> str:
    found = "; ".join(
        f"{study.name} used {images_told(study.limit)} (run {study.run_id})" for study in studies
    )
    return (
        f"best chooses among studies of all images, and of {studies[0].dataset} there is none: "
        f"{found}. Name a run to take it all the same, or run one without limit."
    )


def _has_detector(study: StudyRun, progress: Progress) -> bool:
    try:
        detector_of(study)
    except UsageError as error:
        progress.warn(str(error))
        return False
    return True

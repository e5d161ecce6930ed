"""Publishes a finished study or comparison as a folder that stands alone, for others to check."""

import tempfile
from collections.abc import Sequence
from dataclasses import fields
from math import isfinite
from pathlib import Path

from fakeface_bench.analysis.comparison import Comparison, compare_studies
from fakeface_bench.analysis.results import results_of
from fakeface_bench.analysis.verification import checks_of_scores
from fakeface_bench.config import AUTO, MARGIN, PublishConfig
from fakeface_bench.records.publication import DIFFERS, PublishedFacts, PublishedStudy
from fakeface_bench.report.comparison_page import write_comparison_report
from fakeface_bench.report.publication import (
    COMPARISON,
    FORMAT,
    MANIFEST_FILE,
    MODEL_FOLDER,
    NEEDED_FILES,
    STUDIES_FOLDER,
    first_private,
    read_published_study,
    write_published_study,
    write_sums,
)
from fakeface_bench.report.publication_page import write_comparison_readme, write_publication_page
from fakeface_bench.report.saved_study import write_json
from fakeface_bench.resolve import RequestLike, checked
from fakeface_bench.study.finished import compared_of
from fakeface_bench.support.disk import draft_folder
from fakeface_bench.support.errors import DataError, StudyError, UsageError
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking.model_source import copy_without_pictures, fetched_model
from fakeface_bench.tracking.runs import copied_beside
from fakeface_bench.tracking.store import current_experiment, open_store
from fakeface_bench.tracking.studies import (
    NETWORK_DIGEST,
    ComparisonRun,
    StudyRun,
    download_study,
    newest_study,
    study_named,
    study_or_comparison,
)

#: In place of a run: the newest finished study.
NEWEST = "newest"
#: Params that are of the author's machine alone.
_PRIVATE = ("storage", "register")
#: What is shorter stands in many a text that is no path.
_SHORTEST_PLACE = 5
_AGAIN = "Run it again with again=true, which keeps its trials."


def publish(asked: RequestLike[PublishConfig], progress: Progress) -> Path:
    """Publish a run; return the folder: the one asked for, or one beside it if that holds files.

    Raises:
        UsageError: If there is no such run, or MLflow does not hold all that is published.
        StudyError: If a published metric does not follow from the scores published with it.
    """
    config = checked(asked).request
    open_store()
    run = _newest() if config.run == NEWEST else study_or_comparison(config.run)
    with draft_folder() as draft:
        folder = draft / "published"
        if isinstance(run, StudyRun):
            _publish_study(run, folder, config.with_model)
        else:
            _publish_comparison(run, folder, config.with_model, progress)
        return copied_beside(folder, Path(config.folder).expanduser().absolute(), progress)


def _newest() -> StudyRun:
    experiment = current_experiment()
    study = newest_study(experiment) if experiment else None
    if study is None:
        raise UsageError("this MLflow experiment holds no finished study; name a run.")
    return study


def _publish_study(study: StudyRun, folder: Path, with_model: bool) -> PublishedStudy:
    """Write a study, check that everything follows from its scores, and close it with sums."""
    with draft_folder() as saved:
        download_study(study, NEEDED_FILES, saved, _AGAIN)
        told = study.metrics.items()
        metrics = {k: v for k, v in told if isfinite(v) and not k.startswith("system/")}
        places = _places(study)
        try:
            places |= write_published_study(_facts(study), metrics, saved, folder, places)
        except DataError as error:
            raise UsageError(
                f"the study of {study.name} cannot be published: {error}. {_AGAIN} "
                f"(run {study.run_id})"
            ) from error
    if with_model:
        with fetched_model(study.run_id) as model:
            copy_without_pictures(model, folder / MODEL_FOLDER)
    published = read_published_study(folder)
    results = results_of(published.scores)
    for each in checks_of_scores(published, results):
        if each.outcome == DIFFERS:
            raise StudyError(
                f"the study of {study.name} is not published: its {each.name} is "
                f"{each.published}, and {each.found} follows from its scores. (run {study.run_id})"
            )
    write_publication_page(published, results, folder)
    if found := first_private(folder, places):
        raise StudyError(
            f"the study of {study.name} is not published: {found} holds a path of this machine. "
            f"(run {study.run_id})"
        )
    write_sums(folder)
    return published


def _facts(study: StudyRun) -> PublishedFacts:
    """Return what is told of a study; what names a place stands by what lies there."""
    params = {key: value for key, value in study.params.items() if key not in _PRIVATE}
    params |= {"model": study.model, "data": study.dataset}
    if study.weights.startswith("file:"):
        own = NETWORK_DIGEST in study.params  # then the weights are the network's
        params["weights"] = AUTO if own else study.weights
    told = {each.name: getattr(study, each.name) for each in fields(PublishedFacts)}
    return PublishedFacts(**told | {"params": params})


def _places(study: StudyRun) -> set[str]:
    """Return paths of this machine that the study's files may hold."""
    asked = (study.params.get(key, "") for key in ("model", "data", "weights", "storage"))
    named = {part for text in asked for part in text.split("+") if set(part) & set("/\\")}
    usual = {str(Path.home()), str(Path.cwd()), tempfile.gettempdir()}
    return {place for place in usual | named if len(place) >= _SHORTEST_PLACE}


def _publish_comparison(
    run: ComparisonRun, folder: Path, with_model: bool, progress: Progress
) -> None:
    """Publish every study of a comparison, and the comparison that follows from them."""
    studies = []
    with progress.stage("publishing", len(run.studies), "studies") as advance:
        for run_id in run.studies:
            place = folder / STUDIES_FOLDER / run_id
            studies.append(_publish_study(study_named(run_id), place, with_model))
            advance(1)
    if run.params.get("detectors"):
        progress.warn("detectors of others are not published: nothing tells their scores")
    margin = float(run.params.get("margin", MARGIN))
    manifest = {
        "format": FORMAT,
        "kind": COMPARISON,
        "run_id": run.run_id,
        "margin": margin,
        "studies": list(run.studies),
    }
    write_json(manifest, folder / MANIFEST_FILE)
    comparison = comparison_of(studies, margin)
    write_comparison_report(comparison, folder)
    write_comparison_readme(comparison, folder)
    write_sums(folder)


def comparison_of(studies: Sequence[PublishedStudy], margin: float) -> Comparison:
    """Compare published studies.

    Raises:
        DataError: If they were not tested on the same images.
    """
    try:
        return compare_studies([compared_of(study) for study in studies], margin=margin)
    except ValueError as error:
        raise DataError(str(error)) from error

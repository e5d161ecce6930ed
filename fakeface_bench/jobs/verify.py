"""Checks a published folder: against its own scores, against the dataset, and by running it again.

`docs/publish.md` says what each check shows, and what it does not.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fakeface_bench.analysis.results import Results, results_of
from fakeface_bench.analysis.verification import (
    METRICS_AGAIN,
    RECOMPUTED,
    RETRAINED,
    SCORED_AGAIN,
    checks_of_metrics,
    checks_of_scores,
    intervals_of,
)
from fakeface_bench.backbones.catalogue import ARCHITECTURES
from fakeface_bench.backbones.weights import WEIGHT_WORDS
from fakeface_bench.config import AUTO, STORAGE_VARIABLE, StudyConfig, VerifyConfig, listed
from fakeface_bench.data.catalogue import DATASETS
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.evaluation.metrics import with_metrics
from fakeface_bench.jobs.publish import NEWEST, comparison_of
from fakeface_bench.jobs.test_sets import held_out
from fakeface_bench.records.publication import (
    DIFFERS,
    EQUAL,
    STATED,
    Check,
    PublishedStudy,
    Verification,
    check,
)
from fakeface_bench.report.comparison_tables import all_pairs, leaderboard_table
from fakeface_bench.report.publication import (
    COMPARISON,
    DIGEST_DIGITS,
    MANIFEST_FILE,
    MISFITS,
    MODEL_FOLDER,
    changed_files,
    check_entries,
    check_table,
    read_manifest,
    read_published_study,
    study_folders,
)
from fakeface_bench.report.publication_page import NO_PICTURE, texts_of, without_pictures
from fakeface_bench.report.table import write_csv
from fakeface_bench.resolve import RequestLike, checked
from fakeface_bench.study.finished import run_of
from fakeface_bench.study.preparation import prepare_dataset
from fakeface_bench.support.disk import draft_folder, existing_path
from fakeface_bench.support.errors import DataError, StudyError, UsageError
from fakeface_bench.support.machine import library_versions, start_tensorflow
from fakeface_bench.support.processes import RUN_VARIABLE, commands_told_to, wait_for
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking.studies import NETWORK_DIGEST

_FILES = "files"
_LARGEST = "largest difference of a score"
#: In the name of a dataset, before what of it was left out.
_WITHOUT = " without "
#: Options that have to do with places and names; a published folder has no say in them.
_NOT_OF_A_STUDY: Mapping[str, Any] = {
    "storage": "",
    "register": "",
    "study": "",
    "cache_gb": 0.0,
    "again": False,
}


@dataclass(frozen=True, slots=True)
class Published:
    """What a published folder holds.

    Attributes:
        folders: Of each study, in the order of `studies`.
        margin: Of its comparison; None where it is a study alone.
    """

    folder: Path
    studies: tuple[PublishedStudy, ...]
    folders: tuple[Path, ...]
    margin: float | None = None


def open_published(folder: str) -> Published:
    """Read a published folder.

    Raises:
        UsageError: If there is none.
        DataError: If something in it cannot be read.
    """
    found = _folder_of(folder)
    check_entries(found)
    manifest = read_manifest(found)
    if manifest["kind"] != COMPARISON:
        return Published(found, (read_published_study(found),), (found,))
    folders = tuple(study_folders(found, manifest))
    studies = tuple(map(read_published_study, folders))
    for study, place in zip(studies, folders, strict=True):
        if study.facts.run_id != place.name:
            raise DataError(f"{place.name} holds the study of run {study.facts.run_id}")
    try:
        return Published(found, studies, folders, float(manifest["margin"]))
    except MISFITS as error:
        raise DataError(f"its margin is none: {error!r}") from error


def _folder_of(folder: str) -> Path:
    found = existing_path(folder)
    if found is None or not found.is_dir():
        raise UsageError(f"there is no folder {folder!r}; name one that 'publish' wrote.")
    if not (found / MANIFEST_FILE).exists():
        raise UsageError(f"{folder!r} is no published folder: it holds no {MANIFEST_FILE}.")
    return found


def verify(asked: RequestLike[VerifyConfig], progress: Progress) -> Verification:
    """Check a published folder.

    Raises:
        UsageError: If there is no such folder, or the study cannot be run again as it is asked.
        DataError: If the dataset that is named cannot be read.
        StudyError: If the study, run again, fails.
    """
    config = checked(asked).request
    folder = _folder_of(config.folder)
    try:
        published = open_published(config.folder)
        checks = [*_checks_of_files(folder), *_own_checks(published, progress)]
    except DataError as error:
        damaged = Check(_FILES, config.folder, "readable", str(error), DIFFERS)
        found = Verification(config.folder, (damaged,))
    else:
        notes = list(_version_notes(published.studies))
        for study, place in zip(published.studies, published.folders, strict=True):
            if config.data:
                checks += _checks_of_data(study, place, config, progress)
                if not study.has_model:
                    notes.append(f"{study.name}: no model was published, so nothing was scored.")
            if config.retrain:
                with draft_folder() as draft:
                    again = _run_again(study, config, draft, progress)
                checks += _checks_of_rerun(study, again)
                notes += _other_winner(study, again)
        found = Verification(_title(published), tuple(checks), tuple(notes))
    if config.output:
        _write_checks(found, config.output)
    return found


def _write_checks(found: Verification, output: str) -> None:
    try:
        write_csv(check_table(found), Path(output).expanduser())
    except OSError as error:
        raise UsageError(f"output {output!r} cannot be written: {error.strerror}.") from error


def _own_checks(published: Published, progress: Progress) -> list[Check]:
    """Compute everything again that follows from what the folder holds.

    Raises:
        DataError: If its values are none that a study can have.
    """
    checks: list[Check] = []
    try:
        with progress.stage("computing metrics again", len(published.studies), "studies") as step:
            for study, folder in zip(published.studies, published.folders, strict=True):
                results = results_of(study.scores)
                checks += checks_of_scores(study, results)
                checks += _checks_of_texts(study, results, folder)
                step(1)
        if published.margin is not None:
            checks += _checks_of_comparison(published, published.margin)
    except MISFITS as error:
        raise DataError(f"its values do not fit together: {error!r}") from error
    return checks


def _checks_of_texts(study: PublishedStudy, results: Results, folder: Path) -> Iterator[Check]:
    """Write README and page again, and hold their words against those published.

    Another version may word them otherwise: then they are stated.
    """
    ours = library_versions()["version_fakeface_bench"]
    same_version = study.facts.params.get("version_fakeface_bench") == ours
    for name, text in texts_of(study, results, NO_PICTURE).items():
        try:
            published = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            yield Check(study.name, name, "readable", str(error), DIFFERS)
            continue
        same = without_pictures(published) == without_pictures(text)
        outcome = EQUAL if same else DIFFERS if same_version else STATED
        found = "as its values say" if same else "other words"
        yield Check(study.name, name, "as its values say", found, outcome)


def first_difference(folder: str, progress: Progress) -> tuple[Published, Check | None]:
    """Open a published folder, and return the first thing that does not follow from its scores.

    Raises:
        UsageError: If there is no such folder, or it cannot be read.
    """
    try:
        published = open_published(folder)
        checks = [*_checks_of_files(published.folder), *_own_checks(published, progress)]
        for study in published.studies:
            _check_params(study)
    except DataError as error:
        raise UsageError(f"{folder!r} cannot be compared: {error}.") from error
    return published, next((each for each in checks if each.outcome == DIFFERS), None)


def _check_params(study: PublishedStudy) -> None:
    """Refuse params that no study was asked with.

    Raises:
        DataError: If one is not of its option's kind.
    """
    try:
        run = run_of(study)
        StudyConfig.from_texts(run.params)
        wrong = "" if run.settings and run.limit >= 0 else f"limit {run.limit}"
    except MISFITS as error:
        wrong = repr(error)
    if wrong:
        raise DataError(f"it was asked with params that are none: {wrong}")


def _title(published: Published) -> str:
    if len(published.studies) == 1:
        return published.studies[0].name
    return f"comparison of {len(published.studies)} studies"


def _checks_of_files(folder: Path) -> Iterator[Check]:
    """Hold every file against its checksum."""
    try:
        changed = changed_files(folder)
    except DataError as error:
        yield Check(_FILES, "checksums", "readable", str(error), DIFFERS)
        return
    for name, problem in changed:
        yield Check(_FILES, name, "as published", problem, DIFFERS)
    if not changed:
        yield Check(_FILES, "checksums", "as published", "as published", EQUAL)


def _version_notes(studies: Sequence[PublishedStudy]) -> Iterator[str]:
    """Tell which versions were others than here."""
    here, told = library_versions(), set()
    for study in studies:
        for name, version in here.items():
            theirs = study.facts.params.get(name, "not known")
            if theirs != version:
                library = name.removeprefix("version_")
                told.add(f"published with {library} {theirs}, checked with {version}.")
    yield from sorted(told)


def _checks_of_comparison(published: Published, margin: float) -> Iterator[Check]:
    """Make the tables of a comparison again from its studies, and hold the cells together."""
    try:
        comparison = comparison_of(published.studies, margin)
    except DataError as error:
        yield Check("comparison", "studies", "comparable", str(error), DIFFERS)
        return
    for name, found in (
        ("leaderboard.csv", leaderboard_table(comparison).frame()),
        ("steps.csv", all_pairs(comparison)),
    ):
        yield from _checks_of_table(published.folder / name, found)


def _checks_of_table(path: Path, found: pd.DataFrame) -> Iterator[Check]:
    """Hold a published table against the same made again, as a file holds it."""
    with draft_folder() as draft:
        write_csv(found, draft / path.name)
        ours = pd.read_csv(draft / path.name)
    try:
        theirs = pd.read_csv(path)
    except (OSError, ValueError) as error:
        yield Check(path.name, "table", "readable", str(error), DIFFERS)
        return
    if list(theirs) != list(ours) or len(theirs) != len(ours):
        sizes = [f"{len(table)} rows, {len(table.columns)} columns" for table in (theirs, ours)]
        yield Check(path.name, "rows and columns", sizes[0], sizes[1], DIFFERS)
        return
    for column in ours:
        for row, (one, other) in enumerate(zip(theirs[column], ours[column], strict=True), start=1):
            values = (_plain(one), _plain(other))
            yield check(path.name, f"row {row}, {column}", *values, RECOMPUTED)


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, (int, float, np.number)) else str(value)


def _checks_of_data(
    study: PublishedStudy, folder: Path, config: VerifyConfig, progress: Progress
) -> Iterator[Check]:
    """Hold a dataset against the published digests, and score it with the published model."""
    _check_params(study)
    asked = StudyConfig.from_texts(study.facts.params)
    dataset = prepare_dataset(config.data, asked.seed, progress, asked.classes)
    index = dataset.index(asked.limit, progress, listed(asked.leave_out))
    of = f"{study.name}, with the data"
    yield check(of, "SHA-256 of the dataset", study.facts.digest, index.digest)
    for split in SPLITS:
        digest = index.split_digest(split)
        yield check(of, f"SHA-256 of {split}", study.split_digests.get(split), digest)
    yield check(of, "SHA-256 of what was tested", study.facts.test_digest, digest)
    published, rows = study.scores.test, index.split("test")
    here = [digest[:DIGEST_DIGITS] for digest in rows["digest"]]
    labels = dict(zip(here, rows["label"], strict=True))
    told = dict(zip(published.digests, published.y_true.tolist(), strict=True))
    shared = labels.keys() & told.keys()
    yield check(of, "test images, of those here", len(here), len(shared))
    agreeing = sum(labels[key] == told[key] for key in shared)
    yield check(of, "their labels that agree", len(shared), agreeing)
    same = tuple(here) == published.digests
    order = "those of the data, in their order"
    yield check(of, "test images", order, order if same else "others, or in another order")
    if not study.has_model or not same:
        return
    # TensorFlow takes seconds to import, and digests alone have no need of it.
    start_tensorflow()
    from fakeface_bench.jobs.trained_model import open_trained

    trained = open_trained(str(folder / MODEL_FOLDER), "", progress, of_others=False)
    # From the pictures: what somebody else's model calls its features goes into no cache.
    scores = replace(trained, parts=None).scores(held_out(config.data, dataset, index), progress)
    apart = float(np.abs(scores - published.y_score).max())
    yield check(of, _LARGEST, 0.0, apart, SCORED_AGAIN)
    scored = with_metrics(replace(published, y_score=scores))
    found = {f"test/{key}": value for key, value in scored.metrics.items()}
    for each in checks_of_metrics(study, found, METRICS_AGAIN):
        yield replace(each, of=of)


def _run_again(
    study: PublishedStudy, config: VerifyConfig, place: Path, progress: Progress
) -> PublishedStudy:
    """Run a study as it was asked, in a store of its own, and return what is published of it."""
    asked = _asked_again(study, config)
    progress.say(f"running the study of {study.name} again")
    variables = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{(place / 'mlflow.db').as_posix()}",
        "MLFLOW_EXPERIMENT_ID": "",
        "MLFLOW_EXPERIMENT_NAME": "",
        "MLFLOW_REGISTRY_URI": "",
        RUN_VARIABLE: "",
        STORAGE_VARIABLE: "",
    }
    folder = place / "published"
    for words in (["run", *asked.as_words()], ["publish", NEWEST, str(folder)]):
        said: list[str] = []
        with commands_told_to(progress.say if words[0] == "run" else said.append):
            code = wait_for([sys.executable, "-m", "fakeface_bench", *words], variables)
        if code:
            reason = said[-1] if said else "the lines above say why."
            raise StudyError(
                f"the study of {study.name} could not be run again: '{words[0]}' ended with code "
                f"{code}: {reason}"
            )
    return read_published_study(folder)


def _asked_again(study: PublishedStudy, config: VerifyConfig) -> StudyConfig:
    """Return the request of a published study, with what is here in place of what was there.

    Raises:
        UsageError: If something of the author's own is missing.
    """
    _check_params(study)
    facts, own_network = study.facts, NETWORK_DIGEST in study.facts.params
    data = config.data or facts.dataset.partition(_WITHOUT)[0]
    if not config.data and not set(data.split("+")) <= {row.key for row in DATASETS}:
        raise UsageError(
            f"retrain needs data: the study was of {facts.dataset!r}, which is no dataset by name."
        )
    if own_network and not config.model:
        raise UsageError(
            f"retrain needs model: the study's network is its author's own ({facts.model}; SHA-256 "
            f"{facts.params[NETWORK_DIGEST]})."
        )
    if not own_network and facts.model not in {row.key for row in ARCHITECTURES}:
        raise UsageError(f"retrain knows no architecture {facts.model!r} in this version.")
    own_weights = not own_network and facts.weights.startswith("file:")
    if own_weights and not config.weights:
        raise UsageError(
            f"retrain needs weights: the study started from a file ({facts.weights}: the first "
            "digits of its SHA-256)."
        )
    request = StudyConfig.from_texts(facts.params)
    weights = AUTO if own_network else request.weights
    if not own_weights and weights not in WEIGHT_WORDS:
        raise UsageError(f"retrain does not take weights {weights!r} from a published folder.")
    return replace(
        request,
        data=data,
        weights=config.weights if own_weights else weights,
        model=config.model or facts.model,
        **_NOT_OF_A_STUDY,
    )


def _checks_of_rerun(study: PublishedStudy, again: PublishedStudy) -> Iterator[Check]:
    """Hold a study that was run again against the published one, metric by metric."""
    of = f"{study.name}, run again"
    for name in ("weights", "digest", "test_digest"):
        yield check(of, name, getattr(study.facts, name), getattr(again.facts, name))
    own, ours_own = (each.facts.params.get(NETWORK_DIGEST) for each in (study, again))
    yield check(of, "the author's own network", own, ours_own)
    ours, theirs = again.scores.test, study.scores.test
    if ours.digests == theirs.digests:
        apart = float(np.abs(ours.y_score - theirs.y_score).max())
        largest = check(of, _LARGEST, 0.0, apart)
        yield largest if largest.outcome == EQUAL else replace(largest, outcome=STATED)
    for each in checks_of_metrics(study, again.metrics, RETRAINED, intervals_of(study)):
        yield replace(each, of=of)


def _other_winner(study: PublishedStudy, again: PublishedStudy) -> Iterator[str]:
    theirs, ours = study.facts.params, again.facts.params
    apart = [
        f"{key.removeprefix('best_')} {ours.get(key, 'none')} for {theirs.get(key, 'none')}"
        for key in sorted(theirs.keys() | ours.keys())
        if key.startswith("best_") and theirs.get(key) != ours.get(key)
    ]
    if apart:
        yield f"{study.name}: run again, the search chose {', '.join(apart)}."

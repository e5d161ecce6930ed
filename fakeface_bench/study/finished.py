"""Finished studies read back from MLflow, and which of them belong in one comparison."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from fakeface_bench.config import DIGEST_DIGITS
from fakeface_bench.data.sources import source_names
from fakeface_bench.records.publication import PublishedStudy
from fakeface_bench.records.settings import NAMED_OPTIONS
from fakeface_bench.records.study import ComparedStudy, LeftOut
from fakeface_bench.report.model_card import CARD_FILE
from fakeface_bench.report.saved_study import SAVED_FILES, read_saved_study
from fakeface_bench.support.disk import draft_folder
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking.studies import FINISHED, StudyKey, StudyRun, download_study


def read_studies(studies: Sequence[StudyRun], progress: Progress) -> Iterator[ComparedStudy]:
    """Yield each study as it was saved."""
    with progress.stage("reading studies", len(studies), "studies") as advance:
        for study in studies:
            with draft_folder() as folder:
                download_study(study, SAVED_FILES, folder)
                try:
                    saved = read_saved_study(study.run_id, folder)
                except (ValueError, KeyError, TypeError) as error:
                    raise UsageError(
                        f"the files of the study of {study.name} cannot be read ({error!r}). Run "
                        f"it again, or compare others with runs=. (run {study.run_id})"
                    ) from error
            yield replace(saved, settings=study.settings)
            advance(1)


def run_of(study: PublishedStudy) -> StudyRun:
    """Return a published study as MLflow would hold it."""
    facts = study.facts
    told: dict[str, Any] = {each.name: getattr(facts, each.name) for each in fields(facts)}
    return StudyRun(**told, status=FINISHED, failure="", experiment_id="", metrics=study.metrics)


def compared_of(study: PublishedStudy) -> ComparedStudy:
    """Return what a comparison reads of a published study."""
    return replace(study.compared, settings=run_of(study).settings)


def with_same_paths(studies: Sequence[ComparedStudy]) -> list[ComparedStudy]:
    """Give all studies the paths of test images of the first one whose pictures are here.

    Studies of one test digest have the same images in the same order, whatever folders hold them.
    """
    first = next((study for study in studies if study.data_folders), studies[0])
    paths = {"paths": first.paths, "sources": first.sources, "data_folders": first.data_folders}
    return [replace(study, **paths) for study in studies]  # type: ignore[arg-type]


def model_card_of(study: StudyRun) -> str:
    """Return a study's model card, in Markdown."""
    with draft_folder() as folder:
        download_study(study, [CARD_FILE], folder)
        return (folder / CARD_FILE).read_text(encoding="utf-8")


#: Fewest digits of a digest that choose a dataset.
FEWEST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Chosen:
    """The studies that are compared, and those that are not."""

    studies: tuple[StudyRun, ...]
    left_out: tuple[LeftOut, ...]


def newest_studies(
    studies: Sequence[StudyRun], data: str, others: str = "data= chooses it"
) -> Chosen:
    """Choose the newest finished study per model, layers trained and weights, of one test split.

    Studies of a part of a dataset (`limit`, `leave_out`) stand apart from those of all of it.

    Args:
        studies: To choose from, the newest first.
        data: The dataset as in `StudyConfig`, or the first digits of its digest; when empty, that
            of the newest finished study that leaves nothing of its dataset out, if there is one.
        others: How studies of another dataset are chosen, in words.
    """
    finished = [study for study in studies if study.status == FINISHED]
    of_data = [study for study in finished if _is_of(study, data)]
    if not of_data:
        raise UsageError(_no_studies(studies, finished, data))
    whole = [study for study in of_data if not (study.limit or study.params.get("leave_out"))]
    newest = (whole or of_data)[0]
    of_data = [s for s in of_data if newest.dataset == s.dataset or newest.digest == s.digest]
    chosen: dict[StudyKey, StudyRun] = {}
    left_out = []
    for study in of_data:
        if study.digest != newest.digest and study.limit != newest.limit:
            used, others_used = format_images(study.limit), format_images(newest.limit)
            why = f"it used {used} (limit={study.limit}), not {others_used}."
        elif study.digest != newest.digest:
            why = f"its dataset has another digest ({study.digest[:DIGEST_DIGITS]})."
        elif study.test_digest != newest.test_digest:
            why = "its test split is another one, drawn with another seed."
        elif study.key in chosen:
            mine, newer = study.settings, chosen[study.key].settings
            apart = [mine[key] for key in NAMED_OPTIONS if mine[key] != newer[key]]
            why = f"an older study of the same{', with ' * bool(apart)}{', '.join(apart)}."
        else:
            chosen[study.key] = study
            continue
        left_out.append(LeftOut(study.name, study.run_id, why))
    left_out += _unfinished(studies, chosen, newest)
    of_others = Counter(study.dataset for study in finished if study not in of_data)
    for dataset, count in sorted(of_others.items()):
        name = f"{count} {'study' if count == 1 else 'studies'} of {dataset}"
        left_out.append(LeftOut(name, "", f"of another dataset; {others}."))
    return Chosen(tuple(chosen.values()), tuple(left_out))


def of_one_dataset(studies: Sequence[StudyRun], left_out: Sequence[LeftOut] = ()) -> Chosen:
    """Choose all studies that were named, which must be of one dataset and test split."""
    for what, digests in (
        ("datasets", [study.digest for study in studies]),
        ("test splits", [study.test_digest for study in studies]),
    ):
        if len(set(digests)) > 1:
            apart = "; ".join(
                f"{study.name} ({study.run_id}) used {format_images(study.limit)}: "
                f"{digest[:DIGEST_DIGITS]}"
                for study, digest in zip(studies, digests, strict=True)
            )
            raise UsageError(
                f"these studies are of different {what} and cannot be compared ({apart}). Run them "
                "on the same data, limit and seed, or name others with runs=."
            )
    return Chosen(tuple({study.run_id: study for study in studies}.values()), tuple(left_out))


def _is_of(study: StudyRun, data: str) -> bool:
    by_digest = len(data) >= FEWEST_DIGITS and study.digest.startswith(data)
    return not data or by_digest or study.dataset == "+".join(source_names(data))


def _unfinished(
    studies: Sequence[StudyRun], chosen: Mapping[StudyKey, StudyRun], newest: StudyRun
) -> Iterator[LeftOut]:
    """Yield studies of the same dataset that did not finish, and were not run again since."""
    for study in studies:
        finished = chosen.get(study.key)
        since = finished is not None and finished.began > study.began
        if study.status != FINISHED and study.dataset == newest.dataset and not since:
            why = f"it failed: {study.failure}" if study.failure else f"it is {study.status}."
            yield LeftOut(study.name, study.run_id, why)


def format_images(limit: int) -> str:
    """Say how many images a study used, by its `limit`."""
    return f"at most {limit:,} images of each split and class" if limit else "all images"


def _no_studies(studies: Sequence[StudyRun], finished: Sequence[StudyRun], data: str) -> str:
    if not finished:
        count = len(studies)
        others = f" ({count} failed or still running)" if count else ""
        return (
            f"this MLflow experiment holds no finished study{others}. Run some first: "
            "mlflow run . -e suite, or mlflow run . -P model=…; MLFLOW_TRACKING_URI names the "
            "store, MLFLOW_EXPERIMENT_NAME the experiment."
        )
    known = ", ".join(sorted({f"{s.dataset} ({s.digest[:DIGEST_DIGITS]})" for s in finished}))
    return f"no finished study of data {data!r}; there are studies of {known}."

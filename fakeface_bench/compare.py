"""One comparison: which finished studies of one dataset belong together, and what they show."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fakeface_bench.config import CompareConfig
from fakeface_bench.data.sources import source_names
from fakeface_bench.errors import UsageError
from fakeface_bench.folders import draft_folder
from fakeface_bench.progress import Progress
from fakeface_bench.records import ComparedStudy, LeftOut
from fakeface_bench.report import (
    SAVED_FILES,
    Comparison,
    compare_studies,
    comparison_markdown,
    read_saved_study,
    write_comparison_report,
)
from fakeface_bench.request import check_compare
from fakeface_bench.tracking import names
from fakeface_bench.tracking.runs import TrackedRun, tracked_run
from fakeface_bench.tracking.store import open_store
from fakeface_bench.tracking.studies import (
    FINISHED,
    StudyRun,
    download_study,
    find_studies,
    study_named,
)

_SHOWN_DIGITS = 12
#: Of a digest that is asked for.
FEWEST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class ComparisonOutcome:
    """What a finished comparison leaves: its findings, and where they are."""

    comparison: Comparison
    run_id: str
    experiment_id: str
    folder: Path | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The studies that are compared, and those that are not."""

    studies: tuple[StudyRun, ...]
    left_out: tuple[LeftOut, ...]


def run_comparison(config: CompareConfig, progress: Progress) -> ComparisonOutcome:
    """Compare the newest finished studies of one dataset and record it in MLflow.

    Raises:
        UsageError: If there is nothing to compare, or what is asked for does not belong together;
            the MLflow run is then FAILED and says why.
    """
    check_compare(config)
    open_store()
    with tracked_run("comparison", "comparison") as run:
        run.log_params(config.as_params())
        if config.runs:
            chosen = of_one_dataset([study_named(run_id) for run_id in config.run_ids])
        else:
            chosen = newest_studies(find_studies(run.experiment_id), config.data)
        return record_comparison(run, chosen, config, progress)


def newest_studies(studies: Sequence[StudyRun], data: str) -> Chosen:
    """Choose the newest finished study per model, layers trained and weights, of one test split.

    Args:
        studies: To choose from, the newest first.
        data: The dataset as in `StudyConfig`, or the first digits of its digest; that of the
            newest finished study when empty.

    Raises:
        UsageError: If no study has finished, or none of the dataset.
    """
    finished = [study for study in studies if study.status == FINISHED]
    of_data = [study for study in finished if _is_of(study, data)]
    if not of_data:
        raise UsageError(_nothing(studies, finished, data))
    newest = of_data[0]
    of_data = [s for s in of_data if newest.dataset == s.dataset or newest.digest == s.digest]
    chosen: dict[tuple[str, str, str], StudyRun] = {}
    left_out = []
    for study in of_data:
        if study.digest != newest.digest:
            why = f"its dataset has another digest ({study.digest[:_SHOWN_DIGITS]})."
        elif study.test_digest != newest.test_digest:
            why = "its test split is another one, drawn with another seed."
        elif study.key in chosen:
            why = "an older study of the same."
        else:
            chosen[study.key] = study
            continue
        left_out.append(LeftOut(study.name, study.run_id, why))
    left_out += _unfinished(studies, chosen, newest)
    return Chosen(tuple(chosen.values()), (*left_out, *_of_others(finished, of_data)))


def of_one_dataset(studies: Sequence[StudyRun], left_out: Sequence[LeftOut] = ()) -> Chosen:
    """Take the studies that were named, and tell of those that cannot be.

    Raises:
        UsageError: If they are not of one dataset and test split.
    """
    for what, digests in (
        ("datasets", {study.name: study.digest for study in studies}),
        ("test splits", {study.name: study.test_digest for study in studies}),
    ):
        if len(set(digests.values())) > 1:
            told = "; ".join(f"{name}: {d[:_SHOWN_DIGITS]}" for name, d in digests.items())
            raise UsageError(
                f"these studies are of different {what} and cannot be compared ({told}). Run them "
                "on the same data, limit and seed, or name others with runs=."
            )
    return Chosen(tuple({study.run_id: study for study in studies}.values()), tuple(left_out))


def record_comparison(
    run: TrackedRun, chosen: Chosen, config: CompareConfig, progress: Progress
) -> ComparisonOutcome:
    """Read the chosen studies, compare them, and leave all of it in a run and a folder."""
    studies = [_priced(study, config.dollars_per_hour) for study in _read(chosen.studies, progress)]
    comparison = compare_studies(_under_one_name(studies), chosen.left_out)
    first = chosen.studies[0]
    run.tag(
        {
            names.RUN_NAME: f"comparison on {first.dataset}",
            names.DATASET: first.dataset,
            names.DATASET_DIGEST: first.digest,
            names.TEST_DIGEST: first.test_digest,
            names.COMPARED: ",".join(study.run_id for study in chosen.studies),
            names.BEST: comparison.best.study.identity.run_id,
            names.RECOMMENDED: comparison.recommended.study.identity.run_id,
            names.NOTE: comparison_markdown(comparison),
        }
    )
    output = Path(config.output).expanduser() if config.output else None
    with draft_folder() as draft:
        write_comparison_report(comparison, draft)
        run.log_folder(draft)
        if output:
            shutil.copytree(draft, output, dirs_exist_ok=True)
    return ComparisonOutcome(comparison, run.run_id, run.experiment_id, output)


def _read(studies: Sequence[StudyRun], progress: Progress) -> Iterator[ComparedStudy]:
    with progress.stage("reading studies", len(studies), "studies") as advance:
        for study in studies:
            with draft_folder() as folder:
                download_study(study, SAVED_FILES, folder)
                yield read_saved_study(study.run_id, folder)
            advance(1)


def _priced(study: ComparedStudy, dollars_per_hour: float) -> ComparedStudy:
    """Return a study at another price of the machine; at its own where none is asked for."""
    if not dollars_per_hour:
        return study
    return replace(study, ledger=replace(study.ledger, dollars_per_hour=dollars_per_hour))


def _under_one_name(studies: Sequence[ComparedStudy]) -> list[ComparedStudy]:
    """Call the test images what the first study called them.

    Studies of one test digest have the same images in the same order, wherever they lay.
    """
    first = studies[0]
    named = {"paths": first.paths, "sources": first.sources, "data_folders": first.data_folders}
    return [replace(study, **named) for study in studies]  # type: ignore[arg-type]


def _is_of(study: StudyRun, data: str) -> bool:
    by_digest = len(data) >= FEWEST_DIGITS and study.digest.startswith(data)
    return not data or by_digest or study.dataset == "+".join(source_names(data))


def _unfinished(
    studies: Sequence[StudyRun], chosen: Mapping[tuple[str, str, str], StudyRun], newest: StudyRun
) -> Iterator[LeftOut]:
    """Tell of studies of the same dataset that did not finish, and were not run again since."""
    for study in studies:
        finished = chosen.get(study.key)
        since = finished is not None and finished.began > study.began
        if study.status != FINISHED and study.dataset == newest.dataset and not since:
            why = f"it failed: {study.failure}" if study.failure else f"it is {study.status}."
            yield LeftOut(study.name, study.run_id, why)


def _of_others(finished: Sequence[StudyRun], of_data: Sequence[StudyRun]) -> Iterator[LeftOut]:
    """Tell of other datasets, in one line each."""
    others = [study.dataset for study in finished if study not in of_data]
    for dataset in sorted(set(others)):
        count = others.count(dataset)
        studies = f"{count} {'study' if count == 1 else 'studies'}"
        yield LeftOut(f"{studies} of {dataset}", "", "of another dataset; data= chooses it.")


def _nothing(studies: Sequence[StudyRun], finished: Sequence[StudyRun], data: str) -> str:
    if not finished:
        count = len(studies)
        others = f" ({count} failed or still running)" if count else ""
        return (
            f"this MLflow experiment holds no finished study{others}. Run some first: "
            "mlflow run . -e suite, or mlflow run . -P model=…; MLFLOW_TRACKING_URI names the "
            "store, MLFLOW_EXPERIMENT_NAME the experiment."
        )
    known = ", ".join(sorted({f"{s.dataset} ({s.digest[:_SHOWN_DIGITS]})" for s in finished}))
    return f"no finished study of data {data!r}; there are studies of {known}."

"""Reads finished studies back from MLflow, with all that a comparison or a gate needs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fakeface_bench.errors import UsageError
from fakeface_bench.folders import draft_folder
from fakeface_bench.progress import Progress
from fakeface_bench.records import ComparedStudy
from fakeface_bench.report import CARD_FILE, SAVED_FILES, read_saved_study
from fakeface_bench.tracking.studies import StudyRun, download_study


def read_studies(studies: Sequence[StudyRun], progress: Progress) -> Iterator[ComparedStudy]:
    """Yield each study as it was saved.

    Raises:
        UsageError: If files of one, or its model, are gone, or cannot be read.
    """
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


def under_one_name(studies: Sequence[ComparedStudy]) -> list[ComparedStudy]:
    """Call the test images what the first study called them.

    Studies of one test digest have the same images in the same order, wherever they lay.
    """
    first = studies[0]
    named = {"paths": first.paths, "sources": first.sources, "data_folders": first.data_folders}
    return [replace(study, **named) for study in studies]  # type: ignore[arg-type]


def model_card_of(study: StudyRun) -> str:
    """Return a study's model card, in Markdown.

    Raises:
        UsageError: If it has none.
    """
    with draft_folder() as folder:
        download_study(study, [CARD_FILE], folder)
        return (folder / CARD_FILE).read_text(encoding="utf-8")

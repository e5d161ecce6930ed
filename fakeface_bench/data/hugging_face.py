"""Datasets fetched from Hugging Face by name, once, with one line for each obstacle.

The archives come into huggingface_hub's own cache, resumed where they were cut; what they hold is
unpacked into the suite's, whole or not at all.
"""

import logging
import zipfile
from pathlib import Path
from typing import Any

from fakeface_bench.data.archive import DAMAGE, check_archive, check_room
from fakeface_bench.data.array_store import publish_folder
from fakeface_bench.data.dataset import Dataset
from fakeface_bench.data.download import (
    MegabyteBar,
    announce,
    damaged,
    megabytes,
    quiet,
    warn_of_differences,
)
from fakeface_bench.data.expected import by_hand
from fakeface_bench.support.disk import cache_folder, locked
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.progress import Progress

_REFUSALS = {
    401: "Hugging Face wants to know who asks (401): set HF_TOKEN",
    403: "Hugging Face refuses it (403): accept the terms on the dataset's page, and set HF_TOKEN",
    404: "Hugging Face has no such dataset or file any more (404)",
}


def fetch_hugging_face(row: Dataset, progress: Progress) -> Path:
    """Return the folder of a dataset on Hugging Face, fetching and unpacking it where absent.

    What lies unpacked in the cache is taken as it is, without a request. Whatever differs from the
    row is a warning.
    """
    folder = cache_folder("datasets") / row.key
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            announce(row, "Hugging Face", folder, progress)
            _make(row, folder, progress)
    warn_of_differences(row, folder, progress)
    return folder


def _make(row: Dataset, folder: Path, progress: Progress) -> None:
    """Fetch every archive, then unpack all: the folder appears whole."""
    archives = {place: _download(row, name, progress) for name, place in row.archives.items()}
    with publish_folder(folder) as draft:  # half of a dataset looks like a small one
        for place, archive in archives.items():
            _unpack(row, archive, draft / place, progress)


def _download(row: Dataset, name: str, progress: Progress) -> Path:
    """Return an archive in huggingface_hub's cache, resumed where it was begun."""
    from huggingface_hub import errors, hf_hub_download

    client_error: Any = errors.HfHubHTTPError.__base__  # of whichever HTTP client it is made with

    def ask(**options: Any) -> Any:
        return hf_hub_download(row.source, name, repo_type="dataset", **options)

    try:
        with quiet("huggingface_hub", logging.CRITICAL):
            known = ask(dry_run=True)
            if not known.will_download:
                return Path(ask())
            check_room(known.file_size, cache_folder("datasets"))
            size = megabytes(known.file_size)
            with progress.stage(f"downloading {name}", size, "MB") as advance:
                return Path(ask(tqdm_class=lambda initial=0, **_: MegabyteBar(advance, initial)))
    except (OSError, client_error) as error:  # its own are both, and a wrong size is the first
        raise DataError(f"{_obstacle(row, name, error)} {by_hand(row)}") from error


def _obstacle(row: Dataset, name: str, error: Exception) -> str:
    """Say in a sentence why a file cannot be had."""
    from huggingface_hub import errors

    cause: BaseException | None = error
    while cause is not None:  # what was answered may stand behind "cannot find it"
        if isinstance(cause, errors.HfHubHTTPError):
            status = cause.response.status_code
            said = _REFUSALS.get(status, f"Hugging Face answered with HTTP status {status}")
            return f"{row.key} cannot be fetched: {said}."
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, errors.LocalEntryNotFoundError):
        return f"{row.key} cannot be fetched, Hugging Face cannot be reached."
    return (
        f"the download of {name} of {row.key} was cut ({type(error).__name__}); what came is kept, "
        "and the same command resumes there."
    )


def _unpack(row: Dataset, archive: Path, folder: Path, progress: Progress) -> None:
    """Unpack what is safe and whole; of a damaged archive nothing is kept."""
    try:
        contents = check_archive(archive)
        check_room(contents.unpacked_bytes, folder)
        size = megabytes(contents.unpacked_bytes)
        progress.say(
            f"{row.key}: unpacking {contents.files:,} files ({size:,} MB) of {archive.name}"
        )
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
    except DAMAGE as error:
        archive.resolve().unlink()
        archive.unlink(missing_ok=True)
        raise damaged(row, str(error), f"archive {archive.name}") from error

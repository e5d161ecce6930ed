"""Datasets fetched from Kaggle by name, once, with each obstacle told in a line of its own."""

import errno
import gzip
import shutil
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from fakeface_bench.data.archive import check_archive, check_room
from fakeface_bench.data.dataset import Dataset
from fakeface_bench.data.expected import differences
from fakeface_bench.data.kaggle_client import (
    Download,
    cache_of,
    complete_version,
    held_bytes,
    megabytes,
)
from fakeface_bench.data.kaggle_obstacles import by_hand, connection_obstacle, damaged
from fakeface_bench.errors import DataError
from fakeface_bench.progress import Progress

#: Seconds to wait after each cut but the last.
PAUSES = (1.0, 3.0, 9.0)
#: What a broken archive makes zipfile, tarfile and kagglehub raise.
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    gzip.BadGzipFile,
    EOFError,
    ValueError,
    RuntimeError,
)


def fetch_kaggle(row: Dataset, progress: Progress) -> Path:
    """Return the folder of a Kaggle dataset, fetching it into kagglehub's cache where absent.

    A complete version in the cache is taken as it is, without a request. Whatever differs from the
    row is a warning.

    Raises:
        DataError: If it cannot be fetched, with what to do: run it again or download by hand.
    """
    place = cache_of(row.source)
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_name(f"{place.name}.lock")):
        folder = complete_version(row.source)
        if not folder:
            progress.say(
                f"{row.key}: {row.images:,} images from Kaggle ({row.source}) into {place}"
            )
            progress.say(f"{row.key}: licence and terms: {row.licence}; {row.url}")
            folder = _fetch(row, progress)
    for line in differences(row, folder):
        progress.warn(f"{row.key}: {line}")
    return folder


def _fetch(row: Dataset, progress: Progress) -> Path:
    """Try until the archive is there and unpacked, resuming after each cut."""
    from requests import RequestException

    download = Download(row.source, _unpacker(row, progress), progress)
    for number, pause in enumerate((*PAUSES, None), start=1):
        try:
            return _attempt(row, download)
        except RequestException as error:
            reason = connection_obstacle(row, error)
            held = held_bytes(row.source)
            if not held:
                raise DataError(
                    f"{row.key} cannot be fetched, Kaggle cannot be reached ({reason}). "
                    f"{by_hand(row)}"
                ) from error
            came = f"{megabytes(held)} of {megabytes(download.total_bytes) or '?'} MB"
            if pause is None:
                raise DataError(
                    f"the download of {row.key} was cut {number} times ({reason}): {came} came "
                    f"and are kept; the same command resumes there. {by_hand(row)}"
                ) from error
            progress.say(f"{row.key}: cut after {came} ({reason}); resumes in {pause:g} s")
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _attempt(row: Dataset, download: Download) -> Path:
    """Try once; only what requests raises, a passing obstacle, is left as it is."""
    from kagglehub import exceptions
    from requests import RequestException

    try:
        return download.attempt()
    except RequestException:
        raise
    except exceptions.DataCorruptionError as error:  # kagglehub has removed the archive
        raise damaged(row, "its MD5 is not the one Kaggle states") from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise DataError(
            f"no room left for {row.key} in {cache_of(row.source)}: "
            f"{megabytes(held_bytes(row.source))} MB came and are kept; make room, and the same "
            "command resumes there."
        ) from error
    except (
        exceptions.BackendError,
        exceptions.ColabEnvironmentError,
        exceptions.CredentialError,
        exceptions.KaggleEnvironmentError,
        exceptions.NotFoundError,
        exceptions.UnauthenticatedError,
        ValueError,  # a credentials file that cannot be read
    ) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{row.key} cannot be fetched: {said}. {by_hand(row)}") from error


def _unpacker(
    row: Dataset, progress: Progress
) -> Callable[[Path, Path, Callable[[str, str], None]], None]:
    def unpack(archive: Path, folder: Path, extract: Callable[[str, str], None]) -> None:
        """Unpack what is safe and whole; anything else leaves neither archive nor folder."""
        try:
            contents = check_archive(archive)
        except DataError as error:
            archive.unlink()
            raise DataError(f"{row.key} is refused: {error}") from error
        except _DAMAGE as error:
            archive.unlink()
            raise damaged(row, str(error)) from error
        check_room(contents.unpacked_bytes, folder)
        size = megabytes(contents.unpacked_bytes)
        progress.say(f"{row.key}: unpacking {contents.files:,} files ({size:,} MB) to {folder}")
        try:
            extract(str(archive), str(folder))
        except _DAMAGE as error:
            archive.unlink()
            shutil.rmtree(folder, ignore_errors=True)
            raise damaged(row, str(error)) from error
        except BaseException:  # half of a dataset looks like a small one
            shutil.rmtree(folder, ignore_errors=True)
            raise

    return unpack

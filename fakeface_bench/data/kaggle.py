"""Datasets fetched from Kaggle by name, once, with one line for each obstacle.

kagglehub unpacks whatever arrives, waits for a silent server for ever, draws a bar of its own and
writes to standard output. It offers no way to ask otherwise, so the three names in it that decide
are replaced while a download runs; `kagglehub` is pinned for their sake.

Run in a process of its own with its output captured, which was tried against the tests' server,
it took 1.2 s longer an attempt, waited 51 s for a server silent for 50, put a `../evil.png` among
the pictures and called the dataset complete, gave the size in three digits, and obstacles as a
traceback alone.
"""

import errno
import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from filelock import FileLock

from fakeface_bench.data.archive import DAMAGE, check_archive, check_room
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
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.progress import Progress

_REFUSALS = {
    401: "Kaggle wants to know who asks (401): set KAGGLE_API_TOKEN or put kaggle.json in place",
    403: "Kaggle refuses it (403): sign in with KAGGLE_API_TOKEN or kaggle.json, and accept the "
    "terms on the dataset's page",
    404: "Kaggle has no such dataset any more (404)",
}
#: Found in what requests raises, in this order, and said instead of it.
_CONNECTION_WORDS = {
    "NameResolutionError": "its name cannot be resolved",
    "ProxyError": "the proxy does not let it through",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted",
    "timed out": "no answer in time",
    "refused": "connection refused",
    "IncompleteRead": "connection cut",
    "Connection broken": "connection cut",
    "Connection aborted": "connection cut",
    "JSONDecodeError": "the answer was not Kaggle's",
}
#: HTTP statuses that another attempt may not meet.
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


def connection_obstacle(row: Dataset, error: Exception) -> str:
    """Say in a few words why the connection failed, where another attempt may help."""
    response = getattr(error, "response", None)
    if response is None:
        seen = repr(error)
        words = (words for sign, words in _CONNECTION_WORDS.items() if sign in seen)
        return next(words, type(error).__name__)
    status = response.status_code
    if status in _PASSING:
        return f"HTTP status {status}"
    said = _REFUSALS.get(status, f"Kaggle answered with HTTP status {status}")
    raise DataError(f"{row.key} cannot be fetched: {said}. {by_hand(row)}") from error


#: Seconds to connect, and of a server's silence, until a download counts as cut.
TIMEOUTS = (10.0, 30.0)

#: The replaced names are the whole process's.
_ONE_AT_A_TIME = threading.Lock()

#: Takes the archive, the folder for it, and kagglehub's own function that unpacks the one there.
Unpack = Callable[[Path, Path, Callable[[str, str], None]], None]


def cache_of(handle: str) -> Path:
    """Return the folder of a dataset in kagglehub's cache, there or not."""
    from kagglehub.cache import Cache
    from kagglehub.handle import parse_dataset_handle

    return Path(Cache().get_path(parse_dataset_handle(handle)))


def complete_version(handle: str) -> Path | None:
    """Return the newest version of a dataset that lies complete in kagglehub's cache.

    kagglehub itself would first ask the server which version is current.
    """
    from kagglehub.cache import Cache
    from kagglehub.handle import parse_dataset_handle

    dataset = parse_dataset_handle(handle)
    names = [folder.name for folder in (cache_of(handle) / "versions").glob("[1-9]*")]
    for version in sorted((int(name) for name in names if name.isdecimal()), reverse=True):
        found = Cache().load_from_cache(dataset.with_version(version))
        if found:
            return Path(found)
    return None


def held_bytes(handle: str) -> int:
    """Return the size of the archive that an attempt has begun, 0 for none."""
    return max((path.stat().st_size for path in cache_of(handle).glob("*.archive")), default=0)


class Download:
    """One dataset's way from Kaggle into kagglehub's cache, as often as it is tried.

    Attributes:
        total_bytes: Size of the archive, 0 until the server has stated it.
    """

    def __init__(self, handle: str, unpack: Unpack, progress: Progress) -> None:
        self.handle = handle
        self.total_bytes = 0
        self._unpack = unpack
        self._progress = progress

    def attempt(self) -> Path:
        """Download, resuming where an archive was begun; unpack it; return the folder."""
        from kagglehub import clients, dataset_download, http_resolver

        extract, client = http_resolver._extract_archive, http_resolver.build_kaggle_client

        def unpack(archive: str, folder: str) -> None:
            self._unpack(Path(archive), Path(folder), extract)

        with _ONE_AT_A_TIME, ExitStack() as stack:
            stack.enter_context(quiet("kagglehub", logging.ERROR))
            stack.enter_context(redirect_stdout(sys.stderr))  # there its lines repeat our own
            _replace(clients, "tqdm", self._bar, stack)
            _replace(http_resolver, "_extract_archive", unpack, stack)
            _replace(http_resolver, "build_kaggle_client", lambda: _patient(client(), stack), stack)
            return Path(dataset_download(self.handle))

    @contextmanager
    def _bar(self, total: int, initial: int = 0, **_looks: Any) -> Iterator[MegabyteBar]:
        """Stand in for tqdm; what is about to arrive must have room on the disk."""
        self.total_bytes = total
        check_room(total - initial, cache_of(self.handle))
        title = f"downloading {self.handle.partition('/')[2]}"
        with self._progress.stage(title, megabytes(total), "MB") as advance:
            yield MegabyteBar(advance, initial)


def _replace(module: ModuleType, name: str, mine: Any, stack: ExitStack) -> None:
    stack.callback(setattr, module, name, getattr(module, name))  # a name gone fails here, loudly
    setattr(module, name, mine)


def _patient(client: Any, stack: ExitStack) -> Any:
    """Give a client of Kaggle time limits, and close what it leaves open of a cut download."""
    http = stack.enter_context(client.http_client())
    send = http._session.send

    def send_in_time(request: Any, **settings: Any) -> Any:
        response = send(request, **{"timeout": TIMEOUTS, **settings})
        stack.callback(response.close)
        return response

    http._session.send = send_in_time
    return client


#: Seconds to wait after each cut but the last.
PAUSES = (1.0, 3.0, 9.0)


def fetch_kaggle(row: Dataset, progress: Progress) -> Path:
    """Return the folder of a Kaggle dataset, fetching it into kagglehub's cache where absent.

    A complete version in the cache is taken as it is, without a request. Whatever differs from the
    row is a warning.
    """
    place = cache_of(row.source)
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_name(f"{place.name}.lock")):
        folder = complete_version(row.source)
        if not folder:
            announce(row, "Kaggle", place, progress)
            folder = _fetch(row, progress)
    warn_of_differences(row, folder, progress)
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


def _unpacker(row: Dataset, progress: Progress) -> Unpack:
    def unpack(archive: Path, folder: Path, extract: Callable[[str, str], None]) -> None:
        """Unpack what is safe and whole; anything else leaves neither archive nor folder."""
        try:
            contents = check_archive(archive)
        except DataError as error:
            archive.unlink()
            raise DataError(f"{row.key} is refused: {error}") from error
        except DAMAGE as error:
            archive.unlink()
            raise damaged(row, str(error)) from error
        check_room(contents.unpacked_bytes, folder)
        size = megabytes(contents.unpacked_bytes)
        progress.say(f"{row.key}: unpacking {contents.files:,} files ({size:,} MB) to {folder}")
        try:
            extract(str(archive), str(folder))
        except DAMAGE as error:
            archive.unlink()
            shutil.rmtree(folder, ignore_errors=True)
            raise damaged(row, str(error)) from error
        except BaseException:  # half of a dataset looks like a small one
            shutil.rmtree(folder, ignore_errors=True)
            raise

    return unpack

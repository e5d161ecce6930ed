"""The one place that enters kagglehub: its cache, and its download made safe and visible.

kagglehub unpacks whatever arrives, waits for a silent server for ever, draws a bar of its own and
writes to standard output. It offers no way to ask otherwise, so the three names in it that decide
are replaced while a download runs; `kagglehub` is pinned for their sake.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from fakeface_bench.data.archive import check_room
from fakeface_bench.progress import Advance, Progress

#: Seconds to connect, and of a server's silence, until a download counts as cut.
TIMEOUTS = (10.0, 30.0)
MEGABYTE = 1_000_000

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


def megabytes(size: int) -> int:
    """Return whole megabytes, rounded up."""
    return -(-size // MEGABYTE)


class Download:
    """One dataset's way from Kaggle into kagglehub's cache, as often as it is tried.

    Attributes:
        total_bytes: Size of the archive, 0 until the server has told.
    """

    def __init__(self, handle: str, unpack: Unpack, progress: Progress) -> None:
        self.handle = handle
        self.total_bytes = 0
        self._unpack = unpack
        self._progress = progress

    def attempt(self) -> Path:
        """Download, resuming where an archive was begun; unpack it; return the folder.

        Raises:
            Exception: Whatever kagglehub, requests, `unpack` and the disk raise.
        """
        from kagglehub import clients, dataset_download, http_resolver

        extract, client = http_resolver._extract_archive, http_resolver.build_kaggle_client

        def unpack(archive: str, folder: str) -> None:
            self._unpack(Path(archive), Path(folder), extract)

        with _ONE_AT_A_TIME, ExitStack() as stack:
            stack.enter_context(_quiet())
            _replace(clients, "tqdm", self._bar, stack)
            _replace(http_resolver, "_extract_archive", unpack, stack)
            _replace(http_resolver, "build_kaggle_client", lambda: _patient(client(), stack), stack)
            return Path(dataset_download(self.handle))

    @contextmanager
    def _bar(self, total: int, initial: int = 0, **_looks: Any) -> Iterator["_Bar"]:
        """Stand in for tqdm; what is about to arrive must have room on the disk."""
        self.total_bytes = total
        check_room(total - initial, cache_of(self.handle))
        title = f"downloading {self.handle.partition('/')[2]}"
        with self._progress.stage(title, megabytes(total), "MB") as advance:
            bar = _Bar(advance)
            bar.update(initial)
            yield bar


class _Bar:
    """Takes bytes as tqdm does, and tells whole megabytes."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._bytes = 0

    def update(self, count: int) -> None:
        told = megabytes(self._bytes)
        self._bytes += count
        self._advance(megabytes(self._bytes) - told)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep standard output for results: kagglehub's lines there repeat what is told here."""
    logger = logging.getLogger("kagglehub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        logger.setLevel(level)


def _replace(module: ModuleType, name: str, mine: Any, stack: ExitStack) -> None:
    stack.callback(setattr, module, name, getattr(module, name))  # a name gone fails here, loudly
    setattr(module, name, mine)


def _patient(client: Any, stack: ExitStack) -> Any:
    """Give a client of Kaggle time limits, and close what it leaves open of a cut download."""
    http = client.http_client()
    http._init_session()
    send = http._session.send

    def send_in_time(request: Any, **settings: Any) -> Any:
        response = send(request, **{"timeout": TIMEOUTS, **settings})
        stack.callback(response.close)
        return response

    http._session.send = send_in_time
    return client

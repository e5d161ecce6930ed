"""Sends what a run writes to MLflow in order, and keeps on disk what a server does not take.

A study goes on computing while its server is away: an entry that cannot be sent, and all after it,
are kept, and sent as soon as the server answers again, at the latest by `fakeface-bench sync`.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import mlflow
import requests
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES
from mlflow.exceptions import MlflowException

from fakeface_bench.credentials import without_credentials
from fakeface_bench.errors import DiskError
from fakeface_bench.folders import SMALL_FILE_BYTES, full_disk_told
from fakeface_bench.tracking.entries import (
    ENTRY,
    Artifacts,
    Batch,
    End,
    Entry,
    Input,
    OpenTrial,
    Recipient,
    as_json,
)
from fakeface_bench.tracking.logged_model import LogModel
from fakeface_bench.tracking.obstacles import failure_of_store, lost_a_race
from fakeface_bench.tracking.places import unsent_folder
from fakeface_bench.tracking.queries import is_deleted
from fakeface_bench.tracking.spool import REMEDY, Spool
from fakeface_bench.tracking.succession import Succession

#: Between two looks whether a server that was away is back.
_LOOK_AGAIN_SECONDS = 2.0
#: MLflow's own tries of a request, which then is kept: a study waits for none of them.
_RETRIES = "2"
#: An entry that fails though the server answers is tried so often.
_TRIES = 3
_PROBE_SECONDS = 5.0
#: What may be kept, by the name under which it is.
_KINDS: Mapping[str, type[Entry]] = {
    kind.__name__: kind for kind in (OpenTrial, Batch, Input, Artifacts, LogModel, Succession, End)
}


class Outbox:
    """The way of one run's entries to MLflow; threads may share it.

    Args:
        run_id: Of the run.
    """

    def __init__(self, run_id: str) -> None:
        self.recipient = Recipient({})
        self._folder = unsent_folder() / run_id
        self._spool: Spool | None = None
        self._lock = threading.RLock()
        self._look_at = 0.0

    def send(self, entry: Entry, files: Path | None = None) -> None:
        """Write an entry, or keep it.

        Args:
            entry: What to write.
            files: Folder that goes with it; may be deleted afterwards.

        Raises:
            OutageError: If the store fails otherwise than by being away.
            DiskError: If it has no room, or what it does not take has none.
        """
        with self._lock:
            if self._spool is not None and not self._catch_up():
                self._spool.keep(as_json(entry), files)
            elif not deliver(entry, files, self.recipient):
                self._begin_spool().keep(as_json(entry), files)

    def settle(self, patience_seconds: float) -> str:
        """Send what is kept, waiting for the server so long; return what to tell of the rest."""
        deadline = time.monotonic() + patience_seconds
        with self._lock:
            while self._spool is not None and not self._catch_up(now=True):
                if time.monotonic() >= deadline:
                    count = len(self._spool)
                    self._spool.release()
                    return (
                        f"{count} of its records could not be sent, for the MLflow server "
                        f"{without_credentials(mlflow.get_tracking_uri())} does not answer. They "
                        f"are kept in {self._folder}; 'fakeface-bench sync' sends them once it "
                        "does."
                    )
                time.sleep(_LOOK_AGAIN_SECONDS)
        return ""

    def _begin_spool(self) -> Spool:
        spool = Spool(self._folder)
        with full_disk_told(self._folder, lambda: SMALL_FILE_BYTES, REMEDY):
            spool.take()
            try:
                spool.describe({"store": without_credentials(mlflow.get_tracking_uri())})
                spool.mark_sent(0, self.recipient.ids)
            except (OSError, DiskError):
                spool.release()  # it holds nothing, and goes
                raise
        self._spool = spool
        self._look_at = time.monotonic() + _LOOK_AGAIN_SECONDS
        return spool

    def _catch_up(self, now: bool = False) -> bool:
        """Send what is kept; return whether all of it is sent."""
        if self._spool is None:
            return True
        if not now and time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + _LOOK_AGAIN_SECONDS
        if not answers() or not send_kept(self._spool, self.recipient):
            return False
        self._spool.release()
        self._spool = None
        return True


def send_spool(spool: Spool) -> str:
    """Send what a process that has ended kept; return what is in the way, if anything is."""
    if not spool.take():
        return "it is still at work"
    try:
        if not len(spool):
            return ""
        store = without_credentials(mlflow.get_tracking_uri())
        asked = spool.facts()["store"]
        if asked != store:
            return f"its records are for {asked}, and MLFLOW_TRACKING_URI names {store}"
        if is_deleted(spool.folder.name):
            return (
                "it was deleted from MLflow, as runs are whose request another run has finished; "
                f"delete {spool.folder}, or let 'mlflow runs restore --run-id {spool.folder.name}' "
                "bring it back and send it again"
            )
        if not send_kept(spool, Recipient(spool.ids())):
            return f"the MLflow server {store} does not answer; {len(spool)} records are kept"
        return ""
    finally:
        spool.release()


def send_kept(spool: Spool, recipient: Recipient) -> bool:
    """Send the entries of a spool that is locked, in their order; return whether all are sent."""
    for number, kept, files in list(spool.unsent()):
        entry = _KINDS[kept.pop(ENTRY)](**kept)
        if not deliver(entry, files if entry.has_files else None, recipient, again=True):
            return False
        spool.mark_sent(number + 1, recipient.ids)
    return True


def deliver(entry: Entry, files: Path | None, recipient: Recipient, again: bool = False) -> bool:
    """Write an entry to MLflow; return False where its server is away.

    Raises:
        OutageError: If the store fails otherwise.
        DiskError: If it has no room.
    """
    failure: Exception | None = None
    for attempt in range(_TRIES):
        try:
            with few_retries():
                entry.deliver(recipient, files, again or attempt > 0)
            return True
        except (MlflowException, OSError) as error:  # errors of requests are OSErrors
            failure = error
        if is_remote():
            if not answers():
                return False
        elif not lost_a_race(failure):
            break
    assert failure is not None
    raise failure_of_store(failure, files) from failure


def is_remote() -> bool:
    """Whether MLflow's store is a server, which may be away."""
    return bool(mlflow.get_tracking_uri().lower().startswith("http"))


def answers() -> bool:
    """Whether MLflow's server does, and is able to serve."""
    try:
        address = f"{mlflow.get_tracking_uri().rstrip('/')}/health"
        return bool(requests.get(address, timeout=_PROBE_SECONDS).status_code < 500)
    except requests.RequestException:
        return False


@contextmanager
def few_retries(count: str = _RETRIES) -> Iterator[None]:
    """Keep MLflow from waiting minutes for a server, unless a user has said how long."""
    variable = MLFLOW_HTTP_REQUEST_MAX_RETRIES.name
    if variable in os.environ:
        yield
        return
    os.environ[variable] = count
    try:
        yield
    finally:
        os.environ.pop(variable, None)

"""Sends what a run writes to MLflow in order, and keeps on disk what a server does not take.

Studies' trials and unsent records must be found again by the same command, from whatever folder,
or clone of the project, it is started.

A study goes on computing while its server is away: an entry that cannot be sent, and all after it,
are kept, and sent as soon as the server answers again, at the latest by `fakeface-bench sync`.
"""

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import requests
from filelock import FileLock, Timeout
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES
from mlflow.exceptions import MlflowException
from platformdirs import user_data_dir

from fakeface_bench.support.disk import SMALL_FILE_BYTES, bytes_of, full_disk_error, replaced_whole
from fakeface_bench.support.errors import DiskError
from fakeface_bench.support.text import without_credentials
from fakeface_bench.tracking.addresses import SQLITE, STUDIES_FILE, database_of
from fakeface_bench.tracking.entries import (
    ENTRY,
    Artifacts,
    Batch,
    End,
    Entry,
    Input,
    OpenTrial,
    Recipient,
    Steps,
    as_json,
)
from fakeface_bench.tracking.failures import failure_of_store, lost_a_race
from fakeface_bench.tracking.logged_model import LogModel
from fakeface_bench.tracking.succession import Succession, is_deleted

#: Names another folder than the user's own for data.
STUDIES_VARIABLE = "FAKEFACE_STUDIES"
#: Of what an MLflow server did not take, a folder a run.
UNSENT_FOLDER = "fakeface_unsent"
_NO_NAME = re.compile(r"[^\w.-]+")
_DIGITS = 8


def studies_file(experiment_id: str) -> Path:
    """Return the SQLite file of studies where no storage is asked for.

    It lies beside MLflow's own file where that is one. Of a store elsewhere each experiment has
    its own, in the user's folder for data, or in the one that `FAKEFACE_STUDIES` names.
    """
    uri = mlflow.get_tracking_uri()
    if uri.startswith(SQLITE):
        return Path(database_of(uri)).parent / STUDIES_FILE
    if "://" not in uri:  # MLflow's old store of files
        return Path(uri.removeprefix("file:")).resolve().parent / STUDIES_FILE
    return _folder_of_store() / f"experiment_{_NO_NAME.sub('_', experiment_id)}" / STUDIES_FILE


def unsent_folder() -> Path:
    """Return where a folder a run keeps what the MLflow server did not take."""
    return _folder_of_store() / UNSENT_FOLDER


def unsent_folders() -> list[Path]:
    """Return those of every server for which anything is kept on this machine."""
    return sorted(_root().glob(f"*/{UNSENT_FOLDER}"))


def _folder_of_store() -> Path:
    """Return the folder of the MLflow store in use; who asks it does not matter."""
    shown = without_credentials(mlflow.get_tracking_uri()).rstrip("/")
    digest = hashlib.sha256(shown.encode()).hexdigest()[:_DIGITS]
    name = _NO_NAME.sub("_", shown.partition("://")[2])[:40].strip("_")
    return _root() / f"{name}-{digest}"


def _root() -> Path:
    named = os.environ.get(STUDIES_VARIABLE)
    return Path(named or user_data_dir("fakeface_bench")).expanduser().absolute()


_ENTRIES = "entries.jsonl"
_SENT = "sent.json"
_FACTS = "facts.json"
_FILES = "files"
_LOCK = ".lock"
#: What to do where there is no room for it, besides making some.
REMEDY = "or bring MLflow's server back, which takes it"


class Spool:
    """One run's entries, in their order, with the files that go with them.

    A process that writes or sends them holds its lock, which no dead one does.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: FileLock | None = None
        self._kept = 0

    def take(self) -> bool:
        """Lock it; return whether no other process has."""
        if self._lock is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / _LOCK, timeout=0)
            try:
                lock.acquire()
            except Timeout:
                return False
            self._lock = lock
            self._kept = len(self._lines())
        return True

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Write down what it is of."""
        (self.folder / _FACTS).write_text(json.dumps(dict(facts)))

    def facts(self) -> dict[str, Any]:
        """Return what it is of."""
        return dict(json.loads((self.folder / _FACTS).read_text()))

    def keep(self, entry: Mapping[str, Any], files: Path | None) -> None:
        """Add an entry; its files are copied first, so that none is there without them."""
        line = (json.dumps(dict(entry)) + "\n").encode()
        entries, copies = self.folder / _ENTRIES, self._files(self._kept)
        whole = entries.stat().st_size if entries.exists() else 0
        with full_disk_error(self.folder, lambda: len(line) + bytes_of(files), REMEDY):
            try:
                if files is not None:
                    shutil.copytree(files, copies, dirs_exist_ok=True)
                with open(entries, "ab") as lines:
                    lines.write(line)
                    lines.flush()
                    os.fsync(lines.fileno())
            except OSError:
                shutil.rmtree(copies, ignore_errors=True)
                if entries.exists():
                    os.truncate(entries, whole)  # else the next line would go on with this one
                raise
        self._kept += 1

    def unsent(self) -> Iterator[tuple[int, dict[str, Any], Path]]:
        """Yield number, entry and folder of files of what is still to be sent."""
        sent, _ = self._sent()
        for number, line in enumerate(self._lines()):
            if number >= sent:
                yield number, json.loads(line), self._files(number)

    def ids(self) -> dict[str, str]:
        """Return the ids of MLflow that were given to names of entries."""
        return self._sent()[1]

    def mark_sent(self, count: int, ids: Mapping[str, str]) -> None:
        """Write down that the first entries are sent, and which ids are known since."""
        draft = self.folder / f"{_SENT}.draft"
        guard = full_disk_error(self.folder, lambda: SMALL_FILE_BYTES, REMEDY)
        with guard, replaced_whole(self.folder / _SENT, draft):
            draft.write_text(json.dumps({"count": count, "ids": dict(ids)}))

    def __len__(self) -> int:
        """Return how many entries are still to be sent."""
        return len(list(self.unsent()))

    def release(self) -> None:
        """Unlock it; a spool whose entries are all sent is deleted."""
        if self._lock is None:
            return
        if not len(self):
            shutil.rmtree(self.folder)
            parent = self.folder.parent
            if not any(parent.iterdir()):
                parent.rmdir()
        self._lock.release()
        self._lock = None

    def _files(self, number: int) -> Path:
        return self.folder / _FILES / f"{number:06d}"

    def _lines(self) -> list[str]:
        """Return the whole lines: a process may have been killed while it wrote the last."""
        file = self.folder / _ENTRIES
        if not file.exists():
            return []
        text = file.read_text(encoding="utf-8")
        return text[: text.rfind("\n") + 1].splitlines()

    def _sent(self) -> tuple[int, dict[str, str]]:
        file = self.folder / _SENT
        if not file.exists():
            return 0, {}
        sent = json.loads(file.read_text())
        return int(sent["count"]), dict(sent["ids"])


#: Between two looks whether a server that was away is back.
_LOOK_AGAIN_SECONDS = 2.0
#: MLflow's own tries of a request, which then is kept: a study waits for none of them.
_RETRIES = "2"
#: An entry that fails though the server answers is tried so often.
_TRIES = 3
_PROBE_SECONDS = 5.0
#: What may be kept, by the name under which it is.
_KINDS: Mapping[str, type[Entry]] = {
    kind.__name__: kind
    for kind in (OpenTrial, Batch, Steps, Input, Artifacts, LogModel, Succession, End)
}


class Outbox:
    """The way of one run's entries to MLflow; threads may share it."""

    def __init__(self, run_id: str) -> None:
        self.recipient = Recipient({})
        self._folder = unsent_folder() / run_id
        self._spool: Spool | None = None
        self._lock = threading.RLock()
        self._look_at = 0.0

    def send(self, entry: Entry, files: Path | None = None) -> None:
        """Write an entry, or keep it.

        Args:
            files: Folder that goes with it; may be deleted afterwards.
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
        with full_disk_error(self._folder, lambda: SMALL_FILE_BYTES, REMEDY):
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

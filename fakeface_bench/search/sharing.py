"""Several processes on one study: whose turn it is to start a trial, and who has died over one."""

import hashlib
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import optuna
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning
from optuna.storages import fail_stale_trials
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from fakeface_bench.errors import FakefaceError
from fakeface_bench.processes import is_dead, this_process
from fakeface_bench.search.patience import PatientStorage, patiently
from fakeface_bench.search.storage_address import engine_options, sqlite_file

#: A process that runs a trial says so this often, and counts as dead after so long a silence.
HEARTBEAT_SECONDS = 30
GRACE_SECONDS = 120
#: Trials that are run again by themselves where a process has died over them, each.
REPEATS = 1
_PROCESS = "process"
_REPEATED = "repeated"
_GIVEN_UP = "given_up"
#: Where Optuna keeps the options of a trial that was put up.
_FIXED = "fixed_params"
_LOCK_KEY = int.from_bytes(hashlib.sha256(b"fakeface_bench").digest()[:7], "big")


@contextmanager
def opening(url: str) -> Iterator[None]:
    """Let one process at a time through that opens, or creates, the studies of a storage.

    Raises:
        OSError: If no lock can be made beside a SQLite file.
        SQLAlchemyError: If the database cannot be reached.
    """
    file = sqlite_file(url)
    if file is not None:
        file.parent.stat()  # a lock would make the folder that somebody has mistyped
    engine = create_engine(url, **engine_options(url))
    try:
        with _lock(url, lambda: _locked_connection(engine)):
            yield
    finally:
        engine.dispose()


def turn(study: optuna.Study) -> AbstractContextManager[object]:
    """Let one process of a study at a time through the block; a dead one holds up nobody."""
    storage = _storage(study)
    return _lock(storage.url, patiently(storage.url, lambda: _locked_connection(storage.engine)))


def _lock(url: str, connect: Callable[[], Connection]) -> AbstractContextManager[object]:
    """Return the lock of a SQLite file, or else of a connection that holds PostgreSQL's."""
    file = sqlite_file(url)
    if file is not None:
        return FileLock(file.with_name(f"{file.name}.lock"))
    return _kept_open(connect())


@contextmanager
def _kept_open(connection: Connection) -> Iterator[None]:
    """Close a connection after the block; where it is lost by then, its lock is gone with it."""
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        try:
            connection.close()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            logging.getLogger(__name__).debug("the lock's connection is lost: %s", error)


def _locked_connection(engine: Engine) -> Connection:
    """Return a connection that holds PostgreSQL's lock of this project until it is closed."""
    connection = engine.connect()
    try:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    except BaseException:
        connection.close()
        raise
    return connection


def _storage(study: optuna.Study) -> PatientStorage:
    """Return what `open_study` opened; Optuna has put its cache in front of it."""
    return cast(PatientStorage, cast(Any, study._storage)._backend)


def ask(study: optuna.Study) -> optuna.Trial:
    """Start a trial whose heart beats in the block of `heartbeat`, not by Optuna's own loop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage is supposed")
        trial = study.ask()
    # Before anybody claims it: of a trial without a heartbeat nobody would miss one.
    cast(Any, trial.storage).record_heartbeat(trial._trial_id)
    return trial


def claim_process(trial: optuna.Trial) -> None:
    """Write down which process runs a trial, so that its death can be told."""
    trial.set_user_attr(_PROCESS, this_process())


@contextmanager
def heartbeat(trial: optuna.Trial) -> Iterator[None]:
    """Say again and again, while the block runs, that a trial's process lives."""
    ended = threading.Event()
    storage = cast(Any, trial.storage)

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            try:
                storage.record_heartbeat(trial._trial_id)
            except FakefaceError as error:  # the trial itself will meet it, and tell it
                logging.getLogger(__name__).debug("no heartbeat: %s", error)
        storage.remove_session()

    thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        ended.set()


def fail_dead(study: optuna.Study, has_options: Callable[[FrozenTrial], bool], anew: bool) -> None:
    """Mark trials failed whose process has died, and put their options up to be run again.

    Args:
        study: In a turn of this process.
        has_options: Whether all options of a trial are known.
        anew: Whether somebody starts the study anew: every trial is then run again. Where other
            processes of the study meet a dead one, it is repeated once, for its options might
            kill them all.
    """
    running = study.get_trials(states=[TrialState.RUNNING])
    for trial in running:
        process = trial.user_attrs.get(_PROCESS)
        if process is None or is_dead(process):
            study.tell(trial.number, state=TrialState.FAIL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        fail_stale_trials(study)
    numbers = {trial.number for trial in running}
    for trial in study.get_trials(states=[TrialState.FAIL]):
        if trial.number in numbers:
            _repeat(study, trial, has_options(trial), anew)


def _repeat(study: optuna.Study, trial: FrozenTrial, complete: bool, anew: bool) -> None:
    repeated = int(trial.user_attrs.get(_REPEATED, 0))
    options = trial.params if complete else trial.system_attrs.get(_FIXED, {})
    if repeated >= REPEATS and not anew:
        study.set_user_attr(_GIVEN_UP, [*given_up(study), trial.number])
    elif options:  # else the sampler draws them again
        study.enqueue_trial(dict(options), user_attrs={_REPEATED: repeated + 1})


def given_up(study: optuna.Study) -> list[int]:
    """Return the numbers of the trials that killed their processes and are not run again."""
    return list(study.user_attrs.get(_GIVEN_UP, []))

"""The study's database: opened whole or refused, waited for while it is away."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import tenacity
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
)

from fakeface_bench.search.storage_address import damage_of, sqlite_file
from fakeface_bench.support.disk import DATABASE_BYTES, replaced_whole
from fakeface_bench.support.errors import DiskError, FakefaceError, StorageError
from fakeface_bench.support.text import hide_credentials, without_credentials

#: How long a database may be away before a study that is under way gives up.
PATIENCE_SECONDS = 300.0
#: Between two tries, at most.
_LONGEST_PAUSE_SECONDS = 5.0
#: How SQLite says that a file is not what it wrote.
_DAMAGED = ("malformed", "not a database")

P = ParamSpec("P")
R = TypeVar("R")


def check_whole(url: str) -> None:
    """Refuse a SQLite file that is damaged, or half of one, before anything trusts it."""
    file = sqlite_file(url)
    found = damage_of(file) if file else ""
    if found:
        raise damaged(url, found)


def make_whole(url: str) -> None:
    """Create a SQLite file whole or not at all, since half of one is refused; one process does."""
    file = sqlite_file(url)
    if file is None or file.exists():
        return
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    with replaced_whole(file, draft):
        address = make_url(url).set(database=str(draft))
        RDBStorage(address.render_as_string(hide_password=False)).engine.dispose()


def damaged(url: str, found: str) -> StorageError:
    """Return what to tell of a database in which something is wrong."""
    return StorageError(
        f"the study's database {sqlite_file(url) or without_credentials(url)} is damaged or only "
        f"half there ({found}). Bring back a whole copy of it; or move it away, and the study "
        "starts again."
    )


def first_line(error: BaseException) -> str:
    """Return the first line of what a database says, without any password."""
    said = getattr(error, "orig", None) or error
    return hide_credentials(str(said).partition("\n")[0])


def obstacle(url: str, error: BaseException) -> FakefaceError:
    """Return what to tell a user of a failure of the study's database."""
    said = _said(error)
    file = sqlite_file(url)
    if file and any(word in said for word in _DAMAGED):
        return damaged(url, said)
    if means_full_disk(error):
        place = file.parent if file else without_credentials(url)
        return DiskError(
            f"no room for the study's database in {place} ({said}): at least {DATABASE_BYTES:,} "
            "bytes are needed. Make room; the same command goes on."
        )
    return StorageError(
        f"the study's storage {without_credentials(url)} failed: {said}. What was finished is "
        "kept; the same command goes on."
    )


def means_full_disk(error: BaseException) -> bool:
    """Whether an error of a database says that there is no room for it."""
    said = _said(error)
    return "disk is full" in said or "No space left" in said


def _said(error: BaseException) -> str:
    return first_line(_cause(error))


def _is_away(error: BaseException) -> bool:
    """Whether a database may answer if it is asked again."""
    cause = _cause(error)
    if isinstance(cause, PendingRollbackError):  # of a transaction that went with its connection
        return True
    if not isinstance(cause, DBAPIError):
        return False
    if cause.connection_invalidated:
        return True
    said = str(cause.orig)
    if isinstance(cause.orig, Exception) and "sqlite3" in type(cause.orig).__module__:
        return "locked" in said
    return isinstance(cause, OperationalError | InterfaceError) and "No space" not in said


def _cause(error: BaseException) -> BaseException:
    """Return SQLAlchemy's own error where Optuna has wrapped it."""
    if isinstance(error, StorageInternalError) and error.__cause__:
        return error.__cause__
    return error


def patiently(url: str, action: Callable[P, R]) -> Callable[P, R]:
    """Return an action of a database that waits while it is away.

    Raises:
        FakefaceError: `obstacle`, where it stays away or fails otherwise.
    """

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_away),
            stop=tenacity.stop_after_delay(PATIENCE_SECONDS),
            wait=tenacity.wait_exponential(multiplier=0.2, max=_LONGEST_PAUSE_SECONDS),
            reraise=True,
        )
        try:
            return retrying(action, *args, **kwargs)
        except (StorageInternalError, SQLAlchemyError) as error:
            raise obstacle(url, error) from error

    return call


def _patient(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Return a method of `PatientStorage` that asks the database, and waits while it is away."""

    def call(self: "PatientStorage", /, *args: P.args, **kwargs: P.kwargs) -> R:
        action: Callable[P, R] = getattr(self.cached, method.__name__)
        return patiently(self.url, action)(*args, **kwargs)

    return call


class PatientStorage(BaseStorage):
    """Optuna's storage in a database, whose every call waits while that is away.

    A call whose answer was lost is made again: all of them set something to a value, but for the
    creation of a trial; one that nobody claims is found dead.

    Attributes:
        database: Optuna's own storage, for what none but a database has: an engine, heartbeats.
        cached: The same behind Optuna's cache of finished trials.
    """

    def __init__(self, database: RDBStorage) -> None:
        self.database = database
        self.url = database.url
        # Optuna's documentation leaves this function out. Without the cache a study's hundredth
        # trial took three times as long as its first; with it, none longer.
        self.cached: BaseStorage = get_storage(database)

    get_study_id_from_name = _patient(BaseStorage.get_study_id_from_name)
    get_study_name_from_id = _patient(BaseStorage.get_study_name_from_id)
    get_study_directions = _patient(BaseStorage.get_study_directions)
    get_study_user_attrs = _patient(BaseStorage.get_study_user_attrs)
    get_study_system_attrs = _patient(BaseStorage.get_study_system_attrs)
    get_all_studies = _patient(BaseStorage.get_all_studies)
    set_study_user_attr = _patient(BaseStorage.set_study_user_attr)
    set_study_system_attr = _patient(BaseStorage.set_study_system_attr)
    delete_study = _patient(BaseStorage.delete_study)
    create_new_trial = _patient(BaseStorage.create_new_trial)
    get_trial = _patient(BaseStorage.get_trial)
    get_all_trials = _patient(BaseStorage.get_all_trials)
    get_trial_id_from_study_id_trial_number = _patient(
        BaseStorage.get_trial_id_from_study_id_trial_number
    )
    set_trial_param = _patient(BaseStorage.set_trial_param)
    set_trial_intermediate_value = _patient(BaseStorage.set_trial_intermediate_value)
    set_trial_user_attr = _patient(BaseStorage.set_trial_user_attr)
    set_trial_system_attr = _patient(BaseStorage.set_trial_system_attr)

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Create a study; while one is opened nothing is waited for."""
        return self.cached.create_new_study(directions, study_name)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Set the state of a trial; that it has it already is no error where an answer was lost."""
        tried = itertools.count()

        def once() -> bool:
            next(tried)
            return self.cached.set_trial_state_values(trial_id, state, values)

        try:
            return patiently(self.url, once)()
        except UpdateFinishedTrialError:
            if next(tried) > 1 and self.get_trial(trial_id).state == state:
                return True
            raise

    def remove_session(self) -> None:
        """Let go of what this thread holds of the database."""
        self.database.remove_session()

    def record_heartbeat(self, study_id: int, trial_number: int) -> None:
        """Write down that the process of a trial lives."""
        trial_id = self.get_trial_id_from_study_id_trial_number(study_id, trial_number)
        patiently(self.url, self.database.record_heartbeat)(trial_id)

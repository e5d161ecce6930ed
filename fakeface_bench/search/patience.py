"""The study's database: opened whole or refused, waited for while it is away, told when full."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import tenacity
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
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
    """Refuse a SQLite file that is damaged, or half of one, before anything trusts it.

    Raises:
        StorageError: With what to do.
    """
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
        "starts anew."
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
    if tells_full_disk(error):
        place = file.parent if file else without_credentials(url)
        return DiskError(
            f"no room for the study's database in {place} ({said}): at least {DATABASE_BYTES:,} "
            "bytes are needed. Make room; the same command goes on."
        )
    return StorageError(
        f"the study's storage {without_credentials(url)} failed: {said}. What was finished is "
        "kept; the same command goes on."
    )


def tells_full_disk(error: BaseException) -> bool:
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


class PatientStorage(RDBStorage):
    """Optuna's storage, whose every call waits while the database is away.

    A call whose answer was lost is made again: all of them set something to a value, but for the
    creation of a trial; one that nobody claims is found dead.
    """

    def __getattribute__(self, name: str) -> Any:
        """Return a method so that it waits, if it is one of those that talk to the database."""
        found = super().__getattribute__(name)
        return patiently(self.url, found) if name in _PATIENT else found

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Set the state of a trial; that it has it already is no error where an answer was lost."""
        tried = itertools.count()

        def once() -> bool:
            next(tried)
            return bool(super(PatientStorage, self).set_trial_state_values(trial_id, state, values))

        try:
            return patiently(self.url, once)()
        except UpdateFinishedTrialError:
            if next(tried) > 1 and self.get_trial(trial_id).state == state:
                return True
            raise


#: Methods that an open study calls, also by way of Optuna's cache in front of its storage.
_PATIENT = frozenset(
    {
        *("_create_new_trial", "_get_best_trial_id", "_get_stale_trial_ids", "_get_trials"),
        *("_set_trial_param", "create_new_trial"),
        *("get_all_trials", "get_n_trials", "get_trial", "get_study_user_attrs"),
        *("get_study_id_from_name", "get_study_name_from_id", "get_study_directions"),
        *("get_study_system_attrs", "get_trial_id_from_study_id_trial_number"),
        *("record_heartbeat", "set_study_system_attr", "set_study_user_attr"),
        *("set_trial_intermediate_value", "set_trial_param", "set_trial_system_attr"),
        "set_trial_user_attr",
    }
)

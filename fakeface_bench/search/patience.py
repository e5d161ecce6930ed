"""The study's database: opened whole or refused, waited for while it is away, told when full."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import tenacity
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from fakeface_bench.credentials import hide_credentials, without_credentials
from fakeface_bench.errors import DiskError, FakefaceError, StorageError, StudyError
from fakeface_bench.folders import DATABASE_BYTES

#: How long a database may be away before a study that is under way gives up.
PATIENCE_SECONDS = 300.0
#: Between two tries, at most.
_LONGEST_PAUSE_SECONDS = 5.0
_SQLITE = "sqlite"
#: How long SQLite waits for another process's transaction.
_SQLITE_SECONDS = 60.0

P = ParamSpec("P")
R = TypeVar("R")


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for any other database."""
    parsed = make_url(url)
    if parsed.get_backend_name() != _SQLITE or not parsed.database:
        return None
    return Path(parsed.database).resolve()


def engine_options(url: str) -> dict[str, Any]:
    """Return how SQLAlchemy is to open a database.

    Raises:
        StudyError: If it is of a kind on which several processes cannot agree.
    """
    kind = make_url(url).get_backend_name()
    if kind == _SQLITE:
        return {"connect_args": {"timeout": _SQLITE_SECONDS}}
    if kind == "postgresql":
        return {"pool_pre_ping": True}  # a connection may date from before a restart
    raise StudyError(f"storage is of kind {kind!r}; 'sqlite:///FILE' or 'postgresql://HOST/NAME'.")


def check_whole(url: str) -> None:
    """Refuse a SQLite file that is damaged, or half of one, before anything trusts it.

    Raises:
        StudyError: With what to do.
    """
    file = sqlite_file(url)
    if file is None or not file.exists() or not file.stat().st_size:
        return
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except SQLAlchemyError as error:
        found = first_line(error)
    finally:
        engine.dispose()
    if found != "ok":
        raise StudyError(
            f"the study's database {file} is damaged or only half there ({found}). Bring back a "
            "whole copy of it; or move it away, and the study starts anew."
        )


def first_line(error: BaseException) -> str:
    """Return the first line of what a database says, without any password."""
    said = getattr(error, "orig", None) or error
    return hide_credentials(str(said).partition("\n")[0])


def obstacle(url: str, error: BaseException) -> FakefaceError:
    """Return what to tell a user of a failure of the study's database."""
    said = first_line(_cause(error))
    if "disk is full" in said or "No space left" in said:
        file = sqlite_file(url)
        place = file.parent if file else without_credentials(url)
        return DiskError(
            f"no room for the study's database in {place} ({said}): at least {DATABASE_BYTES:,} "
            "bytes are needed. Make room; the same command goes on."
        )
    return StorageError(
        f"the study's storage {without_credentials(url)} failed: {said}. What was finished is "
        "kept; the same command goes on."
    )


def _is_away(error: BaseException) -> bool:
    """Whether a database may answer if it is asked again."""
    cause = _cause(error)
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
        *("_create_new_trial", "_get_trials", "_get_stale_trial_ids", "create_new_trial"),
        *("get_all_trials", "get_n_trials", "get_trial", "get_study_user_attrs"),
        *("get_study_id_from_name", "get_study_name_from_id", "get_study_directions"),
        *("get_study_system_attrs", "get_trial_id_from_study_id_trial_number"),
        *("record_heartbeat", "set_study_system_attr", "set_study_user_attr"),
        *("set_trial_intermediate_value", "set_trial_param", "set_trial_system_attr"),
        "set_trial_user_attr",
    }
)

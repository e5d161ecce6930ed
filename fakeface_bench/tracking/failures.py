"""What to tell a user of a failure of MLflow's store."""

import os
import tempfile
from pathlib import Path

import mlflow

from fakeface_bench.support.disk import DATABASE_BYTES, bytes_of, is_full
from fakeface_bench.support.errors import DiskError, FakefaceError, OutageError, shortened
from fakeface_bench.support.text import hide_credentials, without_credentials
from fakeface_bench.tracking.addresses import SQLITE, database_of, refusal

_NO_ROOM = "Make room; the same command goes on."
#: How SQLite says that there is no room, and that a file is not what it wrote.
FULL = "database or disk is full"
_DAMAGED = ("database disk image is malformed", "file is not a database")
#: How SQLite and PostgreSQL say that a row of that key is there already.
_TAKEN = ("IntegrityError", "UniqueViolation")


def lost_a_race(error: BaseException) -> bool:
    """Whether another process wrote a row after MLflow had found none; tried again, it finds it."""
    return any(words in _reason(error) for words in _TAKEN)


def failure_of_store(error: BaseException, files: Path | None = None) -> FakefaceError:
    """Return an error of the store, as a user reads it."""
    if isinstance(error, OSError) and is_full(error):
        needed = bytes_of(files) or DATABASE_BYTES
        return DiskError(
            f"no room for MLflow's files in {_folder_of(error)}: {needed:,} bytes are still to be "
            f"written there. {_NO_ROOM}"
        )
    reason = _reason(error)
    if FULL in reason:
        return DiskError(
            f"no room for MLflow's database in {_database_folder()} ({FULL}): at least "
            f"{DATABASE_BYTES:,} bytes are needed. {_NO_ROOM}"
        )
    found = [words for words in _DAMAGED if words in reason]
    if found and mlflow.get_tracking_uri().startswith(SQLITE):
        return damaged(database_of(mlflow.get_tracking_uri()), found[0])
    uri = mlflow.get_tracking_uri()
    if known := refusal(uri, error):
        return known
    return OutageError(
        f"the MLflow store {without_credentials(uri)} failed: "
        f"{hide_credentials(shortened(_reason(error)))}"
    )


def damaged(file: str, found: str) -> OutageError:
    """Return what to tell of a local store in which something is wrong."""
    return OutageError(
        f"MLflow's database {file} is damaged or only half there ({found}). Bring back a whole "
        "copy of it; or move it away, or let MLFLOW_TRACKING_URI name another, and one is begun "
        "again, without the runs of this one."
    )


def _reason(error: BaseException) -> str:
    """Return what it says before it quotes what was to be written."""
    return str(getattr(error, "message", None) or error).partition("[SQL:")[0]


def _database_folder() -> str:
    uri = mlflow.get_tracking_uri()
    local = uri.startswith(SQLITE)
    return str(Path(database_of(uri)).parent) if local else without_credentials(uri)


def _folder_of(error: OSError) -> Path:
    """Return where there was no room; a folder that was made for it may have gone with it."""
    file = error.filename2 or error.filename
    if not file:  # what it only writes, MLflow writes among the temporary files
        return Path(tempfile.gettempdir())
    folders = Path(os.fsdecode(file)).absolute().parents
    return next(folder for folder in folders if folder.exists())

"""What to tell a user of a failure of MLflow's store."""

from pathlib import Path

import mlflow

from fakeface_bench.credentials import hide_credentials
from fakeface_bench.errors import DiskError, FakefaceError, OutageError, shortened
from fakeface_bench.folders import DATABASE_BYTES, is_full
from fakeface_bench.tracking.database import database_of


def failure_of_store(error: BaseException, files: Path | None = None) -> FakefaceError:
    """Return an error of the store, as a user reads it.

    Args:
        error: MLflow's, or the operating system's.
        files: Folder that was to be written.
    """
    said = hide_credentials(shortened(getattr(error, "message", None) or error))
    if isinstance(error, OSError) and is_full(error):
        return _no_room(Path(str(error.filename2 or error.filename or ".")).parent, said, files)
    if "disk is full" in said:
        return _no_room(Path(database_of(mlflow.get_tracking_uri())).parent, said, files)
    return OutageError(f"the MLflow store failed: {said}")


def _no_room(folder: Path, said: str, files: Path | None) -> DiskError:
    written = files.rglob("*") if files is not None else ()
    needed = sum(file.stat().st_size for file in written if file.is_file()) or DATABASE_BYTES
    return DiskError(
        f"no room for MLflow's files in {folder} ({said}): {needed:,} bytes are needed. Make room; "
        "the same command goes on."
    )

"""A report's files, in MLflow and in the folder that a user asked for."""

import shutil
from collections.abc import Callable
from pathlib import Path

from fakeface_bench.folders import draft_folder
from fakeface_bench.tracking.runs import TrackedRun


def publish(run: TrackedRun, output: str, write: Callable[[Path], None]) -> Path | None:
    """Log what is written as artifacts of a run, and copy it; files of the same names are replaced.

    Args:
        run: Of the job.
        output: Folder to copy to, made where it is missing; none when empty.
        write: Called with an empty folder to fill.

    Returns:
        The folder that was asked for.
    """
    folder = Path(output).expanduser() if output else None
    with draft_folder() as draft:
        write(draft)
        run.log_folder(draft)
        if folder:
            shutil.copytree(draft, folder, dirs_exist_ok=True)
    return folder

"""A report's files, in MLflow and in the folder that a user asked for."""

import shutil
from collections.abc import Callable
from pathlib import Path

from fakeface_bench.folders import draft_folder, unused_folder
from fakeface_bench.progress import Progress
from fakeface_bench.tracking.runs import TrackedRun


def publish(
    run: TrackedRun, output: str, write: Callable[[Path], None], progress: Progress
) -> Path | None:
    """Log what is written as artifacts of a run, and copy it; nothing that is there is replaced.

    Args:
        run: Of the job.
        output: Folder to copy to, made where it is missing; none when empty.
        write: Called with an empty folder to fill.
        progress: Told where the report is, if there were files in that folder.

    Returns:
        The folder that was asked for, or one beside it where files were in it.
    """
    with draft_folder() as draft:
        write(draft)
        run.log_folder(draft)
        if not output:
            return None
        return copied_beside(draft, Path(output).expanduser().absolute(), progress)


def copied_beside(draft: Path, wanted: Path, progress: Progress) -> Path:
    """Copy what a job wrote to the folder asked for, or to one beside it where files are in it."""
    folder = unused_folder(wanted)
    if folder != wanted:
        progress.say(f"{wanted} holds files already, which are kept; this report is in {folder}")
    shutil.copytree(draft, folder, dirs_exist_ok=True)
    return folder

"""Sends what finished jobs could not: MLflow's server was away, and is back."""

from dataclasses import dataclass
from pathlib import Path

from fakeface_bench.errors import UsageError
from fakeface_bench.progress import Progress
from fakeface_bench.tracking.outbox import send_spool
from fakeface_bench.tracking.spool import Spool
from fakeface_bench.tracking.store import open_store


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What became of the spools in a folder.

    Attributes:
        sent: Runs whose records are all sent now.
        kept: What to tell of each of the others.
    """

    sent: tuple[str, ...]
    kept: tuple[str, ...]


def sync(folder: str, progress: Progress) -> SyncOutcome:
    """Send what is kept of every run to MLflow's server, each record once.

    Args:
        folder: That holds a folder a run.
        progress: Told how far it is.

    Raises:
        UsageError: If the folder is no such folder.
        StudyError: If the store does not answer.
    """
    if not Path(folder).is_dir():
        raise UsageError(
            f"folder {folder!r} is not there: nothing is kept that was not sent. Studies keep it "
            "in their working folder."
        )
    open_store()
    spools = [Spool(place) for place in sorted(Path(folder).iterdir()) if place.is_dir()]
    sent, kept = [], []
    with progress.stage("sending", len(spools), "runs") as advance:
        for spool in spools:
            obstacle = send_spool(spool)
            if obstacle:
                kept.append(f"run {spool.folder.name}: {obstacle}")
            else:
                sent.append(spool.folder.name)
            advance(1)
    return SyncOutcome(tuple(sent), tuple(kept))

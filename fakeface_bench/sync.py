"""Sends what finished jobs could not: MLflow's server was away, and is back."""

from dataclasses import dataclass
from pathlib import Path

from fakeface_bench.errors import UsageError
from fakeface_bench.progress import Progress
from fakeface_bench.tracking.outbox import send_spool
from fakeface_bench.tracking.places import unsent_folders
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
        folder: That holds a folder a run; every one on this machine when empty.
        progress: Told how far it is.

    Raises:
        UsageError: If the folder is no such folder.
        StudyError: If the store does not answer.
    """
    if folder and not Path(folder).expanduser().is_dir():
        raise UsageError(
            f"folder {folder!r} is not there; leave it out, and all that is kept on this machine "
            "is sent."
        )
    folders = [Path(folder).expanduser()] if folder else unsent_folders()
    kept_of = [place for each in folders for place in sorted(each.iterdir()) if place.is_dir()]
    if not kept_of:
        progress.say("nothing is kept that was not sent")
        return SyncOutcome((), ())
    open_store()
    spools = list(map(Spool, kept_of))
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

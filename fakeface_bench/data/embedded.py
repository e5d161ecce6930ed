"""Where the embedded faces lie: drawn once into the user's cache, whole or not at all."""

from pathlib import Path

from fakeface_bench.data.dataset import Dataset
from fakeface_bench.data.publish import publish_folder
from fakeface_bench.data.synthetic import write_synthetic
from fakeface_bench.folders import cache_folder, full_disk_told, locked
from fakeface_bench.progress import Progress

SYNTHETIC_SEED = 0
#: At least what a drawn picture takes.
_FILE_BYTES = 16 * 1024
#: Raise it with any change that alters a pixel of the embedded set.
SYNTHETIC_VERSION = 1


def prepare_synthetic(row: Dataset, progress: Progress) -> Path:
    """Draw the embedded faces once; later calls return the same folder at once."""
    name = f"synthetic-v{SYNTHETIC_VERSION}-{row.images}-{SYNTHETIC_SEED}"
    folder = cache_folder("datasets") / name
    if folder.exists():  # so that a cache that is only read from need not be written
        return folder
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            with (
                full_disk_told(folder.parent, lambda: row.images * _FILE_BYTES),
                progress.stage("drawing faces", row.images, "images") as advance,
                publish_folder(folder) as draft,
            ):
                drawn = 0

                def on_progress(done: int, _total: int) -> None:
                    nonlocal drawn
                    advance(done - drawn)
                    drawn = done

                write_synthetic(draft, row.images, SYNTHETIC_SEED, on_progress)
    return folder

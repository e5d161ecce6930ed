"""The datasets known by name, as a literal table; any folder of faces works beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from fakeface_bench.data.publish import publish_folder
from fakeface_bench.data.synthetic import write_synthetic
from fakeface_bench.errors import unknown_name
from fakeface_bench.folders import cache_folder
from fakeface_bench.progress import Progress

SYNTHETIC_IMAGES = 2000
SYNTHETIC_SEED = 0
#: Raise it with any change that alters a pixel of the embedded set.
SYNTHETIC_VERSION = 1


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row of the catalogue.

    Attributes:
        key: Name on the command line.
        title: One line of what it holds.
        images: Number of images.
        prepare: Makes or fetches the images where they are absent and returns their folder.
    """

    key: str
    title: str
    images: int
    prepare: Callable[[Progress], Path]


def prepare_synthetic(progress: Progress) -> Path:
    """Draw the embedded faces once; later calls return the same folder at once."""
    name = f"synthetic-v{SYNTHETIC_VERSION}-{SYNTHETIC_IMAGES}-{SYNTHETIC_SEED}"
    folder = cache_folder("datasets") / name
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            with (
                progress.stage("drawing faces", SYNTHETIC_IMAGES, "images") as advance,
                publish_folder(folder) as draft,
            ):
                drawn = 0

                def on_progress(done: int, _total: int) -> None:
                    nonlocal drawn
                    advance(done - drawn)
                    drawn = done

                write_synthetic(draft, SYNTHETIC_IMAGES, SYNTHETIC_SEED, on_progress)
    return folder


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        key="synthetic",
        title="embedded: drawn faces, half of them with a generator's traces",
        images=SYNTHETIC_IMAGES,
        prepare=prepare_synthetic,
    ),
)


def dataset_folder(data: str, progress: Progress) -> tuple[str, Path]:
    """Return the name and folder of a dataset, preparing it where it is a row of `DATASETS`.

    Raises:
        UsageError: If `data` is neither a row nor an existing folder.
    """
    for row in DATASETS:
        if row.key == data:
            return row.key, row.prepare(progress)
    folder = Path(data).expanduser()
    if folder.is_dir():
        return folder.resolve().name, folder.resolve()
    raise unknown_name("dataset or folder", data, [row.key for row in DATASETS])

"""One row of the catalogue of datasets: apart from the table, for what reads and checks a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fakeface_bench.support.progress import Progress


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is known of a dataset before any of it is on disk.

    Attributes:
        source: Where the images come from; a Kaggle handle, `owner/dataset`, where they are
            fetched.
        counts: Number of images by split (None without official splits) and class name.
        image_size_px: Side of its pictures; 0 where it is not known, or differs.
        unchecked: What could not be held against the real archive; empty where all was.
        only: The class of all its pictures, where it has but one and no folder says so.
        archives: Of a dataset that comes in several: their names, and the folder for each.
        generators: Of fakes, by a regular expression that their paths match; the first counts.
        prepare: Makes or fetches the images where they are absent and returns their folder.
    """

    key: str
    title: str
    source: str
    url: str  # page to read about it, and to download it from by hand; empty where it is drawn
    layout: str
    counts: Mapping[tuple[str | None, str], int]
    image_size_px: int
    kind: str
    licence: str
    citation: str
    prepare: Callable[["Dataset", Progress], Path]
    generators: Mapping[str, str] = field(default_factory=dict)
    unchecked: str = ""
    archives: Mapping[str, str] = field(default_factory=dict)
    only: str = ""

    @property
    def images(self) -> int:
        """Number of images, all splits and both classes."""
        return sum(self.counts.values())

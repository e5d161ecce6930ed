"""Every image file of one or several datasets, and which show the same picture.

Nothing is left out yet: `data.selection` decides that, and an audit reports it.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fakeface_bench.config import CLASS_NAMES, FAKE
from fakeface_bench.data.class_words import is_wrapper
from fakeface_bench.data.duplicates import cached_pairs
from fakeface_bench.data.facts import SIGNATURE_BYTES, inspect_files
from fakeface_bench.data.generators import release_dates, what_made
from fakeface_bench.data.label_table import placed_by_table
from fakeface_bench.data.layout import ClassFolder, find_class_folders
from fakeface_bench.data.listing import Placed, PlacedImage, list_images, pictures_outside
from fakeface_bench.data.sources import Source, local_sources, split_data
from fakeface_bench.data.twins import detail_correlation
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.progress import Progress

#: Of ciplab's fakes: `mid_161_0110` is of the middle tier, with the right eye and nose replaced.
_TIERED = re.compile(r"(easy|mid|hard)_\d+_([01])([01])([01])([01])")
#: Above the frames of a FaceForensics++ tree.
_MANIPULATED = "manipulated_sequences"
_SEQUENCES = ("original_sequences", _MANIPULATED)
#: `000`, `000_003`, `000_003_0012` and, of actors, `01_02__walking__ABC`.
_VIDEO = re.compile(r"(\d{3}|\d{2}(?=_))(?:_(\d{3}|\d{2}(?=__)))?(?![0-9A-Za-z])")
#: Columns that a file's name may state.
NAMED_PARTS = ("tier", "eyes", "nose", "mouth")
#: Columns beside a file's facts: from folders, tables and names.
DESCRIBED = ("category", "generator", "released", *NAMED_PARTS)


@dataclass(frozen=True)
class Survey:
    """What is known of a dataset's files.

    Attributes:
        files: One row an image file, numbered from 0: `source`; `path`, relative to the source's
            folder; `label` (fake = 1); `split`, missing where the source has no official one;
            `category` (a generator, a source, or what the picture shows; mostly empty);
            `generator` of a fake and when it was `released`, empty where that is not known, and of
            real images; `tier` (`easy`,
            `mid`, `hard`, else empty), `eyes` (0 to 2 replaced), `nose` and `mouth` (0 or 1),
            missing where the name does not state them; `videos` (as `videos_of` returns them);
            `size` in bytes, `mtime_ns`; and the facts
            of `data.facts.FACTS`.
        alike: One row a pair of contents that look the same: their digests `first` and `second`,
            `distance` of their hashes in bits of 256, `mirrored`, `near` and `detail` (see
            `data.duplicates.SimilarPairs`).
        skipped: One row a path that may hold pictures and was not read: `source`, `path`, `reason`.
        read_now: Number of files that were read for it; the others were remembered.
    """

    sources: tuple[Source, ...]
    files: pd.DataFrame
    alike: pd.DataFrame
    skipped: pd.DataFrame
    read_now: int = 0

    @property
    def name(self) -> str:
        """For people: the sources' names joined by `+`."""
        return "+".join(source.name for source in self.sources)


def survey_sources(
    sources: Iterable[Source], progress: Progress, one_class: bool = False
) -> Survey:
    """Read all files below the class folders of each source; unchanged files are not read again.

    Args:
        one_class: Whether one class of each will do, as it does of several that are joined.
    """
    sources = tuple(sources)
    one_class = one_class or len(sources) > 1
    read: list[int] = []
    found = [_survey_one(source, progress, one_class, read) for source in sources]
    files = pd.concat([files for files, _ in found], ignore_index=True)
    dates = release_dates(files[files["label"] == FAKE])
    files["released"] = dates.reindex(files.index, fill_value="")
    skipped = [row for _, rows in found for row in rows]
    return Survey(
        sources=sources,
        files=files,
        alike=_alike(files, sources, progress),
        skipped=pd.DataFrame(skipped, columns=["source", "path", "reason"], dtype="str"),
        read_now=sum(read),
    )


def _survey_one(
    source: Source, progress: Progress, one_class: bool, read: list[int]
) -> tuple[pd.DataFrame, list[tuple[str, str, str]]]:
    """Return the files of one source, and what was skipped; note how many were read."""
    placed = _placed(source, one_class)
    if placed.description:
        progress.say(f"{source.name}: {placed.description}")
    images = placed.images
    made = what_made(source.folder, images, source.generators, source.classes)
    skipped = [(source.name, path, why) for path, why in (*placed.skipped, *made.skipped)]
    if not images:
        raise DataError(
            f"the class folders of {source.folder} hold no JPEG, PNG or WebP image"
            + (f"; {skipped[0][1]}: {skipped[0][2]}." if skipped else ".")
        )
    paths = [image.path for image in images]
    files = inspect_files(source.folder, paths, progress, read.append)
    files.insert(0, "source", source.name)
    files = files.assign(
        label=[image.label for image in images],
        split=pd.Series([image.split for image in images], dtype="str"),
        category=pd.Series(made.categories, dtype="str"),
        generator=pd.Series(made.generators, dtype="str"),
        released=pd.Series(made.released, dtype="str"),
    )
    return files.assign(**_named_parts(files), videos=files["path"].map(videos_of)), skipped


def check_layouts(data: str, classes: str, one_class: bool = False) -> None:
    """Refuse folders in which no labels are found, before any file of them is read.

    Args:
        data: As in `StudyConfig`; what is no folder passes.
    """
    several = len(split_data(data)) > 1
    for source in local_sources(data, classes):
        _labels_of(source, one_class or several)


def _labels_of(source: Source, one_class: bool) -> Placed | list[ClassFolder]:
    """Find the labels in folder names; where they tell less than both classes, in a table."""
    if source.only is not None:
        if one_class:
            return [ClassFolder(None, source.only, source.folder)]
        missing = CLASS_NAMES[1 - source.only]
        raise DataError(
            f"{source.name} holds {CLASS_NAMES[source.only]} images alone: join a dataset that has "
            f"{missing} ones, such as 140k+{source.name}, or test on it."
        )
    try:
        return find_class_folders(source.folder, False, source.classes)
    except DataError:
        found = placed_by_table(source.folder, source.classes)
        if found is not None:
            return found
        if not one_class:
            raise
        return find_class_folders(source.folder, True, source.classes)


def _placed(source: Source, one_class: bool) -> Placed:
    """Return the files of a source with their labels."""
    folders = _labels_of(source, one_class)
    if isinstance(folders, Placed):
        return folders
    listings = [list_images(folder.path) for folder in folders]
    missed = pictures_outside(source.folder, [folder.path for folder in folders])
    missed += [row for listing in listings for row in listing.skipped]
    images = (
        PlacedImage(path, folder.split, folder.label, _category(folder, path))
        for folder, listing in zip(folders, listings, strict=True)
        for path in listing.images
    )
    return Placed(tuple(images), tuple(missed))


def _category(folder: ClassFolder, path: Path) -> str:
    """Return the category that holds a class folder, else the first one within it."""
    within = str(path)[len(str(folder.path)) :].split(os.sep)[1:-1]  # quicker than `relative_to`
    return folder.category or next((name for name in within if not is_wrapper(name)), "")


def videos_of(path: str) -> str:
    """Return what names the videos that a frame of a FaceForensics++ tree is of, joined by `|`.

    A manipulated one bears two names, `000_003`: of the video whose face is replaced, and of the
    one whose face is put there. Empty for files of other trees. Where no folder or file bears such
    a name, a folder counts as a video. Source: https://github.com/ondyari/FaceForensics.
    """
    parts = re.split(r"[/\\]", path)
    trees = [part.lower() for part in parts if part.lower() in _SEQUENCES]
    if not trees:
        return ""
    for name in (*reversed(parts[:-1]), parts[-1]):
        if found := _VIDEO.match(name):
            names = found.groups() if trees[0] == _MANIPULATED else found.groups()[:1]
            return "|".join(filter(None, names))
    return "/".join(parts[:-1])


def _named_parts(files: pd.DataFrame) -> dict[str, pd.Series]:
    """Read tier and replaced parts off the names of fakes; `eyes` counts them."""
    names = files["path"].str.extract(r"([^/\\]*)\.[^.]*$")[0]
    parts = names.where(files["label"] == FAKE, "").str.extract(f"^{_TIERED.pattern}$")
    tier, left, right, nose, mouth = (parts[column] for column in parts)
    left, right, nose, mouth = (
        pd.to_numeric(values).astype("Int8") for values in (left, right, nose, mouth)
    )
    return {"tier": tier.fillna(""), "eyes": left + right, "nose": nose, "mouth": mouth}


def _alike(files: pd.DataFrame, sources: Sequence[Source], progress: Progress) -> pd.DataFrame:
    """Search the contents, each once, in an order that depends on them alone."""
    folders = {source.name: source.folder for source in sources}
    contents = files[files["signature"].str.len() > 0].drop_duplicates("digest")
    contents = contents.sort_values("digest")
    digests = contents["digest"].to_numpy(object)
    packed = np.frombuffer(b"".join(contents["signature"]), np.uint8)
    places = [
        folders[source] / path
        for source, path in zip(contents["source"], contents["path"], strict=True)
    ]

    videos = contents["videos"].to_numpy(object)

    def look(first: int, second: int, mirrored: bool) -> float:
        if videos[first] and videos[first] == videos[second]:  # one group, whatever they show
            return float("nan")
        return detail_correlation(places[first], places[second], mirrored)

    signatures = packed.reshape(-1, SIGNATURE_BYTES)
    pairs = cached_pairs(list(digests), signatures, look, progress)
    return pd.DataFrame(
        {
            "first": pd.Series(digests[pairs.first], dtype="str"),
            "second": pd.Series(digests[pairs.second], dtype="str"),
            "distance": pairs.distance.astype(np.int64),
            "mirrored": pairs.mirrored,
            "near": pairs.near,
            "detail": pairs.detail,
        }
    )

"""What a fetched dataset differs in from its row, and how to do without the download."""

from collections import Counter
from pathlib import Path

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.dataset import Dataset
from fakeface_bench.data.decode import opened
from fakeface_bench.data.layout import ClassFolder, find_class_folders
from fakeface_bench.data.listing import list_images
from fakeface_bench.support.errors import DataError


def by_hand(row: Dataset) -> str:
    """Say how to do without the download."""
    return (
        f"By hand: download it from {row.url}, unpack it and pass the folder: "
        "-P data=path/to/folder"
    )


#: Images of one class and split whose headers are read for their size.
SAMPLE = 100


def differences(row: Dataset, folder: Path) -> list[str]:
    """Compare a folder with what its row says: classes, splits, number and size of images.

    Returns:
        One plain line for each difference; none where all agrees.
    """
    files: dict[tuple[str | None, str], list[Path]] = {}
    try:
        whole = [ClassFolder(None, CLASS_NAMES.index(row.only), folder)] if row.only else None
        for place in whole or find_class_folders(folder):
            key = (place.split, CLASS_NAMES[place.label])
            files.setdefault(key, []).extend(list_images(place.path).images)
    except DataError as error:
        return [str(error)]
    return [
        *_count_differences(row, Counter({key: len(paths) for key, paths in files.items()})),
        *(line for key, paths in files.items() for line in _size_differences(row, key, paths)),
    ]


def _count_differences(row: Dataset, found: Counter[tuple[str | None, str]]) -> list[str]:
    keys = dict.fromkeys((*row.counts, *found))
    return [
        f"{_place(key)} holds {found[key]:,} images, {row.counts.get(key, 0):,} expected"
        for key in keys
        if found[key] != row.counts.get(key, 0)
    ]


def _size_differences(row: Dataset, key: tuple[str | None, str], paths: list[Path]) -> list[str]:
    sample = paths[:: max(1, -(-len(paths) // SAMPLE))]  # rounded up: never more than SAMPLE
    side = row.image_size_px
    if not side:
        return []
    other = {path: size for path in sample if (size := _size(path)) != f"{side}×{side}"}
    if not other:
        return []
    first, size = next(iter(other.items()))
    return [
        f"{_place(key)} has {len(other)} of {len(sample)} sampled images that are not "
        f"{side}×{side} px, such as {first.name} ({size})"
    ]


def _size(path: Path) -> str:
    try:
        with opened(path) as image:
            return f"{image.width}×{image.height}"
    except DataError:
        return "not a readable image"


def _place(key: tuple[str | None, str]) -> str:
    return "/".join(part for part in key if part)

"""Finds which images are real and which fake, and their split, by the names of folders."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.class_words import SPLITS, and_joined, class_of, is_wrapper, split_of
from fakeface_bench.data.listing import (
    VIDEO_SUFFIXES,
    holds_pictures,
    list_images,
    may_hold_images,
    only_folder_in,
    printable,
    require_listable,
    subfolders,
    visible_in,
)
from fakeface_bench.support.errors import DataError

#: Which of them is fake differs from dataset to dataset.
_NUMBERS = ["0", "1"]
_MOST_NAMES = 8
MAX_DEPTH = 4


def levels(root: Path) -> Iterator[list[Path]]:
    """Yield a folder, then the folders in it, and so on, `MAX_DEPTH` times."""
    level = [root]
    for _ in range(MAX_DEPTH):
        yield level
        level = [child for folder in level for child in subfolders(folder)]


def nothing_found(root: Path) -> str:
    """Say why no class folder was found, and what to do."""
    for folder in itertools.chain.from_iterable(levels(root)):
        if sorted(path.name for path in subfolders(folder)) == _NUMBERS:
            return (
                f"{folder} holds the folders '0' and '1', which do not say which is fake: name it "
                "with classes=real:0,fake:1, or the other way round."
            )
    images = len(list_images(root).images)
    videos = sum(path.suffix.lower() in VIDEO_SUFFIXES for path in root.rglob("*"))
    if videos and not images:
        return (
            f"{root} holds videos ({videos:,}) and no picture: save the frames as PNG files, in "
            "folders named real and fake."
        )
    names = [path.name for path in subfolders(root)]
    folders = f" and the folders {and_joined(names[:_MOST_NAMES])}" if names else ""
    return (
        f"no folders named real and fake (or splits that hold them) within {MAX_DEPTH} levels "
        f"of {root}: saw {images} images{folders}, and labels come from folder names, or from a "
        f"CSV file with a column of file names and one of labels.{_suggested_classes(root)}"
    )


def one_class_only(folder: Path, seen: Sequence[Path], missing: str) -> str:
    """Say that a folder holds one class only, and what to do."""
    names = ", ".join(repr(path.name) for path in seen)
    others = [path for path in subfolders(folder) if path not in seen and holds_pictures(path)]
    others = [path for path in others if not split_of(path.name)]
    obstacle = (
        f"{folder} holds one class only ({names}); there is no folder named {missing!r} or a "
        "synonym of it."
    )
    if not others:
        return obstacle
    other = others[0].name
    return f"{obstacle} If {other!r} is it, say so: classes={missing}:{printable(Path(other))}."


def _suggested_classes(root: Path) -> str:
    """Suggest the first two folders with pictures that lie beside one another as the classes."""
    for folder in itertools.chain.from_iterable(levels(root)):
        with_images = [path for path in subfolders(folder) if holds_pictures(path)]
        names = [path.name for path in with_images if _may_be_class(path.name)]
        if len(names) > 1:
            return (
                f" If {names[0]!r} and {names[1]!r} are the classes, say which is which: "
                f"classes={CLASS_NAMES[0]}:{names[0]},{CLASS_NAMES[1]}:{names[1]}, or the other "
                "way round."
            )
    return ""


def _may_be_class(name: str) -> bool:
    known = split_of(name) or class_of(name) is not None or is_wrapper(name)
    return not known and not set(name) & set(",:")


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """One folder whose images share a label.

    Attributes:
        category: Names of the folders between the split's and this one, joined by slashes: a
            generator, or what the images show; mostly empty.
    """

    split: str | None
    label: int
    path: Path
    category: str = ""


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the folders of one dataset are read."""

    one_class: bool = False
    classes: Mapping[str, int] = field(default_factory=dict)

    def labelled(self, folder: Path) -> list[tuple[int, Path]]:
        """Return the folders in a folder that name a class, real ones first."""
        found = [(class_of(child.name, self.classes), child) for child in subfolders(folder)]
        return sorted((label, child) for label, child in found if label is not None)


def find_class_folders(
    root: Path, one_class: bool = False, classes: Mapping[str, int] | None = None
) -> list[ClassFolder]:
    """Find the class folders of a dataset, at most four levels below `root`.

    Splits that hold `real` and `fake`, classes that hold splits, or `real` and `fake` alone;
    synonyms and any case are understood, and between a split and its classes may lie folders of
    categories or generators. A split may be missing. The shallowest place that fits is the
    dataset. In a download of kagglehub, `versions/1`, the newest version is.

    Args:
        one_class: Whether one class will do; then `root` itself may be its folder.
    """
    reading = _Reading(one_class, classes or {})
    require_listable(root)
    top = newest_version(root)
    for level in levels(top):
        found = {f: folders for f in level if (folders := _read_place(f, reading))}
        if len(found) > 1:
            places = ", ".join(sorted(str(folder.relative_to(root)) for folder in found))
            raise DataError(
                f"{root} holds several datasets at the same depth ({places}); pass one of them, or "
                "several joined by '+'."
            )
        if found:
            return next(iter(found.values()))
    wrapped = root.parent if is_wrapper(root.name) else root
    label = class_of(wrapped.name, reading.classes)
    if one_class and label is not None and any(map(may_hold_images, visible_in(root))):
        return [ClassFolder(None, label, root)]
    raise DataError(nothing_found(top))


def newest_version(root: Path) -> Path:
    """Return where kagglehub keeps the newest version of a download; any other folder itself."""
    versions = [path for path in subfolders(root / "versions") if path.name.isdecimal()]
    return max(versions, key=lambda path: int(path.name), default=root)


def _read_place(folder: Path, reading: _Reading) -> list[ClassFolder]:
    """Return the class folders of `folder` if it is a dataset's place, else an empty list."""
    named = [child for child in subfolders(folder) if split_of(child.name)]
    for child in named:
        require_listable(child)
    below = {child: found for child in named if (found := _below_split(child, reading))}
    splits = _splits_in(folder, list(below))
    beside = reading.labelled(folder)
    if splits and beside and len(splits) < len(SPLITS):
        raise DataError(
            f"{folder} holds class folders both within {and_joined(list(splits))} and beside; "
            "move one or the other away."
        )
    if not splits:
        if not beside:
            return []
        _require_classes(folder, beside, reading)
        return _with_inner_splits([ClassFolder(None, label, path) for label, path in beside])
    found = []
    for split in (split for split in SPLITS if split in splits):
        folders = below[splits[split]]
        _require_classes(splits[split], [(f.label, f.path) for f in folders], reading)
        found += [replace(folder, split=split) for folder in folders]
    return found


def _below_split(folder: Path, reading: _Reading, category: str = "") -> list[ClassFolder]:
    """Return the class folders of one split, those of categories within it too."""
    labelled = reading.labelled(folder)
    if labelled or category.count("/") == MAX_DEPTH - 1:
        return [ClassFolder(None, label, path, category) for label, path in labelled]
    found = []
    for child in subfolders(folder):
        named = category if is_wrapper(child.name) else f"{category}/{child.name}".strip("/")
        found += _below_split(child, reading, named)
    return sorted(found, key=lambda place: place.label)


def _splits_in(folder: Path, children: Sequence[Path]) -> dict[str, Path]:
    """Return which of some folders is which split."""
    named: dict[str, list[Path]] = {split: [] for split in SPLITS}
    for child in children:
        if split := split_of(child.name):
            named[split].append(child)
    for split, found in named.items():
        if len(found) > 1:
            names = and_joined([repr(child.name) for child in found])
            raise DataError(f"{folder} has {names}, which both mean {split!r}; keep one of them.")
    return {split: found[0] for split, found in named.items() if found}


def _with_inner_splits(folders: list[ClassFolder]) -> list[ClassFolder]:
    """Read `{real,fake}/{train,valid,test}` as an official split too; other folders stay whole."""
    places = {folder: _unwrapped(folder.path) for folder in folders}
    inner = {folder: _splits_in(place, subfolders(place)) for folder, place in places.items()}
    there = {split for splits in inner.values() for split in splits}
    if not there:
        return folders
    for folder, splits in inner.items():
        missing = [split for split in SPLITS if split in there and split not in splits]
        if missing:
            has = f"has the split {and_joined(list(splits))} but not" if splits else "holds no"
            raise DataError(
                f"{folder.path} {has} {and_joined(missing)}, and another class folder does; an "
                "official split covers both classes."
            )
        beside = {path.name for path in visible_in(places[folder]) if may_hold_images(path)}
        outside = sorted(beside - {place.name for place in splits.values()})
        if outside:
            names = and_joined([repr(name) for name in outside[:3]])
            raise DataError(
                f"{folder.path} holds {names} beside {and_joined(list(splits))}; an official "
                "split covers every image."
            )
    return [
        ClassFolder(split, folder.label, splits[split])
        for split in SPLITS
        if split in there
        for folder, splits in inner.items()
    ]


def _unwrapped(folder: Path) -> Path:
    """Go down through folders such as `images` that are all their parent holds."""
    while (only := only_folder_in(folder)) and is_wrapper(only.name):
        folder = only
    return folder


def _require_classes(folder: Path, labelled: Sequence[tuple[int, Path]], reading: _Reading) -> None:
    """Refuse a place that holds one class, unless one will do."""
    labels = {label for label, _ in labelled}
    for label, name in enumerate(CLASS_NAMES):
        if label not in labels and not reading.one_class:
            raise DataError(one_class_only(folder, [path for _, path in labelled], name))

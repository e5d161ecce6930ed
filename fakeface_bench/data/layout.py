"""Finds where in a folder the real and the fake images lie, and which split they belong to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fakeface_bench.config import CLASS_NAMES, FAKE, REAL
from fakeface_bench.data.listing import IMAGE_SUFFIXES, list_images
from fakeface_bench.errors import DataError

MAX_DEPTH = 4
SPLITS = ("train", "valid", "test")

_CLASS_WORDS: Mapping[str, int] = dict.fromkeys(
    ("real", "reals", "true", "authentic", "genuine", "original", "originals", "pristine"), REAL
) | dict.fromkeys(
    ("fake", "fakes", "false", "generated", "synthetic", "ai", "gan", "deepfake", "deepfakes"), FAKE
)
_SPLIT_WORDS: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
#: What may stand around a class word: `training_real`, `0_real`, `fake_faces`, `real-images`.
_DECORATION = re.compile(r"^(?:training|train|\d+)_|_(?:faces?|images?|imgs?|pictures?|photos?)$")


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """One folder whose images share a label.

    Attributes:
        split: `train`, `valid` or `test`; None where the dataset has no official split.
        label: 1 for fake.
        path: Absolute.
    """

    split: str | None
    label: int
    path: Path


def class_of(name: str) -> int | None:
    """Return the label that a folder's name states, or None."""
    word = re.sub(r"[\s.-]+", "_", name.strip().lower())
    return _CLASS_WORDS.get(_DECORATION.sub("", _DECORATION.sub("", word)))


def find_class_folders(root: Path, one_class: bool = False) -> list[ClassFolder]:
    """Find the class folders of a dataset, at most four levels below `root`.

    Either `{train,valid,test}/{real,fake}`, or `real` and `fake` alone; synonyms and any case
    are understood. The shallowest place that fits is the dataset.

    Args:
        root: Of the dataset.
        one_class: Whether one class will do; then `root` itself may be its folder.

    Raises:
        DataError: If none or several places fit, or a split or class is missing there; the
            message says what was seen.
    """
    _require_listable(root)
    level = [root]
    for _ in range(MAX_DEPTH):
        found = {f: folders for f in level if (folders := _read_place(f, one_class))}
        if len(found) > 1:
            places = ", ".join(sorted(str(folder.relative_to(root)) for folder in found))
            raise DataError(
                f"{root} holds several datasets at the same depth ({places}); pass one of them."
            )
        if found:
            return next(iter(found.values()))
        level = [child for folder in level for child in _subfolders(folder)]
    label = class_of(root.name)
    if one_class and label is not None and list_images(root).images:
        return [ClassFolder(None, label, root)]
    raise DataError(_nothing_found(root))


def _require_listable(folder: Path) -> None:
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}.") from error


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder; of one that cannot be listed, none are known."""
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except PermissionError:
        return []


def _read_place(folder: Path, one_class: bool) -> list[ClassFolder]:
    """Return the class folders of `folder` if it is a dataset's place, else an empty list."""
    children = _subfolders(folder)
    for child in children:
        if child.name.lower() in _SPLIT_WORDS:
            _require_listable(child)
    splits = _splits_in(folder, [child for child in children if _classes(child)])
    if splits:
        return [f for split in SPLITS for f in _class_folders(splits[split], split, one_class)]
    if not _classes(folder):
        return []
    return _with_inner_splits(_class_folders(folder, None, one_class))


def _splits_in(folder: Path, children: list[Path]) -> dict[str, Path]:
    """Return which of some folders is which split, all three of them or none.

    Raises:
        DataError: If a split is there twice, or one without another.
    """
    named: dict[str, list[Path]] = {split: [] for split in SPLITS}
    for child in children:
        if split := _SPLIT_WORDS.get(child.name.lower()):
            named[split].append(child)
    present = [split for split in SPLITS if named[split]]
    missing = [split for split in SPLITS if not named[split]]
    if present and missing:
        raise DataError(
            f"{folder} has the split {_and(present)} but not {_and(missing)}; "
            f"it needs train, valid and test, each with real and fake, or real and fake alone."
        )
    for split, found in named.items():
        if len(found) > 1:
            names = _and([repr(child.name) for child in found])
            raise DataError(f"{folder} has {names}, which both mean {split!r}; keep one of them.")
    return {split: found[0] for split, found in named.items() if found}


def _with_inner_splits(folders: list[ClassFolder]) -> list[ClassFolder]:
    """Read `{real,fake}/{train,valid,test}` as an official split too; other folders stay whole."""
    inner = {folder: _splits_in(folder.path, _subfolders(folder.path)) for folder in folders}
    if not any(inner.values()):
        return folders
    for folder, splits in inner.items():
        beside = {path.name for path in folder.path.iterdir() if _may_hold_images(path)}
        outside = sorted(beside - {place.name for place in splits.values()})
        if not splits:
            raise DataError(
                f"{folder.path} holds no train, valid and test, and another class folder does; an "
                "official split covers both classes."
            )
        if outside:
            raise DataError(
                f"{folder.path} holds {_and([repr(name) for name in outside[:3]])} beside train, "
                "valid and test; an official split covers every image."
            )
    return [
        ClassFolder(split, folder.label, splits[split])
        for split in SPLITS
        for folder, splits in inner.items()
    ]


def _may_hold_images(path: Path) -> bool:
    visible = not path.name.startswith(".")
    return visible and (path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES)


def _classes(folder: Path) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for child in _subfolders(folder):
        label = class_of(child.name)
        if label is not None:
            found.setdefault(label, []).append(child)
    return found


def _class_folders(folder: Path, split: str | None, one_class: bool) -> list[ClassFolder]:
    classes = _classes(folder)
    for label, name in enumerate(CLASS_NAMES):
        if label not in classes and not one_class:
            seen = ", ".join(repr(p.name) for paths in classes.values() for p in paths)
            raise DataError(
                f"{folder} holds one class only ({seen}); there is no folder named {name!r} "
                "or a synonym of it."
            )
    return [ClassFolder(split, label, p) for label in sorted(classes) for p in classes[label]]


def _nothing_found(root: Path) -> str:
    names = [p.name for p in _subfolders(root)]
    images = len(list_images(root).images)
    seen = f"saw {images} images" + (f" and the folders {_and(names[:8])}" if names else "")
    return (
        f"no folders named real and fake (or train, valid and test that hold them) within "
        f"{MAX_DEPTH} levels of {root}: {seen}, and labels come from folder names."
    )


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

"""What is said of a folder that does not tell the classes of its pictures: what to do."""

from collections.abc import Sequence
from pathlib import Path

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.class_words import and_joined, class_of, is_wrapper, split_of
from fakeface_bench.data.listing import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    list_images,
    printable,
    subfolders,
)

#: Which of them is fake differs from dataset to dataset.
_NUMBERS = ["0", "1"]
_MOST_NAMES = 8


def nothing_found(root: Path, depth: int) -> str:
    """Say why no class folder was found within so many levels of a folder, and what to do."""
    level = [root]
    for _ in range(depth):
        for folder in level:
            names = [path.name for path in subfolders(folder)]
            if sorted(names) == _NUMBERS:
                return (
                    f"{folder} holds the folders '0' and '1', which do not say which is fake: "
                    "name it with classes=real:0,fake:1, or the other way round."
                )
        level = [child for folder in level for child in subfolders(folder)]
    images = len(list_images(root).images)
    videos = sum(path.suffix.lower() in VIDEO_SUFFIXES for path in root.rglob("*"))
    if videos and not images:
        held = "1 video" if videos == 1 else f"{videos:,} videos"
        return (
            f"{root} holds {held} and no picture: save the frames as PNG files, in folders named "
            "real and fake."
        )
    names = [path.name for path in subfolders(root)]
    folders = f" and the folders {and_joined(names[:_MOST_NAMES])}" if names else ""
    return (
        f"no folders named real and fake (or splits that hold them) within {depth} levels of "
        f"{root}: saw {images} images{folders}, and labels come from folder names, or from a CSV "
        f"file with a column of file names and one of labels.{_two_names(root, depth)}"
    )


def one_class_only(folder: Path, seen: Sequence[Path], missing: str) -> str:
    """Say that a folder holds one class only, and what to do."""
    names = ", ".join(repr(path.name) for path in seen)
    others = [path for path in subfolders(folder) if path not in seen and _holds_images(path)]
    others = [path for path in others if not split_of(path.name)]
    told = f"{folder} holds one class only ({names}); there is no folder named {missing!r}"
    if not others:
        return f"{told} or a synonym of it."
    return (
        f"{told} or a synonym of it. If {others[0].name!r} is it, say so: "
        f"classes={missing}:{printable(Path(others[0].name))}."
    )


def _two_names(root: Path, depth: int) -> str:
    """Suggest the first two folders with pictures that lie beside one another as the classes."""
    level = [root]
    for _ in range(depth):
        for folder in level:
            with_images = [path for path in subfolders(folder) if _holds_images(path)]
            names = [path.name for path in with_images if _may_be_class(path.name)]
            if len(names) > 1:
                return (
                    f" If {names[0]!r} and {names[1]!r} are the classes, say which is which: "
                    f"classes={CLASS_NAMES[0]}:{names[0]},{CLASS_NAMES[1]}:{names[1]}, or the "
                    "other way round."
                )
        level = [child for folder in level for child in subfolders(folder)]
    return ""


def _may_be_class(name: str) -> bool:
    known = split_of(name) or class_of(name) is not None or is_wrapper(name)
    return not known and not set(name) & set(",:")


def _holds_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.rglob("*"))

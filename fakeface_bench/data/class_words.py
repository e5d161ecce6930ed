"""What a name says of the pictures below it: their class, their split, or neither.

Names are those of folders, and the values of a table of labels.
"""

import re
from collections.abc import Mapping, Sequence

from fakeface_bench.config import CLASS_NAMES, FAKE, REAL
from fakeface_bench.support.errors import UsageError

_NO_NAME = re.compile(r"[^\w.-]+")
SPLITS = ("train", "valid", "test")

_CLASS_WORDS: Mapping[str, int] = dict.fromkeys(
    (
        *("real", "reals", "true", "authentic", "genuine", "original", "originals", "pristine"),
        *("nature", "natural"),
    ),
    REAL,
) | dict.fromkeys(
    (
        *("fake", "fakes", "false", "generated", "synthetic", "ai", "gan", "deepfake", "deepfakes"),
        *("ai_generated", "manipulated"),
    ),
    FAKE,
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
#: What may stand around a class word: `training_real`, `0_real`, `fake_faces`, `real-images`,
#: `original_sequences`.
_DECORATION = re.compile(
    r"^(?:training|train|\d+)_|_(?:faces?|images?|imgs?|pictures?|photos?|sequences?)$"
)
#: Folders that only wrap what lies in them: they name no split, class or category.
_WRAPPERS = frozenset(
    (
        *("image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "pics"),
        *("face", "faces", "frame", "frames", "crops", "data", "jpg", "jpeg", "png"),
        *("raw", "c0", "c23", "c40", "videos"),
    )
)


def class_of(name: str, classes: Mapping[str, int] | None = None) -> int | None:
    """Return the label that a name states, or None; names in `classes` come first."""
    word, given = _word(name), classes or {}
    bare = _DECORATION.sub("", _DECORATION.sub("", word))
    return given.get(word, given.get(bare, _CLASS_WORDS.get(bare)))


def split_of(name: str) -> str | None:
    """Return the split that a name states: `train`, `valid` or `test`; or None."""
    return _SPLIT_WORDS.get(name.strip().lower())


def is_wrapper(name: str) -> bool:
    """Whether a folder of this name only wraps what lies in it, as `images` does."""
    return name.strip().lower() in _WRAPPERS


def named_classes(text: str) -> dict[str, int]:
    """Return the labels that `real:nature,fake:ai,fake:gan` gives to names."""
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        class_name, colon, name = (piece.strip() for piece in part.partition(":"))
        if class_name.lower() not in CLASS_NAMES or not colon or not name:
            raise UsageError(
                f"classes {text!r} is not understood at {part!r}; write pairs such as "
                "'real:nature,fake:ai', each a class and the name of a folder."
            )
        label = CLASS_NAMES.index(class_name.lower())
        if found.setdefault(_word(name), label) != label:
            raise UsageError(f"classes {text!r} gives {name!r} to both classes; keep one of them.")
    return found


def stored_name(name: str) -> str:
    """Return a name as every store takes it within that of a metric."""
    return _NO_NAME.sub("_", name)


def and_joined(names: Sequence[str]) -> str:
    """Join names as `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _word(name: str) -> str:
    return re.sub(r"[\s.-]+", "_", name.strip().lower())

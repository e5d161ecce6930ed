"""What may be asked for as weights; checked without TensorFlow."""

from pathlib import Path

from fakeface_bench.architectures.catalogue import Architecture
from fakeface_bench.errors import UsageError

WEIGHT_WORDS = ("auto", "imagenet", "random")


def check_weights_spec(spec: str, architecture: Architecture) -> None:
    """Refuse weights that an architecture does not take, and files that are not there.

    Raises:
        UsageError: With what arrived, what is allowed, and what to do.
    """
    if not architecture.pretrained and spec not in ("auto", "random"):
        raise UsageError(
            f"{architecture.key} trains from scratch and takes no weights; got {spec!r}. "
            "Leave weights at 'auto'."
        )
    if spec not in WEIGHT_WORDS and not _is_file(spec):
        raise UsageError(
            f"weights {spec!r} is no file; it is 'auto', 'imagenet', 'random' or the path of a "
            "Keras weights file (.weights.h5 or .h5)."
        )


def _is_file(name: str) -> bool:
    try:
        return Path(name).expanduser().is_file()
    except (OSError, RuntimeError):  # longer than a name may be; the home of nobody
        return False

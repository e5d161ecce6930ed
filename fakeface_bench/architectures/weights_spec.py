"""What may be asked for as weights; checked without TensorFlow."""

import os
import socket
import tempfile
from pathlib import Path

from fakeface_bench.architectures.architecture import Architecture
from fakeface_bench.architectures.weights_file import check_weights_file
from fakeface_bench.errors import UsageError
from fakeface_bench.folders import existing_path

#: Where `keras.applications` downloads from.
IMAGENET_HOST = ("storage.googleapis.com", 443)
REACHABLE_WITHIN_SECONDS = 3.0
WEIGHT_WORDS = ("auto", "imagenet", "random")


def imagenet_file(architecture: Architecture) -> Path:
    """Return where Keras keeps, or would keep, the ImageNet weights of an architecture."""
    return _keras_home() / "models" / architecture.imagenet_file


def imagenet_may_be_had(architecture: Architecture) -> bool:
    """Whether Keras has a file of ImageNet weights, be it broken, or their host answers."""
    there = imagenet_file(architecture).exists()
    return there or answers(IMAGENET_HOST, REACHABLE_WITHIN_SECONDS)


def answers(address: tuple[str, int], within_seconds: float) -> bool:
    """Whether a host takes connections now."""
    try:
        with socket.create_connection(address, timeout=within_seconds):
            return True
    except OSError:
        return False


def _keras_home() -> Path:
    """Return what `keras.utils.get_file` takes: its home, elsewhere if that cannot be written."""
    user = os.path.expanduser("~")
    own = os.path.join(user, ".keras") if os.access(user, os.W_OK) else ""
    home = os.path.expanduser(os.environ.get("KERAS_HOME", own))
    if os.access(home, os.W_OK):
        return Path(home)
    return Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()) / ".keras"


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
    path = existing_path(spec)
    if spec not in WEIGHT_WORDS and not (path and path.is_file()):
        raise UsageError(
            f"weights {spec!r} is no file; it is 'auto', 'imagenet', 'random' or the path of a "
            "Keras weights file (.weights.h5 or .h5)."
        )
    if spec not in WEIGHT_WORDS and path:
        check_weights_file(spec, path, architecture)

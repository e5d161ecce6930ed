"""Where a backbone's weights come from, what a file holds, and what to say without them."""

import hashlib
import json
import math
import os
import socket
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from fakeface_bench.backbones import presets
from fakeface_bench.backbones.catalogue import ARCHITECTURES, Architecture, NetworkFile
from fakeface_bench.backbones.presets import (
    check_preset_spec,
    folder_label,
    how_to_get_preset,
    is_cached,
    why_not_delivered,
)
from fakeface_bench.backbones.unsafe_files import is_keras_model, unsafe_layer, what_runs_code
from fakeface_bench.config import NO_WEIGHTS
from fakeface_bench.support.disk import existing_path
from fakeface_bench.support.errors import UsageError, WeightsError

if TYPE_CHECKING:
    import keras

#: Attribute of an HDF5 file that holds a whole model.
_CONFIGURATION = "model_config"
_VALUES_ALONE = (
    "Weights are values alone, in a file that Keras's model.save_weights('NAME.weights.h5') wrote."
)


def file_label(path: Path) -> str:
    """Return the label of a weights file: `file:` and the first 12 digits of its SHA-256.

    Of a preset's folder those of what holds its values.
    """
    if path.is_dir():
        return folder_label(path)
    return f"file:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def check_weights_file(spec: str, path: Path, architecture: Architecture) -> None:
    """Refuse more than values, for nothing of a weights file may run, and those of others.

    Raises:
        UsageError: With what it holds.
    """
    found = what_runs_code(path)
    if found:
        raise UsageError(
            f"weights {spec!r} holds {found}, which could run code of its author, and is not "
            f"read. {_VALUES_ALONE}"
        )
    if is_keras_model(path):
        raise UsageError(f"weights {spec!r} is a whole Keras model (.keras). {_VALUES_ALONE}")
    try:
        with h5py.File(path) as file:
            shapes, layer = shapes_in(file), _unsafe_layer(file)
    except OSError as error:
        raise UsageError(f"weights {spec!r} is no Keras weights file (HDF5): {error}") from error
    if layer:  # who uses it believes it to be a network that its values alone are not
        raise UsageError(
            f"weights {spec!r} is a whole Keras model that holds {layer}, which could run code of "
            f"whoever made it, and is not read. {_VALUES_ALONE}"
        )
    _check_values(spec, shapes, architecture)


def shapes_in(file: h5py.File) -> dict[str, list[tuple[int, ...]]]:
    """Return the shapes of each layer's variables in a Keras 3 or a legacy weights file."""
    shapes: dict[str, list[tuple[int, ...]]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            parts = name.split("/")
            if parts[0].startswith("optimizer"):  # of a file saved after training
                return
            layer = parts[1] if parts[0] == "layers" and len(parts) > 1 else parts[0]
            shapes.setdefault(layer, []).append(tuple(item.shape))

    file.visititems(visit)
    return shapes


def _unsafe_layer(file: h5py.File) -> str:
    """Return which layer of a whole model could run code; empty for values alone."""
    try:
        return unsafe_layer(json.loads(file.attrs.get(_CONFIGURATION, "{}")))
    except (ValueError, TypeError, RecursionError):
        return ""  # no model that Keras could read


def _check_values(
    spec: str, shapes: dict[str, list[tuple[int, ...]]], architecture: Architecture
) -> None:
    """Refuse a file of another network, by how many values it holds."""
    found = sum(math.prod(shape) for layer in shapes.values() for shape in layer)
    if found == architecture.parameters:
        return
    alike = [row.key for row in ARCHITECTURES if row.parameters == found]
    hint = (
        f"they look like those of {alike[0]}"
        if alike
        else "a network is saved without its classifier (include_top=False)"
    )
    raise UsageError(
        f"weights {spec!r} does not hold weights of {architecture.key}: {found:,} values, and it "
        f"has {architecture.parameters:,}; {hint}."
    )


#: Where `keras.applications` downloads from.
IMAGENET_HOST = ("storage.googleapis.com", 443)
REACHABLE_WITHIN_SECONDS = 3.0
#: `pretrained` is what each network was published with, `imagenet` where that is of ImageNet.
WEIGHT_WORDS = ("auto", "imagenet", "pretrained", "random")


def imagenet_file(architecture: Architecture) -> Path:
    """Return where Keras keeps, or would keep, the ImageNet weights of an architecture."""
    return _keras_home() / "models" / architecture.imagenet_file


def origin_of(architecture: Architecture) -> str:
    """Return in a word or two what an architecture's weights were made of, or by."""
    if architecture.preset:
        return "keras-hub"
    if architecture.file:
        return "file"
    return "ImageNet" if architecture.pretrained else "scratch" if architecture.scratch else "none"


def are_here(architecture: Architecture) -> bool:
    """Whether the published weights are cached, be it broken."""
    if architecture.preset:
        return is_cached(architecture.preset)
    if architecture.file:
        return True
    return imagenet_file(architecture).exists()


def weights_may_be_had(architecture: Architecture) -> bool:
    """Whether the published weights are cached, be it broken, or their host answers."""
    host = presets.PRESET_HOST if architecture.preset else IMAGENET_HOST
    return are_here(architecture) or answers(host, REACHABLE_WITHIN_SECONDS)


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
        why = "trains from scratch" if architecture.scratch else "is no network"
        raise UsageError(
            f"{architecture.key} {why} and takes no weights; got {spec!r}. Leave weights at 'auto'."
        )
    if architecture.preset:
        check_preset_spec(spec, architecture)
        return
    if architecture.file:
        _check_own(spec, architecture, architecture.file)
        return
    path = existing_path(spec)
    if spec not in WEIGHT_WORDS and not (path and path.is_file()):
        raise UsageError(
            f"weights {spec!r} is no file; it is 'auto', 'imagenet', 'random' or the path of a "
            "Keras weights file (.weights.h5 or .h5)."
        )
    if spec not in WEIGHT_WORDS and path:
        check_weights_file(spec, path, architecture)


def _check_own(spec: str, architecture: Architecture, file: NetworkFile) -> None:
    if spec == "random" and file.is_onnx:
        raise UsageError(
            f"weights 'random' is nothing for {architecture.key}: ONNX Runtime runs its file as it "
            "is; leave weights at 'auto'."
        )
    if spec not in ("auto", "pretrained", "random"):
        raise UsageError(
            f"weights {spec!r} is nothing for {architecture.key}, which brings its own: leave "
            f"weights at 'auto'{'' if file.is_onnx else ', or say random'}."
        )


#: Of a file, within a run's name.
_LONGEST_NAME = 24


@dataclass(frozen=True, slots=True)
class Weights:
    """Values a backbone starts from.

    Attributes:
        label: `imagenet`, `pretrained` (of a foundation model), `random` (also where a network
            trains from scratch), `none` where there is no network, or `file:` and the first 12
            digits of the file's SHA-256.
        path: The file, or a preset's folder, where it is one.
        warning: What a reader of the results must know; empty when nothing.
    """

    label: str
    path: Path | None = None
    seed: int = 0
    warning: str = ""

    @property
    def identity(self) -> str:
        """All that the values depend on."""
        return f"random:{self.seed}" if self.label == "random" else self.label

    @property
    def short_name(self) -> str:
        """What people know them by: `random`, `imagenet`, or the file's name without its ending."""
        if self.path is None:
            return self.label
        stem = self.path.name.removesuffix(".h5").removesuffix(".weights")
        return stem if len(stem) <= _LONGEST_NAME else f"{stem[: _LONGEST_NAME - 1]}…"


def resolve_weights(spec: str, architecture: Architecture, seed: int) -> Weights:
    """Decide what `auto`, `imagenet`, `pretrained`, `random` or a name means here and now.

    `auto` is the published weights where they are cached in one piece, or their host answers
    within three seconds and delivers them; else random with a warning.

    Args:
        spec: One that `check_weights_spec` let pass.
    """
    if not architecture.pretrained:
        return Weights("random" if architecture.scratch else NO_WEIGHTS, seed=seed)
    if architecture.preset:
        return _preset_weights(spec, architecture, seed)
    if architecture.file and spec != "random":
        return Weights(f"file:{architecture.file.digest}", architecture.file.path, seed)
    if spec == "random":
        return Weights("random", seed=seed)
    if spec in ("imagenet", "pretrained"):
        return Weights("imagenet", seed=seed)
    if spec == "auto":
        if _is_whole(imagenet_file(architecture)) or (_host_answers() and _delivers(architecture)):
            return Weights("imagenet", seed=seed)
        return Weights("random", seed=seed, warning=_random_warning(architecture))
    path = Path(spec).expanduser()
    return Weights(file_label(path), path=path, seed=seed)


def _preset_weights(spec: str, architecture: Architecture, seed: int) -> Weights:
    assert architecture.preset is not None
    if spec in ("pretrained", "random"):
        return Weights(spec, seed=seed)
    if spec != "auto":
        path = Path(spec).expanduser()
        return Weights(file_label(path), path=path, seed=seed)
    may = weights_may_be_had(architecture)
    if may and (obstacle := why_not_delivered(architecture)) is None:
        return Weights("pretrained", seed=seed)
    obstacle = obstacle if may else "they are not cached and their host does not answer"
    return Weights(
        "random",
        seed=seed,
        warning=f"The weights of {architecture.key} are RANDOM: {obstacle}. "
        f"{how_to_get_preset(architecture.preset)}",
    )


def application_of(architecture: Architecture) -> Callable[..., "keras.Model"]:
    """Return what builds the network of a row; nobody else asks `keras.applications`."""
    import keras

    build: Callable[..., keras.Model] = getattr(keras.applications, architecture.application)
    return build


def load_imagenet(
    architecture: Architecture, build: Callable[..., "keras.Model"], shape: tuple[int, int, int]
) -> "keras.Model":
    """Build a network with Keras's own download of its ImageNet weights.

    Raises:
        WeightsError: If they are neither cached nor to be had.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*Weights for input shape .* will be loaded")
            return build(include_top=False, weights="imagenet", input_shape=shape)
    except Exception as error:  # Keras wraps whatever its downloader meets in a bare Exception
        if isinstance(error, ValueError) and "corrupted" not in str(error):
            raise  # the size; a download whose digest is wrong is a ValueError too
        raise WeightsError(
            f"the ImageNet weights of {architecture.key} cannot be downloaded ({error}). "
            f"{_how_to_get(architecture)}"
        ) from error


def load_weights_file(network: "keras.Model", architecture: Architecture, path: Path) -> None:
    """Load a Keras weights file into a network.

    Raises:
        WeightsError: If the file is of another architecture; the message names the first layer
            that differs.
    """
    try:
        with h5py.File(path) as file:
            difference = _first_difference(network, shapes_in(file))
    except OSError as error:
        raise WeightsError(f"{path} is no Keras weights file (HDF5): {error}") from error
    if difference:
        raise WeightsError(f"{path} does not hold weights of {architecture.key}: {difference}.")
    try:
        network.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise WeightsError(f"{path} cannot be loaded into {architecture.key}: {error}") from error


def _is_whole(path: Path) -> bool:
    """Whether it is an HDF5 file that is not cut short; its values are not looked at."""
    try:
        with h5py.File(path):
            return True
    except OSError:
        return False


def _host_answers() -> bool:
    return answers(IMAGENET_HOST, REACHABLE_WITHIN_SECONDS)


def _delivers(architecture: Architecture) -> bool:
    """Fetch the ImageNet weights into Keras's cache; an answering host may still refuse them."""
    side = architecture.image_size
    try:
        load_imagenet(architecture, application_of(architecture), (side, side, 3))
    except WeightsError:
        return False
    return True


def _random_warning(architecture: Architecture) -> str:
    path = imagenet_file(architecture)
    obstacle = f"{path} is broken" if path.exists() else "its ImageNet weights are not cached"
    return (
        f"The weights of {architecture.key} are RANDOM: {obstacle} and cannot be downloaded now. "
        f"{_how_to_get(architecture)}"
    )


def _how_to_get(architecture: Architecture) -> str:
    return (
        f"To get them, run once with a network, or copy {architecture.imagenet_file} into "
        f"{imagenet_file(architecture).parent}, or pass a file with weights=PATH."
    )


def _first_difference(network: "keras.Model", found: dict[str, list[tuple[int, ...]]]) -> str:
    """Return in words where a file of as many values differs from a network; empty if nowhere."""
    remaining = [shape for shapes in found.values() for shape in shapes]
    for layer in network.layers:
        for variable in layer.weights:
            shape = tuple(variable.shape)
            if shape not in remaining:
                return (
                    f"layer {layer.name!r} needs {variable.name} of shape {shape}, which no layer "
                    "of the file has left"
                )
            remaining.remove(shape)
    return ""

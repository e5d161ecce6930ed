"""Where a backbone's weights come from, and what to say when they cannot be had."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras

from fakeface_bench.architectures.architecture import Architecture
from fakeface_bench.architectures.weights_file import file_label, shapes_in
from fakeface_bench.architectures.weights_spec import (
    IMAGENET_HOST,
    REACHABLE_WITHIN_SECONDS,
    answers,
    check_weights_spec,
    imagenet_file,
)
from fakeface_bench.errors import WeightsError

#: Of a file, within a run's name.
_LONGEST_NAME = 24


@dataclass(frozen=True, slots=True)
class Weights:
    """Values a backbone starts from.

    Attributes:
        label: `imagenet`, `random` (also where a network trains from scratch), or `file:` and the
            first 12 digits of the file's SHA-256.
        path: The file, where it is one.
        seed: Of random values.
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
    """Decide what `auto`, `imagenet`, `random` or a file name means here and now.

    `auto` is ImageNet where Keras has it cached in one piece, or its host answers within three
    seconds and delivers it; else random with a warning.

    Raises:
        UsageError: If `spec` is none of these, or the architecture takes none.
    """
    check_weights_spec(spec, architecture)
    if not architecture.pretrained:
        return Weights("random", seed=seed)
    if spec in ("imagenet", "random"):
        return Weights(spec, seed=seed)
    if spec == "auto":
        if _is_whole(imagenet_file(architecture)) or (_host_answers() and _delivers(architecture)):
            return Weights("imagenet", seed=seed)
        return Weights("random", seed=seed, warning=_random_warning(architecture))
    path = Path(spec).expanduser()
    return Weights(file_label(path), path=path, seed=seed)


def load_imagenet(
    architecture: Architecture, build: Callable[..., keras.Model], shape: tuple[int, int, int]
) -> keras.Model:
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


def load_weights_file(network: keras.Model, architecture: Architecture, path: Path) -> None:
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
    build = getattr(keras.applications, architecture.application)
    try:
        load_imagenet(architecture, build, (side, side, 3))
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


def _first_difference(network: keras.Model, found: dict[str, list[tuple[int, ...]]]) -> str:
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

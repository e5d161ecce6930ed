"""Builds a network up to its last map: pixels in, the output of every block out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from math import prod
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt

from fakeface_bench.backbones.catalogue import (
    INPUTS,
    PREPROCESSINGS,
    Architecture,
    NetworkFile,
    Preprocessing,
)
from fakeface_bench.backbones.cut import SCRATCH_MOMENTUM, CutBackbone, cut_backbone
from fakeface_bench.backbones.fine_tuning import Unfrozen
from fakeface_bench.backbones.foundation import open_network
from fakeface_bench.backbones.own_network import open_own_network
from fakeface_bench.backbones.weights import (
    Weights,
    application_of,
    load_imagenet,
    load_weights_file,
)
from fakeface_bench.config import RGB, HeadConfig
from fakeface_bench.support.errors import UsageError


class Backbone(Protocol):
    """A built network, frozen, as a study needs it, whatever library it comes from.

    `tests/test_contracts.py` is what each has to pass.
    """

    @property
    def model(self) -> keras.Model:
        """From float32 pixels 0 to 255, preprocessing inside, to a list of its blocks' maps."""
        ...

    @property
    def image_size(self) -> int:
        """Side of the input in pixels."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its maps depend on besides the values of its weights, as JSON can hold it."""
        ...

    def values(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the values of its weights, one after another, in an order that saving keeps."""
        ...

    def cut(self, unfrozen: Unfrozen) -> CutBackbone:
        """Cut it where its frozen part ends.

        Raises:
            UsageError: If it has no such layers to train.
        """
        ...


@dataclass(frozen=True)
class ApplicationBackbone:
    """One of `keras.applications`, as `build_backbone` makes it; a `Backbone`."""

    architecture: Architecture
    model: keras.Model

    @property
    def image_size(self) -> int:
        """Side of the input in pixels."""
        return int(self.model.inputs[0].shape[1])

    @property
    def identity(self) -> Mapping[str, Any]:
        """The row, and the width and side that it is built at."""
        return {
            "architecture": self.architecture.key,
            "preprocessing": self.architecture.preprocessing,
            "blocks": self.architecture.blocks,
            "channels": tuple(int(block.shape[-1]) for block in self.model.outputs),
            "image_size": self.image_size,
        }

    def values(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the values of its weights."""
        return (np.asarray(weight) for weight in self.model.weights)

    def cut(self, unfrozen: Unfrozen) -> CutBackbone:
        """Cut it where its frozen part ends."""
        return cut_backbone(self.model, self.architecture, unfrozen)


@dataclass(frozen=True)
class NoBackbone:
    """What stands for a network where residual statistics are all that is read; a `Backbone`.

    Its one map is the picture itself, which nobody asks for.
    """

    image_size: int

    @property
    def model(self) -> keras.Model:
        """From pixels to a list of the pixels."""
        pixels = keras.Input((self.image_size, self.image_size, 3), name="pixels")
        return keras.Model(pixels, [keras.layers.Identity()(pixels)], name="residual_backbone")

    @property
    def identity(self) -> Mapping[str, Any]:
        """The side of the pictures."""
        return {"architecture": "residual", "image_size": self.image_size}

    def values(self) -> Iterator[npt.NDArray[Any]]:
        """Yield nothing: there are no weights."""
        return iter(())

    def cut(self, unfrozen: Unfrozen) -> CutBackbone:
        """Refuse: there are no layers."""
        raise UsageError(f"fine_tune {unfrozen.label!r}: residual has no layers to train.")


@dataclass(frozen=True)
class PreparedBackbone(ApplicationBackbone):
    """One whose weights come with what is done to pixels, which no row says."""

    preprocessing: Preprocessing

    @property
    def identity(self) -> Mapping[str, Any]:
        """The row, what is done to pixels, and the width and side that it is built at."""
        return {
            "architecture": self.architecture.key,
            "black": self.preprocessing.black,
            "white": self.preprocessing.white,
            "channels": tuple(int(output.shape[-1]) for output in self.model.outputs),
            "image_size": self.image_size,
        }

    def cut(self, unfrozen: Unfrozen) -> CutBackbone:
        """Cut it where its frozen part ends."""
        return cut_backbone(self.model, self.architecture, unfrozen, self.preprocessing.apply)


@dataclass(frozen=True)
class FoundationBackbone(PreparedBackbone):
    """A foundation model of keras-hub, whose preset says what is done to pixels; a `Backbone`."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """The same, its blocks, and the library's version."""
        blocks = self.architecture.blocks
        return {**super().identity, "keras_hub": version("keras-hub"), "blocks": blocks}


@dataclass(frozen=True)
class OwnBackbone(PreparedBackbone):
    """A user's own network, of a Keras or ONNX file; a `Backbone`.

    Attributes:
        said: What was found of it, in words.
    """

    said: str

    @property
    def identity(self) -> Mapping[str, Any]:
        """The same, and the file's operations and what is read of them."""
        assert self.architecture.file is not None
        return {**super().identity, "network": self.architecture.file.digest}


def open_backbone(architecture: Architecture, image_size: int, weights: Weights) -> Backbone:
    """Build the backbone of a row, by the library that it comes from.

    Raises:
        UsageError: If the architecture cannot take that size.
        WeightsError: If the weights cannot be had or do not fit.
    """
    if not architecture.pretrained:
        return NoBackbone(image_size)
    if architecture.preset:
        return build_foundation(architecture, image_size, weights)
    if architecture.file:
        return build_own(architecture, architecture.file, image_size, weights)
    return ApplicationBackbone(architecture, build_backbone(architecture, image_size, weights))


def build_backbone(architecture: Architecture, image_size: int, weights: Weights) -> keras.Model:
    """Build a frozen backbone of `keras.applications`, preprocessing inside.

    Its layers are not trainable, so BatchNorm keeps its statistics whatever `fit` does around it.

    Returns:
        A model from float32 pixels 0 to 255, shape (n, image_size, image_size, 3), to a list of
        maps: one a block of the row, then the last map.

    Raises:
        UsageError: If the architecture cannot take that size.
        WeightsError: If the weights cannot be had or do not fit.
    """
    keras.utils.set_random_seed(weights.seed)
    build = application_of(architecture)
    shape = (image_size, image_size, 3)
    try:
        if weights.label == "imagenet":
            network = load_imagenet(architecture, build, shape)
        else:
            network = build(include_top=False, weights=None, input_shape=shape)
    except ValueError as error:
        raise UsageError(f"{architecture.key} cannot take {image_size} px: {error}") from error
    if weights.path is not None:
        load_weights_file(network, architecture, weights.path)
    maps = [network.get_layer(name).output for name in architecture.blocks] + [network.output]
    tapped = keras.Model(network.input, maps, name=architecture.key)
    return _on_pixels(tapped, PREPROCESSINGS[architecture.preprocessing], image_size)


def build_foundation(
    architecture: Architecture, image_size: int, weights: Weights
) -> FoundationBackbone:
    """Build a frozen foundation model, preprocessing inside, as `build_backbone` does others.

    Raises:
        UsageError: If the architecture cannot take that size.
        WeightsError: If the preset cannot be had or does not fit.
    """
    keras.utils.set_random_seed(weights.seed)
    opened = open_network(architecture, image_size, weights.path, random=weights.label == "random")
    return FoundationBackbone(
        architecture,
        _on_pixels(opened.network, opened.preprocessing, image_size),
        opened.preprocessing,
    )


def build_own(
    architecture: Architecture, file: NetworkFile, image_size: int, weights: Weights
) -> OwnBackbone:
    """Build a user's own network, frozen, preprocessing inside, as `build_backbone` does others.

    Raises:
        UsageError: If it cannot take that size, or what it takes cannot be told.
        WeightsError: If it cannot be loaded.
    """
    opened = open_own_network(architecture, file, image_size, weights)
    return OwnBackbone(
        architecture,
        _on_pixels(opened.network, opened.preprocessing, image_size),
        opened.preprocessing,
        opened.said,
    )


def _on_pixels(network: keras.Model, preprocessing: Preprocessing, image_size: int) -> keras.Model:
    """Freeze a network, and put what it wants done to pixels before it."""
    network.trainable = False
    pixels = keras.Input((image_size, image_size, 3), name="pixels")
    outputs = network(preprocessing.apply(pixels))
    return keras.Model(pixels, outputs, name=f"{network.name}_backbone")


def build_scratch_network(
    architecture: Architecture,
    image_size: int,
    head: HeadConfig,
    precision: str = "float32",
    normalisation: type[keras.Layer] = keras.layers.BatchNormalization,
    reads: str = RGB,
) -> keras.Model:
    """Build an untrained network whose blocks follow the searched options.

    Each block is a 3×3 convolution that halves the map: by a stride of 2, or by MaxPooling2D
    after it where the row says so.

    Args:
        reads: Key of `INPUTS`.

    Returns:
        A model from pixels 0 to 255, shape (n, image_size, image_size, 3), to a list of float32
        maps, one a block, computed in `precision`.
    """
    pixels = keras.Input((image_size, image_size, 3), name="pixels")
    x = (INPUTS[reads] or PREPROCESSINGS[architecture.preprocessing].apply)(pixels)
    maps = []
    stride = 1 if architecture.max_pooling else 2
    for filters in architecture.filters:
        x = keras.layers.Conv2D(
            filters,
            3,
            strides=stride,
            padding="same",
            use_bias=not head.batch_norm,
            dtype=precision,
        )(x)
        if head.batch_norm:
            x = normalisation(momentum=SCRATCH_MOMENTUM, dtype=precision)(x)
        x = keras.layers.Activation(head.activation, dtype=precision)(x)
        if architecture.max_pooling:
            x = keras.layers.MaxPooling2D(dtype=precision)(x)
        maps.append(keras.ops.cast(x, "float32"))
    return keras.Model(pixels, maps, name=f"{architecture.key}_backbone")


def count_parameters(model: keras.Model) -> int:
    """Return the number of values of a model, those of ONNX networks in it included."""
    return sum(
        count_parameters(layer)
        if isinstance(layer, keras.Model)
        else int(getattr(layer, "parameters", 0) or layer.count_params())
        for layer in model.layers
    )


def count_macs(model: keras.Model) -> int:
    """Return the multiply-accumulates of one image through the convolutions and dense layers.

    Layers of this project that multiply say so by `macs`.

    Normalisation, activation and pooling are not counted, as is usual in the literature
    (for instance arXiv:1905.02244, table 3).
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += count_macs(layer)
        elif isinstance(layer, keras.layers.SeparableConv2D):
            positions = prod(layer.output.shape[1:3])
            channels = layer.input.shape[-1]
            total += positions * channels * (prod(layer.kernel_size) + layer.filters)
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            total += prod(layer.output.shape[1:]) * prod(layer.kernel_size)
        elif isinstance(layer, keras.layers.Conv2D):
            inputs = layer.input.shape[-1] // layer.groups
            total += prod(layer.output.shape[1:]) * prod(layer.kernel_size) * inputs
        elif isinstance(layer, keras.layers.Dense):
            total += prod(layer.output.shape[1:]) * layer.input.shape[-1]
        else:
            total += int(getattr(layer, "macs", 0))
    return total

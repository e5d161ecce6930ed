"""A user's own network, built of its file: pixels in, the output of every block out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from fakeface_bench.backbones.catalogue import (
    PREPROCESSINGS,
    TORCH_DEVIATIONS,
    TORCH_MEANS,
    Architecture,
    NetworkFile,
    Preprocessing,
    scaled,
)
from fakeface_bench.backbones.cut import replayed
from fakeface_bench.backbones.description import how_to_state_pixels
from fakeface_bench.backbones.file_facts import INSIDE
from fakeface_bench.backbones.onnx_part import onnx_part
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.support.errors import UsageError, WeightsError, shortened

Ends = tuple[tuple[float, ...], tuple[float, ...]]
#: What networks are trained on, as black and white of each channel.
_USUAL: Mapping[str, Ends] = {
    words: (PREPROCESSINGS[key].black, PREPROCESSINGS[key].white)
    for words, key in (
        ("0 to 255", "inside"),
        ("0 to 1", "unit"),
        ("-1 to 1", "symmetric"),
        ("ImageNet's mean and deviation", "torch"),
    )
}
#: The best range has to explain a network's statistics this many times better than the next.
_CLEARLY = 2.0
_PROBES = 16


@dataclass(frozen=True, slots=True)
class OwnNetwork:
    """A user's network laid open, and what is done to pixels before it.

    Attributes:
        said: What was found of it, for its user to check.
    """

    network: keras.Model
    preprocessing: Preprocessing
    said: str


def open_own_network(
    architecture: Architecture, file: NetworkFile, image_size: int, weights: Weights
) -> OwnNetwork:
    """Build a user's network from its input to its blocks and its last map.

    Raises:
        UsageError: If it cannot take that size, or what it takes cannot be told.
        WeightsError: If Keras cannot load it.
    """
    names = (*architecture.blocks, file.last)
    if file.is_onnx:
        network, pixels = _of_onnx(architecture, file, image_size, names), file.pixels
    else:
        made = _made_by_keras(architecture, file, image_size, weights)
        network = made.up_to(names, _name(file), weights.label != "random")
        pixels = file.pixels or _told_by_statistics(architecture, file, made)
    assert pixels is not None  # of ONNX files it is stated, or found
    order = "BGR" if file.bgr else "RGB"
    said = (
        f"{architecture.key}: {image_size} px, {order}, pixels {_range_said(file, pixels)}; "
        f"{len(architecture.blocks)} blocks ({', '.join(architecture.blocks) or 'none'}) and "
        f"{file.last}"
    )
    return OwnNetwork(network, _preprocessing(pixels, file.bgr), said)


def _name(file: NetworkFile) -> str:
    return f"network_{file.digest}"


def _range_said(file: NetworkFile, pixels: Ends) -> str:
    if "pixels" in file.stated:
        how = "as stated"
    elif file.scaling:
        how = f"for it begins with {file.scaling}"
    else:
        how = f"by the statistics of {file.statistics[1] if file.statistics else ''}"
    usual = next((name for name, ends in _USUAL.items() if np.allclose(ends, pixels)), None)
    return f"{usual or f'{pixels[0]} to {pixels[1]}'} ({how})"


def _preprocessing(pixels: Ends, bgr: bool) -> Preprocessing:
    black, white = pixels
    scale = tuple((w - b) / 255 for b, w in zip(black, white, strict=True))
    inside = np.allclose(pixels, INSIDE)

    def apply(given: Any) -> Any:
        ordered = given[..., ::-1] if bgr else given
        return ordered if inside else scaled(scale, black).apply(ordered)

    return Preprocessing(apply, black, white)


def _as_map(output: Any) -> Any:
    """Return a map as it is, and tokens (n, tokens, channels) as a map one position wide."""
    if len(output.shape) == 3:
        return keras.layers.Reshape((output.shape[1], 1, output.shape[2]))(output)
    return output


# Keras


@dataclass(frozen=True, slots=True)
class _Made:
    """What the layers of a Keras model make of an input, those of models within it too.

    The names are those of `network_graph.keras_operations`.
    """

    pixels: Any
    outputs: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, Any] = field(default_factory=dict)

    def up_to(self, names: Sequence[str], name: str, with_values: bool) -> keras.Model:
        """Return a model to some outputs, of layers that are in no other model."""
        outputs = [_as_map(self.outputs[each]) for each in names]
        model = keras.Model(self.pixels, outputs, name=name)
        copy: keras.Model = keras.models.clone_model(model)
        if with_values:
            copy.set_weights(model.get_weights())
        return copy

    def follow(self, model: keras.Model, entry: Any) -> Any:
        """Call the layers of a model one after another; return its output."""
        if isinstance(model, keras.Sequential):
            for layer in model.layers:
                entry = self._call(model, layer, entry)
            return entry
        outputs: list[Any] = []

        def called(layer: Any, *given: Any, **options: Any) -> Any:
            outputs.append(self._call(model, layer, *given, **options))
            return outputs[-1]

        replayed(model, called, entry)
        return outputs[-1]

    def _call(self, model: keras.Model, layer: Any, *given: Any, **options: Any) -> Any:
        if isinstance(layer, keras.Model):
            return self.follow(layer, given[0])
        if layer.name in self.outputs:
            layer.name = f"{model.name}_{layer.name}"
        self.layers[layer.name] = layer
        self.outputs[layer.name] = output = layer(*given, **options)
        return output


def _made_by_keras(
    architecture: Architecture, file: NetworkFile, image_size: int, weights: Weights
) -> _Made:
    """Load a Keras model, and call it on pixels.

    Raises:
        UsageError: If it cannot take that size.
        WeightsError: If Keras cannot load it.
    """
    try:
        loaded = keras.saving.load_model(file.path, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras, h5py and the layers of the file raise
        raise WeightsError(f"Keras cannot load {file.path}: {shortened(error)}") from error
    keras.utils.set_random_seed(weights.seed)
    made = _Made(keras.Input((image_size, image_size, 3), name="images"))
    try:
        made.follow(loaded, made.pixels)
    except ValueError as error:
        raise UsageError(
            f"{architecture.key} cannot take {image_size} px: {shortened(error)}"
        ) from error
    return made


def _told_by_statistics(architecture: Architecture, file: NetworkFile, made: _Made) -> Ends:
    """Return the range of pixels that a network's first BatchNormalization saw in training.

    Its moving mean and variance are those of the convolution before it: of the usual ranges one
    gives pictures like them. The pictures are noise with mean, deviation and spectrum of natural
    ones, so that the choice depends on the file alone.

    Raises:
        UsageError: If none explains them clearly better than the others.
    """
    assert file.statistics is not None
    convolution, name = file.statistics
    layer = made.layers[name]
    before = keras.Model(made.pixels, made.outputs[convolution])
    mean, variance = (np.asarray(x) for x in (layer.moving_mean, layer.moving_variance))
    pictures = natural_noise(made.pixels.shape[1])
    if file.bgr:
        pictures = pictures[..., ::-1]
    found = {}
    for ends in _USUAL.values():
        black, white = (np.array(end, np.float32) for end in ends)
        values = np.asarray(before(black + pictures * (white - black)))
        found[ends] = _divergence(values, mean, variance)
    best, second = sorted(found, key=lambda ends: found[ends])[:2]
    untrained = (mean == 0).all() and (variance == 1).all()
    if untrained or not found[best] * _CLEARLY < found[second]:
        raise UsageError(
            f"{architecture.key}: the statistics of {name} fit no usual range of pixels clearly: "
            f"{how_to_state_pixels(f'{file.path.stem}.yaml beside it')}."
        )
    return best


def _divergence(
    values: npt.NDArray[Any], mean: npt.NDArray[Any], variance: npt.NDArray[Any]
) -> float:
    """Return the median over channels of the divergence of normal distributions.

    Of Kullback and Leibler; of channels that the network never used the variance is 0.
    """
    axes = tuple(range(values.ndim - 1))
    used = variance > 1e-12
    seen = np.maximum(values.var(axis=axes)[used], 1e-12) / variance[used]
    apart = (values.mean(axis=axes)[used] - mean[used]) ** 2 / variance[used]
    return float(np.median(0.5 * (seen + apart - 1 - np.log(seen)))) if used.any() else np.inf


def natural_noise(side: int) -> npt.NDArray[np.float32]:
    """Return pictures of noise within 0 and 1 with the statistics of natural ones.

    Amplitude falls with frequency (Field 1987), channels share nine tenths of it, and mean and
    deviation are ImageNet's; shape (16, side, side, 3).
    """
    draw = np.random.default_rng(0)
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij"))
    falling = 1 / np.maximum(frequencies, 1 / side)
    noise = draw.normal(size=(_PROBES, side, side, 4))
    spectra = np.fft.rfft2(noise, axes=(1, 2)) * falling[..., None]
    fields = np.fft.irfft2(spectra, s=(side, side), axes=(1, 2))
    fields /= fields.std()
    mixed = np.sqrt(0.9) * fields[..., :1] + np.sqrt(0.1) * fields[..., 1:]
    pictures = np.array(TORCH_MEANS) + np.array(TORCH_DEVIATIONS) * mixed
    return np.asarray(np.clip(pictures, 0, 1), np.float32)


# ONNX


def _of_onnx(
    architecture: Architecture, file: NetworkFile, image_size: int, names: tuple[str, ...]
) -> keras.Model:
    ordered = dict(zip(names, file.maps_channels_first, strict=True))
    try:
        layer = onnx_part(file.path, ordered, image_size, file.channels_first, name=_name(file))
    except Exception as error:  # ONNX Runtime's have no common class
        raise UsageError(
            f"{architecture.key} cannot take {image_size} px: {shortened(error)}"
        ) from error
    pixels = keras.Input((image_size, image_size, 3), name="images")
    return keras.Model(pixels, [_as_map(output) for output in layer(pixels)], name=_name(file))

"""Foundation models of keras-hub, laid open: of each block its class token and its map of patches.

keras-hub takes seconds to import, so what is called imports it, and not this module.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fakeface_bench.backbones.catalogue import (
    PREPROCESSINGS,
    Architecture,
    Preprocessing,
    Preset,
    scaled,
)
from fakeface_bench.backbones.presets import (
    FAMILIES,
    how_to_get_preset,
    preset_of,
    says_what_pixels_become,
)
from fakeface_bench.support.errors import UsageError, WeightsError, shortened


@dataclass(frozen=True, slots=True)
class LaidOpen:
    """What a network makes of pixels, block after block.

    Attributes:
        pixels: Its input, symbolic.
        blocks: By the name of its layer, of each block tokens (n, tokens, channels), or a map
            (n, height, width, channels).
        last: Likewise what comes after the last block, which replaces that block's.
        before: Number of tokens before those of patches: the class token, then registers.
        summary: What a network without a class token sums an image up as, (n, channels).
    """

    pixels: Any
    blocks: Mapping[str, Any]
    last: Any
    before: int = 0
    summary: Any = None


def _dinov2(network: Any) -> LaidOpen:
    blocks = _chained(network.embeddings.output, network.encoder.layers)
    before = 1 + network.num_register_tokens
    return LaidOpen(network.inputs[0], blocks, network.layernorm(_last(blocks)), before)


def _dinov3(network: Any) -> LaidOpen:
    """Lay DINOv3 open; its rotary positions depend on the side alone, so they are constants.

    As the outputs of a layer of pixels they would keep every cut from carrying everything.
    """
    shape = (1, *network.inputs[0].shape[1:])
    positions = [np.asarray(part) for part in network.rope_embedding(np.zeros(shape, np.float32))]
    before = 1 + network.num_register_tokens
    options = {"position_embeddings": positions, "num_prefix_tokens": before}
    blocks = _chained(network.embeddings.output, network.encoder.layers, options)
    return LaidOpen(network.inputs[0], blocks, network.layernorm(_last(blocks)), before)


def _clip(network: Any) -> LaidOpen:
    blocks = {name: layer.output for name, layer in _numbered(network.encoder_layers)}
    return LaidOpen(network.inputs[0], blocks, network.layer_norm.output, before=1)


def _siglip(network: Any) -> LaidOpen:
    from fakeface_bench.backbones.hub_layers import TokenEmbedding, copy_of

    pixels = keras.Input(network.inputs[0].shape[1:], name="images")
    tokens = TokenEmbedding.like(network.embedding)(pixels)
    blocks = _chained(tokens, map(copy_of, network.encoder_layers))
    last = copy_of(network.post_layer_norm)(_last(blocks))
    return LaidOpen(pixels, blocks, last, summary=copy_of(network.head)(last))


def _vit(network: Any) -> LaidOpen:
    from fakeface_bench.backbones.hub_layers import EncoderBlock, PatchEmbedding

    pixels = keras.Input(network.inputs[0].shape[1:], name="images")
    embedding = PatchEmbedding.like(network.get_layer("vit_patching_and_embedding"))
    encoder = network.get_layer("vit_encoder")
    blocks = _chained(embedding(pixels), map(EncoderBlock.like, encoder.encoder_layers))
    return LaidOpen(pixels, blocks, encoder.layer_norm(_last(blocks)), before=1)


def _mobilenetv5(network: Any) -> LaidOpen:
    others = ("conv_stem", "msfa")
    inner = [layer for layer in network.layers[1:] if layer.name not in others]
    blocks = {name: layer.output for name, layer in _numbered(inner)}
    return LaidOpen(network.inputs[0], blocks, network.outputs[0])


def _numbered(layers: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Name layers by their number, for Keras names them by all that was made before."""
    for number, layer in enumerate(layers):
        layer.name = f"block_{number}"
        yield layer.name, layer


def _chained(
    tokens: Any, layers: Iterable[Any], options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what each layer makes of the one before, by its name."""
    made = {}
    for name, layer in _numbered(layers):
        made[name] = tokens = layer(tokens, **(options or {}))
    return made


def _last(blocks: Mapping[str, Any]) -> Any:
    return [*blocks.values()][-1]


#: By family, what takes a network of it apart.
_LAY_OPEN: Mapping[str, Callable[[Any], LaidOpen]] = {
    "dinov2": _dinov2,
    "dinov3": _dinov3,
    "clip": _clip,
    "siglip": _siglip,
    "vit": _vit,
    "mobilenetv5": _mobilenetv5,
}


def build_network(preset: Preset, image_size: int) -> keras.Model:
    """Build the network of a row with random values.

    Raises:
        ValueError: If it cannot take that size.
    """
    import keras_hub

    build = getattr(keras_hub.models, FAMILIES[preset.family].network)
    network: keras.Model = build(**preset.config, image_shape=(image_size, image_size, 3))
    return network


def laid_open(network: keras.Model, architecture: Architecture) -> keras.Model:
    """Return the network from its pixels to the outputs of the row's blocks, and of the last.

    Of each the class token (n, channels) if it has one, then the map of its patches.
    """
    assert architecture.preset is not None
    opened = _LAY_OPEN[architecture.preset.family](network)
    blocks = [opened.blocks[name] for name in architecture.blocks]
    side = opened.pixels.shape[1] // _patch_size(architecture.preset)
    outputs = [each for block in blocks for each in _outputs(block, opened.before, side)]
    outputs += _outputs(opened.last, opened.before, side, opened.summary)
    return keras.Model(opened.pixels, outputs, name=architecture.key)


def _patch_size(preset: Preset) -> int:
    """Return the side of a patch in pixels; 1 where there are none."""
    return int(preset.config.get("patch_size", 1))


def _outputs(tokens: Any, before: int, side: int, summary: Any = None) -> Iterator[Any]:
    """Yield the class token, or the summary, and the map of patches, `side` each way."""
    if summary is not None:
        yield summary
    if len(tokens.shape) == 4:
        yield tokens
        return
    if before:
        yield tokens[:, 0]
    patches = tokens[:, before:] if before else tokens
    yield keras.layers.Reshape((side, side, patches.shape[2]))(patches)


@dataclass(frozen=True, slots=True)
class OpenedPreset:
    """A network laid open, and what is done to pixels before it."""

    network: keras.Model
    preprocessing: Preprocessing


def open_network(
    architecture: Architecture, image_size: int, folder: Path | None, random: bool
) -> OpenedPreset:
    """Build a foundation model with its weights.

    Args:
        folder: Of a preset; None for the one that the row names.
        random: Whether its values are random, whatever there is.

    Raises:
        UsageError: If it cannot take that size.
        WeightsError: If the preset cannot be had or read.
    """
    preset = preset_of(architecture)
    preprocessing = PREPROCESSINGS[architecture.preprocessing]
    try:
        if image_size % (patch := _patch_size(preset)):
            raise ValueError(f"its patches are of {patch} px, and the side is a multiple of that")
        if random:
            network = build_network(preset, image_size)
        else:
            spec = str(folder or preset.name)
            network = _loaded(spec, architecture, image_size)
            preprocessing = _converter_of(spec, preset) or preprocessing
    except ValueError as error:
        raise UsageError(f"{architecture.key} cannot take {image_size} px: {error}") from error
    return OpenedPreset(laid_open(network, architecture), preprocessing)


def _loaded(spec: str, architecture: Architecture, image_size: int) -> Any:
    """Load what sees pictures of a preset.

    Raises:
        ValueError: If it sees pictures of another side only.
        WeightsError: If it cannot be had or read.
    """
    import keras_hub

    family = FAMILIES[preset_of(architecture).family]
    options = {"image_shape": (image_size, image_size, 3)} if family.any_side else {}
    try:
        network = keras_hub.models.Backbone.from_preset(spec, **options)
    except Exception as error:  # whatever keras-hub, kagglehub, Keras and h5py raise
        raise WeightsError(_not_to_be_had(spec, architecture, error)) from error
    network = getattr(network, family.side) if hasattr(network, family.side or " ") else network
    side = network.inputs[0].shape[1]
    if side != image_size:
        raise ValueError(f"its positions are for pictures of {side} px")
    return network


def _not_to_be_had(spec: str, architecture: Architecture, error: Exception) -> str:
    preset = preset_of(architecture)
    said = shortened(error)
    if spec != preset.name:
        return f"{spec} cannot be read as a preset of {architecture.key}: {said}"
    if "permissions" in said or "not accessible" in said:  # as keras-hub words Kaggle's 403
        page = preset.handle.rsplit("/", 3)[0]
        said = (
            "Kaggle refuses it: sign in (KAGGLE_API_TOKEN or kaggle.json) and accept its licence "
            f"({architecture.licence}) at https://www.kaggle.com/models/{page}"
        )
    return (
        f"the weights of {architecture.key} ({preset.name}) cannot be had: {said}. "
        f"{how_to_get_preset(preset)}"
    )


def _converter_of(spec: str, preset: Preset) -> Preprocessing | None:
    """Return what a preset does to pixels 0 to 255; None where it does not say.

    Raises:
        WeightsError: If that cannot be had or read.
    """
    import keras_hub

    folder = Path(spec) if spec != preset.name else None
    if folder and not says_what_pixels_become(folder):
        return None
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(spec)
    except Exception as error:  # as above
        raise WeightsError(
            f"what {spec} does to pictures cannot be read: {shortened(error)}"
        ) from error
    scale = np.broadcast_to(1.0 if converter.scale is None else converter.scale, 3)
    offset = np.broadcast_to(0.0 if converter.offset is None else converter.offset, 3)
    return scaled(tuple(map(float, scale)), tuple(map(float, offset)))

"""Cuts a backbone where its frozen part ends, so that this part need run only once an image."""

import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import keras

from fakeface_bench.backbones.catalogue import PREPROCESSINGS, Architecture
from fakeface_bench.backbones.fine_tuning import NORMS, Unfrozen
from fakeface_bench.support.errors import UsageError

#: Of BatchNorm trained from scratch. Keras's 0.99 (0.999 in MobileNetV3) forgets its start only
#: after hundreds of steps, more than a fit on a few thousand pictures has.
SCRATCH_MOMENTUM = 0.9
NORMALISATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.RMSNormalization,
)


#: Names of what normalisation learns by gradients.
SCALE_AND_SHIFT = ("gamma", "beta", "scale")


def normalisations(layer: Any) -> list[keras.layers.Layer]:
    """Return a layer, and those within it, that normalise; Keras tells of these nowhere public."""
    found, left, seen = [], [layer], set()
    while left:
        part = left.pop()
        if isinstance(part, list | tuple):
            left += part
        elif isinstance(part, keras.layers.Layer) and id(part) not in seen:
            seen.add(id(part))
            if isinstance(part, NORMALISATIONS) or type(part).__name__ == "RmsNorm2d":
                found.append(part)
            left += vars(part).values()
    return found


def replayed(model: keras.Model, call: Callable[..., Any], entry: Any | None = None) -> keras.Model:
    """Return a model of the same layers, made anew: Keras tells what they made in no other way.

    Args:
        call: Called with each layer and what it is given, in their order; returns what it makes.
        entry: What they begin at; an input like the model's own where None.
    """
    return keras.models.clone_model(
        model, input_tensors=entry, clone_function=lambda layer: layer, call_function=call
    )


@dataclass(frozen=True)
class CutBackbone:
    """A backbone whose last layers are trained.

    Attributes:
        backbone: The whole of it, frozen, from pixels 0 to 255 to the maps of its blocks.
        above: What lies above the cut, from the map there to the maps of the upper blocks; from
            preprocessed pixels where the cut is at the input.
        preprocess: From pixels 0 to 255 to what the network is called on.
        below: From pixels to the maps of the lower blocks, and the map at the cut after them;
            None where the cut is at the input.
        trained: Names of the trained layers; those of BatchNorm stay as they are all the same.
        label: Name of the operation at the cut; empty at the input.
        position: Number of that operation, which names it the same in every process.
        norms: Whether of the trained layers those of normalisation alone learn, their scale and
            shift.
    """

    backbone: keras.Model
    above: keras.Model
    preprocess: Callable[[Any], Any]
    below: keras.Model | None
    trained: frozenset[str]
    label: str = ""
    position: int = 0
    norms: bool = False

    @property
    def lower_blocks(self) -> int:
        """Number of outputs, class tokens among them, that no training changes."""
        return len(self.backbone.outputs) - len(self.above.outputs)

    def at_input(self) -> "CutBackbone":
        """Return the same with its cut at the input: the same layers are trained, on pixels."""
        above = _network(self.backbone)
        return replace(self, above=above, below=None, label="", position=0)

    def upper_maps(self, entry: Any, precision: str, *, scratch: bool = False) -> list[Any]:
        """Run a trainable copy of the upper part; the backbone's own values never change.

        Args:
            entry: The map at the cut, or pixels 0 to 255.
            precision: One of `config.PRECISIONS`, in which the trained layers compute.
            scratch: Whether BatchNorm learns its statistics; otherwise it keeps those of the
                backbone, whatever `fit` does.

        Returns:
            The float32 maps of the upper blocks.
        """
        copy = self._copied(precision, scratch)
        for layer in copy.layers:
            normalises = isinstance(layer, keras.layers.BatchNormalization)
            learns = layer.name in self.trained and (scratch or not normalises)
            layer.trainable = learns and not self.norms
            for norm in normalisations(layer) if self.norms else ():
                # The layer itself is not trainable, so BatchNorm keeps its statistics.
                for value in vars(norm).values():
                    if isinstance(value, keras.Variable) and value.name in SCALE_AND_SHIFT:
                        value.trainable = True
        if self.below is None:
            entry = self.preprocess(entry)
        return [keras.ops.cast(upper, "float32") for upper in keras.tree.flatten(copy(entry))]

    def _copied(self, precision: str, scratch: bool) -> keras.Model:
        """Copy the upper part; frozen layers in it compute as they do below a cut."""

        def cloned(layer: Any) -> Any:
            settings = layer.get_config()
            trained = layer.name in self.trained
            if "trainable" in settings:
                # What is set to False later must be True before: TensorFlow skips a value that is
                # there already, and layers within a layer would go on learning.
                settings["trainable"] = True
            if isinstance(layer, keras.layers.Layer):
                settings["dtype"] = precision if trained else "float32"
            if isinstance(layer, keras.layers.Dropout):
                # `trainable` keeps no dropout still, and layers below shall not change the draw.
                settings["rate"] = layer.rate if trained else 0.0
                settings["seed"] = zlib.crc32(layer.name.encode())
            if scratch and isinstance(layer, keras.layers.BatchNormalization):
                settings["momentum"] = SCRATCH_MOMENTUM
            return layer.__class__.from_config(settings)

        copy = keras.models.clone_model(self.above, clone_function=cloned)
        copy.set_weights(self.above.get_weights())
        return copy


def cut_backbone(
    backbone: keras.Model,
    architecture: Architecture,
    unfrozen: Unfrozen,
    preprocess: Callable[[Any], Any] | None = None,
) -> CutBackbone:
    """Cut a backbone below its first trained layer, where a single map carries everything.

    Args:
        preprocess: From pixels to what the network is called on; that of the row where None.

    Raises:
        UsageError: If it has fewer layers than are to be trained, or none of them has weights to
            train.
    """
    network = _network(backbone)
    preprocess = preprocess or PREPROCESSINGS[architecture.preprocessing].apply
    if unfrozen.on_pixels:
        everything = frozenset(layer.name for layer in network.layers)
        whole = CutBackbone(backbone, network, preprocess, None, everything)
        return _with_norms_alone(whole) if unfrozen.label == NORMS else whole
    if unfrozen.below:
        cut = _lowest_cut(network, unfrozen.below)
        trained = {layer.name for layer in network.layers} - _up_to(network, cut)
    else:
        trained = _last_layers(network, unfrozen.layers)
        cut = _highest_cut(network, _first_learning(network, trained, unfrozen))
    if isinstance(cut, keras.layers.InputLayer):
        return CutBackbone(backbone, network, preprocess, None, frozenset(trained))
    blocks = len(_up_to(network, cut).intersection(architecture.blocks))
    count = _outputs_of(network, blocks)
    pixels = keras.Input(backbone.inputs[0].shape[1:], name="pixels")
    below = keras.Model(network.input, [*network.outputs[:count], cut.output])
    return CutBackbone(
        backbone=backbone,
        above=keras.Model(cut.output, network.outputs[count:], name=network.name),
        preprocess=preprocess,
        below=keras.Model(pixels, below(preprocess(pixels)), name=f"{architecture.key}_below"),
        trained=frozenset(trained),
        label=str(cut.name),
        position=network.operations.index(cut),
    )


def _outputs_of(network: keras.Model, blocks: int) -> int:
    """Return how many outputs the first blocks have: of each a map, maybe after a class token."""
    maps = [number for number, output in enumerate(network.outputs) if len(output.shape) == 4]
    return maps[blocks - 1] + 1 if blocks else 0


def _with_norms_alone(whole: CutBackbone) -> CutBackbone:
    if not any(normalisations(layer) for layer in whole.above.layers):
        raise UsageError(
            f"fine_tune {NORMS}: {whole.above.name} has no normalisation layers; name other layers."
        )
    return replace(whole, norms=True)


def _network(backbone: keras.Model) -> keras.Model:
    """Return the layers behind the preprocessing, as `build_backbone` nests them."""
    (network,) = (layer for layer in backbone.layers if isinstance(layer, keras.Model))
    return network


def _up_to(network: keras.Model, cut: Any) -> set[str]:
    """Return the names of the layers that a cut's map depends on, its own included."""
    return {layer.name for layer in keras.Model(network.input, cut.output).layers}


def _last_layers(network: keras.Model, count: int) -> set[str]:
    if count > len(network.layers):
        raise UsageError(
            f"fine_tune: {network.name} has {len(network.layers)} layers, not {count}; 'all' "
            "trains them all."
        )
    return {layer.name for layer in network.layers[-count:]}


def _first_learning(
    network: keras.Model, trained: Collection[str], unfrozen: Unfrozen
) -> keras.Layer:
    """Return the lowest trained layer that has weights to train; BatchNorm keeps its own."""
    for layer in network.layers:
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        if layer.name in trained and layer.weights and not normalises:
            return layer
    raise UsageError(
        f"fine_tune {unfrozen.label}: the last {unfrozen.label} layers of {network.name} have no "
        "weights to train (BatchNorm keeps its own); name more layers, or last_block."
    )


def _lowest_cut(network: keras.Model, block_end: str) -> Any:
    """Return the first operation from a block's end up whose output is all that the rest needs.

    It is that end, unless a shortcut is added right after it, as in Xception.
    """
    operations = network.operations
    start = operations.index(network.get_layer(block_end))
    return next(cut for cut in operations[start:] if _carries_everything(network, cut))


def _highest_cut(network: keras.Model, above: keras.Layer) -> Any:
    """Return the last operation below a layer whose output is all that the rest needs."""
    operations = network.operations
    candidates = reversed(operations[: operations.index(above)])
    return next(cut for cut in candidates if _carries_everything(network, cut))


def _carries_everything(network: keras.Model, cut: Any) -> bool:
    """Whether the last map can be computed from an operation's output alone."""
    try:
        keras.Model(cut.output, network.outputs[-1])
    except ValueError:  # Keras finds an input that the output needs besides
        return False
    return True

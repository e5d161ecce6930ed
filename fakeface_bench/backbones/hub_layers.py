"""Layers of keras-hub that can be saved and read back, and state the shape of what they give.

Of ViT the configurations that keras-hub 0.32 writes hold what constructors do not take, or lack
what they do; SigLIP's embedding states a token too many. Importing this imports keras-hub.
"""

from typing import Any, Self

import keras
from keras_hub.src.models.siglip.siglip_layers import SigLIPVisionEmbedding
from keras_hub.src.models.vit.vit_layers import ViTEncoderBlock, ViTPatchingAndEmbedding

_Config = dict[str, Any]


@keras.saving.register_keras_serializable("fakeface_bench")
class PatchEmbedding(ViTPatchingAndEmbedding):  # type: ignore[misc]  # Keras has no types
    """Embeds patches, before them the class token, and adds their positions."""

    @classmethod
    def like(cls, layer: ViTPatchingAndEmbedding) -> Self:
        """Return one of the same settings and values."""
        settings = {**layer.get_config(), "use_patch_bias": layer.use_patch_bias}
        pixels = (None, *layer.image_size, layer.num_channels)
        copied: Self = _copied(cls.from_config(settings), layer, pixels)
        return copied

    def get_config(self) -> _Config:
        """Return what the constructor takes."""
        return {**super().get_config(), "use_patch_bias": self.use_patch_bias}

    @classmethod
    def from_config(cls, config: _Config) -> Self:
        """Build one of what `get_config` gives, without what follows from the rest."""
        return cls(**_without(config, "num_patches", "num_positions"))


@keras.saving.register_keras_serializable("fakeface_bench")
class EncoderBlock(ViTEncoderBlock):  # type: ignore[misc]  # Keras has no types
    """Attention and a network of two layers, each after normalisation and around a shortcut."""

    @classmethod
    def like(cls, layer: ViTEncoderBlock) -> Self:
        """Return one of the same settings and values."""
        shape = (None, None, layer.hidden_dim)
        copied: Self = _copied(cls.from_config(layer.get_config()), layer, shape)
        return copied

    @classmethod
    def from_config(cls, config: _Config) -> Self:
        """Build one of what `get_config` gives, without what follows from the rest."""
        return cls(**_without(config, "key_dim"))


@keras.saving.register_keras_serializable("fakeface_bench")
class TokenEmbedding(SigLIPVisionEmbedding):  # type: ignore[misc]  # Keras has no types
    """Embeds patches and adds their positions; there is no class token."""

    @classmethod
    def like(cls, layer: SigLIPVisionEmbedding) -> Self:
        """Return one of the same settings and values."""
        pixels = (None, layer.image_size, layer.image_size, 3)
        copied: Self = _copied(cls.from_config(layer.get_config()), layer, pixels)
        return copied

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return as many tokens as there are patches."""
        return (input_shape[0], (self.image_size // self.patch_size) ** 2, self.hidden_dim)


def copy_of(layer: keras.layers.Layer) -> Any:
    """Return a layer of the same settings and values that was called nowhere yet."""
    copy = type(layer).from_config(layer.get_config())
    copy.build_from_config(layer.get_build_config())
    copy.set_weights(layer.get_weights())
    return copy


def _without(config: _Config, *derived: str) -> _Config:
    return {key: value for key, value in config.items() if key not in derived}


def _copied(copy: Any, layer: keras.layers.Layer, shape: tuple[int | None, ...]) -> Any:
    copy.build(shape)
    copy.set_weights(layer.get_weights())
    return copy

"""One tiny pretrained-like backbone and its samples, shared by the tests of trained layers."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest

from fakeface_bench.backbones.catalogue import Architecture
from fakeface_bench.backbones.cut import cut_backbone
from fakeface_bench.backbones.fine_tuning import unfrozen_part
from fakeface_bench.config import HeadConfig, TrialConfig, TuningConfig
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.features.pooling import feature_model
from fakeface_bench.features.samples import Samples
from fakeface_bench.training.networks import FitTask, TunedNetwork

SIZE = 48
#: Of every kind of layer that is trained, few: a step of a real network takes seconds to compile.
ROW = Architecture(
    key="tiny",
    application="Tiny",
    preprocessing="inside",
    image_size=SIZE,
    parameters=0,
    mmacs=0,
    blocks=("block_0_add", "block_1_add", "block_2_add"),
    closing_block=False,
)
#: Layers of BatchNorm in its last block, and in all of it.
NORMS = {"last_block": 3, "all": 8}
#: Without dropout, and with a rate at which a few steps show.
CONFIG = TrialConfig(
    HeadConfig(dropout=0.0, learning_rate=3e-3), "light", TuningConfig(1e-3, 1e-2, 8)
)


@dataclass(frozen=True)
class Workbench:
    """A backbone and pictures of which half carry a planted pattern."""

    backbone: keras.Model

    def network(self, spec: str, *, on_map: bool = True, scratch: bool = False) -> TunedNetwork:
        cut = cut_backbone(self.backbone, ROW, unfrozen_part(spec, ROW))
        on_pixels = spec in ("all", "norms")
        return TunedNetwork(cut if on_map else cut.at_input(), on_pixels, scratch)

    def samples(self, network: TunedNetwork, images: int, seed: int) -> Samples:
        """Return all that any network reads of some pictures, as a cache would hold it."""
        pixels, labels = pictures(images, seed)
        arrays = self._features(network, pixels)
        mirrored = self._features(network, pixels[:, :, ::-1])
        arrays |= {"images": pixels, "spare": np.zeros((images, 2), np.int32)}
        return Samples(arrays, labels, mirrored=mirrored)

    def task(self, network: TunedNetwork, epochs: int = 2, train: int = 40) -> FitTask:
        return FitTask(
            network,
            self.samples(network, train, 0),
            self.samples(network, 24, 1),
            epochs,
            0,
            roc_auc,
        )

    def _features(self, network: TunedNetwork, pixels: np.ndarray) -> dict[str, np.ndarray]:
        model = feature_model(self.backbone, network.cut)
        outputs = model(pixels.astype(np.float32), training=False)
        return {name: array.numpy() for name, array in outputs.items()}


def pictures(images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (np.arange(images) % 2).astype(np.uint8)
    pixels = rng.integers(60, 196, (images, SIZE, SIZE, 3))
    checks = np.indices((SIZE, SIZE)).sum(axis=0) % 2 * 16 - 8
    pixels += labels[:, None, None, None] * checks[:, :, None]
    return pixels.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="session")
def workbench() -> Workbench:
    backbone = tiny_backbone()
    settle(backbone)
    return Workbench(backbone)


def tiny_backbone() -> keras.Model:
    """Build `ROW`: a stem, three residual blocks, and a closing convolution, of random values."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    seen = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(seen)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(name="stem_bn")(x)
    maps = []
    for number, width in enumerate((8, 12, 16)):
        stem = f"block_{number}"
        if width > 8:
            x = layers.Conv2D(width, 1, strides=2, use_bias=False, name=f"{stem}_shrink")(x)
        y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{stem}_depthwise")(x)
        y = layers.BatchNormalization(name=f"{stem}_depthwise_bn")(y)
        y = layers.Activation("hard_silu", name=f"{stem}_act")(y)
        y = layers.Conv2D(width, 1, use_bias=False, name=f"{stem}_project")(y)
        y = layers.BatchNormalization(name=f"{stem}_project_bn")(y)
        x = layers.Add(name=f"{stem}_add")([x, y])
        maps.append(x)
    x = layers.Conv2D(24, 1, use_bias=False, name="conv_1")(x)
    x = layers.BatchNormalization(name="conv_1_bn")(x)
    maps.append(layers.Activation("hard_silu", name="conv_1_act")(x))
    network = keras.Model(seen, maps, name=ROW.key)
    network.trainable = False
    pixels = keras.Input((SIZE, SIZE, 3), name="pixels")
    return keras.Model(pixels, network(pixels), name="tiny_backbone")


def settle(backbone: keras.Model) -> None:
    """Give BatchNorm the statistics of pictures, as a trained backbone has them."""
    (network,) = (layer for layer in backbone.layers if isinstance(layer, keras.Model))
    norms = [la for la in network.layers if isinstance(la, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.trainable, norm.momentum = True, 0.0
    network(pictures(32, 7)[0].astype(np.float32), training=True)
    for norm in norms:
        norm.trainable, norm.momentum = False, 0.99

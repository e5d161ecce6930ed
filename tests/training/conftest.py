"""One small pretrained-like backbone and its samples, shared by the tests of trained layers."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest

from fakeface_bench.backbones.building import build_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.cut import cut_backbone
from fakeface_bench.backbones.fine_tuning import unfrozen_part
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.config import HeadConfig, TrialConfig, TuningConfig
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.features.pooling import feature_model
from fakeface_bench.features.samples import Samples
from fakeface_bench.training.networks import FitTask, TunedNetwork

SIZE = 48
ROW = architecture_named("mobilenetv3_small")
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
        return TunedNetwork(cut if on_map else cut.at_input(), spec == "all", scratch)

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
    backbone = build_backbone(ROW, SIZE, Weights("random"))
    settle(backbone)
    return Workbench(backbone)


def settle(backbone: keras.Model) -> None:
    """Give BatchNorm the statistics of pictures, as a trained backbone has them."""
    (network,) = (layer for layer in backbone.layers if isinstance(layer, keras.Model))
    norms = [la for la in network.layers if isinstance(la, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.trainable, norm.momentum = True, 0.0
    network(pictures(32, 7)[0].astype(np.float32), training=True)
    for norm in norms:
        norm.trainable, norm.momentum = False, 0.99

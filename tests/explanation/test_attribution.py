"""Evidence for every kind of network: it adds up, depends on the head, is where it was planted."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from fakeface_bench.backbones.building import build_backbone, open_backbone
from fakeface_bench.backbones.catalogue import Architecture, architecture_named
from fakeface_bench.backbones.cut import cut_backbone
from fakeface_bench.backbones.fine_tuning import unfrozen_part
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.config import HeadConfig
from fakeface_bench.explanation.attribution import (
    attribute,
    attribute_and_check,
    cut_detector,
    map_evidence,
    read_maps,
)
from fakeface_bench.features.pooling import feature_model, is_token, to_float16
from fakeface_bench.features.samples import Samples
from fakeface_bench.training.head import Calibration, probability
from fakeface_bench.training.head_fit import HeadRows
from fakeface_bench.training.networks import FrozenNetwork, ScratchNetwork, TunedNetwork
from fakeface_bench.training.poolings import POOLINGS_OF_MAPS
from tests.backbones.small_rows import PRETRAINED

SIZE = 64
ROW = architecture_named("mobilenetv3_small")
KINDS = ("frozen", "scratch", "tuned")
BY_KIND = pytest.mark.parametrize("kind", KINDS)
CALIBRATION = Calibration(1.5, -0.25)


def pictures(images: int, seed: int = 0, size: int = SIZE) -> np.ndarray:
    """Pictures with broad shapes and fine noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (images, 8, 8, 3)).repeat(size // 8, 1).repeat(size // 8, 2)
    return (0.8 * coarse + rng.integers(0, 50, coarse.shape)).astype(np.uint8)


def weighted(classifier: keras.Model, seed: int = 1) -> keras.Model:
    """Give the output layer weights, as training would; it starts at zero."""
    (kernel,) = (w for w in classifier.trainable_weights if w.path.endswith("logits/kernel"))
    kernel.assign(np.random.default_rng(seed).normal(0, 0.05, kernel.shape))
    return classifier


def logits_of(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    score = model(pixels.astype(np.float32)).numpy()[:, 0].astype(np.float64)
    score = np.clip(score, 1e-7, 1 - 1e-7)
    return np.log(score) - np.log1p(-score)


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    return build_backbone(ROW, SIZE, Weights("random"))


@pytest.fixture(scope="module")
def samples(backbone: keras.Model) -> Samples:
    cut = cut_backbone(backbone, ROW, unfrozen_part("last_block", ROW))
    arrays = feature_model(backbone, cut)(pictures(16, 7).astype(np.float32))
    labels = (np.arange(16) % 2).astype(np.uint8)
    return Samples({name: array.numpy() for name, array in arrays.items()}, labels)


def frozen(backbone: keras.Model, samples: Samples, head: HeadConfig) -> keras.Model:
    network = FrozenNetwork(backbone)
    return network.complete(
        weighted(network.classifier(HeadRows(samples), head, 1)), head, CALIBRATION
    )


@pytest.fixture(scope="module")
def detectors(
    backbone: keras.Model, samples: Samples, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, bool], keras.Model]:
    """One of each kind, as made and as saved and loaded."""
    head = HeadConfig(units=16, pooling="avg+std", features="all_blocks", batch_norm=True)
    two = HeadConfig(pooling="avg+max", features="all_blocks", loss="categorical_crossentropy")
    start = FrozenNetwork(backbone).classifier(HeadRows(samples), two, 2)
    cut = cut_backbone(backbone, ROW, unfrozen_part("last_block", ROW))
    tuned = TunedNetwork(cut, everything=False)
    scratch = ScratchNetwork(architecture_named("simple_cnn"), SIZE)
    made = {
        "frozen": frozen(backbone, samples, head),
        "scratch": scratch.complete(
            weighted(scratch.served(None, HeadConfig(), 1)),
            HeadConfig(),
            CALIBRATION,
        ),
        "tuned": tuned.complete(
            weighted(tuned.trainable(start, two, 2, "float32")), two, CALIBRATION
        ),
    }
    folder = tmp_path_factory.mktemp("detectors")
    found = {}
    for kind, model in made.items():
        path = folder / f"{kind}.keras"
        model.save(path)
        loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
        found |= {(kind, False): model, (kind, True): loaded}
    return found


@BY_KIND
def test_the_mean_of_the_evidence_is_the_logit_also_after_loading(
    detectors: dict[tuple[str, bool], keras.Model], kind: str
) -> None:
    pixels = pictures(5)
    evidence = attribute(detectors[kind, False], pixels, batch_size=2)
    assert (evidence.shape, evidence.dtype) == ((5, SIZE, SIZE), np.float32)
    expected = logits_of(detectors[kind, False], pixels)
    np.testing.assert_allclose(evidence.mean(axis=(1, 2)), expected, atol=2e-3)
    loaded = attribute(detectors[kind, True], pixels)
    np.testing.assert_allclose(loaded, evidence, atol=1e-3 * np.abs(evidence).max())


@BY_KIND
@pytest.mark.parametrize("loaded", [False, True])
def test_evidence_hangs_on_the_head_which_is_left_as_it_was(
    detectors: dict[tuple[str, bool], keras.Model], kind: str, loaded: bool
) -> None:
    model, pixels = detectors[kind, loaded], pictures(6)
    before = model.get_weights()
    assert abs(attribute_and_check(model, pixels, seed=3)[1]) < 0.6
    for value, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)


@BY_KIND
def test_the_cut_is_at_maps_of_the_backbone(
    detectors: dict[tuple[str, bool], keras.Model], kind: str
) -> None:
    cut = cut_detector(detectors[kind, False])
    shapes = [cut.graph.shapes[value] for value in cut.maps]
    assert all(shape[1] > 1 for shape in shapes)
    head = cut.graph.needed(cut.maps, [cut.logit])
    assert not any(isinstance(step.operation, keras.layers.Conv2D) for step in head)
    assert len(cut.dense_layers) == {"frozen": 2, "scratch": 1, "tuned": 1}[kind]


@pytest.mark.parametrize("pooling", POOLINGS_OF_MAPS)
def test_what_places_add_makes_up_the_logit_of_a_linear_head(
    backbone: keras.Model, samples: Samples, pooling: str
) -> None:
    head = HeadConfig(pooling=pooling, features="last", units=0, batch_norm=False)
    cut = cut_detector(frozen(backbone, samples, head))
    logit, parts = map_evidence(cut, read_maps(cut, pictures(6)))
    rest = logit.numpy()[:, 0] - sum(part.numpy().sum(axis=(1, 2)) for part in parts)
    assert np.ptp(rest) < 0.02 * np.ptp(logit.numpy()) + 1e-3


def test_maxima_are_measured_from_what_is_typical(backbone: keras.Model, samples: Samples) -> None:
    head = HeadConfig(pooling="max2x2", features="last", units=0, batch_norm=False)
    cut = cut_detector(frozen(backbone, samples, head))
    _, parts = map_evidence(cut, read_maps(cut, pictures(16, 7)))
    added = sum(part.numpy().sum(axis=(1, 2)) for part in parts)
    assert abs(added.mean()) < 0.02 * np.abs(added).max()


def test_a_class_token_is_of_no_place() -> None:
    backbone = open_backbone(PRETRAINED["dinov3_small"], 80, Weights("random")).model
    arrays = feature_model(backbone)(pictures(8, 7, 80).astype(np.float32))
    samples = Samples(
        {name: array.numpy() for name, array in arrays.items()}, np.arange(8, dtype=np.uint8) % 2
    )
    shown = pictures(3, 0, 80)
    for pooling, varies in (("cls", False), ("cls+avg", True)):
        head = HeadConfig(pooling=pooling, features="last", units=0, batch_norm=False)
        model = frozen(backbone, samples, head)
        evidence = attribute(model, shown)
        assert (np.ptp(evidence, axis=(1, 2)) > 1e-4).any() == varies
        scores = model(shown.astype(np.float32)).numpy()[:, 0]
        found = 1 / (1 + np.exp(-evidence.mean(axis=(1, 2))))
        np.testing.assert_allclose(found, scores, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", PRETRAINED.values(), ids=list(PRETRAINED))
def test_every_backbone_is_cut_at_its_blocks(architecture: Architecture) -> None:
    backbone = open_backbone(architecture, 80, Weights("random")).model
    arrays = feature_model(backbone)(pictures(8, 7, 80).astype(np.float32))
    labels = (np.arange(8) % 2).astype(np.uint8)
    samples = Samples({name: array.numpy() for name, array in arrays.items()}, labels)
    head = HeadConfig(pooling="avg+std", features="all_blocks", units=0, batch_norm=False)
    model = frozen(backbone, samples, head)
    cut = cut_detector(model)
    assert sum(cut.are_levels) == len(backbone.outputs)
    assert [len(cut.graph.shapes[value]) for value in cut.maps].count(2) == sum(
        is_token(output) for output in backbone.outputs
    )
    shown = pictures(3, 0, 80)
    logits = attribute(model, shown).mean(axis=(1, 2))
    scores = model(shown.astype(np.float32)).numpy()[:, 0]
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), scores, atol=1e-3)


def planted(images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise; fakes have a bright patch in the upper left corner."""
    labels = (np.arange(images) % 2).astype(np.float32)
    pixels = pictures(images, seed, 32) // 2
    pixels[labels == 1, 2:12, 2:12] += 110
    return pixels, labels


def test_evidence_is_in_the_corner_that_alone_tells_as_occlusion_is() -> None:
    keras.utils.set_random_seed(0)
    network = ScratchNetwork(architecture_named("simple_cnn"), 32)
    head = HeadConfig(pooling="max", features="last", units=0, batch_norm=False, dropout=0.0)
    classifier = network.served(None, head, 1)
    classifier.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    classifier.optimizer.learning_rate = 3e-3
    pixels, labels = planted(64, 0)
    classifier.fit(pixels, labels[:, None], epochs=25, batch_size=16, verbose=0)
    model = network.complete(classifier, head, Calibration())
    shown, labels = planted(16, 1)
    logits = logits_of(model, shown)
    assert ((logits > 0) == labels).all()
    fakes = shown[labels == 1]
    corner = np.s_[:, :14, :14]
    evidence = attribute(model, fakes)
    above = np.maximum(evidence - np.median(evidence, axis=(1, 2), keepdims=True), 0)
    assert above[corner].sum() > 0.6 * above.sum()  # of a fifth of the picture
    hidden = fakes.copy()
    hidden[corner] = fakes[:, :14, 16:30]
    assert (logits_of(model, hidden) < 0).all()
    elsewhere = fakes.copy()
    elsewhere[:, 16:30, 16:30] = fakes[:, 16:30, :14]
    assert (logits_of(model, elsewhere) > 0).all()


def ended(pixels: Any, logit: Any) -> keras.Model:
    return keras.Model(pixels, probability(logit, Calibration()), name="tiny")


def test_rounding_to_float16_lets_steep_gradients_pass() -> None:
    pixels = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(pixels))
    rounded = to_float16(keras.ops.mean(maps, axis=(1, 2)))
    scale = keras.layers.Normalization(mean=[0.0] * 4, variance=[1e-12] * 4)
    logit = keras.layers.Dense(1)(scale(keras.ops.cast(rounded, "float32")))
    shown = tf.constant(pictures(2, size=8), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(shown)
        logits = keras.Model(pixels, logit)(shown)
    assert not np.isfinite(tape.gradient(logits, shown).numpy()).all(), "float16 holds them"
    evidence = attribute(ended(pixels, logit), pictures(2, size=8))
    assert np.isfinite(evidence).all()
    np.testing.assert_allclose(evidence.mean(axis=(1, 2)), logits.numpy()[:, 0], rtol=1e-4)


def test_a_last_map_of_one_place_leads_back_to_what_it_is_made_of() -> None:
    pixels = keras.Input((8, 8, 3))
    place = keras.layers.Conv2D(4, 8, activation="relu")(pixels)
    model = ended(pixels, keras.layers.Dense(1)(keras.layers.Flatten()(place)))
    assert cut_detector(model).maps == (0,)
    evidence = attribute(model, pictures(2, size=8))
    assert np.ptp(evidence) > 0


def test_a_head_without_weights_depends_on_nothing() -> None:
    pixels = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(pixels))
    model = ended(pixels, keras.layers.Dense(1, kernel_initializer="zeros")(pooled))
    assert attribute_and_check(model, pictures(2, size=8))[1] == 1.0


def test_a_model_without_a_logit_is_refused() -> None:
    pixels = keras.Input((8, 8, 3))
    model = keras.Model(pixels, keras.layers.Flatten()(pixels), name="other")
    with pytest.raises(ValueError, match="other does not end in 'probability_fake'"):
        attribute(model, pictures(1, size=8))

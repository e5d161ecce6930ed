"""One contract for every row of every table: it builds, has its width, learns, saves, loads."""

import json
from itertools import product
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import correlate

from fakeface_bench.backbones.building import (
    Backbone,
    NoBackbone,
    build_scratch_network,
    count_macs,
    open_backbone,
)
from fakeface_bench.backbones.catalogue import (
    ARCHITECTURES,
    HIGH_PASS_KERNELS,
    INPUTS,
    PREPROCESSINGS,
    Architecture,
    architecture_named,
)
from fakeface_bench.backbones.cut import SCALE_AND_SHIFT, cut_backbone
from fakeface_bench.backbones.fine_tuning import unfrozen_part
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.config import INPUTS as NAMES_OF_INPUTS
from fakeface_bench.config import HeadConfig
from fakeface_bench.data.catalogue import DATASETS
from fakeface_bench.evaluation.metrics import METRICS, score_metrics
from fakeface_bench.features.engine import graph_macs
from fakeface_bench.features.pooling import feature_model, is_token, layout_of
from fakeface_bench.features.samples import Samples
from fakeface_bench.support.errors import UsageError
from fakeface_bench.training.head import Calibration
from fakeface_bench.training.head_fit import HeadRows
from fakeface_bench.training.losses import LOSSES, Loss, accuracy_metric
from fakeface_bench.training.networks import (
    FrozenNetwork,
    Network,
    ScratchNetwork,
    TunedNetwork,
    detector_parts,
)
from fakeface_bench.training.poolings import (
    ACTIVATIONS,
    FEATURES,
    POOLINGS,
    POOLINGS_OF_MAPS,
    of_last_map,
)
from tests.backbones.small_rows import NOT_SLOW, QUICK, SIZE, SMALL, slow_but
from tests.backbones.small_rows import PRETRAINED as SMALL_PRETRAINED

PRETRAINED = list(SMALL_PRETRAINED.values())
LABELS_OF_SIX = (np.arange(6) % 2).astype(np.uint8)


def network_at(architecture: Architecture, size: int) -> keras.Model:
    if architecture.pretrained:
        return open_backbone(architecture, size, Weights("random")).model
    if architecture.scratch:
        return build_scratch_network(architecture, size, HeadConfig())
    return NoBackbone(size).model


def pixels(images: int, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (images, size, size, 3), dtype=np.uint8)


def samples_for(network: Network, images: int = 12) -> Samples:
    """Return what a split of noise pictures becomes for a network."""
    labels = (np.arange(images) % 2).astype(np.uint8)
    if isinstance(network, ScratchNetwork):
        return Samples({"images": pixels(images, network.image_size)}, labels)
    model = feature_model(network.backbone, residuals=network.residuals)
    outputs = model(pixels(images).astype(np.float32))
    return Samples({name: array.numpy() for name, array in outputs.items()}, labels)


def classifier_of(network: Network, samples: Samples, head: HeadConfig) -> keras.Model:
    """Return what is trained, untrained yet."""
    outputs = LOSSES[head.loss].outputs
    if isinstance(network, FrozenNetwork):
        return network.classifier(HeadRows(samples), head, outputs)
    return network.trainable(None, head, outputs, "float32")


@pytest.fixture(scope="module")
def frozen() -> FrozenNetwork:
    return FrozenNetwork(network_at(architecture_named("mobilenetv3_small"), SIZE), residuals=True)


@pytest.fixture(scope="module")
def transformer() -> FrozenNetwork:
    return FrozenNetwork(network_at(SMALL_PRETRAINED["dinov3_small"], SIZE), residuals=True)


@pytest.fixture(scope="module")
def scratch() -> ScratchNetwork:
    return ScratchNetwork(architecture_named("simple_cnn_pool"), SIZE)


def assert_learns(network: Network, head: HeadConfig) -> None:
    """One step: the declared output width, a finite loss, finite gradients for every weight."""
    samples = samples_for(network)
    loss = LOSSES[head.loss]
    classifier = classifier_of(network, samples, head)
    x = samples.rows(np.arange(len(samples)), network.parts(head))
    y = samples.labels.astype(np.float32)[:, None]
    with tf.GradientTape() as tape:
        logits = classifier(x, training=True)
        value = loss.build()(y, logits)
    gradients = tape.gradient(value, classifier.trainable_variables)
    assert logits.shape == (len(samples), loss.outputs)
    assert np.isfinite(float(value))
    assert len(gradients) == len(classifier.trainable_variables) > 0
    assert all(np.isfinite(gradient.numpy()).all() for gradient in gradients)
    assert any(np.abs(gradient.numpy()).max() > 0 for gradient in gradients)


def test_every_input_can_be_asked_for() -> None:
    assert tuple(INPUTS) == NAMES_OF_INPUTS


def test_keys_and_aliases_name_one_row_each() -> None:
    names = [name for row in ARCHITECTURES for name in (row.key, *row.aliases)]
    assert len(names) == len(set(names))
    assert architecture_named("mobilenetv3").key == "mobilenetv3_large"


@slow_but(NOT_SLOW, ARCHITECTURES)
def test_architecture_states_its_true_size(architecture: Architecture) -> None:
    network = network_at(architecture, architecture.image_size)
    assert network.count_params() == architecture.parameters
    maps = len(architecture.blocks or architecture.filters) + bool(architecture.blocks)
    assert len([x for x in network.outputs if not is_token(x)]) == max(maps, 1)
    if architecture.key == "residual":
        network = feature_model(network, residuals=True)
    macs = graph_macs(network) if architecture.preset else count_macs(network)
    assert round(macs / 1e6) == architecture.mmacs


@pytest.mark.parametrize("key", ["mobilenetv3_small", "densenet121", "simple_cnn", "vgg16"])
def test_both_ways_of_counting_multiplications_agree(key: str) -> None:
    network = network_at(architecture_named(key), SIZE)
    assert graph_macs(network) == count_macs(network) > 0


@slow_but(NOT_SLOW, SMALL)
def test_architecture_sees_the_range_it_was_made_for(architecture: Architecture) -> None:
    row = PREPROCESSINGS[architecture.preprocessing]
    seen = keras.Input((4, 4, 3))
    changes = architecture.preprocessing != "inside"
    model = keras.Model(seen, row.apply(seen)) if changes else None
    for value, expected in ((0.0, row.black), (255.0, row.white)):
        picture = np.full((1, 4, 4, 3), value, np.float32)
        prepared = picture if model is None else model(picture).numpy()
        np.testing.assert_allclose(prepared, np.broadcast_to(expected, (1, 4, 4, 3)), atol=1e-4)


def assert_has_what_a_study_needs(backbone: Backbone, architecture: Architecture) -> None:
    """Its size, its maps, what it is known by, its weights by value, and where it can be cut."""
    assert backbone.image_size == SIZE
    assert backbone.model.inputs[0].shape == (None, SIZE, SIZE, 3)
    assert not backbone.model.trainable_weights
    named = json.loads(json.dumps(backbone.identity))
    assert named["architecture"] == architecture.key
    assert named["image_size"] == SIZE
    assert named["channels"] == [block.shape[-1] for block in backbone.model.outputs]
    assert backbone.identity == backbone.identity
    values, held = list(backbone.values()), backbone.model.get_weights()
    assert sum(value.size for value in values) >= architecture.parameters
    for value, weight in zip(values, held, strict=True):
        np.testing.assert_array_equal(value, weight)
    unfrozen = unfrozen_part("last_block", architecture)
    cut = backbone.cut(unfrozen)
    assert cut.below is not None
    assert 0 < cut.lower_blocks < len(backbone.model.outputs)
    assert cut.trained
    assert cut.position == backbone.cut(unfrozen).position
    assert backbone.cut(unfrozen_part("all", architecture)).below is None
    with pytest.raises(UsageError, match="not 9999"):
        backbone.cut(unfrozen_part("9999", architecture))


@slow_but(NOT_SLOW, PRETRAINED)
def test_backbone_gives_features_of_every_block(architecture: Architecture) -> None:
    backbone = open_backbone(architecture, SIZE, Weights("random"))
    assert_has_what_a_study_needs(backbone, architecture)
    layout = layout_of(backbone.model.outputs)
    outputs = feature_model(backbone.model)(pixels(2).astype(np.float32))
    pooled = outputs["pooled"].numpy()
    assert pooled.dtype == np.float16
    assert pooled.shape == (2, layout.pooled_width)
    assert np.isfinite(pooled).all()
    for columns in layout.columns(True, ["std", "cls"]):
        assert 1e-3 < np.abs(pooled[:, columns].astype(np.float32)).max() < 1e3, "a block vanished"
    assert ("max2x2" in outputs) == (layout.max2x2_width > 0)


@slow_but({*QUICK, "residual", "simple_cnn", "vgg16"}, SMALL)
def test_detector_saves_and_loads_to_equal_predictions(
    architecture: Architecture, tmp_path: Path
) -> None:
    network: Network = ScratchNetwork(architecture, SIZE)
    if architecture.pretrained:
        network = FrozenNetwork(network_at(architecture, SIZE))
    elif not architecture.scratch:
        network = FrozenNetwork(network_at(architecture, SIZE), residuals=True, maps=False)
    head = HeadConfig(features=network.features[-1], units=8, batch_norm=True)
    if isinstance(network, ScratchNetwork):
        classifier = network.served(None, head, 1)
    else:
        classifier = classifier_of(network, samples_for(network, 4), head)
    detector = network.complete(classifier, head, Calibration(2.0, -0.5))
    detector.save(tmp_path / "detector.keras")
    loaded = keras.saving.load_model(tmp_path / "detector.keras", safe_mode=True)
    expected = detector(pixels(3)).numpy()
    assert expected.shape == (3, 1)
    assert ((expected >= 0) & (expected <= 1)).all()
    np.testing.assert_array_equal(loaded(pixels(3)).numpy(), expected)
    parts = detector_parts(loaded)
    assert (parts is not None) == isinstance(network, FrozenNetwork)
    if parts is not None:
        arrays = parts.features(pixels(3))
        assert set(arrays) == set(parts.names)
        whole = parts.head([arrays[name] for name in parts.names])
        np.testing.assert_array_equal(whole.numpy(), expected)


@slow_but(["mobilenetv3_small"], PRETRAINED)
def test_fit_leaves_every_value_of_the_backbone_as_it_was(architecture: Architecture) -> None:
    backbone = network_at(architecture, SIZE)
    before = [value.copy() for value in backbone.get_weights()]
    network = FrozenNetwork(backbone)
    classifier = network.classifier(HeadRows(samples_for(network, 4)), HeadConfig(), 1)
    detector = network.complete(classifier, HeadConfig(), Calibration())
    detector.compile(optimizer="adam", loss="binary_crossentropy")
    head_before = classifier.get_weights()
    detector.fit(pixels(4), np.array([0, 1, 0, 1]), epochs=2, verbose=0)
    for value, kept in zip(backbone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)
    assert any(
        (a != b).any() for a, b in zip(classifier.get_weights(), head_before, strict=True)
    ), "nothing was trained"


@slow_but(QUICK, PRETRAINED)
def test_last_block_trains_on_the_cached_map_and_its_detector_saves_and_loads(
    architecture: Architecture, tmp_path: Path
) -> None:
    backbone = network_at(architecture, SIZE)
    cut = cut_backbone(backbone, architecture, unfrozen_part("last_block", architecture))
    network = TunedNetwork(cut, everything=False)
    pictures = pixels(6)
    arrays = feature_model(backbone, cut)(pictures.astype(np.float32), training=False)
    samples = Samples({name: array.numpy() for name, array in arrays.items()}, LABELS_OF_SIX)
    head = HeadConfig(learning_rate=1e-3)
    model = network.trainable(None, head, 1, "float32")
    before = {weight.path: weight.numpy() for weight in model.weights}
    model.compile(optimizer="adam", loss=LOSSES[head.loss].build())
    rows = samples.rows(np.arange(6), network.parts(head))
    assert np.isfinite(model.train_on_batch(rows, LABELS_OF_SIX.astype(np.float32)))
    assert np.isfinite(model.train_on_batch(rows, LABELS_OF_SIX.astype(np.float32)))
    moved = {w.path for w in model.weights if (w.numpy() != before[w.path]).any()}
    assert moved <= {w.path for w in model.trainable_weights}, "what is frozen has moved"
    assert not any("moving" in path for path in moved)
    assert len(moved) > 2, "the head alone was trained"

    detector = network.complete(model, head, Calibration())
    logits = np.asarray(model(rows, training=False))
    scores = detector(pictures.astype(np.float32)).numpy()
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), atol=5e-3)
    detector.save(tmp_path / "detector.keras")
    loaded = keras.saving.load_model(tmp_path / "detector.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(pictures.astype(np.float32)).numpy(), scores)
    assert detector_parts(loaded) is None, "what lies above the cut was trained"


#: Rows with normalisation layers that have a scale and a shift.
NORMALISED = [row for row in PRETRAINED if not row.key.startswith("vgg")]


@slow_but([], NORMALISED)
def test_norms_alone_are_trained_and_their_statistics_stay(
    architecture: Architecture, tmp_path: Path
) -> None:
    backbone = network_at(architecture, SIZE)
    cut = cut_backbone(backbone, architecture, unfrozen_part("norms", architecture))
    network = TunedNetwork(cut, everything=True)
    pictures = pixels(6).astype(np.float32)
    head = HeadConfig(dropout=0.0)
    model = network.trainable(None, head, 1, "float32")
    before = {weight.path: weight.numpy() for weight in model.weights}
    model.compile(optimizer=keras.optimizers.Adam(1e-6), loss=LOSSES[head.loss].build())
    for _ in range(2):
        model.train_on_batch(pictures, LABELS_OF_SIX.astype(np.float32))
    moved = {w.path for w in model.weights if (w.numpy() != before[w.path]).any()}
    under_the_head = {path for path in moved if "logits" not in path}
    assert len(under_the_head) > 4
    assert {path.rpartition("/")[2] for path in under_the_head} <= set(SCALE_AND_SHIFT)
    logits = np.asarray(model(pictures, training=False))
    np.testing.assert_allclose(np.asarray(model(pictures, training=True)), logits, rtol=1e-5)
    served = network.served(None, head, 1)
    served.set_weights(model.get_weights())
    detector = network.complete(served, head, Calibration())
    detector.save(tmp_path / "detector.keras")
    loaded = keras.saving.load_model(tmp_path / "detector.keras", safe_mode=True)
    np.testing.assert_allclose(loaded(pictures).numpy(), 1 / (1 + np.exp(-logits)), atol=1e-5)


@pytest.mark.parametrize("key", ["vgg16", "vgg19"])
def test_a_network_without_normalisation_says_so(key: str) -> None:
    architecture = architecture_named(key)
    with pytest.raises(UsageError, match=f"{key} has no normalisation layers; name other layers"):
        cut_backbone(
            network_at(architecture, SIZE), architecture, unfrozen_part("norms", architecture)
        )


def read_by(key: str, pictures: np.ndarray) -> np.ndarray:
    """Return what a network from scratch reads of pictures, by a key of `INPUTS`."""
    entry = keras.Input(pictures.shape[1:])
    layer = INPUTS[key]
    assert layer is not None
    return np.asarray(keras.Model(entry, layer(entry))(pictures.astype(np.float32)))


@pytest.mark.parametrize("key", [key for key, layer in INPUTS.items() if layer])
def test_input_sees_no_even_surface_and_has_the_right_size(key: str) -> None:
    even = np.broadcast_to(np.array([10, 100, 250], np.uint8), (1, 33, 33, 3))
    assert not read_by(key, even).any()
    grain = np.random.default_rng(0).normal(100, 5, (2, 64, 64, 3)).astype(np.uint8)
    assert 0.3 < read_by(key, grain).std() < 3, "near 1, as a network is to be fed"


def test_residual_input_is_each_kernel_over_each_channel() -> None:
    pictures = pixels(1)
    expected = [
        correlate(pictures[0, :, :, channel].astype(np.float64), np.array(kernel), mode="constant")
        for channel in range(3)
        for kernel in HIGH_PASS_KERNELS
    ]
    inner = np.clip(np.stack(expected, axis=-1), -8, 8)[1:-1, 1:-1] / 4
    np.testing.assert_allclose(read_by("residual", pictures)[0], inner, atol=1e-4)
    assert np.array(HIGH_PASS_KERNELS).sum(axis=(1, 2)).tolist() == [0.0] * 3


def test_npr_of_a_doubled_picture_is_nothing() -> None:
    doubled = pixels(1).repeat(2, axis=1).repeat(2, axis=2)
    assert not read_by("npr", doubled).any()
    assert read_by("npr", doubled[:, 1:, 1:]).any()


@pytest.mark.parametrize("key", INPUTS)
@pytest.mark.parametrize(
    "model", ["simple_cnn", pytest.param("simple_cnn_pool", marks=pytest.mark.slow)]
)
def test_input_is_part_of_the_saved_detector_and_is_not_trained(
    model: str, key: str, tmp_path: Path
) -> None:
    network = ScratchNetwork(architecture_named(model), SIZE, key)
    head = HeadConfig(batch_norm=True)
    trained = network.trainable(None, head, 1, "float32")
    trained.compile(optimizer="adam", loss=LOSSES[head.loss].build())
    fixed = [w.numpy() for w in trained.weights if "high_pass" in w.path]
    trained.train_on_batch(pixels(6).astype(np.float32), LABELS_OF_SIX.astype(np.float32))
    for now, before in zip(
        [w.numpy() for w in trained.weights if "high_pass" in w.path], fixed, strict=True
    ):
        np.testing.assert_array_equal(now, before)
    served = network.served(None, head, 1)
    served.set_weights(trained.get_weights())
    detector = network.complete(served, head, Calibration())
    detector.save(tmp_path / "detector.keras")
    loaded = keras.saving.load_model(tmp_path / "detector.keras", safe_mode=True)
    scores = loaded(pixels(3)).numpy()
    np.testing.assert_array_equal(scores, detector(pixels(3)).numpy())
    logits = np.asarray(trained(pixels(3).astype(np.float32), training=False))
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["frozen", "scratch"])
def test_loss_learns(loss: str, kind: str, request: pytest.FixtureRequest) -> None:
    assert_learns(request.getfixturevalue(kind), HeadConfig(loss=loss))


@pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
def test_loss_prefers_the_right_side_and_accuracy_counts_it(loss: Loss) -> None:
    y = np.array([[0.0], [1.0]], np.float32)
    right = np.array([[-2.0], [2.0]], np.float32)
    if loss.outputs == 2:
        right = np.concatenate([-right, right], axis=1)
    assert float(loss.build()(y, right)) < float(loss.build()(y, -right))
    metric = accuracy_metric(loss)
    metric.update_state(y, right)
    assert float(metric.result()) == 1.0


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize(
    ("kind", "pooling"),
    [
        *product(["frozen", "scratch"], POOLINGS_OF_MAPS),
        *product(["transformer"], [key for key in POOLINGS if not POOLINGS[key].last_only]),
    ],
)
def test_pooling_learns(
    features: str, pooling: str, kind: str, request: pytest.FixtureRequest
) -> None:
    assert pooling in request.getfixturevalue(kind).poolings
    if POOLINGS[pooling].last_only:
        features = of_last_map(features)
    head = HeadConfig(features=features, pooling=pooling)
    assert_learns(request.getfixturevalue(kind), head)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("kind", ["frozen", "scratch"])
def test_activation_and_batch_norm_learn(
    activation: str, batch_norm: bool, kind: str, request: pytest.FixtureRequest
) -> None:
    head = HeadConfig(units=16, activation=activation, batch_norm=batch_norm)
    assert_learns(request.getfixturevalue(kind), head)


@pytest.mark.parametrize("key", METRICS)
def test_metric_prefers_the_better_scores(key: str) -> None:
    y_true = (np.arange(400) % 2).astype(np.uint8)
    good = np.where(y_true == 1, 0.9, 0.1) + np.random.default_rng(0).uniform(-0.09, 0.09, 400)
    poor = np.random.default_rng(1).permutation(good)
    better = score_metrics(y_true, good, 0.5)[key] - score_metrics(y_true, poor, 0.5)[key]
    assert better > 0 if METRICS[key].greater_is_better else better < 0


def test_datasets_have_one_row_a_key() -> None:
    keys = [row.key for row in DATASETS]
    assert len(keys) == len(set(keys))
    assert all(row.title and row.images > 0 for row in DATASETS)

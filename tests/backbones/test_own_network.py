"""A user's own network: what is found of its file, what is built of it, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from fakeface_bench.backbones.building import count_macs, count_parameters, open_backbone
from fakeface_bench.backbones.catalogue import Architecture
from fakeface_bench.backbones.cut import CutBackbone
from fakeface_bench.backbones.fine_tuning import unfrozen_part
from fakeface_bench.backbones.network_file import network_named
from fakeface_bench.backbones.own_network import natural_noise
from fakeface_bench.backbones.weights import check_weights_spec, resolve_weights
from fakeface_bench.config import HeadConfig, StudyConfig
from fakeface_bench.features.engine import FrozenGraph
from fakeface_bench.features.engines import open_engine
from fakeface_bench.features.pooling import feature_model
from fakeface_bench.resolve import checked
from fakeface_bench.serving.classifier import (
    ONNX_RUNTIME,
    DetectorFacts,
    FaceClassifier,
    write_detector,
)
from fakeface_bench.support.errors import UsageError
from fakeface_bench.training.head import Calibration
from fakeface_bench.training.networks import FrozenNetwork
from tests.backbones.own_files import (
    SIDE,
    branched,
    channels_first,
    described,
    exported,
    saved,
    values_of,
    within_another,
)
from tests.test_contracts import assert_has_what_a_study_needs, classifier_of, samples_for

WEIGHTS = Path(__file__).parents[3] / "shared" / "weights"


def pictures(images: int = 3, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (images, side, side, 3), dtype=np.uint8)


def opened(path: Path, side: int = 0, weights: str = "auto") -> tuple[Architecture, object]:
    architecture = network_named(str(path))
    check_weights_spec(weights, architecture)
    chosen = resolve_weights(weights, architecture, seed=3)
    return architecture, open_backbone(architecture, side or architecture.image_size, chosen)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of each kind, by what it is."""
    folder = tmp_path_factory.mktemp("networks")
    model = branched()
    torch = channels_first(folder / "torch.onnx")
    return {
        "keras": saved(model, folder / "branched.keras"),
        "nested": saved(within_another(), folder / "nested.keras"),
        "onnx": exported(model, folder / "branched.onnx"),
        "onnx, channels first": described(torch, "pixels: [0, 1]"),
    }


KINDS = ("keras", "nested", "onnx", "onnx, channels first")


# What is found


def test_blocks_end_where_branches_join(files: dict[str, Path]) -> None:
    row, backbone = opened(files["keras"])
    assert (row.key, row.blocks, row.image_size) == ("branched.keras", ("joined", "added"), SIDE)
    assert row.file is not None
    assert row.file.last == "end"
    model = branched()
    tapped = keras.Model(model.input, [model.get_layer(n).output for n in (*row.blocks, "end")])
    for found, expected in zip(backbone.model(pictures()), tapped(pictures()), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_joins_blocks_end_before_each_stride(files: dict[str, Path]) -> None:
    row, _ = opened(files["onnx, channels first"])
    assert (row.blocks, row.file.last) == (("first",), "second")


def test_a_network_within_another_is_taken_apart(files: dict[str, Path]) -> None:
    row, backbone = opened(files["nested"])
    assert (row.blocks, row.file.last) == (("joined", "added"), "end")
    inner = branched(rescaling=False, top=False)  # of the same seed
    expected = inner(pictures().astype(np.float32) / 255)
    np.testing.assert_allclose(backbone.model(pictures())[-1], expected, atol=1e-5)


def test_a_convolution_that_classifies_is_no_feature(tmp_path: Path) -> None:
    layers = keras.layers
    inner = branched(top=False)
    x = layers.Conv2D(5, 1, name="classes")(inner.output)
    x = layers.Softmax()(layers.GlobalAveragePooling2D()(x))
    row = network_named(str(saved(keras.Model(inner.input, x), tmp_path / "fully.keras")))
    assert row.file is not None
    assert row.file.last == "end"


def test_the_same_network_of_both_kinds_gives_the_same_features(files: dict[str, Path]) -> None:
    rows = [opened(files[kind]) for kind in ("keras", "onnx")]
    keras_features, onnx_features = (
        feature_model(backbone.model)(pictures().astype(np.float32)) for _, backbone in rows
    )
    assert len(rows[1][0].blocks) == len(rows[0][0].blocks)
    for name, expected in keras_features.items():
        found = np.asarray(onnx_features[name], np.float32)
        np.testing.assert_allclose(found, np.asarray(expected, np.float32), atol=2e-3)
    by_runtime = [
        open_engine("onnxruntime", feature_model(backbone.model), 1)(pictures())
        for _, backbone in rows
    ]
    for name, expected in by_runtime[0].items():
        found = by_runtime[1][name].astype(np.float32)
        np.testing.assert_allclose(found, expected.astype(np.float32), atol=1e-3)
    of_keras, of_onnx = rows
    folded = 92  # of BatchNormalization, which the export puts into the convolution before it
    assert count_parameters(of_onnx[1].model) == count_parameters(of_keras[1].model) - folded
    assert count_macs(of_onnx[1].model) == count_macs(of_keras[1].model)


def test_channels_first_is_turned(files: dict[str, Path]) -> None:
    path = files["onnx, channels first"]
    _, backbone = opened(path)
    (first, second) = backbone.model(pictures())
    assert first.shape == (3, SIDE // 2, SIDE // 2, 6)
    kernel = values_of(path)["stem.weight"].transpose(2, 3, 1, 0)
    padded = np.pad(pictures().astype(np.float32) / 255, [(0, 0), (1, 1), (1, 1), (0, 0)])
    expected = keras.ops.relu(keras.ops.conv(padded, kernel, strides=2, padding="valid"))
    np.testing.assert_allclose(first, expected, atol=1e-4)
    assert second.shape[-1] == 10


@pytest.mark.parametrize(
    ("black", "white"), [(0.0, 255.0), (0.0, 1.0), (-1.0, 1.0)], ids=["0-255", "0-1", "-1-1"]
)
def test_statistics_tell_the_range(black: float, white: float, tmp_path: Path) -> None:
    """Those of pictures of another kind than what is probed with: soft blobs of colours."""
    model = branched(rescaling=False)
    draw = np.random.default_rng(5)
    coarse = draw.uniform(0, 1, (32, 5, 5, 3)).repeat(SIDE // 5, 1).repeat(SIDE // 5, 2)
    shown = (black + (white - black) * coarse).astype(np.float32)
    stem = keras.Model(model.input, model.get_layer("stem").output)
    values = np.asarray(stem(shown))
    gamma, beta, *_ = model.get_layer("stem_bn").get_weights()
    moving = [values.mean(axis=(0, 1, 2)), values.var(axis=(0, 1, 2))]
    model.get_layer("stem_bn").set_weights([gamma, beta, *moving])
    _, backbone = opened(saved(model, tmp_path / "plain.keras"))
    assert backbone.preprocessing.black == (black,) * 3
    assert backbone.preprocessing.white == (white,) * 3
    assert "by the statistics of stem_bn" in backbone.said


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="needs weights of ImageNet in ../shared/weights")
def test_the_range_of_a_published_network_is_found(tmp_path: Path) -> None:
    """MobileNetV3 without its own Rescaling, which brings pixels to -1 to 1."""
    build = keras.applications.MobileNetV3Small
    options = {"include_top": False, "weights": None, "input_shape": (224, 224, 3)}
    model = build(**options, include_preprocessing=False)
    whole = build(**options)
    whole.load_weights(WEIGHTS / "mobilenetv3_small_imagenet_notop.weights.h5")
    model.set_weights(whole.get_weights())
    _, backbone = opened(saved(model, tmp_path / "mobilenet.keras"))
    assert (backbone.preprocessing.black, backbone.preprocessing.white) == ((-1.0,) * 3, (1.0,) * 3)


def test_untrained_statistics_tell_nothing(tmp_path: Path) -> None:
    path = saved(branched(rescaling=False), tmp_path / "fresh.keras")
    with pytest.raises(UsageError, match=r"stem_bn fit no usual range .* into fresh.yaml beside"):
        opened(path)


def test_noise_is_as_natural_pictures_are() -> None:
    noise = natural_noise(64)
    assert noise.shape == (16, 64, 64, 3)
    assert noise.mean() == pytest.approx(0.45, abs=0.03)
    assert 0.15 < noise.std() < 0.25
    fine, coarse = np.diff(noise, axis=1).std(), noise.std()
    assert fine < 0.8 * coarse, "neighbours are alike: of white noise it is 1.4"


# What is stated


def test_a_description_states_range_order_and_blocks(tmp_path: Path) -> None:
    path = saved(branched(rescaling=False), tmp_path / "own.keras")
    described(path, "pixels: [[-1, -2, -3], [1, 2, 3]]", "channels: bgr", "blocks: [stem_relu]")
    row, backbone = opened(path)
    assert (row.blocks, row.file.last) == (("stem_relu",), "end")
    model = branched(rescaling=False)
    prepared = (pictures()[..., ::-1].astype(np.float32) / 127.5 - 1) * [1, 2, 3]
    tapped = keras.Model(model.input, model.get_layer("stem_relu").output)
    np.testing.assert_allclose(backbone.model(pictures())[0], tapped(prepared), atol=1e-5)
    assert backbone.said.startswith("own.keras: 80 px, BGR, pixels (-1.0, -2.0, -3.0) to (1.0, 2")


def test_what_is_stated_is_part_of_what_a_study_goes_by(tmp_path: Path) -> None:
    path = saved(branched(), tmp_path / "own.keras")
    found = [network_named(str(path)).file.digest]
    for line in ("pixels: [0, 1]", "channels: bgr", "blocks: [joined]", "last: added"):
        described(path, line)
        found.append(network_named(str(path)).file.digest)
    assert len(set(found)) == 5


def test_values_count_and_not_the_file(tmp_path: Path) -> None:
    model = branched()
    one, two = saved(model, tmp_path / "one.keras"), saved(model, tmp_path / "two.keras")
    assert network_named(str(one)).file.digest == network_named(str(two)).file.digest
    model.set_weights([value + 1 for value in model.get_weights()])
    saved(model, two)
    assert network_named(str(one)).file.digest != network_named(str(two)).file.digest


def test_a_side_that_a_file_leaves_open_is_asked_for(tmp_path: Path) -> None:
    path = saved(branched(side=None), tmp_path / "any.keras")
    with pytest.raises(UsageError, match=r"any.keras takes pictures of any side: say which, image"):
        checked(StudyConfig(model=str(path), data="synthetic"))
    _, backbone = opened(path, side=96)
    assert backbone.model.outputs[-1].shape == (None, 24, 24, 12)
    described(path, "image_size: 64")
    assert network_named(str(path)).image_size == 64


# The contract of every backbone


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_keras_file_is_a_backbone_like_any(files: dict[str, Path], kind: str) -> None:
    row, backbone = opened(files[kind])
    assert_has_what_a_study_needs(backbone, row)


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_finite_and_engines_agree(files: dict[str, Path], kind: str) -> None:
    row, backbone = opened(files[kind])
    model = feature_model(backbone.model)
    expected = {name: np.asarray(x) for name, x in model(pictures().astype(np.float32)).items()}
    engines = {"tensorflow": FrozenGraph(model, 2)}
    if row.onnx:
        engines["onnxruntime"] = open_engine("onnxruntime", model, 2)
    for engine in engines.values():
        for name, rows in engine(pictures()).items():
            assert rows.dtype == np.float16
            assert np.isfinite(rows).all()
            np.testing.assert_allclose(
                rows.astype(np.float32), expected[name].astype(np.float32), atol=2e-3
            )


@pytest.mark.parametrize("kind", KINDS)
def test_a_detector_is_served_from_its_files_alone(
    files: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    row, backbone = opened(files[kind])
    network = FrozenNetwork(backbone.model)
    head = HeadConfig(units=4)
    classifier = classifier_of(network, samples_for(network, 4), head)
    detector = network.complete(classifier, head, Calibration())
    expected = np.asarray(detector(pictures().astype(np.float32)))[:, 0]
    library = ONNX_RUNTIME if row.file.is_onnx else ""
    write_detector(detector, DetectorFacts(SIDE, "crop", 0.5, library=library), tmp_path)
    served = FaceClassifier.load(tmp_path, "1")
    np.testing.assert_allclose(served.probabilities(pictures()), expected, atol=1e-5)


def test_its_last_block_is_trained_on_the_map_below(files: dict[str, Path]) -> None:
    row, backbone = opened(files["keras"])
    cut = backbone.cut(unfrozen_part("last_block", row))
    assert isinstance(cut, CutBackbone)
    assert cut.label == "added"
    assert "end" in cut.trained
    assert backbone.cut(unfrozen_part("norms", row)).norms


def test_random_values_are_drawn_by_the_seed(files: dict[str, Path]) -> None:
    _, backbone = opened(files["keras"], weights="random")
    _, again = opened(files["keras"], weights="random")
    _, held = opened(files["keras"])
    same, other = (
        all((a == b).all() for a, b in zip(backbone.values(), each.values(), strict=True))
        for each in (again, held)
    )
    assert same
    assert not other


# Refused


@keras.saving.register_keras_serializable("theirs")
class Doubled(keras.layers.Layer):
    def call(self, x: object) -> object:
        return x * 2


def two_inputs() -> keras.Model:
    entries = [keras.Input((SIDE, SIDE, 3), name=name) for name in ("one", "two")]
    return keras.Model(entries, keras.layers.Add()(entries))


def on_pixels(layer: keras.layers.Layer, shape: tuple[int, ...] = (SIDE, SIDE, 3)) -> keras.Model:
    entry = keras.Input(shape)
    return keras.Model(entry, layer(entry))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: on_pixels(keras.layers.Lambda(lambda x: x)), r"holds a Lambda layer .*, which c"),
        (lambda: on_pixels(Doubled()), r"its Doubled \(.*\) is no layer of Keras, and its code"),
        (two_inputs, r"it has several inputs; save a model of one"),
        (lambda: on_pixels(keras.layers.Conv2D(4, 3), (32, 32, 1)), r"input is \(None, 32, 32, 1"),
        (lambda: on_pixels(keras.layers.Conv2D(4, 3), (32, 48, 3)), r"square pictures of three"),
        (lambda: on_pixels(keras.layers.Flatten()), r"it has no map, of which features could be"),
        (
            lambda: on_pixels(keras.layers.Conv2D(4, 3)),
            r"nothing in it tells what pixels become .* into own.yaml, such as 'pixels: \[0, 1\]'",
        ),
    ],
)
def test_a_keras_file_that_cannot_be_used_says_why(
    build: Callable[[], keras.Model], message: str, tmp_path: Path
) -> None:
    path = saved(build(), tmp_path / "own.keras")
    with pytest.raises(UsageError, match=message):
        network_named(str(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"side": "height"}, None),
        ({"opset": 99}, r"ONNX Runtime 1\.\d+\.\d+ cannot run it \(opset 99\): .* another opset"),
        ({"images": 7}, r"its input takes 7 images at once; export it with a dynamic number"),
        ({}, r"nothing in it tells what pixels become"),
    ],
)
def test_an_onnx_file_that_cannot_be_used_says_why(
    options: dict[str, object], message: str | None, tmp_path: Path
) -> None:
    path = channels_first(tmp_path / "own.onnx", **options)
    if message is None:  # any side
        described(path, "pixels: [0, 1]")
        with pytest.raises(UsageError, match=r"own.onnx takes pictures of any side: say which"):
            checked(StudyConfig(model=f"onnx:{path}", data="synthetic"))
        return
    with pytest.raises(UsageError, match=message):
        network_named(f"onnx:{path}")


def test_an_onnx_file_of_an_unknown_input_says_so(tmp_path: Path) -> None:
    path = channels_first(tmp_path / "own.onnx")
    model = onnx.load(str(path))
    model.graph.input[0].type.tensor_type.ClearField("shape")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UsageError, match=r"its input takes nothing known images at once; export"):
        network_named(str(path))


def test_what_scales_pixels_in_an_onnx_file_is_found(tmp_path: Path) -> None:
    path = channels_first(tmp_path / "own.onnx", normalises=True)
    row, backbone = opened(path)
    assert "0 to 255 (for it begins with scaled)" in backbone.said
    assert row.blocks == ("first",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pixel: [0, 1]", r"own.yaml states 'pixel'; it may state image_size, pixels, channels"),
        ("pixels: 1", r"own.yaml: pixels 1 is not what 0 and 255 become: two numbers, such as"),
        ("channels: grb", r"own.yaml: channels 'grb' is neither rgb nor bgr"),
        ("image_size: 96", r"own.yaml: image_size 96 is not what the file takes, 80 px"),
        ("blocks: [nowhere]", r"own.yaml: blocks \['nowhere'\] is no layer of it"),
        ("blocks: [side_1]", r"gives no map from which alone the rest follows"),
        ("pixels: [0, 1", r"own.yaml cannot be read: "),
        ("[1]", r"own.yaml states nothing: lines such as"),
    ],
)
def test_a_description_with_a_mistake_names_it(line: str, message: str, tmp_path: Path) -> None:
    path = described(saved(branched(), tmp_path / "own.keras"), line)
    with pytest.raises(UsageError, match=message):
        network_named(str(path))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.keras", r"model 'nowhere.keras' cannot be read: No such file or directory\."),
        ("onnx:net.keras", r"model 'onnx:net.keras' names no ONNX file: onnx:NAME.onnx"),
        ("folder/net", r"is no network that can be read: a file that Keras's model.save"),
        ("mobilenetv4", r"no architecture 'mobilenetv4'; did you mean"),
    ],
)
def test_a_name_of_nothing_is_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        network_named(name)


def test_a_row_is_meant_by_its_name_whatever_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vgg16").mkdir()
    (tmp_path / "mobilenetv3").touch()
    assert network_named("vgg16").key == "vgg16"
    assert network_named("mobilenetv3").key == "mobilenetv3_large"
    for strange in ("~nobody-at-all/net.keras", "x" * 300 + ".keras"):
        with pytest.raises(UsageError, match=r"cannot be read: "):
            network_named(strange)


def test_a_file_that_is_no_model_says_so(tmp_path: Path) -> None:
    for name in ("own.keras", "own.onnx"):
        (tmp_path / name).write_text("nothing", encoding="utf-8")
    with pytest.raises(UsageError, match=r"it is no Keras model of one file \(File is not a zip"):
        network_named(str(tmp_path / "own.keras"))
    with pytest.raises(UsageError, match=r"it cannot be read as an ONNX model: "):
        network_named(str(tmp_path / "own.onnx"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fine_tune": "last_block"}, r"own.onnx is run by ONNX Runtime, which trains nothing"),
        ({"weights": "random"}, r"weights 'random' is nothing for own.onnx: ONNX Runtime runs"),
        ({"weights": "imagenet"}, r"is nothing for own.onnx, which brings its own: leave weigh"),
        ({"image_size": 96}, r"image_size 96 is not what own.onnx takes, 80 px: leave"),
    ],
)
def test_what_an_onnx_network_cannot_do_is_refused_at_once(
    options: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = described(channels_first(tmp_path / "own.onnx"), "pixels: [0, 1]")
    with pytest.raises(UsageError, match=message):
        checked(StudyConfig(model=str(path), data="synthetic", **options))

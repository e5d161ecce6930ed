"""Foundation models of keras-hub: what is read of them is what keras-hub's own classes compute."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
import pytest

from fakeface_bench.backbones import presets
from fakeface_bench.backbones.building import FoundationBackbone, build_foundation
from fakeface_bench.backbones.catalogue import (
    ARCHITECTURES,
    PREPROCESSINGS,
    Architecture,
    architecture_named,
)
from fakeface_bench.backbones.foundation import build_network, laid_open
from fakeface_bench.backbones.presets import FAMILIES, is_cached, preset_of
from fakeface_bench.backbones.weights import (
    Weights,
    check_weights_spec,
    resolve_weights,
    weights_may_be_had,
)
from fakeface_bench.features.pooling import CLASS_TOKEN, feature_model, is_token, layout_of
from fakeface_bench.support.errors import UsageError, WeightsError
from tests.backbones.small_rows import FOUNDATION, SIZE, slow_but, small

#: In every run the one that has all that a transformer can have, and one without a class token.
BY_KEY = slow_but(["dinov2_small", "siglip2_base"], FOUNDATION.values())
DINOV2 = FOUNDATION["dinov2_small"]


def pictures(images: int = 2, size: int = SIZE) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (images, size, size, 3))
    return pixels.astype(np.float32)


def network_of(row: Architecture, size: int = SIZE) -> Any:
    keras.utils.set_random_seed(0)
    return build_network(preset_of(row), size)


def expected_outputs(network: Any, prepared: np.ndarray) -> list[np.ndarray]:
    """Return the tokens or maps after each quarter of keras-hub's own blocks, and the last."""
    if hasattr(network, "pyramid_outputs"):
        count = network.num_layers
        taps = [network.pyramid_outputs[f"stage{count * q // 4}"] for q in (1, 2, 3)]
        model = keras.Model(network.inputs[0], [*taps, network.outputs[0]])
        return [np.asarray(output) for output in model(prepared)]
    named = isinstance(network.input, dict)
    return [np.asarray(network({next(iter(network.input)): prepared} if named else prepared))]


@BY_KEY
def test_what_is_read_is_what_keras_hub_computes(architecture: Architecture) -> None:
    row = architecture
    network = network_of(row)
    prepared = np.random.default_rng(1).normal(size=(2, SIZE, SIZE, 3)).astype(np.float32)
    expected = expected_outputs(network, prepared)
    opened = laid_open(network, row)
    found = [np.asarray(output) for output in opened(prepared)]
    assert [is_token(x) for x in opened.outputs][-2:] == [row.key != "mobilenetv5", False]
    if row.key == "siglip2_base":  # of it keras-hub gives the summary alone
        np.testing.assert_array_equal(found[-2], expected[-1])
        return
    if row.key == "mobilenetv5":
        np.testing.assert_array_equal(found[-1], expected[-1])
        return
    before = 1 + getattr(network, "num_register_tokens", 0)
    per_block = [found[number : number + 2] for number in range(0, len(found), 2)]
    for (token, patches), tokens in zip(per_block[-len(expected) :], expected, strict=True):
        np.testing.assert_array_equal(token, tokens[:, 0])
        np.testing.assert_array_equal(patches.reshape(2, 25, 32), tokens[:, before:])


@BY_KEY
def test_features_are_of_each_quarter_of_the_depth(architecture: Architecture) -> None:
    row = architecture
    outputs = build_foundation(row, SIZE, Weights("random")).model.outputs
    layout = layout_of(outputs)
    assert sum(not token for token in layout.tokens) == len(row.blocks) + 1 == 4
    tokens = {"mobilenetv5": 0, "siglip2_base": 1}.get(row.key, 4)
    assert sum(layout.tokens) == tokens == len(layout.columns(True, [CLASS_TOKEN]))
    assert len(layout.columns(False, [CLASS_TOKEN, "avg"])) == 1 + (tokens > 0)
    kept = sum(
        width * (1 if token else 3)
        for width, token in zip(layout.channels, layout.tokens, strict=True)
    )
    assert layout.pooled_width == kept
    filled = np.zeros(kept)
    for columns in layout.columns(True, ["avg", "std", "max", CLASS_TOKEN]):
        filled[columns] += 1
    assert (filled == 1).all()


def test_the_configuration_of_mobilenetv5_is_that_of_the_published_one() -> None:
    from keras_hub.src.utils.timm.convert_mobilenetv5 import MODEL_CONFIGS

    published = dict(MODEL_CONFIGS["mobilenetv5_300m"])
    published |= published.pop("backbone")
    config = preset_of(architecture_named("mobilenetv5")).config
    usual = {"act_layer": "gelu", "use_msfa": True}
    assert published == {**config, **usual}


@pytest.mark.parametrize(
    "row", [row for row in ARCHITECTURES if row.preset], ids=lambda row: row.key
)
def test_every_row_names_a_preset_of_its_class(row: Architecture) -> None:
    preset = preset_of(row)
    published = getattr(keras_hub.models, FAMILIES[preset.family].preset).presets
    assert published[preset.name]["kaggle_handle"] == f"kaggle://{preset.handle}"
    assert row.licence


# A preset's folder


def saved(row: Architecture, folder: Path, size: int = SIZE) -> Any:
    network = network_of(row, size)
    network.save_to_preset(folder)
    return network


def opened_from(row: Architecture, folder: Path, size: int = SIZE) -> FoundationBackbone:
    check_weights_spec(str(folder), row)
    return build_foundation(row, size, resolve_weights(str(folder), row, seed=0))


@BY_KEY
def test_a_saved_preset_is_read_back_to_equal_features(
    architecture: Architecture, tmp_path: Path
) -> None:
    row = architecture
    network = saved(row, tmp_path / "preset")
    backbone = opened_from(row, tmp_path / "preset")
    features = feature_model(backbone.model)(pictures())["pooled"]
    whole = laid_open(network, row)
    preprocess = PREPROCESSINGS[row.preprocessing].apply
    entry = keras.Input((SIZE, SIZE, 3))
    same = keras.Model(entry, whole(preprocess(entry)))
    np.testing.assert_array_equal(
        np.asarray(features), np.asarray(feature_model(same)(pictures())["pooled"])
    )
    assert not backbone.model.trainable_weights


def test_a_preset_at_another_side_has_its_positions_interpolated(tmp_path: Path) -> None:
    saved(DINOV2, tmp_path / "preset")
    larger = opened_from(DINOV2, tmp_path / "preset", 112)
    assert larger.model.outputs[-1].shape == (None, 7, 7, 32)
    assert np.isfinite(np.asarray(larger.model(pictures(1, 112))[-1])).all()


def test_a_preset_of_one_side_says_so(tmp_path: Path) -> None:
    row = FOUNDATION["clip_vit_b16"]
    saved(row, tmp_path / "preset")
    with pytest.raises(UsageError, match="cannot take 96 px: its positions are for pictures of 80"):
        opened_from(row, tmp_path / "preset", 96)


def test_a_side_that_patches_do_not_fill_is_refused() -> None:
    with pytest.raises(UsageError, match="dinov2_small cannot take 90 px: its patches are of 16"):
        build_foundation(DINOV2, 90, Weights("random"))


def test_of_pictures_and_text_the_side_of_pictures_is_read(tmp_path: Path) -> None:
    row = FOUNDATION["clip_vit_b16"]
    vision = network_of(row)
    text = keras_hub.models.CLIPTextEncoder(50, 8, 32, 1, 2, 32, max_sequence_length=4)
    both = keras_hub.models.CLIPBackbone(vision, text, 16)
    both.save_to_preset(tmp_path / "both")
    found = np.asarray(opened_from(row, tmp_path / "both").model(pictures())[-1])
    vision.save_to_preset(tmp_path / "vision")
    alone = np.asarray(opened_from(row, tmp_path / "vision").model(pictures())[-1])
    np.testing.assert_array_equal(found, alone)


def test_scale_and_offset_are_those_of_the_preset(tmp_path: Path) -> None:
    network = saved(DINOV2, tmp_path / "preset")
    plain = opened_from(DINOV2, tmp_path / "preset")
    scale, offset = [0.01, 0.02, 0.03], [-1.0, 0.0, 0.5]
    converter = keras_hub.layers.DINOV2ImageConverter((224, 224), scale=scale, offset=offset)
    converter.save_to_preset(tmp_path / "preset")
    backbone = opened_from(DINOV2, tmp_path / "preset")
    shown = pictures()
    expected = laid_open(network, DINOV2)(shown * np.float32(scale) + np.float32(offset))[-1]
    np.testing.assert_allclose(np.asarray(backbone.model(shown)[-1]), expected, atol=1e-5)
    assert plain.identity != backbone.identity


def test_what_each_channel_becomes_is_part_of_what_a_cache_goes_by(tmp_path: Path) -> None:
    saved(DINOV2, tmp_path / "preset")
    found = []
    for scale in ([0.01, 0.02, 0.03], [0.01, 0.015, 0.03]):  # differing in the middle one alone
        converter = keras_hub.layers.DINOV2ImageConverter((224, 224), scale=scale, offset=-1.0)
        converter.save_to_preset(tmp_path / "preset")
        found.append(opened_from(DINOV2, tmp_path / "preset").identity)
    assert found[0] != found[1]


def test_a_label_follows_the_values(tmp_path: Path) -> None:
    network = saved(DINOV2, tmp_path / "one")
    network.save_to_preset(tmp_path / "same")
    first, same = (resolve_weights(str(tmp_path / n), DINOV2, 0) for n in ("one", "same"))
    assert first.label.startswith("file:")
    assert first.short_name == "one"
    network.set_weights([value + 1 for value in network.get_weights()])
    network.save_to_preset(tmp_path / "other")
    other = resolve_weights(str(tmp_path / "other"), DINOV2, 0)
    assert other.label != first.label
    assert same.path != first.path


# Refused


@pytest.mark.parametrize("spec", ["imagenet", "nowhere", __file__])
def test_what_no_preset_can_be_is_refused(spec: str) -> None:
    with pytest.raises(UsageError, match=r"is nothing that dinov2_small starts from; it is 'auto'"):
        check_weights_spec(spec, DINOV2)


def test_a_folder_that_is_no_preset_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no config.json and no model.weights.h5; save_to_preset"):
        check_weights_spec(str(tmp_path), DINOV2)
    (tmp_path / "config.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UsageError, match=r"it has no model.weights.h5"):
        check_weights_spec(str(tmp_path), DINOV2)
    (tmp_path / "model.weights.h5").touch()
    with pytest.raises(UsageError, match=r"it is a nothing known, or one of another size"):
        check_weights_spec(str(tmp_path), DINOV2)


def test_a_folder_of_another_family_or_size_is_refused(tmp_path: Path) -> None:
    saved(FOUNDATION["vit_base"], tmp_path / "vit")
    with pytest.raises(UsageError, match=r"is no dinov2_small: it is a ViTBackbone, or one of"):
        check_weights_spec(str(tmp_path / "vit"), DINOV2)
    config = {"class_name": "DINOV2Backbone", "config": dict(preset_of(BASE).config)}
    (tmp_path / "vit" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UsageError, match=r"it is a DINOV2Backbone; take model=dinov2_base\.$"):
        check_weights_spec(str(tmp_path / "vit"), DINOV2)


BASE = architecture_named("dinov2_base")


def test_a_damaged_preset_says_so(tmp_path: Path) -> None:
    saved(DINOV2, tmp_path / "preset")
    values = tmp_path / "preset" / "model.weights.h5"
    values.write_bytes(values.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"preset cannot be read as a preset of dinov2_small: "):
        opened_from(DINOV2, tmp_path / "preset")


def test_without_keras_hub_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"not installed: pip install 'fakeface_bench\[foundation"):
        check_weights_spec("auto", DINOV2)


# Where presets come from


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """kagglehub's cache, empty, and nobody's credentials."""
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "nobody"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    return tmp_path / "hub"


def ask(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    from kagglesdk import kaggle_env

    places = {kaggle_env.KaggleEnv.LOCAL: f"http://localhost:{port}"}
    monkeypatch.setattr(kaggle_env, "_env_to_endpoint", places)
    monkeypatch.setattr(presets, "PRESET_HOST", ("localhost", port))


@pytest.fixture
def nobody(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port where nothing listens."""
    with socket.create_server(("localhost", 0)) as listener:
        port = listener.getsockname()[1]
    ask(monkeypatch, port)


@contextmanager
def kaggle(folder: Path, monkeypatch: pytest.MonkeyPatch, refuse: int = 0) -> Iterator[list[str]]:
    """Serve the files of a folder as Kaggle serves a model's, and tell which were asked for."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            name = json.loads(body)["path"]
            asked.append(name)
            file = folder / name
            content = file.read_bytes() if file.is_file() else b""
            self.send_response(refuse or (200 if file.is_file() else 404))
            self.send_header("Content-Length", str(0 if refuse else len(content)))
            self.end_headers()
            if not refuse:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("localhost", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ask(monkeypatch, server.server_port)
        yield asked
        server.shutdown()


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A preset as Kaggle has it: its network, and what pictures go through."""
    saved(DINOV2, tmp_path / "published")
    converter = keras_hub.layers.DINOV2ImageConverter((SIZE, SIZE), scale=1 / 255, offset=-0.5)
    converter.save_to_preset(tmp_path / "published")
    return tmp_path / "published"


def test_a_preset_is_downloaded_once(
    published: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = preset_of(DINOV2)
    with kaggle(published, monkeypatch) as asked:
        assert not is_cached(preset)
        weights = resolve_weights("auto", DINOV2, seed=0)
        assert (weights.label, weights.warning) == ("pretrained", "")
        assert "model.weights.h5" in asked
        assert is_cached(preset)
        asked.clear()
        backbone = build_foundation(DINOV2, SIZE, weights)
        assert set(asked) <= {"preprocessor.json", "tokenizer.json"}, "what a preset may have"
    folder = hub / "models" / preset.handle
    assert (folder / "model.weights.h5").read_bytes() == (
        published / "model.weights.h5"
    ).read_bytes()
    same = opened_from(DINOV2, published)
    np.testing.assert_array_equal(
        np.asarray(backbone.model(pictures())[-1]), np.asarray(same.model(pictures())[-1])
    )
    assert backbone.preprocessing.white == pytest.approx((0.5, 0.5, 0.5))


def test_a_gated_preset_says_where_its_licence_is_accepted(
    published: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        kaggle(published, monkeypatch, refuse=403),
        pytest.raises(WeightsError, match=r"accept its licence \(Apache-2.0\) at https://www\.k"),
    ):
        build_foundation(DINOV2, SIZE, Weights("pretrained"))


@pytest.mark.usefixtures("nobody")
def test_without_a_host_auto_is_random_and_says_how_to_get_the_weights() -> None:
    assert not weights_may_be_had(DINOV2)
    weights = resolve_weights("auto", DINOV2, seed=3)
    assert (weights.label, weights.seed) == ("random", 3)
    assert weights.warning.startswith("The weights of dinov2_small are RANDOM: they are not cached")
    assert "from_preset('dinov2_small').save_to_preset(FOLDER)" in weights.warning


@pytest.mark.usefixtures("nobody")
def test_pretrained_that_cannot_be_had_is_an_error() -> None:
    weights = resolve_weights("pretrained", DINOV2, seed=0)
    assert weights.label == weights.identity == "pretrained"
    with pytest.raises(WeightsError, match=r"dinov2_small \(dinov2_small\) cannot be had: "):
        build_foundation(DINOV2, SIZE, weights)


def test_other_rows_import_nothing_of_keras_hub() -> None:
    code = (
        "import sys; from fakeface_bench.backbones.building import open_backbone;"
        "from fakeface_bench.backbones.catalogue import architecture_named;"
        "from fakeface_bench.backbones.weights import Weights;"
        "from fakeface_bench.study import run;"
        "row = architecture_named('mobilenetv3_small');"
        "open_backbone(row, 64, Weights('random')).model;"
        "print([m for m in sys.modules if m.startswith(('keras_hub', 'tensorflow_text'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_further_model_of_keras_hub_is_one_row() -> None:
    """DINOv2 with registers, of which the catalogue has none."""
    preset = preset_of(DINOV2)
    registers = replace(preset, config={**preset.config, "num_register_tokens": 4})
    row = replace(DINOV2, key="dinov2_registers", preset=registers)
    outputs = build_foundation(row, SIZE, Weights("random")).model.outputs
    assert [tuple(x.shape[1:]) for x in outputs[-2:]] == [(32,), (5, 5, 32)]


def test_small_rows_have_as_many_blocks_as_the_true_ones() -> None:
    for row in ARCHITECTURES:
        assert small(row).blocks == row.blocks

"""Weights by word and by file: what is chosen, what is refused, and what is said."""

import hashlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.applications import mobilenet_v3
from keras.src.backend import config as keras_config
from keras.src.legacy.saving import legacy_h5_format

from fakeface_bench.backbones import weights as under_test
from fakeface_bench.backbones.building import build_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import (
    Weights,
    check_weights_spec,
    imagenet_file,
    resolve_weights,
)
from fakeface_bench.support.errors import UsageError, WeightsError

SMALL = architecture_named("mobilenetv3_small")
LARGE = architecture_named("mobilenetv3_large")
SCRATCH = architecture_named("simple_cnn")
SIZE = 64
SHARED_WEIGHTS = (
    Path(__file__).resolve().parents[3]
    / "shared"
    / "weights"
    / "mobilenetv3_small_imagenet_notop.weights.h5"
)
needs_imagenet = pytest.mark.skipif(
    not SHARED_WEIGHTS.exists(), reason=f"needs {SHARED_WEIGHTS}, no part of the project"
)


def mobilenet(
    build: Callable[..., keras.Model] = keras.applications.MobileNetV3Small,
) -> keras.Model:
    return build(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))


def toy(units: int = 4) -> keras.Model:
    layers = [keras.Input((8,)), keras.layers.Dense(units, name="small_dense")]
    return keras.Sequential(layers)


def saved(model: keras.Model, folder: Path, name: str) -> Path:
    """Save weights as Keras 3 does, or where the name ends otherwise, as Keras 2 did."""
    path = folder / name
    if name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def load(path: Path) -> keras.Model:
    check_weights_spec(str(path), SMALL)
    return build_backbone(SMALL, SIZE, resolve_weights(str(path), SMALL, seed=0))


def values(model: keras.Model) -> list[np.ndarray]:
    return sorted((w.numpy() for w in model.weights), key=lambda w: (w.shape, float(w.sum())))


def assert_equal_values(model: keras.Model, other: keras.Model) -> None:
    ours, theirs = values(model), values(other)
    assert len(ours) == len(theirs) > 100
    for mine, its in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, its)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A MobileNetV3-Small with random values of its own."""
    keras.utils.set_random_seed(4711)
    return mobilenet()


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Keras cache."""
    home = tmp_path / "keras"
    home.mkdir()
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.setattr(keras_config, "_KERAS_DIR", str(home))
    return home


@pytest.fixture
def offline(closed_port: int, keras_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache, and nobody who would answer."""
    monkeypatch.setattr(under_test, "IMAGENET_HOST", ("127.0.0.1", closed_port))
    monkeypatch.setattr(mobilenet_v3, "BASE_WEIGHT_PATH", f"http://127.0.0.1:{closed_port}/")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address under which its files are served."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{serving.server_port}/"
        serving.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["good.weights.h5", "good.h5"])
def test_a_file_of_the_architecture_is_loaded(
    network: keras.Model, tmp_path: Path, name: str
) -> None:
    backbone = load(saved(network, tmp_path, name))
    assert_equal_values(backbone, network)


def test_a_file_saved_after_training_is_loaded(network: keras.Model, tmp_path: Path) -> None:
    trained = mobilenet()
    trained.compile("adam", "mse")
    trained.optimizer.build(trained.trainable_variables)
    backbone = load(saved(trained, tmp_path, "trained.weights.h5"))
    assert_equal_values(backbone, trained)


def test_a_file_of_a_network_with_dropout_inside_is_loaded(tmp_path: Path) -> None:
    row = architecture_named("efficientnetv2b0")
    network = mobilenet(keras.applications.EfficientNetV2B0)
    path = saved(network, tmp_path, "efficient.weights.h5")
    backbone = build_backbone(row, SIZE, resolve_weights(str(path), row, seed=0))
    assert_equal_values(backbone, network)


@needs_imagenet
def test_the_imagenet_file_is_loaded_and_sees_edges() -> None:
    backbone = load(SHARED_WEIGHTS)
    other = build_backbone(SMALL, SIZE, Weights("random", seed=0))
    stem, random_stem = (max(w.numpy().std() for w in b.weights[:1]) for b in (backbone, other))
    assert stem != pytest.approx(random_stem)
    assert backbone.count_params() == SMALL.parameters


def test_a_file_is_known_by_its_content_and_not_its_name(
    network: keras.Model, tmp_path: Path
) -> None:
    path = saved(network, tmp_path, "a.weights.h5")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    first = resolve_weights(str(path), SMALL, seed=0)
    moved = resolve_weights(str(path.rename(tmp_path / "b.weights.h5")), SMALL, seed=7)
    assert first.identity == moved.identity == f"file:{digest[:12]}"


def test_a_home_folder_is_understood(
    network: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    saved(network, tmp_path, "mine.weights.h5")
    assert resolve_weights("~/mine.weights.h5", SMALL, seed=0).path == tmp_path / "mine.weights.h5"


@pytest.mark.parametrize("name", ["toy.weights.h5", "toy.h5"])
def test_a_file_of_another_network_is_refused_before_one_is_built(
    tmp_path: Path, name: str
) -> None:
    path = saved(toy(), tmp_path, name)
    with pytest.raises(
        UsageError,
        match=r"does not hold weights of mobilenetv3_small: 36 values, and it has 939,120; a netw",
    ):
        check_weights_spec(str(path), SMALL)


@pytest.mark.parametrize("name", ["large.weights.h5", "large.h5"])
def test_a_file_of_a_known_network_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    path = saved(mobilenet(keras.applications.MobileNetV3Large), tmp_path, name)
    with pytest.raises(
        UsageError,
        match="does not hold weights of mobilenetv3_small: 2,996,352 values, and it has 939,120; "
        r"they look like those of mobilenetv3_large\.$",
    ):
        check_weights_spec(str(path), SMALL)
    check_weights_spec(str(path), LARGE)


def test_a_file_of_as_many_values_is_refused_by_the_first_layer_that_differs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "heap.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/heap/vars/0"] = np.zeros(SMALL.parameters, np.float32)
    with pytest.raises(
        WeightsError,
        match=r"does not hold weights of mobilenetv3_small: layer 'conv' needs kernel of shape",
    ):
        load(path)


def test_a_file_with_layers_too_many_is_refused(network: keras.Model, tmp_path: Path) -> None:
    pooled = keras.layers.GlobalAveragePooling2D()(network.output)
    classifier = keras.Model(network.input, keras.layers.Dense(7, name="classes")(pooled))
    path = saved(classifier, tmp_path, "classifier.weights.h5")
    with pytest.raises(UsageError, match=r"is saved without its classifier \(include_top=False"):
        load(path)


def test_a_file_without_variables_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "empty.weights.h5", "w"):
        pass
    with pytest.raises(UsageError, match="weights of mobilenetv3_small: 0 values, and it has"):
        load(tmp_path / "empty.weights.h5")


def test_variables_in_another_order_are_refused_and_not_mixed_up(
    network: keras.Model, tmp_path: Path
) -> None:
    path = saved(network, tmp_path, "reversed.h5")
    with h5py.File(path, "r+") as file:
        names = [
            name.decode() if isinstance(name, bytes) else name for name in file.attrs["layer_names"]
        ]
        file.attrs["layer_names"] = names[::-1]
    with pytest.raises(WeightsError, match="cannot be loaded into mobilenetv3_small"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x89HDF\r\n\x1a\n cut short"])
def test_what_is_no_hdf5_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "face.weights.h5"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"face\.weights\.h5' is no Keras weights file \(HDF5\)"):
        load(path)


def test_a_file_that_is_cut_short_is_refused(network: keras.Model, tmp_path: Path) -> None:
    path = saved(network, tmp_path, "cut.weights.h5")
    path.write_bytes(path.read_bytes()[:-100_000])
    with pytest.raises(UsageError, match=r"cut\.weights\.h5' is no Keras weights file"):
        load(path)


@pytest.mark.parametrize("spec", ["gone.weights.h5", "", "ImageNet", "."])
def test_neither_a_word_nor_a_file_is_a_usage_error(spec: str) -> None:
    with pytest.raises(UsageError, match="is no file; it is 'auto', 'imagenet', 'random' or"):
        check_weights_spec(spec, SMALL)


@pytest.mark.parametrize("spec", ["imagenet", str(Path(__file__))])
def test_a_network_from_scratch_takes_no_weights(spec: str) -> None:
    with pytest.raises(UsageError, match="simple_cnn trains from scratch and takes no weights"):
        check_weights_spec(spec, SCRATCH)


def test_a_network_from_scratch_needs_nobody_to_answer(offline: None) -> None:
    chosen = resolve_weights("auto", SCRATCH, seed=3)
    assert (chosen.identity, chosen.warning) == ("random:3", "")


def test_random_weights_follow_the_seed() -> None:
    first, same, other = (
        build_backbone(SMALL, SIZE, resolve_weights("random", SMALL, seed)) for seed in (1, 1, 2)
    )
    assert_equal_values(first, same)
    assert not np.array_equal(first.weights[0].numpy(), other.weights[0].numpy())
    assert resolve_weights("random", SMALL, 1).identity == "random:1"


def test_auto_offline_is_random_and_says_how_to_get_the_weights(
    offline: None, keras_home: Path
) -> None:
    chosen = resolve_weights("auto", SMALL, seed=5)
    assert chosen.identity == "random:5"
    assert "weights of mobilenetv3_small are RANDOM" in chosen.warning
    assert f"copy {SMALL.imagenet_file} into {keras_home / 'models'}" in chosen.warning
    assert "weights=PATH" in chosen.warning


def test_auto_offline_with_the_file_in_the_cache_is_imagenet(
    offline: None, keras_home: Path
) -> None:
    saved(toy(), made(imagenet_file(SMALL).parent), SMALL.imagenet_file)
    assert imagenet_file(SMALL) == keras_home / "models" / SMALL.imagenet_file
    chosen = resolve_weights("auto", SMALL, seed=5)
    assert (chosen.identity, chosen.warning) == ("imagenet", "")
    assert resolve_weights("auto", LARGE, seed=5).label == "random"


@pytest.mark.parametrize("kept", [0, 1, 1000], ids=["empty", "one byte", "a part"])
def test_auto_offline_with_a_broken_file_in_the_cache_is_random_and_names_the_file(
    offline: None, keras_home: Path, kept: int
) -> None:
    path = saved(toy(), made(imagenet_file(SMALL).parent), SMALL.imagenet_file)
    path.write_bytes(path.read_bytes()[:kept])
    chosen = resolve_weights("auto", SMALL, seed=5)
    assert chosen.identity == "random:5"
    assert f"weights of mobilenetv3_small are RANDOM: {path} is broken" in chosen.warning
    assert "weights=PATH" in chosen.warning
    assert path.exists()


def test_keras_falls_back_on_tmp_where_its_home_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file" / "keras"))
    assert imagenet_file(SMALL) == Path("/tmp/.keras/models") / SMALL.imagenet_file
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert imagenet_file(SMALL) == Path("/tmp/.keras/models") / SMALL.imagenet_file


def test_keras_keeps_its_weights_below_the_users_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    made(tmp_path / ".keras")
    assert imagenet_file(SMALL) == tmp_path / ".keras" / "models" / SMALL.imagenet_file
    made(tmp_path / "other")
    monkeypatch.setenv("KERAS_HOME", "~/other")
    assert imagenet_file(SMALL) == tmp_path / "other" / "models" / SMALL.imagenet_file


def test_a_host_that_keeps_silent_is_not_waited_for(
    keras_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "REACHABLE_WITHIN_SECONDS", 0.2)
    with socket.socket() as listener:  # its queue is filled, so nothing is accepted any more
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        monkeypatch.setattr(under_test, "IMAGENET_HOST", address)
        assert resolve_weights("auto", SMALL, seed=0).label == "random"
        for client in waiting:
            client.close()


def test_imagenet_offline_is_a_weights_error_that_says_what_to_do(
    offline: None, keras_home: Path
) -> None:
    with pytest.raises(
        WeightsError,
        match=r"ImageNet weights of mobilenetv3_small cannot be downloaded \(URL fetch failure .*"
        rf"copy {SMALL.imagenet_file} into {keras_home / 'models'}, or pass a file",
    ):
        build_backbone(SMALL, SIZE, resolve_weights("imagenet", SMALL, seed=0))
    assert not imagenet_file(SMALL).exists()


@pytest.fixture
def published(
    network: keras.Model,
    server: tuple[Path, str],
    keras_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A weights file on a server that Keras takes for the one with ImageNet's."""
    folder, address = server
    path = saved(network, folder, SMALL.imagenet_file)
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(mobilenet_v3, "BASE_WEIGHT_PATH", address)
    monkeypatch.setitem(mobilenet_v3.WEIGHTS_HASHES, "small_224_1.0_float", ("", digest))
    return path


def test_imagenet_weights_are_downloaded_once_and_loaded(
    network: keras.Model, published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = resolve_weights("imagenet", SMALL, seed=0)
    assert_equal_values(build_backbone(SMALL, SIZE, chosen), network)
    assert imagenet_file(SMALL).read_bytes() == published.read_bytes()
    published.unlink()
    assert_equal_values(build_backbone(SMALL, SIZE, chosen), network)
    assert capsys.readouterr().out == ""


def test_a_file_that_the_server_does_not_have_is_a_weights_error(published: Path) -> None:
    published.unlink()
    with pytest.raises(WeightsError, match=r"cannot be downloaded \(URL fetch failure .* 404"):
        build_backbone(SMALL, SIZE, Weights("imagenet"))


def test_a_download_of_other_content_is_a_weights_error(published: Path) -> None:
    published.write_bytes(b"<html>please log in</html>")
    with pytest.raises(WeightsError, match=r"cannot be downloaded \(Incomplete or corrupted"):
        build_backbone(SMALL, SIZE, Weights("imagenet"))


@pytest.mark.parametrize("label", ["random", "imagenet"])
def test_a_size_that_the_architecture_cannot_take_is_a_usage_error(
    label: str, offline: None
) -> None:
    with pytest.raises(UsageError, match=r"xception cannot take 40 px: .*at least 71"):
        build_backbone(architecture_named("xception"), 40, Weights(label))


def host_of(server: tuple[Path, str]) -> tuple[str, int]:
    return "127.0.0.1", int(server[1].rstrip("/").rpartition(":")[2])


def test_auto_is_imagenet_where_the_host_answers_and_delivers(
    published: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "IMAGENET_HOST", host_of(server))
    assert resolve_weights("auto", SMALL, seed=0) == Weights("imagenet")
    assert imagenet_file(SMALL).exists()


def test_auto_is_random_where_the_host_answers_with_something_else(
    published: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "IMAGENET_HOST", host_of(server))
    published.write_bytes(b"<html>please log in</html>")
    chosen = resolve_weights("auto", SMALL, seed=0)
    assert chosen.label == "random"
    assert "are RANDOM" in chosen.warning

"""A model or weights file that could run code is refused, and none is run in telling so."""

import io
import json
import pickle
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import yaml

from fakeface_bench.backbones.building import build_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.unsafe_files import unsafe_layer, what_runs_code
from fakeface_bench.backbones.weights import Weights, check_weights_spec, load_weights_file
from fakeface_bench.serving.classifier import FaceClassifier, write_detector
from fakeface_bench.support.errors import ModelError, UsageError
from fakeface_bench.tracking.model_files import detector_folder
from fakeface_bench.tracking.model_source import fetched_model
from tests.reliability.commands import Launcher, Place
from tests.serving.drawn import drawn, encoded
from tests.serving.small_model import SIZE, logged_model, small_facts

SMALL = architecture_named("mobilenetv3_small")


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.fixture
def pwned(tmp_path: Path) -> Path:
    """A file that planted code would make."""
    return tmp_path / "pwned"


def lambda_network(pwned: Path) -> keras.Model:
    """Return a detector whose Lambda layer makes a file when it runs."""
    target = str(pwned)
    pixels = keras.Input((SIZE, SIZE, 3))
    hidden = keras.layers.Lambda(
        lambda x: (open(target, "w").close(), x)[1] / 255.0, name="innocent"
    )(pixels)
    pooled = keras.layers.GlobalAveragePooling2D()(hidden)
    network = keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(pooled))
    pwned.unlink(missing_ok=True)  # building it has run it
    return network


@pytest.fixture
def model(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of ours, to be planted in."""
    folder = tmp_path / "model"
    shutil.copytree(logged_model(tmp_path_factory).folder, folder)
    description = yaml.safe_load((folder / "MLmodel").read_text())
    description["metadata"] |= {"label": "mobilenetv3_small", "dataset": "faces", "kinds": {}}
    (folder / "MLmodel").write_text(yaml.safe_dump(description))
    return folder


@pytest.fixture
def planted(model: Path, pwned: Path) -> Path:
    """The same with a Lambda layer in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's own, of a lambda that is written down
        write_detector(lambda_network(pwned), small_facts(), detector_folder(model))
    return model


def told_in_mlmodel(model: Path, **changes: str) -> None:
    description = yaml.safe_load((model / "MLmodel").read_text())
    description["flavors"]["python_function"] |= changes
    (model / "MLmodel").write_text(yaml.safe_dump(description))


def torch_file(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    return stream.getvalue()


def objects(pwned: Path) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.array([Bomb(pwned)], dtype=object))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "protocol", "says"),
    [
        ("python_model.pkl", 4, "a pickle in python_model.pkl"),
        ("artifacts/detector/weights.bin", 0, "a pickle in artifacts/detector/weights.bin"),
        ("artifacts/model.joblib", 2, "a pickle in artifacts/model.joblib"),
        ("data/model.pth", 5, "a pickle in data/model.pth"),
    ],
)
def test_a_model_with_a_pickle_is_refused(
    name: str, protocol: int, says: str, model: Path, pwned: Path
) -> None:
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_bytes(pickle.dumps(Bomb(pwned), protocol))
    assert_refused(model, says, pwned)


def test_a_model_with_pickles_inside_of_other_files_is_refused(model: Path, pwned: Path) -> None:
    seen = detector_folder(model) / "seen.npz"
    whole = seen.read_bytes()
    seen.write_bytes(objects(pwned))
    says = r"a NumPy array of objects, which is a pickle \(a.npy\) in artifacts/detector/seen.npz"
    assert_refused(model, says, pwned)
    seen.write_bytes(whole)
    (model / "weights.zip").write_bytes(torch_file(pickle.dumps(Bomb(pwned))))
    assert_refused(model, r"a pickle \(archive/data.pkl\) in weights.zip", pwned)


def test_a_model_that_mlflow_would_unpickle_is_refused(model: Path, pwned: Path) -> None:
    told_in_mlmodel(model, loader_module="mlflow.sklearn")
    assert_refused(model, r"a loader of another kind \(mlflow.sklearn, as MLmodel says\)", pwned)
    told_in_mlmodel(model, python_model="python_model.txt")
    assert_refused(model, r"a pickle \(python_model.txt, as MLmodel says\)", pwned)


def test_a_model_with_a_lambda_layer_is_refused(planted: Path, pwned: Path) -> None:
    says = r"a Lambda layer \(innocent\) in artifacts/detector/detector.keras"
    assert_refused(planted, says, pwned)


def assert_refused(model: Path, says: str, pwned: Path) -> None:
    whole = (
        f"^the model '{model}' holds {says}, which could run code of its author, and is not "
        "loaded. --allow-unsafe-model loads it all the same, if you trust them.$"
    )
    with pytest.raises(UsageError, match=whole), fetched_model(str(model)):
        pass
    assert not pwned.exists()
    with fetched_model(str(model), allow_unsafe=True):
        assert not pwned.exists(), "to fetch it runs nothing"


def test_a_model_of_ours_is_safe(model: Path) -> None:
    with fetched_model(str(model)) as folder:
        assert folder == model


@pytest.mark.parametrize(
    "command",
    ["predict", "explain", "evaluate", pytest.param("robustness", marks=pytest.mark.slow)],
)
def test_every_command_that_opens_a_model_refuses_it(
    command: str, planted: Path, pwned: Path, tmp_path: Path, tiny_faces: Path, launcher: Launcher
) -> None:
    running = launcher.start(Place(tmp_path / "place"), *asked(command, planted, tiny_faces))
    assert running.finish() == 2, running.printed
    assert " holds a Lambda layer (innocent) in artifacts/detector/" in running.printed
    assert "--allow-unsafe-model loads it all the same" in running.printed
    assert "Traceback" not in running.printed
    assert not pwned.exists()


@pytest.mark.parametrize(
    "command",
    [
        "predict",
        pytest.param("evaluate", marks=pytest.mark.slow),
        pytest.param("robustness", marks=pytest.mark.slow),
    ],
)
def test_who_allows_it_gets_it_and_is_warned(
    command: str, planted: Path, pwned: Path, tmp_path: Path, tiny_faces: Path, launcher: Launcher
) -> None:
    words = [*asked(command, planted, tiny_faces), "--allow-unsafe-model"]
    running = launcher.start(Place(tmp_path / "place"), *words)
    assert running.finish() == 0, running.printed
    assert "Warning: --allow-unsafe-model: a model may run code of its author" in running.printed
    assert pwned.exists(), "which is no idle warning"


def asked(command: str, model: Path, faces: Path) -> list[str]:
    if command in ("predict", "explain"):
        picture = model.parent / "a.jpg"
        picture.write_bytes(encoded(drawn(1), "JPEG"))
        return [command, str(model), str(picture)]
    option = "--models" if command == "robustness" else "--model"
    return [command, option, str(model), "--data", str(faces), "--limit", "2", "--output", ""]


@pytest.mark.slow
def test_mlflow_serves_in_safe_mode_whatever_is_set(planted: Path, pwned: Path) -> None:
    """The code is the model's own, which is ours; the network in it is not."""
    settings = {"safe": False, "safe_mode": False, "allow_unsafe_model": True}
    program = (
        "import mlflow, warnings; warnings.simplefilter('ignore')\n"
        f"mlflow.pyfunc.load_model({str(planted)!r}, model_config={settings!r})"
    )
    process = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=planted.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode
    assert "ModelError: the model is damaged: detector.keras cannot be read" in process.stderr
    assert not pwned.exists()


def test_a_detector_is_loaded_in_safe_mode_unless_told_otherwise(
    planted: Path, pwned: Path
) -> None:
    with pytest.raises(ModelError, match=r"detector\.keras cannot be read"):
        FaceClassifier.load(detector_folder(planted), "")
    assert not pwned.exists()


@pytest.mark.parametrize(
    "config",
    [
        {"layers": [{"class_name": "Model", "config": {"layers": [{"class_name": "Lambda"}]}}]},
        {"class_name": "Dense", "config": {"activation": {"class_name": "__lambda__"}}},
        {"class_name": "TFSMLayer", "config": {"filepath": "somewhere"}},
        [{"class_name": "TorchModuleWrapper", "config": "no object"}],
    ],
)
def test_unsafe_layers_are_found_at_any_depth(config: object) -> None:
    assert unsafe_layer(config)


@pytest.mark.parametrize(
    "content", [b"", b"N.", b"hello\n", b"PK\x03\x04 no archive", b"\x93NUMPY"]
)
def test_what_is_no_pickle_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert what_runs_code(tmp_path / "a.txt") == ""


@pytest.fixture(scope="module")
def whole_network() -> keras.Model:
    return build_backbone(SMALL, 64, Weights("random"))


@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5", "a.keras", "a.npy", "a"])
def test_a_pickle_is_no_weights_file_whatever_its_name(
    name: str, tmp_path: Path, pwned: Path
) -> None:
    (tmp_path / name).write_bytes(pickle.dumps({"weights": Bomb(pwned)}))
    assert_no_weights(tmp_path / name, "holds a pickle, which could run code of its author", pwned)


def test_other_files_that_could_run_code_are_no_weights(tmp_path: Path, pwned: Path) -> None:
    array = tmp_path / "a.npy"
    np.save(array, np.array([Bomb(pwned)], dtype=object), allow_pickle=True)
    assert_no_weights(array, "holds a NumPy array of objects, which is a pickle,", pwned)
    (tmp_path / "b.h5").write_bytes(objects(pwned))
    assert_no_weights(tmp_path / "b.h5", r"a pickle \(a.npy\), which could run", pwned)
    (tmp_path / "c.h5").write_bytes(torch_file(pickle.dumps(Bomb(pwned))))
    assert_no_weights(tmp_path / "c.h5", r"holds a pickle \(archive/data.pkl\)", pwned)


@pytest.mark.filterwarnings("ignore")
def test_whole_models_are_no_weights(tmp_path: Path, pwned: Path) -> None:
    network = lambda_network(pwned)
    network.save(tmp_path / "a.keras")
    assert_no_weights(tmp_path / "a.keras", r"holds a Lambda layer \(innocent\), which", pwned)
    network.save(tmp_path / "b.h5")
    says = r"b\.h5' is a whole Keras model that holds a Lambda layer \(innocent\), which could run"
    assert_no_weights(tmp_path / "b.h5", says, pwned)
    harmless = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    harmless.save(tmp_path / "c.keras")
    assert_no_weights(tmp_path / "c.keras", r"is a whole Keras model \(.keras\)\. Weights", pwned)


def assert_no_weights(file: Path, says: str, pwned: Path) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        check_weights_spec(str(file), SMALL)
    assert "\n" not in str(caught.value)
    assert "model.save_weights('NAME.weights.h5')" in str(caught.value)
    assert not pwned.exists()


def test_values_are_read_and_nothing_is_run(
    tmp_path: Path, pwned: Path, whole_network: keras.Model
) -> None:
    """Past all checks: Keras itself runs nothing that stands beside the values."""
    file = tmp_path / "a.weights.h5"
    whole_network.save_weights(file)
    layer = {"class_name": "Lambda", "config": {"function": pickle.dumps(Bomb(pwned)).hex()}}
    with h5py.File(file, "a") as values:
        values.attrs["model_config"] = json.dumps({"config": {"layers": [layer]}})
        values.attrs["training_config"] = np.void(pickle.dumps(Bomb(pwned)))
        values.attrs["backend"] = np.void(pickle.dumps(Bomb(pwned)))
    other = build_backbone(SMALL, 64, Weights("random", seed=1))
    load_weights_file(other, SMALL, file)
    for mine, theirs in zip(other.weights, whole_network.weights, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    assert not pwned.exists()

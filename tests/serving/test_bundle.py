"""What a logged model brings is all that it needs, nothing of it a pickle, all of it pinned."""

import ast
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

import fakeface_bench
from fakeface_bench.jobs.predict import load_classifier
from fakeface_bench.serving.classifier import DetectorFacts, FaceClassifier, write_detector
from fakeface_bench.serving.pictures import read_picture
from fakeface_bench.support.errors import ModelError, UsageError
from fakeface_bench.tracking.model import BUNDLED
from fakeface_bench.tracking.model_files import detector_folder, is_detector
from fakeface_bench.tracking.model_source import fetched_model
from tests.serving.drawn import drawn, encoded, text
from tests.serving.small_model import SIZE, LoggedModel
from tests.support.test_backend import settings_of_another

PACKAGE = Path(fakeface_bench.__file__).parent
REQUIRED = ("mlflow", "keras", "tensorflow", "numpy", "pandas", "pillow")
#: Lets nothing be imported of the package but what lies in the model, then loads and asks it.
FRESH = """
import importlib.abc, json, os, sys
from pathlib import Path
folder, store, picture = {folder!r}, {store!r}, {picture!r}
os.environ["MLFLOW_TRACKING_URI"] = store
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        allowed = any(entry.startswith(folder) for entry in sys.path)
        if name == "fakeface_bench" and not allowed:
            raise ModuleNotFoundError(name + " is not installed here", name=name)
        return None
sys.meta_path.insert(0, Blocked())
try:
    import fakeface_bench
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("the package is to be found without the model")
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(folder)
rows = model.predict(pd.DataFrame(dict(image=[picture])))
modules = sys.modules.items()
own = {{name: module.__file__ for name, module in modules if name.startswith("fakeface_bench")}}
print(json.dumps([rows.to_dict("records"), own]))
"""


def isolated(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a process that sees neither the working folder nor Python's variables.

    Its user has set Keras otherwise.
    """
    return subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", script],
        cwd=folder,
        env=os.environ | settings_of_another(folder / "keras"),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def file_of(module: str) -> Path:
    path = PACKAGE.parent / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports_of(file: Path) -> set[Path]:
    """Return the files of the package that a file imports, with those of the packages above."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    own = {name for name in names if name.split(".")[0] == PACKAGE.name}
    parents = {name.rsplit(".", dots)[0] for name in own for dots in range(name.count(".") + 1)}
    return {file_of(name) for name in parents if file_of(name).exists()}


def closure(start: Path) -> set[Path]:
    found: set[Path] = set()
    fresh = imports_of(start)
    while fresh:
        found |= fresh
        fresh = {file for known in fresh for file in imports_of(known)} - found
    return found


def test_the_modules_that_travel_are_those_that_are_imported() -> None:
    bundled = [PACKAGE / name for name in BUNDLED]
    carried = {
        file for place in bundled for file in ([place] if place.is_file() else place.rglob("*.py"))
    }
    assert carried == closure(PACKAGE / "tracking" / "served_model.py")


def test_the_model_holds_these_files_and_no_pickle(logged: LoggedModel) -> None:
    files = {p.relative_to(logged.folder).as_posix() for p in logged.folder.rglob("*")}
    files = {name for name in files if (logged.folder / name).is_file()}
    code = {name for name in files if name.startswith("code/")}
    assert files - code == {
        "MLmodel",
        "artifacts/detector/detector.json",
        "artifacts/detector/detector.keras",
        "artifacts/detector/seen.npz",
        "conda.yaml",
        "input_example.json",
        "python_env.yaml",
        "requirements.txt",
        "served_model.py",
        "serving_input_example.json",
    }
    assert {Path(name).suffix for name in code} == {".py"}
    assert all(name.startswith("code/fakeface_bench/") for name in code)
    for name in files:  # the opcode that every pickle of protocol 2 and above begins with
        assert not (logged.folder / name).read_bytes().startswith(b"\x80")


def test_requirements_are_the_six_that_are_needed_pinned(logged: LoggedModel) -> None:
    lines = (logged.folder / "requirements.txt").read_text().splitlines()
    assert lines == [f"{name}=={version(name)}" for name in REQUIRED]


def test_a_network_that_holds_code_is_not_loaded(facts: DetectorFacts, tmp_path: Path) -> None:
    pixels = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.Lambda(lambda x: x[:, 0, 0, :1])(pixels)
    write_detector(keras.Model(pixels, pooled), facts, tmp_path)
    with pytest.raises(ModelError, match=r"the model is damaged: detector\.keras cannot be read"):
        FaceClassifier.load(tmp_path, "")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("detector.json", None),
        ("detector.json", "{}"),
        ("detector.json", '{"image_size_px": 96, "fit": "crop", "threshold": 1, "other": 2}'),
        ("detector.keras", "no archive"),
        ("detector.keras", None),
    ],
)
def test_a_damaged_detector_is_told_in_a_line(
    file: str, content: str | None, logged: LoggedModel, tmp_path: Path
) -> None:
    folder = tmp_path / "detector"
    shutil.copytree(detector_folder(logged.folder), folder)
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(
        ModelError, match=f"the model is damaged: {file} cannot be read: "
    ) as caught:
        FaceClassifier.load(folder, "")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["hello", "", "[1, 2]", "a: [b"])
def test_a_damaged_model_is_told_in_a_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(content)
    with (
        pytest.raises(UsageError, match="is damaged: its file MLmodel cannot be read"),
        fetched_model(str(tmp_path)),
    ):
        pass


@pytest.mark.parametrize("address", ["models:/", "runs:/x", "runs:/x/model", "models://a"])
def test_a_malformed_address_is_told(address: str) -> None:
    with pytest.raises(UsageError, match="is no address of a model"), fetched_model(address):
        pass


def test_the_model_says_what_it_takes_and_gives(logged: LoggedModel) -> None:
    description = yaml.safe_load((logged.folder / "MLmodel").read_text())
    assert is_detector(description["flavors"])
    assert json.loads(description["signature"]["inputs"]) == [
        {"type": "any", "name": "image", "required": True}
    ]
    outputs = json.loads(description["signature"]["outputs"])
    assert [(row["name"], row["type"], row["required"]) for row in outputs] == [
        ("label", "string", False),
        ("probability_fake", "double", False),
        ("threshold", "double", True),
        ("unsure", "boolean", False),
        ("model_version", "string", True),
        ("error", "string", False),
    ]
    assert description["flavors"]["python_function"]["config"] == {
        "allow_paths": False,
        "max_images": 1000,
        "max_megabytes": 100,
        "max_megapixels": 1000,
    }
    assert description["metadata"] == {"architecture": "mobilenetv3_small"}


def test_the_example_is_a_picture_that_the_model_takes(logged: LoggedModel) -> None:
    example = json.loads((logged.folder / "serving_input_example.json").read_text())
    (row,) = example["dataframe_split"]["data"]
    picture = read_picture(row[0])
    assert picture.size == (SIZE, SIZE)
    assert not picture.getexif()


@pytest.mark.parametrize("named", ["address", "run_id", "folder"])
def test_a_model_is_found_by_address_run_and_folder(registry: LoggedModel, named: str) -> None:
    with fetched_model(str(getattr(registry, named))) as folder:
        classifier = load_classifier(folder)
    assert folder.exists() == (named == "folder"), "what was downloaded is not kept"
    assert classifier.version == ("1" if named == "address" else registry.model_id)
    (verdict,) = classifier.classify([encoded(drawn(1), "JPEG")], read_picture)
    assert verdict.error is None


def test_the_file_in_a_models_folder_names_the_model_too(logged: LoggedModel) -> None:
    with fetched_model(str(logged.folder / "MLmodel")) as folder:
        assert folder == logged.folder


def test_a_model_of_another_kind_is_told(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {sklearn: {}, python_function: {}}")
    says = (
        rf"the model '{tmp_path}' is of another kind \(flavours: python_function, sklearn\); only "
        "models that a study of fakeface_bench has logged hold what is needed"
    )
    with pytest.raises(UsageError, match=says), fetched_model(str(tmp_path)):
        pass


def test_it_predicts_where_the_package_is_not_installed(
    logged: LoggedModel, tmp_path: Path
) -> None:
    picture = text(encoded(drawn(5), "JPEG"))
    folder = str(logged.folder)
    script = FRESH.format(folder=folder, store=logged.store, picture=picture)
    process = isolated(script, tmp_path)
    assert process.returncode == 0, process.stderr[-2000:]
    assert "I0000" not in process.stderr
    (row,), modules = json.loads(process.stdout.splitlines()[-1])
    assert row["error"] is None
    assert modules
    for name, file in modules.items():
        assert file.startswith(folder), f"{name} is not the model's own"
    (expected,) = load_classifier(logged.folder).classify([picture], read_picture)
    np.testing.assert_allclose(row["probability_fake"], expected.probability_fake, atol=1e-6)
    assert row["model_version"] == logged.model_id

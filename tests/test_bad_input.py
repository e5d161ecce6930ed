"""Mistakes a user makes, through the real command: one clear line, the right code, no traces."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import click
import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from fakeface_bench.backbones import weights
from fakeface_bench.cli import cli
from fakeface_bench.config import (
    AuditConfig,
    CompareConfig,
    EvaluateConfig,
    ExplainConfig,
    GeneraliseConfig,
    PredictConfig,
    RegisterConfig,
    RobustnessConfig,
    StudyConfig,
    SuiteConfig,
)
from fakeface_bench.data import survey
from fakeface_bench.resolve import checked, make_plan
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.request import Request
from tests.command import Command, words

pytestmark = pytest.mark.filterwarnings(  # MLflow's use of SQLAlchemy
    "ignore::DeprecationWarning:mlflow", "ignore::DeprecationWarning:sqlalchemy"
)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model", "vgg-16"], "no architecture 'vgg-16'; did you mean 'vgg16'"),
        (["--model", ""], "no architecture ''; there is clip_vit_b16,"),
        (["--data", "999"], "no dataset or folder '999'; there is 140k, ciplab, "),
        (["--data", "syntetic"], "no dataset or folder 'syntetic'; did you mean 'synthetic'?"),
        (["--weights", "gone.weights.h5"], "weights 'gone.weights.h5' is no file; it is 'auto',"),
        (
            ["--model", "simple_cnn", "--weights", "imagenet"],
            "simple_cnn trains from scratch and takes no weights; got 'imagenet'.",
        ),
        (["--image-size", "10"], "image_size 10 is too small: at least 32 pixels, or 0 for"),
        (["--image-size", "-1"], "Invalid value for '--image-size': -1 is not in the range"),
        (["--seeds", "3", "--refits", "2"], "seeds 3 does the whole study again and refits 2 its"),
        (["--trials", "0"], "Invalid value for '--trials': 0 is not in the range 1<=x<="),
        (["--trials", "many"], "Invalid value for '--trials': 'many' is not a valid integer"),
        (["--epochs", "0"], "Invalid value for '--epochs': 0 is not in the range 1<=x<="),
        (["--fit", "squeeze"], "Invalid value for '--fit': 'squeeze' is not one of 'crop',"),
        (["--seed", "-1"], "Invalid value for '--seed': -1 is not in the range"),
        (["--study", "a;b"], "study 'a;b' is no name: letters, digits, '.', '_' and '-',"),
        (["--study", "x' or '1'='1"], "is no name: letters, digits,"),
        (["--sutdy", "a"], "No such option '--sutdy'"),
        (
            ["--fine-tune", "last"],
            "fine_tune 'last' is none of frozen, norms, last_block",
        ),
        (["--fine-tune", "last_99_blocks"], "mobilenetv3_large has 15 blocks, not 99; 'all'"),
        (
            ["--model", "simple_cnn", "--fine-tune", "last_block"],
            "simple_cnn is trained from scratch, all of it; leave fine_tune out (got 'last_block')",
        ),
        (
            ["--input", "residual"],
            "input 'residual' is for networks that start from scratch, and mobilenetv3_large was",
        ),
        (
            ["--augment", "light"],
            "augment 'light' is for layers that are trained, and fine_tune is 'frozen': name",
        ),
        (["--precision", "float32"], "precision 'float32' is for layers that are trained, and"),
        (
            ["--fine-tune", "last_block", "--augment", "strong"],
            "augment 'strong' needs fine_tune 'all' or 'norms': with 'last_block' the layers below",
        ),
        (["--augment", "heavy"], "Invalid value for '--augment': 'heavy' is not one of 'search',"),
        (["--precision", "int8"], "Invalid value for '--precision': 'int8' is not one of 'auto',"),
        (["--engine", "tpu"], "Invalid value for '--engine': 'tpu' is not one of 'auto',"),
        (
            ["--model", "convnext_tiny", "--engine", "onnxruntime"],
            "engine 'onnxruntime' is not offered for convnext_tiny, which ONNX cannot express, ",
        ),
        (
            ["--model", "simple_cnn", "--engine", "tensorflow"],
            "engine 'tensorflow' is for frozen layers, and simple_cnn trains from scratch: leave",
        ),
        (["--cache-gb", "-1"], "Invalid value for '--cache-gb': -1.0 is not in the range"),
    ],
)
def test_a_wrong_request_is_told_in_a_line_before_anything_heavy_is_loaded(
    command: Command, options: list[str], says: str
) -> None:
    process = command.refused("run", *options)
    assert process.returncode == 2
    assert says in words(process.stderr)
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    errors = [line for line in process.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert not command.cache.exists()
    assert list(command.folder.iterdir()) == []


#: Each command's request, and the arguments that it cannot do without.
REQUESTS: dict[str, tuple[type[Request], dict[str, object]]] = {
    "run": (StudyConfig, {}),
    "suite": (SuiteConfig, {}),
    "compare": (CompareConfig, {}),
    "register": (RegisterConfig, {}),
    "predict": (PredictConfig, {"model": "m", "paths": ("face.png",)}),
    "explain": (ExplainConfig, {"model": "m", "paths": ("face.png",)}),
    "evaluate": (EvaluateConfig, {}),
    "generalise": (GeneraliseConfig, {}),
    "robustness": (RobustnessConfig, {}),
    "audit": (AuditConfig, {}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_from_python_is_refused_in_the_words_of_the_command_line(name: str) -> None:
    request, given = REQUESTS[name]
    needed = ["m", "face.png"] if given else []
    wrong = 0
    for option in request.options().values():
        values: list[object] = ["squeeze"] if option.choices else []
        values += [option.kind(option.minimum - 1)] if option.minimum is not None else []
        values += [option.maximum + 1] if option.maximum is not None else []
        for value in values:
            word = f"--{option.name.replace('_', '-')}"
            description = CliRunner().invoke(cli, [name, *needed, word, str(value)])
            assert description.exit_code == 2
            says = description.output.partition(f"Invalid value for '{word}': ")[2].strip()
            with pytest.raises(UsageError) as error:
                checked(request.from_params(given | {option.name: value}))
            assert str(error.value) == f"{option.name} {says}"
            wrong += 1
    limited = (click.Choice, click.IntRange, click.FloatRange)
    assert wrong or not any(isinstance(row.type, limited) for row in cli.commands[name].params)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (StudyConfig(again=1), "again 1 is not a valid boolean."),  # type: ignore[arg-type]
        (StudyConfig(trials="many"), "trials 'many' is not a valid integer."),  # type: ignore[arg-type]
        (StudyConfig(trials=True), "trials True is not a valid integer."),
        (StudyConfig(trials=2.5), r"trials 2\.5 is not a valid integer."),  # type: ignore[arg-type]
        (StudyConfig(cache_gb=float("nan")), "cache_gb nan is not a valid float."),
        (StudyConfig(data=Path("faces")), r"data .*Path\('faces'\) is not a valid text."),  # type: ignore[arg-type]
        (PredictConfig("m", "a.png"), "paths 'a.png' is not a valid tuple of texts."),  # type: ignore[arg-type]
    ],
)
def test_what_no_command_line_could_ask_is_refused_too(config: Request, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        checked(config)


def test_a_request_that_was_checked_is_not_checked_again(
    tmp_path: Path,
) -> None:
    paint(tmp_path / "faces" / "real", images=1, seed=0)
    paint(tmp_path / "faces" / "fake", images=1, seed=1)
    asked = checked(AuditConfig(str(tmp_path / "faces")))
    (tmp_path / "faces").rename(tmp_path / "elsewhere")
    assert checked(asked) is asked
    with pytest.raises(UsageError, match="no dataset or folder"):
        checked(asked.request)


def test_folders_and_files_that_are_named_are_looked_into_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint(tmp_path / "faces" / "real", images=1, seed=0)
    paint(tmp_path / "faces" / "fake", images=1, seed=1)
    file = tmp_path / "small.weights.h5"
    with h5py.File(file, "w") as opened:
        opened["layers/all/vars/0"] = np.zeros(939_120, np.float16)
    seen: list[str] = []

    def counted(module: ModuleType, name: str) -> None:
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given: (seen.append(name), original(*given))[1])

    counted(survey, "find_class_folders")
    counted(weights, "shapes_in")
    study = StudyConfig("mobilenetv3_small", str(tmp_path / "faces"), weights=str(file))
    make_plan(checked(study))
    assert sorted(seen) == ["find_class_folders", "shapes_in"]
    seen.clear()
    pairs = f"mobilenetv3_small={file}"
    checked(SuiteConfig("mobilenetv3_small,vgg16,simple_cnn", study=replace(study, weights=pairs)))
    assert sorted(seen) == ["find_class_folders", "shapes_in"]


def test_a_file_in_place_of_a_folder_is_no_dataset(command: Command) -> None:
    (command.folder / "faces.zip").touch()
    process = command("run", "--data", "faces.zip")
    assert process.returncode == 2
    assert "no dataset or folder 'faces.zip'" in process.stderr


def test_an_unknown_command_is_told(command: Command) -> None:
    process = command("rnu")
    assert process.returncode == 2
    assert "No such command 'rnu'" in process.stderr
    assert "Traceback" not in process.stderr


def paint(folder: Path, images: int, seed: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(images):
        pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


@pytest.mark.parametrize("asked", [["run", "--data"], ["audit"]])
def test_a_folder_with_one_class_is_told_before_anything_heavy_is_loaded(
    command: Command, asked: list[str]
) -> None:
    paint(command.folder / "faces" / "real", images=5, seed=0)
    process = command(*asked, "faces")
    assert process.returncode == 1
    assert "faces holds one class only ('real')" in words(process.stderr)
    assert process.stderr.count("\n") == 1
    assert [path.name for path in command.folder.iterdir()] == ["faces"]
    assert not command.cache.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not HDF5 at all", "weights 'other.weights.h5' is no Keras weights file (HDF5)"),
        (
            None,
            "does not hold weights of mobilenetv3_small: 14,714,688 values, and it has 939,120; "
            "they look like those of vgg16.",
        ),
    ],
    ids=["no weights", "of another network"],
)
def test_weights_of_nothing_or_another_are_told_before_anything_heavy_is_loaded(
    command: Command, content: bytes | None, says: str
) -> None:
    weights = command.folder / "other.weights.h5"
    if content is not None:
        weights.write_bytes(content)
    else:
        with h5py.File(weights, "w") as file:
            file["layers/all/vars/0"] = np.zeros(14_714_688, np.float16)
    process = command.refused("run", "--model", "mobilenetv3_small", "--weights", weights.name)
    assert process.returncode == 2
    assert says in words(process.stderr)
    assert process.stderr.count("\n") == 1
    assert list(command.folder.iterdir()) == [weights]


@pytest.mark.parametrize(
    ("store", "arguments", "says"),
    [
        ("./mlruns", ["run"], "is MLflow's old store of files"),
        ("127.0.0.1:5055", ["suite"], "did you mean 'http://127.0.0.1:5055'?"),
        ("sqlite:///absent.db", ["evaluate"], "there is no MLflow store "),
        ("sqlite:///absent.db", ["compare"], "there is no MLflow store "),
        ("sqlite:///absent.db", ["run", "--storage", "optuna.db"], "did you mean 'sqlite:///opt"),
        ("sqlite:///absent.db", ["generalise", "--storage", "mysql://x/y"], "is of kind 'mysql'"),
    ],
)
def test_a_store_that_cannot_be_is_told_before_anything_heavy_is_loaded(
    tmp_path: Path, store: str, arguments: list[str], says: str
) -> None:
    command = Command(tmp_path, {"MLFLOW_TRACKING_URI": store})
    process = command.refused(*arguments)
    assert process.returncode == 2
    assert says in words(process.stderr)
    assert process.stderr.count("\n") == 1
    assert list(command.folder.iterdir()) == []


@pytest.mark.parametrize("arguments", [["predict"], ["explain"]])
def test_a_model_of_a_store_that_is_not_there_names_the_store_and_makes_none(
    command: Command, arguments: list[str]
) -> None:
    face = command.folder / "face.png"
    Image.new("RGB", (40, 40)).save(face)
    process = command(*arguments, "models:/fakeface@champion", "face.png", mlflow=True)
    assert process.returncode == 2
    assert "Error: there is no MLflow store " in words(process.stderr)
    assert list(command.folder.iterdir()) == [face]
    assert not (command.folder.parent / "mlflow.db").exists()

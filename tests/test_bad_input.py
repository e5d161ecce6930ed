"""Mistakes a user makes, through the real command: one clear line, the right code, no traces."""

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.filterwarnings(  # MLflow's use of SQLAlchemy
    "ignore::DeprecationWarning:mlflow", "ignore::DeprecationWarning:sqlalchemy"
)

ROOT = Path(__file__).resolve().parents[1]
#: Puts a stop to the import of TensorFlow, so that a test fails that would load it.
NO_TENSORFLOW = "raise SystemExit('TensorFlow was loaded')"


class Command:
    """Runs `python -m fakeface_bench` with a store and a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.store = f"sqlite:///{folder / 'mlflow.db'}"
        self.cache = folder / "cache"
        self.folder = folder / "work"
        self.folder.mkdir()
        self._blocked = folder / "blocked"
        for name in ("tensorflow", "keras", "mlflow"):
            (self._blocked / name / name).mkdir(parents=True)
            (self._blocked / name / name / "__init__.py").write_text(NO_TENSORFLOW)

    def __call__(
        self, *arguments: str, tensorflow: bool = False, mlflow: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; what it may not load ends it."""
        blocked = [] if tensorflow else ["tensorflow", "keras", *([] if mlflow else ["mlflow"])]
        paths = [*(str(self._blocked / name) for name in blocked), str(ROOT)]
        environment = {
            **{k: v for k, v in os.environ.items() if k != "MLFLOW_RUN_ID"},
            "MLFLOW_TRACKING_URI": self.store,
            "FAKEFACE_CACHE": str(self.cache),
            "PYTHONPATH": os.pathsep.join(paths),
        }
        return subprocess.run(
            [sys.executable, "-m", "fakeface_bench", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def words(text: str) -> str:
    """Undo the breaking of lines."""
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model", "vgg-16"], "no architecture 'vgg-16'; did you mean 'vgg16'"),
        (["--model", ""], "no architecture ''; there is convnext_tiny,"),
        (["--data", "999"], "no dataset or folder '999'; there is 140k, ciplab, "),
        (["--data", "syntetic"], "no dataset or folder 'syntetic'; did you mean 'synthetic'?"),
        (["--weights", "gone.weights.h5"], "weights 'gone.weights.h5' is no file; it is 'auto',"),
        (
            ["--model", "simple_cnn", "--weights", "imagenet"],
            "simple_cnn trains from scratch and takes no weights; got 'imagenet'.",
        ),
        (["--image-size", "10"], "image_size 10 is too small: at least 32 pixels, or 0 for"),
        (["--image-size", "-1"], "Invalid value for '--image-size': -1 is not in the range"),
        (["--trials", "0"], "Invalid value for '--trials': 0 is not in the range 1<=x<="),
        (["--trials", "many"], "Invalid value for '--trials': 'many' is not a valid integer"),
        (["--epochs", "0"], "Invalid value for '--epochs': 0 is not in the range 1<=x<="),
        (["--fit", "squeeze"], "Invalid value for '--fit': 'squeeze' is not one of 'crop',"),
        (["--seed", "-1"], "Invalid value for '--seed': -1 is not in the range"),
        (["--study", "a;b"], "study 'a;b' is no name: letters, digits, '.', '_' and '-',"),
        (["--study", "x' or '1'='1"], "is no name: letters, digits,"),
        (["--sutdy", "a"], "No such option '--sutdy'"),
    ],
)
def test_a_wrong_request_is_told_in_a_line_before_anything_heavy_is_loaded(
    command: Command, options: list[str], says: str
) -> None:
    process = command("run", *options)
    assert process.returncode == 2
    assert says in words(process.stderr)
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    errors = [line for line in process.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert not command.cache.exists()
    assert list(command.folder.iterdir()) == []


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


def only_run(store: str) -> mlflow.entities.Run:
    client = mlflow.MlflowClient(tracking_uri=store)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments)
    assert len(runs) == 1
    return runs[0]


def assert_failed(command: Command, process: subprocess.CompletedProcess[str], says: str) -> None:
    """The process ended with one line that says why, and so did its MLflow run."""
    assert process.returncode == 1, process.stderr
    assert f"Error: {says}" in words(process.stderr)
    assert "Traceback" not in process.stderr
    run = only_run(command.store)
    assert run.info.status == "FAILED"
    assert says in run.data.tags["fakeface.failure"]
    features = command.cache / "features"
    assert not features.exists() or list(features.iterdir()) == []


def test_a_folder_with_one_class_fails_its_run_with_the_reason(
    command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "faces"
    paint(folder / "real", images=5, seed=0)
    process = command("run", "--data", str(folder), "--weights", "random", tensorflow=True)
    assert_failed(command, process, f"{folder} holds one class only ('real')")


def test_weights_that_cannot_be_read_fail_the_run_with_the_reason(
    command: Command, tmp_path: Path
) -> None:
    folder, weights = tmp_path / "faces", tmp_path / "other.weights.h5"
    for seed, name in enumerate(("real", "fake")):
        paint(folder / name, images=8, seed=seed)
    weights.write_bytes(b"not HDF5 at all")
    options = ["--model", "mobilenetv3_small", "--image-size", "32", "--weights", str(weights)]
    process = command("run", "--data", str(folder), *options, tensorflow=True)
    assert_failed(command, process, f"{weights} is no Keras weights file (HDF5)")

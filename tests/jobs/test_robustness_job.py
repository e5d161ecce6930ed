"""The job on a real store: a detector of fine grain, which every smoothing makes blind."""

import hashlib
import io
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest
from PIL import Image, ImageFilter
from rich.console import Console

from fakeface_bench.cli.output import print_robustness
from fakeface_bench.config import RobustnessConfig
from fakeface_bench.data.corruptions import CONDITIONS, pictures_of
from fakeface_bench.data.seen import SeenImages
from fakeface_bench.jobs import JobOutcome
from fakeface_bench.jobs import robustness as job
from fakeface_bench.jobs.robustness import run_robustness
from fakeface_bench.jobs.scoring import Corrupted, scores_by
from fakeface_bench.jobs.test_sets import whole_set
from fakeface_bench.records.transfer import Robustness
from fakeface_bench.serving.classifier import DetectorFacts, FaceClassifier
from fakeface_bench.support.errors import DataError, ModelError, UsageError
from fakeface_bench.support.executor import THIS_PROCESS
from tests.conftest import RecordedProgress, load_image
from tests.freeze.frozen import assert_frozen
from tests.freeze.run_names import names_of_run
from tests.serving.small_model import log_model

SIDE, IMAGES, GRAIN = 32, 24, 4.0
FACTS = DetectorFacts(SIDE, "crop", 0.5)


def picture(number: int, fake: bool) -> Image.Image:
    """Smooth blots; those of fakes carry fine grain."""
    rng = np.random.default_rng(number)
    blots = Image.fromarray(rng.integers(40, 215, (4, 4, 3), dtype=np.uint8))
    smooth = np.asarray(blots.resize((44, 44), Image.Resampling.BICUBIC), float)
    grain = rng.normal(0, GRAIN, smooth.shape) if fake else 0
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def write_pictures(folder: Path, classes: tuple[str, ...] = ("real", "fake")) -> Path:
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(IMAGES):
            shown = picture(number + 1000 * (name == "fake"), name == "fake")
            shown.save(folder / name / f"{number:02}.png")
    return folder


def grain_detector(weight: float = 0.05) -> keras.Model:
    """Calls fake what has much of a Laplacian: it sees high frequencies and nothing else."""
    laplacian = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
    kernel = np.repeat(laplacian[:, :, None, None], 3, axis=2) / 3
    inputs = keras.Input((SIDE, SIDE, 3))
    edges = keras.layers.Conv2D(1, 3, use_bias=False, name="edges")
    found = edges(inputs)
    energy = keras.layers.GlobalAveragePooling2D()(keras.layers.Multiply()([found, found]))
    called = keras.layers.Dense(1, "sigmoid", name="called")
    model = keras.Model(inputs, called(energy))
    edges.set_weights([kernel])
    called.set_weights([np.array([[weight]], np.float32), np.array([-20 * weight], np.float32)])
    return model


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("data") / "grainy")


@pytest.fixture(scope="module")
def classifier() -> FaceClassifier:
    return FaceClassifier(grain_detector(), FACTS, "1")


@pytest.fixture(scope="module")
def logged(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    """A store with the detector, which has seen two of the real images: store, run, folder."""
    folder = tmp_path_factory.mktemp("store")
    seen = [(faces / "real" / f"{number:02}.png").read_bytes() for number in (0, 1)]
    digests = np.stack([np.frombuffer(hashlib.sha256(c).digest(), np.uint8) for c in seen])
    metadata = {"label": "grain, all", "dataset": "grainy", "kinds": {"grainy": ""}}
    metadata["test_digest"] = "d" * 64
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        client = mlflow.MlflowClient()
        number = client.create_experiment("robustness", (folder / "artifacts").as_uri())
        with mlflow.start_run(experiment_id=number) as run:
            unlike_any = SeenImages(digests, *[np.zeros((0, 32), np.uint8)] * 2)
            example = load_image(faces / "real" / "00.png", FACTS.image_size_px, FACTS.fit)
            model_id = log_model(grain_detector(), FACTS, example, unlike_any, metadata)
        place = mlflow.get_logged_model(model_id).artifact_location
    copy = folder / "model"
    shutil.copytree(place.removeprefix("file://"), copy)
    return f"sqlite:///{folder / 'mlflow.db'}", run.info.run_id, copy


@pytest.fixture
def store(
    logged: tuple[str, str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> mlflow.MlflowClient:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", logged[0])
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "robustness")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    return mlflow.MlflowClient()


def run(progress: RecordedProgress | None = None, **options: object) -> JobOutcome[Robustness]:
    return run_robustness(RobustnessConfig(**options), progress or RecordedProgress())


def digests_of(files: list[Path]) -> list[str]:
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def test_a_model_of_high_frequencies_falls_with_smoothing_and_is_recorded(
    store: mlflow.MlflowClient, logged: tuple[str, str, Path], faces: Path, tmp_path: Path
) -> None:
    progress = RecordedProgress()
    outcome = run(progress, models=logged[1], data=str(faces), output="out")
    (model,) = outcome.result.models
    by_key = {curve.key: curve for curve in model.curves}
    assert model.roc_auc.value > 0.95
    assert by_key["blur"].points[-1].roc_auc.value < 0.8
    assert by_key["blur"].cost.low > 0
    assert by_key["brightness"].roc_auc.value > 0.9
    assert by_key["resize"].cost.value > by_key["brightness"].cost.value + 0.1

    assert (outcome.result.real, outcome.result.fake) == (IMAGES - 2, IMAGES)
    assert model.overlap.identical == 2
    assert any("left out 2 of 48 images" in line for line in progress.warnings)

    data = store.get_run(outcome.run_id).data
    steps = {
        name: [
            metric.step
            for metric in store.get_metric_history(outcome.run_id, f"robustness/{name}/roc_auc")
        ]
        for name in ("blur", "brightness", "crop")
    }
    assert steps == {"blur": [0, 1, 2, 3], "brightness": [-2, -1, 0, 1, 2], "crop": [0, 1]}
    assert data.metrics["robustness/mean_roc_auc"] == model.mean_roc_auc.value
    assert data.metrics["robustness/clean_roc_auc"] == model.roc_auc.value
    assert data.tags["fakeface.kind"] == "robustness"
    assert data.tags["fakeface.dataset"] == "grainy"
    assert data.tags["fakeface.test_digest"] == outcome.result.digest
    assert data.tags["fakeface.compared"] == logged[1]
    assert "Costliest corruption" in data.tags["mlflow.note.content"]
    assert data.params["corruptions_version"] == "1"
    console = Console(file=io.StringIO(), width=120)
    print_robustness(outcome, console)
    shown = console.file.getvalue()
    assert "mean of all corruptions" in shown
    assert f"Report: {tmp_path}/out/report.html" in shown
    assert "grainy: " in shown
    assert "test images are few (under 100)" in shown
    assert f"/runs/{outcome.run_id}" in shown

    files = {file.path for file in store.list_artifacts(outcome.run_id)}
    assert {"report.html", "robustness.csv", "curves.png", "summary.png"} <= files
    assert files == {path.name for path in (tmp_path / "out").iterdir()}
    assert_frozen("runs/robustness", names_of_run(store, outcome.run_id))


def test_models_of_one_name_are_told_apart_and_scored_on_the_same_images(
    store: mlflow.MlflowClient, logged: tuple[str, str, Path], faces: Path
) -> None:
    models = f"{logged[1]},{logged[2]}"
    outcome = run(models=models, data=str(faces), limit=6, output="")
    first, second = outcome.result.models
    assert (first.model.label, second.model.label) == ("grain, all, 1", "grain, all, 2")
    assert first.curves == second.curves
    assert (outcome.result.real, outcome.result.fake, outcome.folder) == (6, 6, None)
    metrics = store.get_run(outcome.run_id).data.metrics
    assert metrics["robustness/grain_ all_ 2/mean_roc_auc"] == second.mean_roc_auc.value


def test_without_data_it_is_the_test_split_of_the_first_models_study(
    store: mlflow.MlflowClient,
    logged: tuple[str, str, Path],
    faces: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def of_study(run_id: str, progress: RecordedProgress) -> object:
        assert run_id == logged[1]
        return replace(whole_set(str(faces), 0, progress), chosen="its held-out test split")

    monkeypatch.setattr(job, "study_test_set", of_study)
    outcome = run(models=logged[1], limit=4, output="")
    assert outcome.result.chosen == "its held-out test split"
    assert outcome.result.images == 8


def test_a_set_of_one_class_is_refused_with_what_to_do(
    store: mlflow.MlflowClient, logged: tuple[str, str, Path], tmp_path: Path
) -> None:
    only = write_pictures(tmp_path / "only", ("fake",))
    says = r"needs both classes, and only holds no real image .* name another test set with data="
    with pytest.raises(UsageError, match=says):
        run(models=logged[1], data=str(only), output="")


def test_a_model_that_tells_no_run_needs_a_test_set(
    store: mlflow.MlflowClient, logged: tuple[str, str, Path], tmp_path: Path
) -> None:
    shutil.copytree(logged[2], tmp_path / "model")
    file = tmp_path / "model" / "MLmodel"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("run_id:")))
    with pytest.raises(UsageError, match=r"does not tell which study.*name a test set with data="):
        run(models=str(tmp_path / "model"), output="")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"models": ""}, "models is empty"),
        ({"models": "best,best"}, "names 'best' twice"),
        ({"data": "nonsense"}, "nonsense"),
        ({"output": "file"}, "output 'file' is a file"),
    ],
)
def test_a_wrong_request_is_told_before_mlflow_is_asked(
    options: dict[str, str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    monkeypatch.setattr(job, "open_store", lambda: pytest.fail("MLflow was asked"))
    with pytest.raises(UsageError, match=says):
        run(**options)


def test_each_column_is_its_own_corruption_whatever_the_order_and_the_class(
    classifier: FaceClassifier, faces: Path, tmp_path: Path, progress: RecordedProgress
) -> None:
    files = [faces / "real" / "03.png", faces / "fake" / "05.png", faces / "fake" / "07.png"]
    digests = digests_of(files)
    scores = scores_by(THIS_PROCESS, Corrupted(classifier, 3), files, digests, progress)
    with Image.open(files[1]) as image:
        variants = [classifier.pixels(v) for v in pictures_of(image, digests[1], 3)]
    np.testing.assert_allclose(scores[1], classifier.probabilities(np.stack(variants)), atol=1e-6)
    elsewhere = tmp_path / "real" / "another_name.png"
    elsewhere.parent.mkdir()
    shutil.copy(files[1], elsewhere)
    moved = [elsewhere, files[2], files[0]]
    again = scores_by(THIS_PROCESS, Corrupted(classifier, 3), moved, digests_of(moved), progress)
    np.testing.assert_allclose(again, scores[[1, 2, 0]], atol=1e-6)
    assert progress.stages[0] == (f"scoring corrupted pictures ({len(CONDITIONS)} kinds)", 3)


def test_a_few_pictures_are_held_at_once_however_many_there_are(
    faces: Path, monkeypatch: pytest.MonkeyPatch, progress: RecordedProgress
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    begun: list[Path] = []
    held: list[int] = []

    class Watched(FaceClassifier):
        def probabilities(self, pixels: np.ndarray) -> np.ndarray:
            held.append(len(begun) - len(held))
            return np.full(len(pixels), 0.5)

    content = (faces / "real" / "03.png").read_bytes()

    def read(file: Path, digest: str) -> bytes:
        begun.append(file)
        return content

    monkeypatch.setattr("fakeface_bench.jobs.scoring.indexed_bytes", read)
    files = [Path(f"{number}.png") for number in range(60)]
    watched = Watched(grain_detector(), FACTS, "1")
    scores_by(THIS_PROCESS, Corrupted(watched, 0), files, ["00"] * len(files), progress)
    assert len(held) == len(begun) == 60
    assert max(held) <= 4


def digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_file_that_went_away_is_named(
    classifier: FaceClassifier, faces: Path, progress: RecordedProgress
) -> None:
    files = [faces / "real" / "03.png", faces / "real" / "gone.png"]
    with pytest.raises(DataError, match=r"gone\.png: cannot be opened"):
        scores_by(
            THIS_PROCESS, Corrupted(classifier, 0), files, [digest_of(files[0]), "01"], progress
        )


def test_a_network_that_gives_no_number_is_told(faces: Path, progress: RecordedProgress) -> None:
    broken = FaceClassifier(grain_detector(float("nan")), FACTS, "1")
    file = faces / "real" / "03.png"
    with pytest.raises(ModelError, match=r"gives no number for .*03\.png"):
        scores_by(THIS_PROCESS, Corrupted(broken, 0), [file], [digest_of(file)], progress)


def test_a_picture_that_softens_is_still_a_picture() -> None:
    """The detector of these tests sees what it is said to see."""
    fake = picture(1001, fake=True)
    soft = fake.filter(ImageFilter.GaussianBlur(2))
    classifier = FaceClassifier(grain_detector(), FACTS, "1")
    sharp, blurred = classifier.probabilities(
        np.stack([classifier.pixels(fake), classifier.pixels(soft)])
    )
    assert sharp > 0.9 > 0.6 > blurred

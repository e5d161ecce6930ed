"""Detectors of others: files and MLflow models, scored by the path that every model takes."""

import shutil
from pathlib import Path

import keras
import mlflow
import numpy as np
import onnx
import pandas as pd
import pytest
from mlflow.models import infer_signature
from PIL import Image
from scipy.special import expit, softmax
from sklearn.metrics import roc_auc_score

from fakeface_bench.backbones.detector_file import detector_file
from fakeface_bench.backbones.file_facts import INSIDE
from fakeface_bench.config import CompareConfig, EvaluateConfig, RobustnessConfig
from fakeface_bench.data.decode import fit_image
from fakeface_bench.features.external import Reading
from fakeface_bench.jobs import JobOutcome
from fakeface_bench.jobs.compare import run_comparison
from fakeface_bench.jobs.evaluate import run_evaluation
from fakeface_bench.jobs.robustness import run_robustness
from fakeface_bench.records.transfer import SetScores
from fakeface_bench.support.errors import DataError, ModelError, UsageError
from tests.backbones.own_files import SIDE, branched, channels_first, described, saved
from tests.conftest import RecordedProgress
from tests.workplace import Workplace, workplace

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)
LINES = ("pixels: [0, 1]", "fake: 2", "scores: logits", "threshold: 0.3")


@pytest.fixture
def place(tmp_path: Path, tiny_faces: Path, session_cache: Path) -> Workplace:
    return workplace(tmp_path, tiny_faces, session_cache)


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    return described(channels_first(tmp_path / "theirs.onnx"), *LINES)


def evaluated(
    place: Workplace, model: str, **options: object
) -> tuple[JobOutcome[tuple[SetScores, ...]], RecordedProgress]:
    progress = RecordedProgress()
    with place.here():
        config = EvaluateConfig(model, place.config.data, output="", **options)
        return run_evaluation(config, progress), progress


def pixels_of(scores: SetScores, folder: str) -> np.ndarray:
    """Return the pictures as a network of `SIDE` pixels sees them, read here anew."""
    made = []
    for path in scores.scored.paths:
        with Image.open(Path(folder) / path) as image:
            made.append(np.asarray(fit_image(image.convert("RGB"), SIDE, "crop"), np.float32))
    return np.stack(made)


def torch_like_scores(path: Path, pictures: np.ndarray) -> np.ndarray:
    """Compute by Keras what the ONNX network does."""
    held = {
        each.name: onnx.numpy_helper.to_array(each)
        for each in onnx.load(str(path)).graph.initializer
    }
    x = pictures / 255
    for name in ("stem", "deep"):
        x = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
        kernel = held[f"{name}.weight"].transpose(2, 3, 1, 0)
        x = np.asarray(keras.ops.relu(keras.ops.conv(x, kernel, strides=2, padding="valid")))
    return x.mean(axis=(1, 2)) @ held["classes.weight"]


def test_a_file_is_scored_as_it_is(place: Workplace, onnx_file: Path) -> None:
    outcome, progress = evaluated(place, str(onnx_file))
    (scores,) = outcome.result
    expected = softmax(torch_like_scores(onnx_file, pixels_of(scores, place.config.data)), axis=1)
    np.testing.assert_allclose(scores.scored.y_score, expected[:, 2], atol=1e-4)
    assert scores.scored.threshold == 0.3
    assert scores.model.label == "theirs.onnx"
    assert any("pixels 0 to 1; logits, fake is score 2" in line for line in progress.lines)
    run = place.client.get_run(outcome.run_id)
    assert run.info.status == "FINISHED"
    seconds = run.data.metrics[f"evaluate/{scores.data}/seconds_per_1000"]
    assert 0 < seconds < 10_000


def test_what_it_saw_is_not_known_unless_it_is_stated(
    place: Workplace, onnx_file: Path, tmp_path: Path
) -> None:
    outcome, _ = evaluated(place, str(onnx_file))
    (scores,) = outcome.result
    assert scores.model.images_seen is None
    note = place.client.get_run(outcome.run_id).data.tags["mlflow.note.content"]
    assert "What images theirs.onnx was trained on is not known" in note
    described(onnx_file, *LINES, f"trained_on: {place.config.data}")
    again, _ = evaluated(place, str(onnx_file))
    (known,) = again.result
    assert known.model.data == scores.data
    assert known.model.images_seen
    assert known.overlap.identical == 0, "its official test split is what is tested"
    copied = tmp_path / "copied"
    train = next(path for path in Path(place.config.data).rglob("train") if path.is_dir())
    shutil.copytree(train, copied)
    described(onnx_file, *LINES, f"trained_on: {copied}")
    with place.here():
        config = EvaluateConfig(str(onnx_file), f"{copied}", output="")
        with pytest.raises(DataError, match=r"saw every image of copied"):
            run_evaluation(config, RecordedProgress())


def test_the_page_says_that_its_training_cost_is_not_known(
    place: Workplace, onnx_file: Path
) -> None:
    with place.here():
        config = EvaluateConfig(str(onnx_file), place.config.data, output="report")
        outcome = run_evaluation(config, RecordedProgress())
    assert outcome.folder is not None
    page = (outcome.folder / "report.html").read_text(encoding="utf-8")
    assert "not known; 1,000 predictions from their files: " in page
    assert "0.3000, as stated" in page


def test_a_keras_file_gives_the_same_as_keras(place: Workplace, tmp_path: Path) -> None:
    model = branched()
    path = described(saved(model, tmp_path / "theirs.keras"), "fake: 4")
    (scores,) = evaluated(place, str(path))[0].result
    expected = model.predict(pixels_of(scores, place.config.data), verbose=0)[:, 4]
    np.testing.assert_allclose(scores.scored.y_score, expected, atol=1e-5)


def test_an_mlflow_model_of_another_flavour_is_scored_alike(
    place: Workplace, onnx_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    example = np.zeros((1, 3, SIDE, SIDE), np.float32)
    signature = infer_signature(example, np.zeros((1, 4), np.float32))
    mlflow.onnx.save_model(onnx.load(str(onnx_file)), str(folder), signature=signature)
    (folder / "detector.yaml").write_text("\n".join([*LINES, "output: scores"]))
    (scores,) = evaluated(place, str(folder))[0].result
    (expected,) = evaluated(place, str(onnx_file))[0].result
    np.testing.assert_allclose(scores.scored.y_score, expected.scored.y_score, atol=1e-6)


class Brightness(mlflow.pyfunc.PythonModel):
    """Calls bright pictures fake; a pickle, once it is saved."""

    def predict(self, context: object, model_input: np.ndarray) -> np.ndarray:
        return model_input.mean(axis=(1, 2, 3))


def test_a_pickle_is_loaded_only_where_its_author_is_trusted(
    place: Workplace, tmp_path: Path
) -> None:
    folder = tmp_path / "pickled"
    example = np.zeros((1, SIDE, SIDE, 3), np.float32)
    signature = infer_signature(example, np.zeros(1, np.float32))
    mlflow.pyfunc.save_model(str(folder), python_model=Brightness(), signature=signature)
    description = tmp_path / "how.yaml"
    description.write_text("pixels: [0, 1]\nfake: 1\nthreshold: 0.4\n")
    with pytest.raises(UsageError, match=r"which could run code of its author, and is not loaded"):
        evaluated(place, str(folder), description=str(description))
    trusted = {"description": str(description), "allow_unsafe_model": True}
    (scores,) = evaluated(place, str(folder), **trusted)[0].result
    expected = pixels_of(scores, place.config.data).mean(axis=(1, 2, 3)) / 255
    np.testing.assert_allclose(scores.scored.y_score, expected, atol=1e-6)


def test_it_is_made_worse_by_degrees_like_any_other(place: Workplace, onnx_file: Path) -> None:
    with place.here():
        config = RobustnessConfig(str(onnx_file), place.config.data, limit=3, output="")
        robustness = run_robustness(config, RecordedProgress()).result
    assert robustness.models[0].model.external
    assert robustness.models[0].roc_auc.value >= 0


def test_it_is_compared_with_studies_on_their_own_test_images(
    place: Workplace, onnx_file: Path, tmp_path: Path
) -> None:
    study, _ = place.run(trials=1, epochs=1)
    twin = tmp_path / "twin.onnx"
    shutil.copy(onnx_file, twin)
    described(twin, *LINES, f"trained_on: {place.config.data}")
    with place.here():
        config = CompareConfig(detectors=f"{onnx_file},{twin}", output="comparison")
        outcome = run_comparison(config, RecordedProgress())
        with pytest.raises(UsageError, match=r"which a study logged: its run belongs into runs"):
            run_comparison(CompareConfig(detectors=study.run_id, output=""), RecordedProgress())
    comparison, folder = outcome.result, outcome.folder
    assert [each.label for each in comparison.detectors] == ["theirs.onnx", "twin.onnx"]
    for detector in comparison.detectors:
        scores = detector.scores
        assert scores.images + scores.overlap.images == comparison.images
        kept = comparison.best.study.kept
        places = [comparison.best.study.paths.index(path) for path in scores.scored.paths]
        ahead = scores.estimates["roc_auc"].value - roc_auc_score(
            scores.scored.y_true, kept.y_score[places]
        )
        assert detector.roc_auc_ahead.value == pytest.approx(ahead, abs=1e-9)
        assert detector.roc_auc_ahead.low <= ahead <= detector.roc_auc_ahead.high
        assert 0 <= detector.adjusted_p <= 1
    assert [each.is_seen_known for each in comparison.detectors] == [False, True]
    assert folder is not None
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "What images theirs.onnx saw in training is not known" in page
    assert "What they cost to train is not known" in page
    rows = pd.read_csv(folder / "detectors.csv")
    assert list(rows["trained_on"]) == ["not known", comparison.detectors[1].scores.model.data]
    assert (rows["seconds_per_1000"] > 0).all()


# How scores are read


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("fake", [0, 1])
def test_one_score_is_read_high_or_low(logits: bool, fake: int) -> None:
    scores = np.array([-2.0, 0.5, 3.0]) if logits else np.array([0.1, 0.5, 0.8])
    reading = Reading(INSIDE, False, fake, "logits" if logits else "probabilities")
    high = expit(scores) if logits else scores
    expected = high if fake else 1 - high
    for shape in ((3,), (3, 1)):
        found = reading.probabilities(scores.reshape(shape), "theirs")
        np.testing.assert_allclose(found, expected[:, None])


def test_of_several_scores_one_stands_for_fake() -> None:
    scores = np.array([[1.0, 2.0, -1.0], [0.0, 0.0, 5.0]])
    found = Reading(INSIDE, False, 2, "logits").probabilities(scores, "theirs")
    np.testing.assert_allclose(found[:, 0], softmax(scores, axis=1)[:, 2])


def test_pixels_are_brought_to_its_range_and_order() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    ends = ((-1.0, -2.0, 0.0), (1.0, 2.0, 1.0))
    found = Reading(ends, True, 1, "logits").prepared(images)
    expected = images[..., ::-1] / 255 * [2, 4, 1] + [-1, -2, 0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_scores_that_are_no_probabilities_say_so() -> None:
    reading = Reading(INSIDE, False, 1, "probabilities")
    with pytest.raises(ModelError, match=r"scores from -2 to 3.*: write 'scores: logits' into its"):
        reading.probabilities(np.array([-2.0, 3.0]), "theirs")
    with pytest.raises(ModelError, match=r"gives 2 scores a picture, of which fake: 3 is none"):
        Reading(INSIDE, False, 3, "logits").probabilities(np.zeros((2, 2)), "theirs")


# Refused before anything long


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (None, r"nothing says how to read it: write .*theirs.yaml, with lines such as 'pixels"),
        (("pixels: [0, 1]",), r"theirs.yaml does not say which score stands for fake: write 'fake"),
        (("fake: 1",), r"nothing tells what it takes: write what it was trained with into theirs"),
        (("pixels: [0, 1]", "fake: yes"), r"theirs.yaml: fake True is no number of a score"),
        ((*LINES, "threshold: 2"), r"theirs.yaml: threshold 2 is no probability within 0 and 1"),
        ((*LINES, "scores: odds"), r"scores 'odds' is neither probabilities nor logits"),
        ((*LINES, "output: nothing"), r"output 'nothing' is no output of it: scores"),
        ((*LINES, "trained_on: 3"), r"trained_on 3 names no dataset or folder"),
    ],
)
def test_a_description_that_leaves_something_open_is_refused(
    lines: tuple[str, ...] | None, message: str, tmp_path: Path
) -> None:
    path = channels_first(tmp_path / "theirs.onnx")
    if lines is not None:
        described(path, *lines)
    with pytest.raises(UsageError, match=message):
        detector_file(str(path), "")


def test_of_two_outputs_one_is_named(onnx_file: Path) -> None:
    model = onnx.load(str(onnx_file))
    further = onnx.helper.make_tensor_value_info("flat", onnx.TensorProto.FLOAT, None)
    model.graph.output.append(further)
    onnx_file.write_bytes(model.SerializeToString())
    with pytest.raises(UsageError, match=r"it has 2 outputs \(scores, flat\): write which gives"):
        detector_file(str(onnx_file), "")
    described(onnx_file, *LINES, "output: scores")
    file = detector_file(str(onnx_file), "")
    assert file is not None
    assert file.output == "scores"


def test_a_file_of_any_side_says_which(tmp_path: Path) -> None:
    path = described(channels_first(tmp_path / "theirs.onnx", side="height"), *LINES)
    with pytest.raises(UsageError, match=r"takes pictures of any side: write the one it was"):
        detector_file(str(path), "")


def test_other_names_are_no_files(tmp_path: Path) -> None:
    for name in ("best", "models:/fakeface@champion", "0" * 32, str(tmp_path)):
        assert detector_file(name, "") is None
    with pytest.raises(UsageError, match=r"no model 'gone.onnx': there is no such file"):
        detector_file("gone.onnx", "")

"""From Python: the command line's studies, as objects that one can go on with."""

import doctest
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import fakeface_bench
from fakeface_bench import api
from fakeface_bench.api.requests import as_text
from fakeface_bench.api.results import Study
from fakeface_bench.config import (
    AuditConfig,
    CompareConfig,
    EvaluateConfig,
    ExplainConfig,
    GeneraliseConfig,
    PublishConfig,
    RegisterConfig,
    RobustnessConfig,
    StudyConfig,
    SuiteConfig,
    VerifyConfig,
)
from fakeface_bench.support.errors import DataError, UsageError
from tests.conftest import RecordedProgress
from tests.workplace import Workplace, quicken

ROOT = Path(fakeface_bench.__file__).parents[1]
OPTIONS = {"model": "residual", "trials": 2, "epochs": 1, "image_size": 96}
ASKED = {
    "audit": AuditConfig,
    "compare": CompareConfig,
    "evaluate": EvaluateConfig,
    "explain": ExplainConfig,
    "generalise": GeneraliseConfig,
    "publish": PublishConfig,
    "register": RegisterConfig,
    "robustness": RobustnessConfig,
    "run_study": StudyConfig,
    "run_suite": SuiteConfig,
    "verify": VerifyConfig,
}


@pytest.fixture(scope="module")
def study(place: Workplace, tiny_faces: Path) -> Study:
    with place.here() as patch:
        quicken(patch)
        return fakeface_bench.run_study(data=tiny_faces, progress=False, **OPTIONS)


@pytest.fixture
def here(place: Workplace) -> Iterator[None]:
    with place.here():
        yield


def test_what_is_public_is_written_down() -> None:
    """Names and signatures: what moves here moves other people's scripts."""
    assert fakeface_bench.__all__ == api.__all__ == sorted(api.__all__)
    assert all(hasattr(fakeface_bench, name) for name in api.__all__)
    assert set(fakeface_bench.__all__) <= set(dir(fakeface_bench))
    with pytest.raises(AttributeError, match="no attribute 'run_studies'"):
        fakeface_bench.run_studies  # noqa: B018


@pytest.mark.parametrize("name", ASKED)
def test_options_are_keyword_arguments_of_the_same_names_and_defaults(name: str) -> None:
    function = getattr(fakeface_bench, name)
    parameters = inspect.signature(function).parameters
    options = ASKED[name].options()
    assert set(parameters) - {"progress", "callbacks"} == set(options)
    for key, option in options.items():
        default = parameters[key].default
        assert default == (inspect.Parameter.empty if option.required else option.default)
        assert f"{key}: {option.help.split()[0]}" in (function.__doc__ or "")
    assert parameters["progress"].default is True


def test_importing_it_is_quick_and_loads_no_tensorflow() -> None:
    code = (
        "import sys, time; began = time.perf_counter(); import fakeface_bench; "
        "took = time.perf_counter() - began; from fakeface_bench import run_study; "
        "print(took, *sorted({'tensorflow', 'keras', 'mlflow', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    took, *loaded = done.stdout.split()
    assert float(took) < 0.3
    assert loaded == []


def test_a_study_is_tables(study: Study) -> None:
    assert study.config.model == "residual"
    assert study.config.trials == 2
    metrics = study.metrics
    row = metrics.loc["roc_auc"]
    assert row["test_low_95"] <= row["test"] <= row["test_high_95"]
    predictions = study.predictions
    assert set(predictions["y_true"]) == {0, 1}
    assert predictions["y_score"].between(0, 1).all()
    right = (predictions["predicted"] == predictions["y_true"]).mean()
    assert right == pytest.approx(metrics.loc["accuracy", "test"])
    assert list(study.trials["number"].sort_values()) == [0, 1]
    assert study.trials["value"].is_monotonic_decreasing
    assert {"epoch", "stage", "train_loss", "val_roc_auc"} <= set(study.history)
    costs = study.costs
    assert costs["seconds"].sum() == pytest.approx(
        (costs["spent_seconds"] + costs["amortised_seconds"]).sum()
    )
    assert "extraction" in costs.index


@pytest.mark.parametrize(
    "name",
    [
        *("learning_curves", "roc_curve", "precision_recall_curve", "scores"),
        *("confusion_matrix", "search"),
    ],
)
def test_a_plot_is_returned_and_not_written(
    study: Study, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    figure = study.plot(name)
    assert isinstance(figure, matplotlib.figure.Figure)
    assert figure.axes[0].has_data()
    assert list(tmp_path.iterdir()) == []


def test_a_plot_that_is_not_there_is_refused(study: Study) -> None:
    with pytest.raises(UsageError, match="no plot 'roc'; there is learning_curves, roc_curve,"):
        study.plot("roc")


@pytest.mark.usefixtures("here")
def test_a_finished_run_offers_the_same(study: Study, tiny_faces: Path) -> None:
    again = fakeface_bench.load_study(study.run_id)
    pd.testing.assert_frame_equal(again.metrics, study.metrics)
    progress = RecordedProgress()
    found = fakeface_bench.run_study(data=tiny_faces, progress=progress, **OPTIONS)
    assert found.run_id == study.run_id
    assert [title for title, _ in progress.stages if title.startswith("searching")] == []


@pytest.mark.usefixtures("here")
def test_its_detector_says_of_pictures_what_the_study_scored(
    study: Study, tiny_faces: Path
) -> None:
    rows = study.predictions.head(6)
    files = [next(tiny_faces.rglob(path)) for path in rows["path"]]
    told = study.detector.predict(files)
    np.testing.assert_allclose(told["probability_fake"], rows["y_score"], atol=2e-3)
    assert list(told["path"]) == [str(file) for file in files]
    pictures = [Image.open(file) for file in files]
    arrays = [np.asarray(picture.convert("RGB")) for picture in pictures]
    for given in (pictures, arrays):
        in_memory = study.detector.predict(given)
        assert list(in_memory["probability_fake"]) == list(told["probability_fake"])
        assert list(in_memory["path"]) == [str(number) for number in range(6)]
    (one,) = study.detector.predict(pictures[0])["label"]
    assert one == told["label"][0]
    assert study.detector.threshold == pytest.approx(study.metrics.loc["threshold", "test"])
    by_name = fakeface_bench.predict(study.run_id, files[:1])
    assert by_name["probability_fake"][0] == told["probability_fake"][0]


@pytest.mark.usefixtures("here")
def test_what_is_no_picture_is_told(study: Study) -> None:
    (row,) = study.detector.predict(np.zeros((4, 4, 3), np.float32)).to_dict("records")
    assert row["label"] is None
    assert "an array of float32 and shape (4, 4, 3), where uint8 (height, width, 3)" in row["error"]
    (grey,) = study.detector.predict(np.zeros((64, 64), np.uint8)).to_dict("records")
    assert "shape (64, 64)" in grey["error"]
    with pytest.raises(UsageError, match="int is no picture"):
        study.detector.predict([3])
    with pytest.raises(UsageError, match="give its column of files"):
        study.detector.predict(study.predictions)


@pytest.mark.usefixtures("here")
def test_jobs_return_tables_and_cards(study: Study, tiny_faces: Path) -> None:
    compared = fakeface_bench.compare(runs=[study.run_id], output="", progress=False)
    assert list(compared.leaderboard["run_id"]) == [study.run_id]
    assert len(compared.front) == 1
    assert compared.steps.empty
    evaluated = fakeface_bench.evaluate(
        model=study.run_id, data=tiny_faces, output="", progress=False
    )
    assert {"roc_auc", "roc_auc_low_95", "recall_fake"} <= set(evaluated.table)
    audited = fakeface_bench.audit(data=tiny_faces, output="", progress=False)
    assert len(audited.findings) > 5
    assert set(audited.files["label"]) == {0, 1}
    for shown in (study, compared, evaluated, audited):
        page = shown._repr_html_()
        assert shown.run_id in page
        assert "<table" in page


@pytest.mark.usefixtures("here")
def test_the_index_is_what_studies_use(study: Study, tiny_faces: Path) -> None:
    index = fakeface_bench.load_index(tiny_faces, progress=False)
    tested = index[index["split"] == "test"]
    assert list(tested["path"]) == list(study.predictions["path"])
    assert all(Path(file).is_file() for file in index["file"])
    limited = fakeface_bench.load_index(tiny_faces, limit=3, progress=False)
    assert limited.groupby(["split", "label"]).size().max() == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"trails": 3}, "there is no option 'trails'; did you mean 'trials'?"),
        ({"trials": "many"}, "trials 'many' is not a valid integer"),
        ({"trials": 0}, "trials 0 is not in the range"),
        ({"fit": "stretch"}, "fit 'stretch' is not one of 'crop', 'resize'"),
        ({"model": "resnet"}, "no architecture 'resnet'"),
        ({"model": 3}, "model is int, which is neither a name, a file, nor a keras.Model"),
        ({"data": 3}, "data is int, which is neither a name, a folder, nor a DataFrame"),
        ({"data": "nowhere/faces"}, "nowhere/faces"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_mistake_is_the_line_of_the_command_line(given: dict[str, object], words: str) -> None:
    with pytest.raises((UsageError, DataError)) as told:
        fakeface_bench.run_study(progress=False, **given)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.usefixtures("here")
def test_what_must_be_given_is_asked_for() -> None:
    with pytest.raises(UsageError, match="paths is missing: Files, folders, and"):
        fakeface_bench.explain(model="models:/fakeface@champion", progress=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.1..0.5", "0.1..0.5"),
        (0.3, "0.3"),
        (0.0001, "0.0001"),
        (True, "true"),
        ([0, 128], "0,128"),
        (("focal", "hinge"), "focal,hinge"),
        (Path("a/b"), "a/b"),
    ],
)
def test_values_are_written_as_options_write_them(value: object, text: str) -> None:
    assert as_text(value) == text


def test_studies_in_processes_of_their_own_are_told_of_and_print_nothing(
    place: Workplace, tiny_faces: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    progress = RecordedProgress()
    with place.here():
        comparison = fakeface_bench.run_suite(
            models="residual", data=tiny_faces, trials=1, epochs=1, output="", progress=progress
        )
    assert len(comparison.leaderboard) == 1
    assert "recording results, model and pictures in MLflow" in progress.lines
    assert not any(line.startswith("Warning: ") for line in progress.lines)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err == ""


@pytest.mark.parametrize("name", [n for n in api.__all__ if inspect.isfunction(getattr(api, n))])
def test_every_function_is_documented_with_an_example(name: str) -> None:
    function = getattr(api, name)
    assert "Example:\n        >>> " in (function.__doc__ or "")
    assert "**options" not in (function.__doc__ or "")
    assert max(map(len, (function.__doc__ or "").splitlines())) <= 100


def test_examples_give_what_they_say() -> None:
    tried = 0
    for name in api.__all__:
        for example in doctest.DocTestFinder().find(getattr(api, name), name, globs=vars(api)):
            runner = doctest.DocTestRunner()
            runner.run(example)
            assert runner.failures == 0
            tried += runner.tries
    assert tried >= 3

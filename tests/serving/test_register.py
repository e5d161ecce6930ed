"""Registration in a real registry: versions, the gate, the champion and what forces it."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest
from mlflow.entities import LoggedModelOutput
from sklearn.linear_model import LogisticRegression

from fakeface_bench.analysis.results import results_of
from fakeface_bench.config import RegisterConfig
from fakeface_bench.records.registration import Finding, Registration
from fakeface_bench.report.saved_study import write_predictions, write_study_json
from fakeface_bench.report.study_report import write_costs
from fakeface_bench.serving.classifier import DetectorFacts, FaceClassifier
from fakeface_bench.serving.pictures import read_picture
from fakeface_bench.study import register as module
from fakeface_bench.study.register import _description, run_registration
from fakeface_bench.support.errors import ModelError, UsageError
from fakeface_bench.tracking.registry import MAX_DESCRIPTION, Version
from tests.conftest import RecordedProgress, load_image
from tests.freeze.frozen import assert_frozen
from tests.freeze.run_names import names_of_run
from tests.report.compared_studies import calls, labels, ledger
from tests.report.conftest import ORIGIN, study_record
from tests.serving.drawn import drawn, encoded
from tests.serving.small_model import NOTHING_SEEN, log_model

IMAGES = 70
DIGEST = "c" * 64

pytestmark = pytest.mark.usefixtures("place")


@dataclass(frozen=True, slots=True)
class Place:
    """A store with one real model in it, and the pictures that it was tested on.

    Attributes:
        client: Of the store.
        model_id: Of the model.
        faces: Folder of the pictures.
        scores: What the model says of them.
    """

    client: mlflow.MlflowClient
    model_id: str
    faces: Path
    scores: np.ndarray


@pytest.fixture(scope="module")
def made(
    network: keras.Model, facts: DetectorFacts, tmp_path_factory: pytest.TempPathFactory
) -> Place:
    folder = tmp_path_factory.mktemp("registrations")
    faces = folder / "faces"
    faces.mkdir()
    for number in range(IMAGES):
        (faces / f"{number}.jpg").write_bytes(encoded(drawn(number), "JPEG"))
    files = [(faces / f"{number}.jpg").read_bytes() for number in range(IMAGES)]
    verdicts = list(FaceClassifier(network, facts, "").classify(files, read_picture))
    # As a user may write it: what loads the model elsewhere must find it all the same.
    store = f"sqlite:///{os.path.relpath(folder / 'mlflow.db')}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        client = mlflow.MlflowClient()
        experiment = client.create_experiment("models", (folder / "artifacts").as_uri())
        with mlflow.start_run(experiment_id=experiment):
            example = load_image(faces / "0.jpg", facts.image_size_px, facts.fit)
            model_id = log_model(network, facts, example, NOTHING_SEEN, {})
    scores = np.array([verdict.probability_fake for verdict in verdicts])
    return Place(client, model_id, faces, scores)


@pytest.fixture
def place(made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The store, with an experiment of the test's own; its registry is empty again afterwards."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.client.tracking_uri)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    folder = (tmp_path / "artifacts").as_uri()
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", made.client.create_experiment(tmp_path.name, folder))
    yield made
    for model in made.client.search_registered_models():
        made.client.delete_registered_model(model.name)


Finish = Callable[..., str]


@pytest.fixture
def finish(place: Place, tmp_path: Path) -> Finish:
    """Log a made-up finished study of the one model; return its run."""
    clock = iter(range(1_000_000, 2_000_000, 1000))

    def finish_study(
        scores: np.ndarray,
        cost: float = 60.0,
        model: str = "vgg16",
        limit: int = 0,
        y_true: np.ndarray | None = None,
        **changes: str,
    ) -> str:
        y_true = labels(IMAGES) if y_true is None else y_true
        record = study_record(model)
        test = replace(
            record.test,
            y_true=y_true,
            y_score=scores,
            threshold=0.5,
            paths=tuple(f"{number}.jpg" for number in range(IMAGES)),
            sources=("faces",) * IMAGES,
            tiers=("",) * IMAGES,
        )
        study = replace(
            record,
            test=test,
            data_folders={"faces": str(place.faces)},
        )
        tags = {
            "fakeface.kind": "study",
            "fakeface.model": model,
            "fakeface.dataset": "faces",
            "fakeface.dataset_digest": DIGEST,
            "fakeface.test_digest": DIGEST,
            **{f"fakeface.{key}": value for key, value in changes.items()},
        }
        experiment = os.environ["MLFLOW_EXPERIMENT_ID"]
        began = next(clock)
        run = place.client.create_run(experiment, start_time=began, tags=tags).info.run_id
        folder = tmp_path / run
        (folder / "test").mkdir(parents=True)
        write_study_json(study, results_of(study), folder)
        write_predictions(study, folder)
        write_costs(study, results_of(study), ledger(cost), ORIGIN, folder)
        place.client.log_artifacts(run, str(folder))
        place.client.log_metric(run, "test/roc_auc", 0.9)
        place.client.log_param(run, "limit", limit)
        if changes.get("logs", "model") == "model":
            place.client.log_outputs(run, [LoggedModelOutput(place.model_id, 0)])
        place.client.set_terminated(run)
        return str(run)

    return finish_study


@pytest.fixture
def check_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every model come back as logged: the tests of its place need no process for it."""

    def scores_of(address: str, files: Sequence[Path]) -> list[float]:
        return [float(LOGGED[int(file.stem)]) for file in files]

    monkeypatch.setattr(module, "reloaded_scores", scores_of)
    monkeypatch.setattr(module, "TOLERANCE", 1.0)


LOGGED = np.full(IMAGES, 0.5)


def accurate(wrong: int) -> np.ndarray:
    return calls(labels(IMAGES), range(wrong))


def register(**options: object) -> Registration:
    return run_registration(RegisterConfig(**options), RecordedProgress())  # type: ignore[arg-type]


def champion(place: Place) -> str:
    return str(place.client.get_model_version_by_alias("fakeface", "champion").version)


def version_of(place: Place, number: str) -> mlflow.entities.model_registry.ModelVersion:
    return place.client.get_model_version("fakeface", number)


def test_the_first_comes_back_in_a_new_process_and_is_champion(
    place: Place, finish: Finish
) -> None:
    # The model has learned nothing: what it says is mostly right of labels that follow it.
    follows = (place.scores > np.median(place.scores)).astype(np.uint8)
    follows[::10] ^= 1
    run = finish(place.scores, y_true=follows)
    registration = register(run=run)
    assert registration.is_champion, registration.lines
    tested, check_reload, first, verdict = registration.lines[1:]
    assert re.fullmatch(
        r"Tested on faces, n = 70 images: ROC AUC 0\.\d{3} \(95 % 0\.\d{3} to \d\.\d{3}\), "
        r"accuracy 0\.\d{3} \(95 % 0\.\d{3} to \d\.\d{3}\)\.",
        tested,
    )
    assert check_reload.startswith(
        "Passed: its scores on 70 test images, loaded in a new process, equal the logged ones"
    )
    assert first.startswith(
        "Passed: fakeface has no champion yet, and it is clearly better than chance, whose ROC "
        "AUC is 0.5: 95 % "
    )
    assert verdict == "Became the champion."
    version = place.client.get_model_version_by_alias("fakeface", "champion")
    assert version.run_id == run
    assert version.description.startswith("# Model card: vgg16")
    assert "## Registration" in version.description
    assert version.tags["fakeface.gate"] == "passed"
    assert version.tags["fakeface.dataset_digest"] == DIGEST
    assert version.tags["test/roc_auc"] == "0.9"
    assert "fakeface.forced" not in version.tags
    assert place.client.get_run(run).data.tags["fakeface.registered"] == "models:/fakeface/1"
    runs = place.client.search_runs([os.environ["MLFLOW_EXPERIMENT_ID"]])
    (job,) = (found.info.run_id for found in runs if found.info.run_id != run)
    names = names_of_run(place.client, job)
    assert_frozen("runs/registration", {"run": names, "version": sorted(version.tags)})
    logged = place.client.get_logged_model(place.model_id)
    assert '"name": "fakeface"' in logged.tags["mlflow.modelVersions"]


@pytest.mark.usefixtures("check_reload")
def test_a_version_says_what_an_evaluation_found_elsewhere(place: Place, finish: Finish) -> None:
    run = finish(accurate(5))
    for status, found in (("FINISHED", "On ciplab, AUC 0.51."), ("FAILED", "On nothing.")):
        tags = {
            "fakeface.kind": "evaluation",
            "fakeface.evaluated_run": run,
            "fakeface.elsewhere": found,
        }
        evaluation = place.client.create_run(os.environ["MLFLOW_EXPERIMENT_ID"], tags=tags)
        place.client.set_terminated(evaluation.info.run_id, status)
    register(run=run)
    described = place.client.get_model_version_by_alias("fakeface", "champion").description
    assert "- **Tested elsewhere:** On ciplab, AUC 0.51." in described
    assert "On nothing" not in described
    assert "Not tested elsewhere" not in described


@pytest.mark.usefixtures("check_reload")
def test_scores_that_do_not_come_back_are_refused(
    place: Place, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOLERANCE", 1e-4)
    registration = register(run=finish(accurate(5)))
    assert not registration.is_champion
    assert "are up to 0.4 off the logged ones" in registration.refused
    assert registration.lines[-1] == (
        "models:/fakeface/1 is registered, but not the champion: there is no champion. "
        f"'fakeface-bench register --run {registration.run_id} --name fakeface --force true' makes "
        "it that against the gate."
    )
    with pytest.raises(mlflow.exceptions.MlflowException):
        place.client.get_model_version_by_alias("fakeface", "champion")


@pytest.mark.usefixtures("check_reload")
def test_a_worse_one_is_refused_and_a_better_one_takes_its_place(
    place: Place, finish: Finish
) -> None:
    register(run=finish(accurate(15)))
    worse = register(run=finish(accurate(40), cost=1.0))
    assert not worse.is_champion
    assert worse.number == "2"
    assert worse.refused.startswith("worse than the champion: accuracy 42.9% against 78.6%")
    assert worse.lines[-1].startswith(
        "models:/fakeface/2 is registered, but not the champion: version 1 stays champion. "
    )
    assert version_of(place, "2").aliases == []
    assert version_of(place, "2").tags["fakeface.gate"] == f"refused: {worse.refused}"
    better = register(run=finish(accurate(2), cost=900.0))
    assert better.is_champion
    assert better.lines[-1] == "Became the champion, in place of version 1."
    assert champion(place) == "3"


@pytest.mark.usefixtures("check_reload")
def test_force_overrides_the_gate_and_is_recorded(place: Place, finish: Finish) -> None:
    register(run=finish(accurate(5)))
    forced = register(run=finish(accurate(40)), force=True)
    assert forced.is_champion
    assert forced.lines[-1] == (
        "Became the champion, in place of version 1, forced against the gate."
    )
    tags = version_of(place, "2").tags
    assert tags["fakeface.forced"] == forced.refused
    assert tags["fakeface.gate"].startswith("refused: worse than the champion")
    assert champion(place) == "2"


@pytest.mark.usefixtures("check_reload")
def test_what_was_forced_stays_told_when_it_is_registered_again(
    place: Place, finish: Finish
) -> None:
    register(run=finish(accurate(5)))
    run = finish(accurate(40))
    register(run=run, force=True)
    before = version_of(place, "2")
    again = register(run=run)
    assert again.is_champion
    after = version_of(place, "2")
    assert (after.tags, after.description) == (before.tags, before.description)


@pytest.mark.usefixtures("check_reload")
def test_what_no_longer_holds_is_no_tag_any_more(place: Place, finish: Finish) -> None:
    first, second = finish(accurate(5)), finish(accurate(6))
    register(run=first)
    register(run=second, force=True)
    register(run=first, force=True)
    assert "fakeface.forced" in version_of(place, "1").tags
    register(run=second, force=True)
    register(run=first)
    assert "fakeface.forced" not in version_of(place, "1").tags


@pytest.mark.usefixtures("check_reload")
def test_best_passes_over_what_has_no_model(place: Place, finish: Finish) -> None:
    having = finish(accurate(6), cost=50.0, model="mobilenetv3_small")
    finish(accurate(5), cost=10.0, model="vgg19", logs="nothing")
    progress = RecordedProgress()
    registration = run_registration(RegisterConfig(), progress)
    assert registration.run_id == having
    (warning,) = progress.warnings
    assert warning.startswith("the study of vgg19 has no model in MLflow.")


def test_of_a_long_card_the_gate_is_kept_and_whole_sections() -> None:
    card = "# Card\n\n" + "".join(f"## Part {n}\n\n{'x' * 850}\n\n" for n in range(6))
    finding = Finding(False, "y" * 200)
    registration = Registration("a study", "r1", "x", "2", (finding,), "1", False)
    described = _description(card, registration)
    assert len(described) <= MAX_DESCRIPTION
    assert "## Part 4" in described
    assert "## Part 5" not in described
    assert f"{'x' * 850}\n\n\nThe rest of this card: model_card.md of run `r1`.\n" in described
    assert described.endswith("makes it that against the gate.\n")
    assert _description("# Card\n", registration).startswith(
        "# Card\n\n## Registration\n\n- Refused: y"
    )


@pytest.mark.usefixtures("check_reload")
def test_a_card_too_long_for_the_registry_is_no_obstacle(
    place: Place, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "# Card\n\n" + "## Part\n\nwords\n\n" * 400
    monkeypatch.setattr(module, "model_card_of", lambda study: long)
    describe, lengths = module.describe_version, []

    def described(version: Version, description: str, tags: dict[str, str]) -> None:
        lengths.append(len(description))  # SQLite would take any
        describe(version, description, tags)

    monkeypatch.setattr(module, "describe_version", described)
    assert register(run=finish(accurate(5))).is_champion
    assert max(lengths) <= MAX_DESCRIPTION
    assert version_of(place, "1").description.endswith("- Became the champion.\n")


@pytest.mark.usefixtures("check_reload")
def test_a_study_keeps_its_version_and_the_champion_its_place(place: Place, finish: Finish) -> None:
    run = finish(accurate(5))
    register(run=run)
    again = register(run=run)
    assert again.number == "1"
    assert again.lines[3:] == [
        "Passed: it is the champion already.",
        "It stays the champion.",
    ]
    assert len(place.client.search_model_versions("name = 'fakeface'")) == 1


@pytest.mark.usefixtures("check_reload")
def test_another_test_split_cannot_be_compared(place: Place, finish: Finish) -> None:
    register(run=finish(accurate(5)))
    other = register(run=finish(accurate(0), test_digest="d" * 64))
    assert not other.is_champion
    assert other.refused == (
        "the champion, version 1, was tested on other images (faces, test digest cccccccccccc, "
        "not dddddddddddd), so neither can be shown to be better."
    )


@pytest.mark.usefixtures("check_reload")
def test_a_champion_that_is_gone_is_told(place: Place, finish: Finish) -> None:
    run = finish(accurate(5))
    register(run=run)
    place.client.delete_run(run)
    other = register(run=finish(accurate(0)))
    assert "the champion, version 1, cannot be compared: the run" in other.refused


@pytest.mark.usefixtures("check_reload")
def test_best_is_the_most_accurate_where_no_cheaper_one_is_shown_to_be_close(
    place: Place, finish: Finish
) -> None:
    finish(accurate(30), cost=1.0, model="simple_cnn")
    finish(accurate(6), cost=50.0, model="mobilenetv3_small")
    best = finish(accurate(5), cost=900.0, model="vgg19")
    registration = register(run="best", data_digest=DIGEST[:8])
    assert registration.run_id == best, "of 70 images none shows a point"
    (run,) = place.client.search_runs(
        [os.environ["MLFLOW_EXPERIMENT_ID"]], "tags.`fakeface.kind` = 'registration'"
    )
    assert run.info.status == "FINISHED"
    assert run.data.params["data_digest"] == DIGEST[:8]
    assert "Passed: " in run.data.tags["mlflow.note.content"]


@pytest.mark.usefixtures("check_reload")
def test_best_tells_what_it_chose_among_and_what_it_left_out(place: Place, finish: Finish) -> None:
    whole = finish(accurate(6), cost=900.0)
    part = finish(accurate(0), cost=1.0, limit=150, dataset_digest="d" * 64, test_digest="d" * 64)
    finish(accurate(0), dataset="ciplab", dataset_digest="e" * 64)
    finish(accurate(7), cost=800.0, model="vgg19")
    registration = register()
    assert registration.run_id == whole
    assert registration.choice[0] == (
        f"best is vgg16, run {whole}, chosen among 2 finished studies of faces (digest "
        "cccccccccccc, n = 70 test images): the cheapest shown to be within a point of the most "
        "accurate."
    )
    page_text = " ".join(registration.choice)
    assert "Among them vgg16: ROC AUC 0.914 (95 % 0.8" in page_text
    assert f"455 s for extraction, 1 trial and last fit (run {whole})." in page_text
    assert (
        f"Left out vgg16 (run {part}): it used at most 150 images of each split and class "
        "(limit=150), not all images." in page_text
    )
    assert "Left out 1 study of ciplab: of another dataset; data_digest= chooses it." in page_text
    runs = place.client.search_runs([os.environ["MLFLOW_EXPERIMENT_ID"]])
    (note,) = [
        run.data.tags["mlflow.note.content"]
        for run in runs
        if run.data.tags["fakeface.kind"] == "registration"
    ]
    assert all(line in note for line in registration.choice)


@pytest.mark.usefixtures("check_reload")
def test_a_study_of_a_limit_is_best_only_if_its_run_is_named(place: Place, finish: Finish) -> None:
    part = finish(accurate(1), limit=150)
    for options in ({}, {"data_digest": "faces"}, {"data_digest": DIGEST[:8]}):
        with pytest.raises(UsageError, match="best chooses among studies of all images") as caught:
            register(**options)
        assert f"used at most 150 images of each split and class (run {part})" in str(caught.value)
    assert register(run=part).is_champion


@pytest.mark.usefixtures("check_reload")
@pytest.mark.parametrize("wrong", [35, 31, 26])
def test_a_first_champion_is_clearly_better_than_chance(
    place: Place, finish: Finish, wrong: int
) -> None:
    run = finish(accurate(wrong))
    registration = register(run=run)
    assert not registration.is_champion
    assert "not shown to be clearly better than chance" in registration.refused
    assert registration.lines[-1].startswith("models:/fakeface/1 is registered, but not the")
    assert register(run=run, force=True).is_champion


@pytest.mark.usefixtures("check_reload")
def test_a_cheap_study_that_is_at_chance_is_not_best(place: Place, finish: Finish) -> None:
    few = [*range(0, IMAGES, 3)]
    guess = finish(calls(labels(IMAGES), few), cost=1.0, model="simple_cnn")
    able = finish(accurate(15), cost=50.0)
    registration = register()
    assert registration.run_id == able
    assert any(
        line.startswith(f"Left out simple_cnn (run {guess}): not clearly better than chance: ROC")
        for line in registration.choice
    ), registration.choice


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"run": "f" * 32}, "MLflow knows no run 'ffff"),
        ({"run": ""}, "run is empty; give the id of a study's MLflow run, or 'best'"),
        ({"name": "a/b"}, "name 'a/b' is no name of a model"),
        ({"run": "f" * 32, "data_digest": "cccccc"}, "data_digest chooses among studies"),
        ({"data_digest": "eeeeee"}, "this MLflow experiment holds no finished study"),
    ],
)
def test_a_wrong_request_is_told(options: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        register(**options)


def test_a_study_without_a_model_is_told(finish: Finish) -> None:
    with pytest.raises(UsageError, match=r"has no model in MLflow\. Run the study again"):
        register(run=finish(accurate(5), logs="nothing"))


def test_a_model_of_another_kind_is_told(place: Place, finish: Finish) -> None:
    run = finish(accurate(5), logs="nothing")
    with mlflow.start_run(run_id=run):
        mlflow.sklearn.log_model(LogisticRegression(), name="model", pip_requirements=["mlflow"])
    place.client.set_terminated(run)
    with pytest.raises(UsageError, match="is of another kind") as refusal:
        register(run=run)
    assert "Run the study again." in str(refusal.value)


def test_a_registry_that_does_not_answer_is_told(
    finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finish(accurate(5))
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    says = r"registry http://127\.0\.0\.1:9 does not answer: start it, or let MLFLOW_REGISTRY_URI"
    with pytest.raises(ModelError, match=says):
        register(run=run)


@pytest.mark.usefixtures("check_reload")
def test_challengers_on_the_same_images_are_counted(finish: Finish) -> None:
    first, second, third = (finish(accurate(wrong)) for wrong in (10, 11, 12))
    assert register(run=first).is_champion
    assert "below 0.03 asked)" in " ".join(register(run=second).lines)
    assert "below 0.0076 asked of try 2 on these images)" in " ".join(register(run=third).lines)
    assert "below 0.03 asked)" in " ".join(register(run=second).lines), "it keeps its number"

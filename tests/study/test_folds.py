"""A study by cross-validation: all of train and validation is judged, and fitted on in the end."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakeface_bench.evaluation.cross_validation import best_lengths
from fakeface_bench.resolve import make_plan
from fakeface_bench.study.run import StudyOutcome
from fakeface_bench.study.setup import prepare_setup
from fakeface_bench.support.errors import UsageError
from tests.conftest import RecordedProgress
from tests.workplace import Workplace, workplace

FOLDS = 3
#: A network each of those that read pictures in another way to train than to validate, and not.
NETWORKS = {
    "frozen": {},
    "map": {"fine_tune": "last_block", "augment": "light"},
    "pixels": {"model": "simple_cnn", "weights": "auto", "image_size": 48},
}


@pytest.fixture(
    scope="module",
    params=["frozen", *(pytest.param(name, marks=pytest.mark.slow) for name in ("pixels", "map"))],
)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_faces: Path
) -> tuple[Workplace, dict[str, object]]:
    asked = {"folds": FOLDS, "trials": 2, "epochs": 2, "fine_tune": "frozen"}
    folder = tmp_path_factory.mktemp(f"folds_{request.param}")
    return workplace(folder, tiny_faces), asked | NETWORKS[request.param]


@pytest.fixture(scope="module")
def outcome(place: tuple[Workplace, dict[str, object]]) -> StudyOutcome:
    here, asked = place
    return here.run(**asked)[0]


def files(place: Workplace, split: str) -> set[str]:
    folder = Path(place.config.data)
    found = (folder / "real_vs_fake" / "real-vs-fake" / split).rglob("*.jpg")
    return {path.relative_to(folder).as_posix() for path in found}


def test_every_picture_of_both_splits_is_judged_once(place, outcome: StudyOutcome) -> None:
    judged = outcome.record.valid
    assert sorted(judged.paths) == sorted(files(place[0], "train") | files(place[0], "valid"))
    assert set(outcome.record.test.paths) == files(place[0], "test")
    labels = ["fake" in Path(path).parent.name for path in judged.paths]
    np.testing.assert_array_equal(judged.y_true, labels)


def test_the_final_fit_is_as_long_as_the_search_found_best(outcome: StudyOutcome) -> None:
    record = outcome.record
    best = record.search.best
    assert best.value == pytest.approx(max(t.value for t in record.search.trials if t.value))
    found = pd.Series([epoch.stage for epoch in record.final_fit.epochs]).value_counts()
    if best.config.head.classifier == "head":
        assert found.to_dict() == best_lengths(best.epochs)
    assert record.final_fit.best_epoch == len(record.final_fit.epochs) - 1
    assert all(np.isfinite(epoch.val_roc_auc) for epoch in record.final_fit.epochs)


def test_costs_count_each_fold(place, outcome: StudyOutcome) -> None:
    here, _ = place
    images = len(files(here, "train") | files(here, "valid"))
    costs = {cost.stage: cost for cost in outcome.ledger.stages}
    trials = [t for t in outcome.record.search.trials if t.state == "complete"]
    assert {trial.folds for trial in trials} == {FOLDS}
    epochs = sum(len(trial.epochs) for trial in trials)
    assert costs["search_complete"].images == FOLDS * images * epochs
    assert costs["evaluation"].images == images + len(files(here, "test"))


def test_what_this_process_read_is_charged_once(place, outcome: StudyOutcome) -> None:
    """Train and validation are read twice where training reads more of a picture."""
    extraction = outcome.ledger.stage("extraction")
    assert extraction.amortised_seconds == 0
    assert outcome.ledger.other["extracted_images"] == extraction.images


def test_it_is_told(place, outcome: StudyOutcome, tmp_path: Path) -> None:
    here, _ = place
    run = here.client.get_run(outcome.run_id)
    assert run.data.params["folds"] == str(FOLDS)
    assert "better on 3 folds" in run.data.tags["mlflow.note.content"]
    assert "3 folds, optimistic (n = " in run.data.tags["mlflow.note.content"]
    low, value, high = (run.data.metrics[f"val/roc_auc{end}"] for end in ("_low", "", "_high"))
    assert low <= value <= high
    card = Path(here.client.download_artifacts(outcome.run_id, "model_card.md", str(tmp_path)))
    text = card.read_text()
    assert "cross-validation in 3 folds of train and valid together" in text
    assert "fitted on both" in text


def test_run_again_it_is_the_same_and_a_refit_another(place, outcome: StudyOutcome) -> None:
    here, asked = place
    again, _ = here.run(**asked | {"refits": 2, "again": True})
    np.testing.assert_array_equal(again.record.valid.y_score, outcome.record.valid.y_score)
    np.testing.assert_array_equal(again.record.test.y_score, outcome.record.test.y_score)
    assert again.ledger.other["extracted_images"] == 0
    (repeat,) = again.record.repeats
    assert repeat.search is None
    assert repeat.epochs == len(again.record.final_fit.epochs)


def test_it_is_another_study_than_one_that_holds_validation_out(tiny_faces: Path) -> None:
    names = set()
    for folds in (0, 2, 3):
        config = replace(workplace(tiny_faces, tiny_faces).config, folds=folds)
        plan = make_plan(config)
        names.add(plan.study_name(prepare_setup(plan, RecordedProgress()).index))
    assert len(names) == 3


def test_one_fold_is_refused(tmp_path: Path, tiny_faces: Path) -> None:
    with pytest.raises(UsageError, match="folds 1 holds nothing out"):
        workplace(tmp_path, tiny_faces).run(folds=1)

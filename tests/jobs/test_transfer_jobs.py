"""Evaluations and matrices of real studies, in a real store: nothing seen is tested on."""

import io
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from fakeface_bench.cli.output import print_evaluation, print_generalisation
from fakeface_bench.config import EvaluateConfig, GeneraliseConfig, StudyConfig
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.synthetic.dataset import write_synthetic
from fakeface_bench.features import store
from fakeface_bench.jobs import JobOutcome
from fakeface_bench.jobs.evaluate import run_evaluation
from fakeface_bench.jobs.protocols import Step
from fakeface_bench.jobs.test_sets import study_test_set
from fakeface_bench.jobs.transfer import Row, pair_hold_outs, plan_matrix, run_generalisation
from fakeface_bench.records.study import LeftOut
from fakeface_bench.records.transfer import Generalisation, Overlap, SetScores
from fakeface_bench.study.find_or_run import NeededStudy, find_or_run_studies
from fakeface_bench.study.finished import model_card_of
from fakeface_bench.study.run import StudyOutcome
from fakeface_bench.support.errors import DataError, UsageError
from fakeface_bench.support.executor import Executor
from fakeface_bench.tracking.registry import (
    describe_version,
    descriptions_of,
    detector_of,
    register_version,
)
from fakeface_bench.tracking.runs import TrackedRun
from fakeface_bench.tracking.studies import found_elsewhere, study_named
from tests.command import Command, words
from tests.conftest import TINY_IMAGES, RecordedProgress
from tests.freeze.frozen import assert_frozen
from tests.freeze.run_names import names_of_run
from tests.report import transferred_models
from tests.workplace import Workplace, workplace

OTHERS = 60
SPLITS = "real_vs_fake/real-vs-fake"


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Path) -> dict[str, Path]:
    """Two sets with official splits, and one of neither split whose images are partly the first's.

    Of that, 4 images are files of the first's training split, and 4 are others of it, re-encoded.
    """
    folder = tmp_path_factory.mktemp("sets")
    shutil.copytree(tiny_faces, folder / "first")
    write_synthetic(folder / "second", images=OTHERS, seed=9)
    write_synthetic(folder / "third", images=40, seed=21)
    for label in ("real", "fake"):
        mixed = folder / "mixed" / label
        mixed.mkdir(parents=True)
        for file in (folder / "third" / SPLITS / "train" / label).iterdir():
            shutil.copy(file, mixed)
        seen = sorted((folder / "first" / SPLITS / "train" / label).iterdir())
        for file in seen[:2]:
            shutil.copy(file, mixed / f"same_{file.name}")
        for file in seen[2:4]:
            Image.open(file).save(mixed / f"again_{file.name}", quality=40)
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, sets: dict[str, Path]) -> Workplace:
    """A cache of its own: what passes a backbone is counted."""
    found = workplace(tmp_path_factory.mktemp("transfer"), sets["first"])
    found.config = replace(found.config, trials=1, epochs=2)
    return found


@pytest.fixture(scope="module")
def studies(place: Workplace, sets: dict[str, Path]) -> dict[str, StudyOutcome]:
    """The rows of the matrix."""
    first, second = str(sets["first"]), str(sets["second"])
    both = f"{first}+{second}"
    return {
        "first": place.run()[0],
        "second": place.run(data=second)[0],
        "both": place.run(data=both)[0],
    }


@pytest.fixture(scope="module")
def evaluated(
    place: Workplace, studies: dict[str, StudyOutcome], sets: dict[str, Path]
) -> tuple[JobOutcome[tuple[SetScores, ...]], RecordedProgress]:
    progress = RecordedProgress()
    named = ",".join(str(sets[name]) for name in ("mixed", "second", "first"))
    with place.here():
        config = EvaluateConfig(studies["first"].run_id, named)
        return run_evaluation(config, progress), progress


def test_what_the_model_saw_and_copies_of_it_are_left_out_and_told(evaluated) -> None:
    outcome, progress = evaluated
    mixed, second, _ = outcome.result
    shares = mixed.overlap.similar_shares
    assert mixed.overlap == Overlap(identical=4, similar=4, similar_shares=shares)
    assert sum(18 * share for share in shares.values()) == pytest.approx(4)
    assert mixed.images == 28
    assert not any(path.startswith(("real/same_", "real/again_")) for path in mixed.scored.paths)
    assert second.overlap == Overlap(similar_shares={"real": 0.0, "fake": 0.0})
    description = [line for line in progress.warnings if line.startswith("left out 8 of 36 images")]
    assert len(description) == 1
    assert "saw 4 of them and copies of 4" in description[0]


def test_its_own_test_split_is_recognised_and_scored_as_its_study_did(evaluated, studies) -> None:
    own = evaluated[0].result[2]
    record = studies["first"].record
    assert [cell.is_own for cell in evaluated[0].result] == [False, False, True]
    assert own.chosen == "its official test split"
    np.testing.assert_allclose(own.scored.y_score, record.test.y_score, atol=2e-6)
    for key, value in record.test.metrics.items():
        assert own.estimates[key].value == pytest.approx(value, abs=1e-5)
    assert own.estimates["accuracy"].low < own.estimates["accuracy"].value


def test_an_evaluation_is_a_run_with_figures_pages_and_every_score(
    place: Workplace, evaluated, studies, tmp_path: Path
) -> None:
    outcome = evaluated[0]
    run = place.client.get_run(outcome.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["fakeface.kind"] == "evaluation"
    assert run.data.tags["fakeface.evaluated_run"] == studies["first"].run_id
    lines = run.data.tags["fakeface.elsewhere"].splitlines()
    assert [("mixed" in line, "second" in line) for line in lines] == [(True, False), (False, True)]
    metrics = run.data.metrics
    assert metrics["evaluate/mixed/left_out"] == 8
    second = outcome.result[1].estimates["roc_auc"]
    assert metrics["evaluate/second/roc_auc"] == pytest.approx(second.value)
    assert metrics["evaluate/second/roc_auc_low"] == pytest.approx(second.low)
    assert len(run.inputs.dataset_inputs) == 3
    folder = Path(place.client.download_artifacts(outcome.run_id, "", str(tmp_path)))
    rows = pd.read_parquet(folder / "predictions.parquet")
    assert len(rows) == sum(cell.images for cell in outcome.result)
    beside = place.folder / outcome.folder / "report.html"
    assert (folder / "report.html").read_text() == beside.read_text()
    console = Console(width=120, record=True, file=io.StringIO())
    with place.here():
        print_evaluation(outcome, console)
    shown = words(console.export_text())
    assert "transfers to other datasets" in shown
    assert f"Report: {place.folder}/evaluation/report.html" in shown
    few = f"second: {outcome.result[1].images} test images are few (under 100)"
    assert few in shown
    assert_frozen("runs/evaluation", names_of_run(place.client, outcome.run_id))


@pytest.fixture(scope="module")
def filled(
    place: Workplace, studies: dict[str, StudyOutcome], sets: dict[str, Path], evaluated
) -> tuple[JobOutcome[Generalisation], RecordedProgress]:
    """A 3×3 matrix of studies that are all there."""
    progress = RecordedProgress()
    first, second = str(sets["first"]), str(sets["second"])
    config = GeneraliseConfig(
        "mobilenetv3_small",
        f"{first},{second},{first}+{second}",
        f"{first},{second},{sets['third']}",
        study=place.config,
    )
    with place.here():
        return run_generalisation(config, progress), progress


def test_studies_that_are_there_are_not_run_again(place: Workplace, filled, studies) -> None:
    runs = place.client.search_runs(["0"], "tags.`fakeface.kind` = 'study'")
    assert {run.info.run_id for run in runs} == {s.run_id for s in studies.values()}
    assert sum("was finished before" in line for line in filled[1].lines) == 3


def test_every_picture_passes_the_backbone_once_whatever_it_stands_in(
    place: Workplace, filled, studies
) -> None:
    """Two training sets, their mixture, a third test set, a mixed one."""
    by_studies = [outcome.ledger.other["extracted_images"] for outcome in studies.values()]
    assert by_studies == [TINY_IMAGES, OTHERS, 0]
    extracted = [total for title, total in filled[1].stages if title.startswith("extracting")]
    third = next(cell for cell in filled[0].result.cells if cell.data == "third")
    assert sum(extracted) == third.images == 6
    folders = (place.cache / "features").glob(f"*/*/{store.CONTENTS_FILE}")
    contents = [digest for file in folders for digest in file.read_text().split()]
    assert len(set(contents)) == TINY_IMAGES + OTHERS + 28 + 4 + 6


def test_the_diagonal_is_what_the_studies_found(filled, studies) -> None:
    record = filled[0].result
    assert record.trained == ("first", "second", "first+second")
    assert record.tested == ("first", "second", "third")
    assert len(record.cells) == 9
    for name in ("first", "second"):
        own = record.cell("mobilenetv3_small", name, name)
        assert own is not None
        assert own.is_own
        found = studies[name].record.test.metrics["roc_auc"]
        assert own.estimates["roc_auc"].value == pytest.approx(found, abs=1e-6)
    owned = [(cell.model.data, cell.data) for cell in record.cells if cell.is_own]
    assert owned == [("first", "first"), ("second", "second")]
    parts = [(cell.model.data, cell.data) for cell in record.cells if cell.is_part]
    assert parts == [("first+second", "first"), ("first+second", "second")]


def test_a_mixture_is_compared_with_each_of_its_parts_on_the_same_images(filled) -> None:
    effects = {(e.alone, e.data): e for e in filled[0].result.mixtures}
    assert set(effects) == {
        (a, d) for a in ("first", "second") for d in ("first", "second", "third")
    }
    record = filled[0].result
    for (alone, data), effect in effects.items():
        mixed = record.cell("mobilenetv3_small", "first+second", data)
        single = record.cell("mobilenetv3_small", alone, data)
        assert mixed is not None
        assert single is not None
        assert effect.images == mixed.images == single.images
        gain = mixed.estimates["roc_auc"].value - single.estimates["roc_auc"].value
        assert effect.roc_auc.value == pytest.approx(gain)
        assert effect.roc_auc.low <= gain <= effect.roc_auc.high


def test_what_was_held_out_is_paired_with_the_model_that_saw_it() -> None:
    """Cells as they come of a row that holds nothing out, one that does, and another model's."""
    whole = row_of("small", "140k+ciplab")
    without = row_of("small", "140k+ciplab", leave_out="ciplab")
    other = row_of("vgg16", "140k+ciplab")
    seen = made_up("140k+ciplab", "140k+ciplab: ciplab")
    unseen = made_up("140k+ciplab without ciplab", "140k+ciplab: ciplab")
    scored = {
        other: [seen],
        whole: [made_up("140k+ciplab", "140k"), seen],
        without: [unseen],
    }
    (held,) = pair_hold_outs(scored)
    assert (held.column, held.value, held.data) == ("source", "ciplab", "140k+ciplab")
    assert held.without is unseen
    assert held.seen is seen


def made_up(trained: str, tested: str) -> SetScores:
    return transferred_models.cell(transferred_models.model(trained), tested)


def row_of(model: str, data: str, leave_out: str = "") -> Row:
    index = ImageIndex(data, {}, pd.DataFrame())
    study = StudyConfig(model=model, data=data, leave_out=leave_out)
    step = Step("source", leave_out, (leave_out,), index, ()) if leave_out else None
    return Row(study, index, (), step)


def left_out(row: Row) -> str:
    return row.step.value if row.step else ""


def test_every_source_and_tier_is_held_out_in_turn(
    sets: dict[str, Path], place: Workplace, progress: RecordedProgress
) -> None:
    first, second = str(sets["first"]), str(sets["second"])
    config = GeneraliseConfig(
        "mobilenetv3_small,vgg16", f"{first}+{second}", hold_out="source", study=place.config
    )
    with place.here():
        rows = plan_matrix(config, progress).rows
        with pytest.raises(UsageError, match="hold_out 'tier' finds nothing to hold out"):
            plan_matrix(replace(config, hold_out="tier"), progress)
        assert progress.lines[-1].endswith("it has no tiers")
        plain = plan_matrix(replace(config, train=f"{first},{first}+{second}"), progress).rows
        assert [left_out(row) for row in plain[:4]] == ["", "", "first", "second"]
    asked = [(row.study.model, left_out(row), len(row.tests)) for row in rows]
    assert asked == [
        (model, held, tests)
        for model in ("mobilenetv3_small", "vgg16")
        for held, tests in (("", 4), ("first", 1), ("second", 1))
    ]
    without = rows[1]
    assert set(without.index.frame["source"]) == {"second"}
    assert set(without.tests[0].rows["source"]) == {"first"}
    assert without.study.leave_out == "source/first"


def test_a_matrix_is_a_run_with_figures_and_a_page(place: Workplace, filled) -> None:
    outcome = filled[0]
    run = place.client.get_run(outcome.run_id)
    assert (run.info.status, run.data.tags["fakeface.kind"]) == ("FINISHED", "generalisation")
    metrics = run.data.metrics
    cell = outcome.result.cell("mobilenetv3_small", "first+second", "third")
    assert cell is not None
    found = metrics["generalise/mobilenetv3_small/first_second/third/roc_auc"]
    assert found == pytest.approx(cell.estimates["roc_auc"].value)
    names = {file.path for file in place.client.list_artifacts(outcome.run_id)}
    assert {"report.html", "heat_map.png", "matrix.csv", "mixtures.csv"} <= names
    assert run.data.params["train"].endswith("second")
    assert {used.dataset.name for used in run.inputs.dataset_inputs} == {"first", "second", "third"}
    console = Console(width=120, record=True, file=io.StringIO())
    with place.here():
        print_generalisation(outcome, console)
    shown = words(console.export_text())
    assert "What joined training sets change" in shown
    assert "test images are few (under 100)" in shown
    assert_frozen("runs/generalisation", names_of_run(place.client, outcome.run_id))


def test_a_study_that_fails_leaves_its_cells_blank_and_the_run_failed(
    place: Workplace, studies, sets: dict[str, Path]
) -> None:
    first, second = str(sets["first"]), str(sets["second"])
    config = GeneraliseConfig(
        "mobilenetv3_small", f"{first},{second}", output="", study=place.config
    )

    def only_first(
        run: TrackedRun,
        wanted: Sequence[NeededStudy],
        progress: RecordedProgress,
        executor: Executor,
    ) -> Iterator[object]:
        for one in wanted:
            if one.index.name == "second":
                yield LeftOut("mobilenetv3_small", "", "it failed: out of memory.")
            else:
                yield from find_or_run_studies(run, [one], progress, executor)

    with place.here() as patch:
        patch.setattr("fakeface_bench.jobs.transfer.find_or_run_studies", only_first)
        outcome = run_generalisation(config, RecordedProgress())
    assert outcome.failure.startswith("1 of 2 studies failed. mobilenetv3_small on second: it")
    run = place.client.get_run(outcome.run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags["fakeface.failure"] == outcome.failure
    assert [cell.data for cell in outcome.result.cells] == ["first", "second"]
    assert outcome.result.cell("mobilenetv3_small", "second", "first") is None


def test_a_cell_with_nothing_left_to_test_is_blank_and_says_why(
    place: Workplace, studies, sets: dict[str, Path], tmp_path: Path
) -> None:
    for label in ("real", "fake"):
        shutil.copytree(sets["first"] / SPLITS / "valid" / label, tmp_path / "seen" / label)
    columns = f"{sets['third']},{tmp_path / 'seen'}"
    config = GeneraliseConfig(
        "mobilenetv3_small", str(sets["first"]), columns, output="", study=place.config
    )
    with place.here():
        outcome = run_generalisation(config, RecordedProgress())
    assert outcome.failure == ""
    assert [cell.data for cell in outcome.result.cells] == ["third"]
    (unscored,) = outcome.result.unscored
    assert unscored.name == "mobilenetv3_small on first, tested on seen"
    assert "saw every image of seen" in unscored.reason
    run = place.client.get_run(outcome.run_id)
    assert run.info.status == "FINISHED"
    assert "saw every image of seen" in run.data.tags["mlflow.note.content"]


def test_a_study_s_own_test_split_is_found_again(
    place: Workplace, studies, sets: dict[str, Path], progress: RecordedProgress
) -> None:
    with place.here():
        found = study_test_set(studies["both"].run_id, progress)
    assert list(found.rows["path"]) == list(studies["both"].record.test.paths)


def test_a_model_is_not_tested_on_nothing_but_what_it_saw(
    place: Workplace, studies, sets: dict[str, Path], tmp_path: Path
) -> None:
    for label in ("real", "fake"):
        shutil.copytree(sets["first"] / SPLITS / "train" / label, tmp_path / "seen" / label)
    config = EvaluateConfig(studies["first"].run_id, str(tmp_path / "seen"), output="")
    with place.here(), pytest.raises(DataError, match="saw every image of seen"):
        run_evaluation(config, RecordedProgress())
    newest = place.client.search_runs(["0"], "tags.`fakeface.kind` = 'evaluation'")[0]
    assert newest.info.status == "FAILED"
    assert "nothing is left" in newest.data.tags["fakeface.failure"]


def test_a_model_that_does_not_tell_what_it_saw_is_refused(
    place: Workplace, studies, sets: dict[str, Path], tmp_path: Path
) -> None:
    run = place.client.get_run(studies["first"].run_id)
    model_id = run.outputs.model_outputs[0].model_id
    logged = place.client.get_logged_model(model_id).artifact_location.removeprefix("file://")
    shutil.copytree(place.folder / logged, tmp_path / "model")
    (tmp_path / "model" / "artifacts" / "detector" / "seen.npz").unlink()
    config = EvaluateConfig(str(tmp_path / "model"), str(sets["second"]), output="")
    with place.here(), pytest.raises(UsageError, match="does not tell which images it was trained"):
        run_evaluation(config, RecordedProgress())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("evaluate", "--model", ""), "model is empty"),
        (("evaluate", "--data", " , "), "data is empty"),
        (("evaluate", "--data", "nope"), "no dataset or folder 'nope'"),
        (("evaluate", "--data", "synthetic,synthetic"), "data names 'synthetic' twice"),
        (("generalise", "--models", "vgg99"), "no architecture 'vgg99'"),
        (("generalise", "--train", "140k,ciplab+140k,140k+ciplab"), "train names"),
        (("generalise", "--hold-out", "person"), "'person' is not one of"),
        (("generalise", "--hold-out", "source"), "needs several datasets joined by '+' in train"),
        (("robustness", "--models", ""), "models is empty"),
        (("run", "--equalise", "png"), "equalise 'png' is neither 'none', nor 'jpeg'"),
        (("run", "--equalise", "jpeg0"), "nor a quality from 'jpeg1' to 'jpeg100'"),
    ],
)
def test_a_wrong_request_is_told_in_a_line_before_anything_is_loaded(
    arguments: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    process = Command(tmp_path).refused(*arguments)
    assert process.returncode == 2, process.stderr
    assert says in words(process.stderr)
    assert "Traceback" not in process.stderr


def test_a_folder_with_a_comma_is_refused_where_commas_join(
    sets: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(sets["first"], tmp_path / "real, fake")
    process = Command(tmp_path)("evaluate", "--data", str(tmp_path / "real, fake"))
    assert process.returncode == 2
    assert "is a folder with a comma in its name" in words(process.stderr)


def test_different_folders_of_one_name_are_refused(sets: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(sets["first"], tmp_path / "other" / "first")
    train = f"{sets['first']},{tmp_path / 'other' / 'first'}"
    process = Command(tmp_path)("generalise", "--train", train)
    assert process.returncode == 2
    assert "are both called 'first', which no table could tell apart" in words(process.stderr)


def test_json_of_a_model_tells_its_features(place: Workplace, studies) -> None:
    """Where more than the head is trained the head is not taken apart, so nothing is told."""
    run = place.client.get_run(studies["first"].run_id)
    logged = place.client.get_logged_model(run.outputs.model_outputs[0].model_id)
    folder = place.folder / logged.artifact_location.removeprefix("file://")
    facts = json.loads((folder / "artifacts" / "detector" / "detector.json").read_text())
    assert len(facts["features"]) == 24
    assert facts["jpeg_quality"] == 0


def test_a_registered_model_says_how_it_did_elsewhere(
    place: Workplace, studies, sets: dict[str, Path], evaluated
) -> None:
    run_id = studies["first"].run_id
    config = EvaluateConfig(run_id, str(sets["third"]), output="")
    with place.here():
        study = study_named(run_id)
        version = register_version(study, detector_of(study), "faces")
        describe_version(version, model_card_of(study), {})
        run_evaluation(config, RecordedProgress())
        (described,) = descriptions_of(run_id).values()
        known = found_elsewhere(run_id, study.experiment_id)
    assert "**Tested elsewhere:** Trained on first, tested on third" in described
    assert "Not tested elsewhere" not in described
    assert [data for line in known for data in sets if f"tested on {data} " in line] == [
        "third",
        "mixed",
        "second",
    ]

"""Generators left out in turn, and in the order of time: what is trained on and tested on what."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.config import FAKE, REAL, GeneraliseConfig, StudyConfig
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.jobs.protocols import Step
from fakeface_bench.jobs.test_sets import TestSet
from fakeface_bench.jobs.transfer import (
    Row,
    pair_hold_outs,
    plan_matrix,
    run_generalisation,
    time_steps,
)
from fakeface_bench.support.errors import DataError
from tests.conftest import RecordedProgress
from tests.report import transferred_models
from tests.workplace import workplace

pytestmark = pytest.mark.usefixtures("cache")
#: Fakes of each generator; the last is too rare to be tested on.
GENERATORS = {"stylegan2": 40, "stable_diffusion_2_1": 30, "inswapper": 30, "mine": 30, "rare": 8}
SWAPPED = 6


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, of which some fakes of inswapper change a corner of a real picture."""
    root = tmp_path_factory.mktemp("generators") / "faces"
    rng = np.random.default_rng(0)
    pictures = {"real": 80, **{f"fake/{name}": images for name, images in GENERATORS.items()}}
    for folder, images in pictures.items():
        (root / folder).mkdir(parents=True)
        for number in range(images):
            coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
            picture = Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC)
            if folder == "fake/inswapper" and number < SWAPPED:
                picture = Image.open(root / "real" / f"{number}.png")
                pixels = np.array(picture)
                pixels[:4, :4] = 255 - pixels[:4, :4]
                picture = Image.fromarray(pixels)
            picture.save(root / folder / f"{number}.png")
    return root


Planned = Callable[..., tuple[list[Row], RecordedProgress]]


@pytest.fixture
def planned(faces: Path) -> Planned:
    def of(train: Path = faces, **asked: str) -> tuple[list[Row], RecordedProgress]:
        progress = RecordedProgress()
        config = GeneraliseConfig("residual", str(train), study=StudyConfig(), **asked)
        return plan_matrix(config, progress).rows, progress

    return of


def test_each_generator_is_left_out_and_tested_on_with_all_its_fakes(planned: Planned) -> None:
    rows, progress = planned(hold_out="generator")
    whole, *others = rows
    kept = sorted(set(GENERATORS) - {"rare"})
    assert [row.study.leave_out for row in others] == [f"generator/{name}" for name in kept]
    assert any("1 of 5 generators of" in line and "rare (8)" in line for line in progress.warnings)
    frame = whole.index.frame
    for row in others:
        assert row.step is not None
        name = row.step.value
        (test_set,) = row.tests
        tested = test_set.rows
        fakes = tested[tested["label"] == FAKE]
        assert set(fakes["generator"]) == {name}
        assert len(fakes) + test_set.related == GENERATORS[name]
        reals = frame[(frame["label"] == REAL) & (frame["split"] == "test")]
        assert set(tested.loc[tested["label"] == REAL, "digest"]) == set(reals["digest"])
        trained = row.index.frame[row.index.frame["split"] != "test"]
        assert name not in set(trained["generator"])
        assert set(trained["kin"]).isdisjoint(tested["kin"])
        assert test_set.floor is not None
        assert test_set.residual is not None
        assert row.step.seen is not None
        assert row.step.seen in whole.tests
        assert set(row.step.seen.rows["digest"]) <= set(frame["digest"])


def test_a_swap_whose_original_is_trained_on_is_not_tested_on(planned: Planned) -> None:
    rows, _ = planned(hold_out="generator")
    related = {row.step.value: row.tests[0].related for row in rows[1:] if row.step}
    assert 1 <= related.pop("inswapper") <= SWAPPED
    assert set(related.values()) == {0}


def test_a_planted_shortcut_of_one_generator_is_its_own_floor(
    planned: Planned, faces: Path, tmp_path: Path
) -> None:
    """Its files were saved by another program; no other generator's floor knows of it."""
    for file in faces.rglob("*.png"):
        saved = tmp_path / "faces" / file.relative_to(faces).with_suffix(".jpg")
        saved.parent.mkdir(parents=True, exist_ok=True)
        Image.open(file).save(saved, quality=70 if file.parent.name == "mine" else 95)
    rows, _ = planned(tmp_path / "faces", hold_out="generator")
    floors = {row.step.value: row.tests[0].floor for row in rows[1:] if row.step}
    assert set(floors) == set(GENERATORS) - {"rare"}
    for name, floor in floors.items():
        assert floor is not None
        assert (floor.roc_auc > 0.99) == (name == "mine")
        assert (floor.low_95 > 0.9) == (name == "mine")


def test_in_the_order_of_time_nothing_later_is_trained_on(planned: Planned) -> None:
    rows, progress = planned(order="released")
    steps = [row.step for row in rows[1:] if row.step]
    undated = ("mine", "rare")
    assert [step.value for step in steps] == ["2019-12", "2022-12"]
    assert [step.left_out for step in steps] == [
        tuple(f"generator/{name}" for name in ("inswapper", "stable_diffusion_2_1", *undated)),
        tuple(f"generator/{name}" for name in ("inswapper", *undated)),
    ]
    tested = [[set(test_set.rows["released"]) - {""} for test_set in row.tests] for row in rows[1:]]
    assert tested == [[{"2022-12"}, {"2023-03"}], [{"2023-03"}]]
    for row in rows[1:]:
        fakes = row.index.frame[row.index.frame["label"] == FAKE]
        assert row.step is not None
        assert fakes["released"].min() > ""
        assert fakes["released"].max() <= row.step.value
    assert any(
        "38 of 138 fakes" in line and "released is not known" in line for line in progress.warnings
    )


def test_fakes_that_nobody_names_are_in_no_model_of_the_order_of_time(
    planned: Planned, faces: Path, tmp_path: Path
) -> None:
    root = tmp_path / "faces"
    shutil.copytree(faces, root)
    for number, file in enumerate(sorted((faces / "fake" / "mine").iterdir())):
        shutil.copy(file, root / "fake" / f"nameless-{number}.png")
    shutil.rmtree(root / "fake" / "mine")
    rows, progress = planned(root, order="released")
    assert any("38 of 138 fakes" in line for line in progress.warnings)
    for row in rows[1:]:
        fakes = row.index.frame[row.index.frame["label"] == FAKE]
        assert set(fakes["generator"]) <= {"stylegan2", "stable_diffusion_2_1"}
        assert "generator/" in row.study.leave_out.split(",")
        assert "unknown generators" in row.index.name


def test_a_year_among_months_makes_windows_of_years(
    planned: Planned, faces: Path, tmp_path: Path
) -> None:
    root = tmp_path / "faces"
    shutil.copytree(faces, root)
    rows = [
        f"fake/{name}/{number}.png,{name},{dict(mine='2022', inswapper='2022-03').get(name, '')}"
        for name, images in GENERATORS.items()
        for number in range(images)
    ]
    (root / "generators.csv").write_text("\n".join(["file,generator,released", *rows]))
    found, _ = planned(root, order="released")
    (step,) = [row.step for row in found[1:] if row.step]
    assert (step.value, [one.part for one in step.tests]) == ("2019", ["2022"])
    assert set(step.tests[0].rows["generator"]) == {
        "",
        "mine",
        "inswapper",
        "stable_diffusion_2_1",
    }


def test_a_generator_of_which_training_shows_all_originals_is_told_and_not_tested(
    planned: Planned, faces: Path, tmp_path: Path
) -> None:
    root = tmp_path / "faces"
    shutil.copytree(faces, root)
    for number in range(GENERATORS["inswapper"]):
        pixels = np.array(Image.open(root / "real" / f"{number}.png"))
        pixels[:4, :4] = 255 - pixels[:4, :4]
        Image.fromarray(pixels).save(root / "fake" / "inswapper" / f"{number}.png")
    rows, progress = planned(root, hold_out="generator")
    assert "inswapper" not in {row.step.value for row in rows if row.step}
    (told,) = [line for line in progress.warnings if line.startswith("inswapper is not tested on")]
    assert "made from pictures in training, and 20 are needed" in told


def test_what_no_model_can_be_trained_without_is_told_and_the_rest_is_done(
    faces: Path, tmp_path: Path, progress: RecordedProgress
) -> None:
    """Official splits, of which train and valid hold one generator alone."""
    root = tmp_path / "faces"
    for split, (first, last), made in (
        ("train", (0, 40), ("stylegan2",)),
        ("valid", (40, 60), ("stylegan2",)),
        ("test", (60, 80), ("stylegan2", "stable_diffusion_2_1", "mine")),
    ):
        (root / split / "real").mkdir(parents=True)
        for number in range(first, last):
            shutil.copy(faces / "real" / f"{number}.png", root / split / "real")
        for name in made:
            (root / split / "fake" / name).mkdir(parents=True)
            files = sorted((faces / "fake" / name).iterdir())
            share = {"train": files[:16], "valid": files[16:24], "test": files[24:]}
            for file in share[split] if name == "stylegan2" else files:
                shutil.copy(file, root / split / "fake" / name)
    config = GeneraliseConfig("residual", str(root), hold_out="generator", study=StudyConfig())
    matrix = plan_matrix(config, progress)
    assert [row.step.value for row in matrix.rows if row.step] == ["mine", "stable_diffusion_2_1"]
    (out,) = matrix.impossible
    assert out.name == "faces without stylegan2"
    assert "no usable fake image in 'train'" in out.reason


def test_a_source_that_is_called_as_a_generator_is_not_taken_for_it(
    planned: Planned, faces: Path, tmp_path: Path
) -> None:
    source = tmp_path / "stylegan2"
    for label in ("real", "fake/stylegan3"):
        (source / label).mkdir(parents=True)
    rng = np.random.default_rng(5)
    for number in range(40):
        for label in ("real", "fake/stylegan3"):
            coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
            picture = Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC)
            picture.save(source / label / f"{number}.png")
    both = Path(f"{faces}+{source}")
    rows, _ = planned(both, hold_out="generator")
    without = next(row for row in rows if row.step and row.step.value == "stylegan2")
    assert set(without.index.frame["source"]) == {"faces", "stylegan2"}
    assert "stylegan2" not in set(without.index.frame["generator"])
    rows, _ = planned(both, hold_out="source")
    held = next(row for row in rows if row.step and row.step.value == "stylegan2")
    assert set(held.tests[0].rows["source"]) == {"stylegan2"}
    assert set(held.index.frame["source"]) == {"faces"}


def test_both_at_once_share_the_model_trained_on_everything(planned: Planned) -> None:
    rows, _ = planned(hold_out="generator", order="released")
    assert len(rows) == 1 + 4 + 2
    assert sum(row.step is None for row in rows) == 1


@pytest.mark.parametrize(
    ("kept", "asked", "words"),
    [
        (["stylegan2"], {"hold_out": "generator"}, "has 1 generator with at least 20 fakes, and"),
        (["stylegan2", "mine"], {"order": "released"}, "has 1 date with at least 20 fakes, and"),
        (["mine"], {"order": "released"}, "no date is known of the fakes of"),
        (["12"], {"hold_out": "generator"}, "no generator is known of the fakes of"),
        (["12"], {"order": "released"}, "no date is known of the fakes of"),
    ],
)
def test_what_cannot_be_tried_is_refused(
    planned: Planned,
    faces: Path,
    tmp_path: Path,
    kept: list[str],
    asked: dict[str, str],
    words: str,
) -> None:
    root = tmp_path / "few"
    (root / "fake").mkdir(parents=True)
    (root / "real").symlink_to(faces / "real")
    for name in kept:
        (root / "fake" / name).symlink_to(faces / "fake" / (name if name in GENERATORS else "mine"))
    with pytest.raises(DataError, match=words):
        planned(root, **asked)


def made_up(trained: str, tested: str, released: str = "", **given: object) -> object:
    found = transferred_models.cell(transferred_models.model(trained), tested, **given)
    return replace(found, scored=replace(found.scored, released=(released,) * found.images))


def a_set(name: str, released: str, generators: list[str]) -> TestSet:
    rows = pd.DataFrame(
        {"split": "test", "label": FAKE, "released": released, "generator": generators}
    )
    return TestSet(name, "", ImageIndex(name, {}, rows), pd.Series(), {}, part=released)


def test_a_generator_without_fakes_in_test_has_no_model_beside_it() -> None:
    study = StudyConfig(model="small", data="140k", leave_out="mine")
    index = ImageIndex("140k", {}, pd.DataFrame())
    row = Row(study, index, (), Step("generator", "mine", (), index, ()))
    cell = made_up("140k without mine", "140k: mine")
    whole = Row(replace(study, leave_out=""), ImageIndex("140k", {}, pd.DataFrame()), ())
    (held,) = pair_hold_outs({whole: [made_up("140k", "140k")], row: [cell]})  # type: ignore[arg-type]
    assert (held.column, held.value, held.without, held.seen) == ("generator", "mine", cell, None)


def test_steps_in_time_name_what_they_test() -> None:
    study = StudyConfig(model="small", data="140k", leave_out="b,c")
    tests = (a_set("140k: 2021", "2021", ["b"]), a_set("140k: 2022", "2022", ["c", "d"]))
    step = Step("released", "2019-12", ("b", "c", "d"), a_set("", "", []).index, tests)
    row = Row(study, ImageIndex("140k", {}, pd.DataFrame()), tests, step)
    cells = [made_up("140k", name) for name in ("140k: 2021", "140k: 2022")]
    found = list(time_steps({row: cells}))  # type: ignore[dict-item]
    assert [(one.until, one.released, one.generators) for one in found] == [
        ("2019-12", "2021", ("b",)),
        ("2019-12", "2022", ("c", "d")),
    ]


@pytest.mark.slow
def test_a_frozen_network_sees_each_picture_once_and_every_part_is_told(
    faces: Path, tmp_path: Path
) -> None:
    place = workplace(tmp_path, faces)
    config = GeneraliseConfig(
        "mobilenetv3_small",
        str(faces),
        hold_out="generator",
        order="released",
        study=replace(place.config, trials=1, epochs=1),
    )
    progress = RecordedProgress()
    with place.here():
        outcome = run_generalisation(config, progress)
    assert not outcome.failure
    record = outcome.result
    tested = sorted(set(GENERATORS) - {"rare"})
    assert [out.value for out in record.hold_outs] == tested
    assert [(step.until, step.released) for step in record.time_steps] == [
        ("2019-12", "2022-12"),
        ("2019-12", "2023-03"),
        ("2022-12", "2023-03"),
    ]
    images = 80 + sum(GENERATORS.values())
    studies = place.client.search_runs(["0"], "tags.`fakeface.kind` = 'study'")
    assert len(studies) == 1 + 4 + 2
    assert sum(run.data.metrics["cost/extracted_images"] for run in studies) == images
    extracted = [total for title, total in progress.stages if title.startswith("extracting")]
    assert extracted == []
    predictions = pd.read_parquet(Path(outcome.folder) / "predictions.parquet")
    assert set(predictions["generator"]) == {"", *GENERATORS}
    assert set(predictions.loc[predictions["y_true"] == REAL, "generator"]) == {""}
    run = place.client.get_run(outcome.run_id)
    files = {file.path for file in place.client.list_artifacts(outcome.run_id)}
    assert {"unseen_generators.csv", "unseen_map.png", "in_time.csv", "in_time.png"} <= files
    assert "generators never seen" in run.data.tags["mlflow.note.content"]

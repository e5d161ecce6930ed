"""Fakes that only their processing tells from real pictures: floors expose it, equalising too."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakeface_bench.config import GeneraliseConfig, StudyConfig
from fakeface_bench.jobs.transfer import plan_matrix, run_generalisation
from fakeface_bench.records.study import ResidualShortcut
from tests.conftest import RecordedProgress
from tests.workplace import workplace

pytestmark = pytest.mark.usefixtures("cache")
SIDE = 96
#: Of each generator: the side that a fake is scaled to and back from, and its JPEG quality.
PLANTED = {"other_tables": (SIDE, 60), "scaled_twice": (84, 95), "nothing": (SIDE, 95)}
FAKES, REALS = 60, 100


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grain on soft blots, real and fake alike."""
    root = tmp_path_factory.mktemp("planted") / "faces"
    rng = np.random.default_rng(0)
    classes = {"real": (REALS, SIDE, 95)}
    classes |= {f"fake/{name}": (FAKES, *how) for name, how in PLANTED.items()}
    for folder, (images, side, quality) in classes.items():
        (root / folder).mkdir(parents=True)
        for number in range(images):
            blots = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
            smooth = np.asarray(blots.resize((SIDE, SIDE), Image.Resampling.BICUBIC), float)
            grain = rng.normal(0, 6, smooth.shape)
            picture = Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))
            for scaled in (side, SIDE):
                picture = picture.resize((scaled, scaled), Image.Resampling.BICUBIC)
            picture.save(root / folder / f"{number}.jpg", quality=quality)
    return root


def floors(faces: Path, **passed: object) -> Mapping[str, ResidualShortcut]:
    """Return what residual statistics alone tell of each generator that is left out."""
    study = StudyConfig(**passed)  # type: ignore[arg-type]
    config = GeneraliseConfig("residual", str(faces), hold_out="generator", study=study)
    steps = [row for row in plan_matrix(config, RecordedProgress()).rows if row.step]
    found = {row.step.value: row.tests[0].residual for row in steps if row.step}
    return {name: residual for name, residual in found.items() if residual}


@pytest.mark.parametrize(
    ("passed", "wiped_out"),
    [
        ({"equalise": "jpeg"}, ["other_tables"]),
        ({"canvas": 32}, ["scaled_twice"]),
        ({"canvas": 48, "equalise": "jpeg"}, ["other_tables", "scaled_twice"]),
    ],
)
def test_a_planted_history_is_its_floor_until_it_is_equalised(
    faces: Path, passed: dict[str, object], wiped_out: list[str]
) -> None:
    found = floors(faces, **passed)
    assert set(found) == set(PLANTED)
    for name, floor in found.items():
        is_planted = name != "nothing"
        assert (floor.untouched.low > 0.9) == is_planted, name
        assert (floor.untouched.value > 0.75) == is_planted, name
        if name in wiped_out:
            assert floor.equalised.high < floor.untouched.low, name
            assert floor.equalised.low < 0.6, name
        elif is_planted:
            assert floor.equalised.low > 0.8, "one of the two does not do for the other"
        assert floor.canvas == passed.get("canvas", 0)
        assert (floor.jpeg_quality > 0) == ("equalise" in passed)


@pytest.mark.slow
def test_the_second_matrix_says_what_was_processing_history(faces: Path, tmp_path: Path) -> None:
    place = workplace(tmp_path, faces)
    config = GeneraliseConfig(
        "residual",
        str(faces),
        hold_out="generator",
        study=replace(
            place.config, model="residual", canvas=48, equalise="jpeg", trials=1, epochs=1
        ),
    )
    with place.here():
        outcome = run_generalisation(config, RecordedProgress())
    assert not outcome.failure
    record = outcome.result
    assert record.models == ("residual", "residual (canvas 48, jpeg)")
    pairs = {(pair.untouched.model.data, pair.equalised.data): pair for pair in record.equalised}
    assert len(pairs) == 1 + 3 + 3
    for name in PLANTED:
        pair = pairs["faces", f"faces: {name}"]
        assert (pair.delta_auc.low > 0) == (name != "nothing"), name
        assert pair.untouched.digests == pair.equalised.digests
    studies = place.client.search_runs(["0"], "tags.`fakeface.kind` = 'study'")
    assert len(studies) == 2 * (1 + 3), "an untouched study is not run again to compare with"
    with (Path(outcome.folder) / "equalised.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(pairs)
    told = {row["tested_on"]: row["remark"] for row in rows if row["trained_on"] == "faces"}
    assert told["faces: scaled_twice"] == "falls when equalised"
    metrics = place.client.get_run(outcome.run_id).data.metrics
    assert any(key.endswith("/delta_auc_low") for key in metrics)
    page = (Path(outcome.folder) / "report.html").read_text()
    assert "What was processing history" in page

"""What is known of every file of one or several datasets before anything is left out."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.data.facts import FACTS
from fakeface_bench.data.selection import select_files, twins_in_training
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import DESCRIBED, NAMED_PARTS, Survey, survey_sources
from fakeface_bench.data.twins import COPY_DETAIL
from fakeface_bench.support.errors import DataError
from tests.conftest import RecordedProgress, shared

#: The near-duplicates among the 2,200 images, all fakes; verified by eye.
KNOWN_PAIRS = (
    ("valid/fake/1YAWK9ZTOE", "test/fake/5MH4CF0U4J"),
    ("train/fake/1EVI00Q4P6", "test/fake/5W7A1K1II4"),
    ("train/fake/0UNJ8BP232", "train/fake/0X8NHE29YW"),
    ("train/fake/0KF08HWD1E", "train/fake/0ZBCM6JP9R"),
    ("train/fake/01WIL4POL6", "test/fake/1KEL7DFB02"),
    ("train/fake/0FKX2W9XRP", "train/fake/1B4BWCTCI0"),
    ("train/fake/0K6ELBC035", "valid/fake/5GU93HE77B"),
    ("train/fake/0HH7WUYJBX", "valid/fake/2VZU3B0HT6"),
)


def paint(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    return path


def survey_of(*folders: Path, progress: RecordedProgress | None = None) -> Survey:
    sources = (Source(folder.name, folder) for folder in folders)
    return survey_sources(sources, progress or RecordedProgress())


def parts_of(folder: Path, name: str, label: str) -> dict[str, Any]:
    """Return what a file's name says of it, missing figures as None."""
    paint(folder / "real" / "r.png", 1)
    paint(folder / "fake" / "f.png", 2)
    paint(folder / label / name, 3)
    files = survey_of(folder).files
    row = files.loc[files["path"] == f"{label}/{name}", list(NAMED_PARTS)].iloc[0]
    return {key: None if pd.isna(value) else value for key, value in row.items()}


NOTHING_NAMED = {"tier": "", "eyes": None, "nose": None, "mouth": None}


@pytest.mark.parametrize(
    ("name", "tier", "eyes", "nose", "mouth"),
    [
        ("easy_1_1111.jpg", "easy", 2, 1, 1),
        ("mid_161_0110.jpg", "mid", 1, 1, 0),
        ("mid_7_1000.jpeg", "mid", 1, 0, 0),
        ("hard_240_0001.JPG", "hard", 0, 0, 1),
        ("hard_9_0000.png", "hard", 0, 0, 0),
        ("deep/er/easy_12_1100.jpg", "easy", 2, 0, 0),
    ],
)
@pytest.mark.usefixtures("fresh_cache")
def test_the_names_of_composed_fakes_state_tier_and_parts(
    tmp_path: Path, name: str, tier: str, eyes: int, nose: int, mouth: int
) -> None:
    found = parts_of(tmp_path / "set", name, "fake")
    assert found == {"tier": tier, "eyes": eyes, "nose": nose, "mouth": mouth}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("mid_161_0110.jpg", "real"),
        ("real_00001.jpg", "real"),
        ("00001.jpg", "fake"),
        ("mid_161_0110_copy.jpg", "fake"),
        ("my_mid_161_0110.jpg", "fake"),
        ("mid_161_011.jpg", "fake"),
        ("mid_161_0120.jpg", "fake"),
        ("mid_0110.jpg", "fake"),
        ("extreme_161_0110.jpg", "fake"),
        ("mid_161_0110/1.jpg", "fake"),
    ],
)
@pytest.mark.usefixtures("fresh_cache")
def test_other_names_state_nothing(tmp_path: Path, name: str, label: str) -> None:
    assert parts_of(tmp_path / "set", name, label) == NOTHING_NAMED


@pytest.mark.usefixtures("fresh_cache")
def test_the_columns_of_a_survey(tiny_faces: Path) -> None:
    survey = survey_of(tiny_faces)
    files = survey.files
    own = [
        "source",
        "path",
        "label",
        "split",
        "size",
        "mtime_ns",
        "videos",
        *DESCRIBED,
    ]
    assert set(files.columns) == {*own, *FACTS}
    assert len(files) == 80
    assert files.index.tolist() == list(range(80))
    assert files["label"].value_counts().to_dict() == {REAL: 40, FAKE: 40}
    assert files["split"].value_counts().to_dict() == {"train": 56, "valid": 12, "test": 12}
    for row in files.itertuples():
        stat = (tiny_faces / row.path).stat()
        assert (row.size, row.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
        assert f"/{row.split}/{('real', 'fake')[row.label]}/" in row.path
    assert survey.skipped.empty
    assert survey.alike.empty
    assert survey.name == tiny_faces.name


@pytest.mark.usefixtures("fresh_cache")
def test_several_sources_are_joined(tiny_faces: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    for number in range(4):
        paint(flat / "real" / f"{number}.png", number)
        paint(flat / "fake" / f"{number}.png", 100 + number)
    shutil.copy(next(tiny_faces.rglob("*.jpg")), flat / "real" / "copy.jpg")
    survey = survey_of(tiny_faces, flat)
    files = survey.files
    assert survey.name == f"{tiny_faces.name}+flat"
    assert [source.name for source in survey.sources] == [tiny_faces.name, "flat"]
    assert files.index.tolist() == list(range(89))
    assert files["source"].tolist() == [tiny_faces.name] * 80 + ["flat"] * 9
    assert files.loc[files["source"] == "flat", "split"].isna().all()
    assert files.loc[files["source"] == tiny_faces.name, "split"].notna().all()
    folders = {source.name: source.folder for source in survey.sources}
    assert all((folders[row.source] / row.path).is_file() for row in files.itertuples())
    assert files.dtypes.equals(survey_of(flat, tiny_faces).files.dtypes)


@pytest.mark.usefixtures("fresh_cache")
def test_each_source_is_remembered_by_itself(tiny_faces: Path, tmp_path: Path) -> None:
    paint(tmp_path / "flat" / "real" / "r.png", 1)
    paint(tmp_path / "flat" / "fake" / "f.png", 2)
    progress = RecordedProgress()
    first = survey_of(tiny_faces, tmp_path / "flat", progress=progress)
    again = survey_of(tmp_path / "flat", tiny_faces, progress=progress)
    assert progress.stages == [
        ("reading files", 80),
        ("reading files", 2),
        ("comparing images", 82),
    ]
    columns = ["source", "path"]
    pd.testing.assert_frame_equal(
        again.files.sort_values(columns, ignore_index=True),
        first.files.sort_values(columns, ignore_index=True),
    )


@pytest.mark.usefixtures("fresh_cache")
def test_copies_across_sources_are_alike(tiny_faces: Path, tmp_path: Path) -> None:
    original = sorted(tiny_faces.rglob("*.jpg"))[5]
    paint(tmp_path / "flat" / "fake" / "f.png", 2)
    (tmp_path / "flat" / "real").mkdir()
    with Image.open(original) as image:
        image.save(tmp_path / "flat" / "real" / "near.jpg", quality=60)
    survey = survey_of(tiny_faces, tmp_path / "flat")
    digests = survey.files.set_index("path")["digest"]
    pair = {digests["real/near.jpg"], digests[original.relative_to(tiny_faces).as_posix()]}
    assert [{row.first, row.second} for row in survey.alike.itertuples()] == [pair]


@pytest.mark.usefixtures("fresh_cache")
def test_identical_copies_are_one_content_and_pair_with_others_once(tmp_path: Path) -> None:
    root = tmp_path / "set"
    original = paint(root / "real" / "1.png", 1)
    for name in ("2.png", "3.png"):
        shutil.copy(original, root / "real" / name)
    (root / "fake").mkdir()
    with Image.open(original) as image:
        image.save(root / "real" / "near.webp", lossless=True)
    survey = survey_of(root)
    assert len(survey.files) == 4
    assert len(survey.alike) == 1
    assert survey.alike["distance"].tolist() == [0]


@pytest.mark.usefixtures("fresh_cache")
def test_what_was_skipped_is_told_with_source_and_reason(tmp_path: Path) -> None:
    for name in ("one", "two"):
        paint(tmp_path / name / "real" / "r.png", 1)
        paint(tmp_path / name / "fake" / "f.png", 2)
    (tmp_path / "one" / "fake" / "a.gif").touch()
    (tmp_path / "two" / "real" / "b.heic").touch()
    survey = survey_of(tmp_path / "one", tmp_path / "two")
    reason = "{} is not read; JPEG, PNG and WebP are"
    assert survey.skipped.to_dict("records") == [
        {
            "source": "one",
            "path": str(tmp_path / "one" / "fake" / "a.gif"),
            "reason": reason.format(".gif"),
        },
        {
            "source": "two",
            "path": str(tmp_path / "two" / "real" / "b.heic"),
            "reason": reason.format(".heic"),
        },
    ]
    assert len(survey.files) == 4


@pytest.mark.usefixtures("fresh_cache")
def test_a_dataset_of_pictures_that_are_not_read_says_which(tmp_path: Path) -> None:
    for name in ("real", "fake"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.gif").touch()
    with pytest.raises(DataError, match=r"hold no JPEG, PNG or WebP.*1\.gif: \.gif is not read"):
        survey_of(tmp_path)


@pytest.mark.usefixtures("fresh_cache")
def test_a_dataset_without_one_readable_image_is_surveyed_all_the_same(tmp_path: Path) -> None:
    for name in ("real", "fake"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()
    survey = survey_of(tmp_path)
    assert (survey.files["error"] != "").tolist() == [True, True]
    assert survey.alike.empty


def test_facts_of_the_composed_faces() -> None:
    files = survey_of(shared("data/ciplab_subset")).files
    assert len(files) == 250
    assert files["error"].eq("").all()
    assert files["split"].isna().all()
    tables = files.groupby("label")["quantisation"].nunique()
    assert tables[REAL] == 1
    assert tables[FAKE] > 1
    fakes, reals = files[files["label"] == FAKE], files[files["label"] == REAL]
    assert set(fakes["tier"]) == {"easy", "mid", "hard"}
    assert set(reals["tier"]) == {""}
    assert set(fakes["eyes"]) == {0, 1, 2}
    assert set(fakes["nose"]) == set(fakes["mouth"]) == {0, 1}
    assert reals[["eyes", "nose", "mouth"]].isna().all(axis=None)
    assert fakes[["eyes", "nose", "mouth"]].notna().all(axis=None)


def test_near_duplicates_among_generated_faces_are_the_known_ones() -> None:
    survey = survey_of(shared("data/140k_subset"))
    files = survey.files
    assert files["label"].value_counts().to_dict() == {REAL: 1100, FAKE: 1100}
    assert files["digest"].is_unique
    short = files["path"].str.removeprefix("real_vs_fake/real-vs-fake/").str.removesuffix(".jpg")
    name = dict(zip(files["digest"], short, strict=True))
    found = {frozenset((name[row.first], name[row.second])) for row in survey.alike.itertuples()}
    assert found == {frozenset(pair) for pair in KNOWN_PAIRS}
    assert len(survey.alike) == len(KNOWN_PAIRS)
    assert survey.alike["detail"].between(0.78, COPY_DETAIL).all(), "drawn again, not copied"
    chosen = select_files(survey, 0)
    assert (chosen["left_out"] == "").all()
    twins = twins_in_training(chosen)
    told = chosen.loc[twins, "path"].str.extract(r"(test/fake/\w+)")[0]
    assert set(told) == {"test/fake/5MH4CF0U4J", "test/fake/5W7A1K1II4", "test/fake/1KEL7DFB02"}

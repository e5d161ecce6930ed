"""What models are tested on: an official split, all images, one class, or a study's own split."""

import shutil
from pathlib import Path

import pytest

from fakeface_bench.data.index import COMPOSITE
from fakeface_bench.jobs.test_sets import held_out, whole_set
from fakeface_bench.study.preparation import prepare_dataset
from fakeface_bench.support.errors import DataError, UsageError
from tests.conftest import TINY_IMAGES, RecordedProgress

SPLITS = "real_vs_fake/real-vs-fake"


@pytest.fixture
def unsplit(tiny_faces: Path, tmp_path: Path) -> Path:
    """The pictures of the tiny set in two class folders; fakes carry tiers in their names."""
    for number, file in enumerate(sorted(tiny_faces.rglob("*.jpg"))):
        label = file.parent.name
        tier = ("easy", "mid", "hard")[number % 3]
        name = f"{tier}_{number}_1000.jpg" if label == "fake" else file.name
        target = tmp_path / "faces" / f"training_{label}" / f"{file.parents[1].name}_{name}"
        target = target.with_name(name if label == "fake" else target.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return tmp_path / "faces"


def test_a_set_with_official_splits_is_tested_on_its_own(
    tiny_faces: Path, progress: RecordedProgress
) -> None:
    found = whole_set(str(tiny_faces), 0, progress)
    assert found.chosen == "its official test split"
    assert set(found.rows["path"].str.split("/").str[2]) == {"test"}
    assert len(found.rows) == len(list((tiny_faces / SPLITS / "test").rglob("*.jpg")))
    assert len(found.signatures) == len(found.rows)
    assert len(whole_set(str(tiny_faces), 3, progress).rows) == 6


def test_any_other_is_tested_on_all_its_images(unsplit: Path, progress: RecordedProgress) -> None:
    found = whole_set(str(unsplit), 0, progress)
    assert (found.chosen, len(found.rows)) == ("all images", TINY_IMAGES)
    assert found.kinds == {"faces": COMPOSITE}
    assert found.floor is not None


def test_a_set_whose_official_splits_lack_a_test_is_tested_on_all_its_images(
    tiny_faces: Path, tmp_path: Path, progress: RecordedProgress
) -> None:
    shutil.copytree(tiny_faces / SPLITS / "train", tmp_path / "faces" / "train")
    shutil.copytree(tiny_faces / SPLITS / "valid", tmp_path / "faces" / "val")
    found = whole_set(str(tmp_path / "faces"), 0, progress)
    assert (found.chosen, len(found.rows)) == ("all images", 68)


def test_a_set_with_named_classes_is_tested_as_they_say(
    tiny_faces: Path, tmp_path: Path, progress: RecordedProgress
) -> None:
    for label, name in (("real", "echt"), ("fake", "ki")):
        shutil.copytree(tiny_faces / SPLITS / "test" / label, tmp_path / "faces" / name)
    found = whole_set(str(tmp_path / "faces"), 0, progress, "real:echt,fake:ki")
    assert found.rows["label"].eq(found.rows["path"].str.startswith("ki/")).all()
    alone = whole_set(str(tmp_path / "faces" / "ki"), 0, progress, "fake:ki")
    assert set(alone.rows["label"]) == {1}


@pytest.mark.parametrize("below", ["real", "real/images"])
def test_a_folder_that_wraps_the_pictures_of_one_class_is_of_that_class(
    tiny_faces: Path, tmp_path: Path, progress: RecordedProgress, below: str
) -> None:
    shutil.copytree(tiny_faces / SPLITS / "test" / "real", tmp_path / below)
    assert set(whole_set(str(tmp_path / below), 0, progress).rows["label"]) == {0}


@pytest.mark.parametrize("label", ["real", "fake"])
def test_one_class_suffices_in_its_folder_or_as_it(
    unsplit: Path, progress: RecordedProgress, label: str
) -> None:
    other = "fake" if label == "real" else "real"
    shutil.rmtree(unsplit / f"training_{other}")
    around = whole_set(str(unsplit), 0, progress)
    itself = whole_set(str(unsplit / f"training_{label}"), 0, progress)
    for found in (around, itself):
        assert set(found.rows["label"]) == {int(label == "fake")}
        assert len(found.rows) == TINY_IMAGES // 2
        assert found.floor is None
    assert progress.warnings == []


def test_pictures_without_labels_are_refused_with_what_was_looked_for(
    tiny_faces: Path, tmp_path: Path, progress: RecordedProgress
) -> None:
    for file in (tiny_faces / SPLITS / "test" / "real").iterdir():
        shutil.copy(file, tmp_path)
    with pytest.raises(DataError, match=r"no folders named real and fake .* saw 6 images"):
        whole_set(str(tmp_path), 0, progress)


def test_a_study_still_needs_both_classes(unsplit: Path, progress: RecordedProgress) -> None:
    shutil.rmtree(unsplit / "training_fake")
    with pytest.raises(DataError, match="one class only"):
        prepare_dataset(str(unsplit), 0, progress)


def test_what_is_left_out_keeps_the_splits_of_the_rest(
    unsplit: Path, progress: RecordedProgress
) -> None:
    dataset = prepare_dataset(str(unsplit), 0, progress)
    whole, without = dataset.index(0, progress), dataset.index(0, progress, ["hard"])
    assert without.name == "faces without hard"
    assert set(without.frame["tier"]) == {"", "easy", "mid"}
    kept = whole.frame[whole.frame["tier"] != "hard"].reset_index(drop=True)
    assert kept.equals(without.frame)
    with pytest.raises(UsageError, match=r"leave_out 'harder' is no source, tier or generator"):
        dataset.index(0, progress, ["harder"])
    with pytest.raises(DataError, match="no usable fake image in 'train'"):
        dataset.index(0, progress, ["easy", "mid", "hard"])


def test_a_part_that_is_held_out_is_tested_against_all_real_images(
    unsplit: Path, progress: RecordedProgress
) -> None:
    dataset = prepare_dataset(str(unsplit), 0, progress)
    index = dataset.index(0, progress)
    test = index.split("test")
    part = held_out(str(unsplit), dataset, index, ("tier", "hard"))
    assert part.name == "faces: hard"
    assert set(part.rows.loc[part.rows["label"] == 1, "tier"]) == {"hard"}
    assert (part.rows["label"] == 0).sum() == (test["label"] == 0).sum()
    assert len(held_out(str(unsplit), dataset, index).rows) == len(test)


def test_one_of_several_sources_is_tested_alone(
    unsplit: Path, tiny_faces: Path, tmp_path: Path, progress: RecordedProgress
) -> None:
    shutil.copytree(tiny_faces, tmp_path / "official")
    shutil.rmtree(unsplit)
    more = tmp_path / "more"
    shutil.copytree(tiny_faces / SPLITS, more)
    data = f"{tmp_path / 'official'}+{more}"
    dataset = prepare_dataset(data, 0, progress)
    index = dataset.index(0, progress)
    part = held_out(data, dataset, index, ("source", "more"))
    assert set(part.rows["source"]) == {"more"}
    assert set(part.rows["label"]) == {0, 1}

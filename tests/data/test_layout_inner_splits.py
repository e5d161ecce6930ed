"""Official splits that lie within the class folders: `{real,fake}/{train,valid,test}`."""

from pathlib import Path

import pytest

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.layout import find_class_folders
from fakeface_bench.support.errors import DataError

INNER = [f"{name}/{split}" for name in ("real", "fake") for split in SPLITS]


def make(root: Path, *folders: str) -> Path:
    for folder in folders:
        (root / folder).mkdir(parents=True)
    return root


def found(root: Path) -> list[tuple[str | None, int, str]]:
    return [
        (f.split, f.label, f.path.relative_to(root).as_posix()) for f in find_class_folders(root)
    ]


def test_splits_within_the_classes_are_official(tmp_path: Path) -> None:
    make(tmp_path, *INNER)
    assert found(tmp_path) == [
        (split, label, f"{name}/{split}")
        for split in SPLITS
        for label, name in ((REAL, "real"), (FAKE, "fake"))
    ]


@pytest.mark.parametrize(
    ("train", "valid", "test"),
    [("Training", "VAL", "testing"), ("TRAIN", "dev", "Test"), ("train", "Validation", "test")],
)
@pytest.mark.parametrize("classes", [("0_Real", "1_FAKE"), ("original images", "deepfakes")])
def test_any_spelling_is_understood(
    tmp_path: Path, train: str, valid: str, test: str, classes: tuple[str, str]
) -> None:
    make(tmp_path, *(f"{name}/{split}" for name in classes for split in (train, valid, test)))
    assert found(tmp_path) == [
        (split, label, f"{classes[label]}/{folder}")
        for split, folder in zip(SPLITS, (train, valid, test), strict=True)
        for label in (REAL, FAKE)
    ]


def test_each_class_may_spell_them_its_own_way(tmp_path: Path) -> None:
    make(tmp_path, "real/train", "real/val", "real/test", *(f"fake/{name}" for name in SPLITS))
    assert ("valid", REAL, "real/val") in found(tmp_path)
    assert ("valid", FAKE, "fake/valid") in found(tmp_path)


@pytest.mark.parametrize("below", ["a", "a/b/c"])
def test_they_are_found_further_down(tmp_path: Path, below: str) -> None:
    make(tmp_path / below, *INNER)
    assert [split for split, _, _ in found(tmp_path)] == [s for s in SPLITS for _ in range(2)]


def test_several_folders_of_one_class_are_all_read(tmp_path: Path) -> None:
    make(tmp_path, *INNER, *(f"originals/{split}" for split in SPLITS))
    expected = {(split, label) for split in SPLITS for label in (REAL, FAKE)}
    assert {(split, label) for split, label, _ in found(tmp_path)} == expected
    assert len(found(tmp_path)) == 9


def test_other_folders_within_the_classes_are_no_splits(tmp_path: Path) -> None:
    make(tmp_path, "real/women", "real/men", "fake/stylegan", "fake/testimony")
    assert found(tmp_path) == [(None, REAL, "real"), (None, FAKE, "fake")]


def test_splits_around_the_classes_come_before_those_within(tmp_path: Path) -> None:
    folders = [f"{split}/{name}" for split in SPLITS for name in ("real", "fake")]
    make(tmp_path, *folders, *(f"train/real/{split}" for split in SPLITS))
    assert found(tmp_path) == [
        (split, label, f"{split}/{name}")
        for split in SPLITS
        for label, name in ((REAL, "real"), (FAKE, "fake"))
    ]


@pytest.mark.parametrize(
    ("absent", "named"),
    [
        (["valid"], "has the split train and test but not valid"),
        (["train", "test"], "has the split valid but not train and test"),
        (["train", "valid", "test"], "holds no train, valid and test, and another class folder"),
    ],
)
@pytest.mark.parametrize("name", ["real", "fake"])
def test_splits_missing_in_one_class_are_named(
    tmp_path: Path, name: str, absent: list[str], named: str
) -> None:
    make(tmp_path, name, *(f for f in INNER if f not in [f"{name}/{split}" for split in absent]))
    with pytest.raises(DataError, match=f"{name} {named}"):
        find_class_folders(tmp_path)


def test_a_split_missing_in_both_classes_is_left_to_be_drawn(tmp_path: Path) -> None:
    make(tmp_path, *(f"{name}/{split}" for name in ("real", "fake") for split in ("train", "test")))
    assert found(tmp_path) == [
        (split, label, f"{name}/{split}")
        for split in ("train", "test")
        for label, name in ((REAL, "real"), (FAKE, "fake"))
    ]


def test_splits_below_a_folder_that_only_wraps_them_are_official(tmp_path: Path) -> None:
    make(tmp_path, *(f"{n}/images/{split}" for n in ("real", "fake") for split in SPLITS))
    assert [(split, path) for split, label, path in found(tmp_path) if label == FAKE] == [
        (split, f"fake/images/{split}") for split in SPLITS
    ]


def test_two_folders_of_one_inner_split_are_refused_rather_than_one_left_out(
    tmp_path: Path,
) -> None:
    make(tmp_path, *INNER, "real/val")
    with pytest.raises(DataError, match="'val' and 'valid', which both mean 'valid'; keep one"):
        find_class_folders(tmp_path)


@pytest.mark.parametrize("beside", ["more", "loose.jpg"])
def test_images_beside_the_inner_splits_are_refused_rather_than_left_out(
    tmp_path: Path, beside: str
) -> None:
    make(tmp_path, *INNER)
    place = tmp_path / "fake" / beside
    place.touch() if place.suffix else place.mkdir()
    (tmp_path / "fake" / "notes.txt").touch()
    with pytest.raises(DataError, match=f"holds '{beside}' beside train, valid and test"):
        find_class_folders(tmp_path)


def test_one_class_alone_is_refused_although_it_holds_splits(tmp_path: Path) -> None:
    make(tmp_path, *(f"real/{split}" for split in SPLITS))
    with pytest.raises(DataError, match=r"one class only \('real'\)"):
        find_class_folders(tmp_path)

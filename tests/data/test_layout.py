"""Where labels and splits come from: folder names, and what is said when they do not tell."""

from pathlib import Path

import pytest

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.data.class_words import SPLITS, class_of
from fakeface_bench.data.layout import find_class_folders
from fakeface_bench.support.errors import DataError


def make(root: Path, *folders: str) -> Path:
    for folder in folders:
        (root / folder).mkdir(parents=True)
    return root


def official(train: str, valid: str, test: str, classes: tuple[str, str]) -> list[str]:
    return [f"{split}/{name}" for split in (train, valid, test) for name in classes]


def found(root: Path) -> list[tuple[str | None, int, str]]:
    return [
        (f.split, f.label, f.path.relative_to(root).as_posix()) for f in find_class_folders(root)
    ]


@pytest.mark.parametrize(
    "name",
    [
        "real",
        "Real",
        "REALS",
        " real ",
        "training_real",
        "train_real",
        "0_real",
        "real_faces",
        "real-images",
        "Real Photos",
        "real.imgs",
        "training_real_faces",
        "genuine",
        "authentic",
        "original",
        "pristine",
        "true",
        "nature",
        "original_sequences",
    ],
)
def test_a_synonym_of_real_is_real(name: str) -> None:
    assert class_of(name) == REAL


@pytest.mark.parametrize(
    "name",
    [
        "fake",
        "FAKES",
        "training_fake",
        "1_fake",
        "fake_faces",
        "fake-pictures",
        "generated images",
        "synthetic",
        "AI",
        "gan",
        "deepfake",
        "deepfakes",
        "false",
        "AI-Generated Images",
        "manipulated_sequences",
    ],
)
def test_a_synonym_of_fake_is_fake(name: str) -> None:
    assert class_of(name) == FAKE


@pytest.mark.parametrize(
    "name", ["", "faces", "train", "unreal", "realistic", "not_fake", "fakery", "real_fake", "img"]
)
def test_other_names_state_no_label(name: str) -> None:
    assert class_of(name) is None


@pytest.mark.parametrize("valid", ["valid", "val", "validation", "Valid", "VAL", "dev"])
@pytest.mark.parametrize("classes", [("real", "fake"), ("Real", "FAKE")])
def test_an_official_split_is_understood_in_any_spelling(
    tmp_path: Path, valid: str, classes: tuple[str, str]
) -> None:
    make(tmp_path, *official("Train", valid, "TEST", classes))
    assert found(tmp_path) == [
        (split, label, f"{folder}/{classes[label]}")
        for split, folder in zip(SPLITS, ("Train", valid, "TEST"), strict=True)
        for label in (REAL, FAKE)
    ]


@pytest.mark.parametrize("below", ["", "a", "real_vs_fake/real-vs-fake", "a/b/c"])
def test_a_dataset_may_lie_up_to_four_levels_down(tmp_path: Path, below: str) -> None:
    make(tmp_path / below, *official("train", "valid", "test", ("real", "fake")))
    assert [(split, label) for split, label, _ in found(tmp_path)] == [
        (split, label) for split in SPLITS for label in (REAL, FAKE)
    ]


def test_a_dataset_further_down_is_not_looked_for(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c/d/real", "a/b/c/d/fake")
    with pytest.raises(DataError, match="within 4 levels"):
        find_class_folders(tmp_path)


@pytest.mark.parametrize(
    "folders",
    [
        ("real", "fake"),
        ("training_real", "training_fake"),
        ("ciplab/set/training_real", "ciplab/set/training_fake"),
    ],
)
def test_two_class_folders_alone_have_no_split(tmp_path: Path, folders: tuple[str, str]) -> None:
    make(tmp_path, *folders)
    assert found(tmp_path) == [(None, REAL, folders[0]), (None, FAKE, folders[1])]


def test_several_folders_of_one_class_all_count(tmp_path: Path) -> None:
    make(tmp_path, "real", "gan", "deepfakes")
    assert found(tmp_path) == [
        (None, REAL, "real"),
        (None, FAKE, "deepfakes"),
        (None, FAKE, "gan"),
    ]


def test_the_shallowest_place_is_the_dataset(tmp_path: Path) -> None:
    make(tmp_path, "real", "fake", "older/copy/real", "older/copy/fake")
    assert {path for _, _, path in found(tmp_path)} == {"real", "fake"}


def test_a_hidden_folder_is_no_dataset(tmp_path: Path) -> None:
    make(tmp_path, "set/real", "set/fake", ".trash/real", ".trash/fake")
    assert {path for _, _, path in found(tmp_path)} == {"set/real", "set/fake"}


def test_several_datasets_at_one_depth_are_refused_by_name(tmp_path: Path) -> None:
    make(tmp_path, "flickr/real", "flickr/fake", "unsplash/real", "unsplash/fake")
    with pytest.raises(DataError, match=r"several datasets .*\(flickr, unsplash\); pass one"):
        find_class_folders(tmp_path)


def test_several_official_datasets_are_refused_by_the_name_of_the_dataset(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make(tmp_path / name, *official("train", "valid", "test", ("real", "fake")))
    with pytest.raises(DataError, match=r"several datasets .*\(one, two\); pass one"):
        find_class_folders(tmp_path)


def test_a_single_class_is_refused_with_the_one_that_was_seen(tmp_path: Path) -> None:
    make(tmp_path, "real")
    with pytest.raises(DataError, match=r"one class only \('real'\).* no folder named 'fake'"):
        find_class_folders(tmp_path)


def test_a_single_class_in_one_split_is_refused_with_the_split(tmp_path: Path) -> None:
    make(tmp_path, "train/real", "train/fake", "valid/real", "valid/fake", "test/fake")
    with pytest.raises(DataError, match=r"test holds one class only \('fake'\)"):
        find_class_folders(tmp_path)


@pytest.mark.parametrize("splits", [("train", "test"), ("train", "valid"), ("train",), ("test",)])
def test_some_splits_alone_are_read_as_they_are(tmp_path: Path, splits: tuple[str, ...]) -> None:
    """Here `val` and `test` may lie beside them without labels."""
    make(tmp_path, *(f"{split}/{name}" for split in splits for name in ("real", "fake")))
    make(tmp_path, *{"val", "test"} - set(splits))
    assert found(tmp_path) == [
        (split, label, f"{split}/{('real', 'fake')[label]}")
        for split in splits
        for label in (REAL, FAKE)
    ]


def test_classes_within_and_beside_a_split_are_refused_rather_than_some_left_out(
    tmp_path: Path,
) -> None:
    make(tmp_path, "train/real", "train/fake", "real", "fake")
    with pytest.raises(DataError, match="class folders both within train and beside; move one"):
        find_class_folders(tmp_path)


def test_two_folders_of_one_split_are_refused_rather_than_one_left_out(tmp_path: Path) -> None:
    make(tmp_path, *official("train", "valid", "test", ("real", "fake")), "val/real", "val/fake")
    with pytest.raises(DataError, match="'val' and 'valid', which both mean 'valid'; keep one"):
        find_class_folders(tmp_path)


def test_an_unlabelled_folder_is_told_what_was_seen(tmp_path: Path) -> None:
    make(tmp_path, "cats", "dogs")
    for name in ("cats/1.jpg", "cats/2.PNG", "dogs/3.webp", "dogs/notes.txt"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="saw 3 images and the folders cats and dogs"):
        find_class_folders(tmp_path)


def test_an_empty_folder_is_told_what_was_seen(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="saw 0 images, and labels come from folder names"):
        find_class_folders(tmp_path)

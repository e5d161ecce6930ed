"""What differs from a dataset's row is told in plain lines, whatever came."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from fakeface_bench.data.catalogue import dataset_named
from fakeface_bench.data.expected import SAMPLE, differences

ROW = replace(
    dataset_named("140k"),
    counts={(split, name): 2 for split in ("train", "valid", "test") for name in ("real", "fake")},
    image_size_px=8,
)


def paint(folder: Path, images: int, size: tuple[int, int] = (8, 8)) -> None:
    folder.mkdir(parents=True)
    for number in range(images):
        Image.new("RGB", size).save(folder / f"{number:03d}.png")


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    for split, name in ROW.counts:
        paint(tmp_path / "real_vs_fake" / "real-vs-fake" / str(split) / name, images=2)
    return tmp_path


def test_a_set_as_promised_has_no_differences(faces: Path) -> None:
    assert differences(ROW, faces) == []


def test_each_count_that_differs_is_a_line(faces: Path) -> None:
    place = faces / "real_vs_fake" / "real-vs-fake"
    (place / "train" / "fake" / "000.png").unlink()
    Image.new("RGB", (8, 8)).save(place / "test" / "real" / "more.png")
    assert differences(ROW, faces) == [
        "train/fake holds 1 images, 2 expected",
        "test/real holds 3 images, 2 expected",
    ]


def test_another_size_and_a_broken_file_are_told(faces: Path) -> None:
    place = faces / "real_vs_fake" / "real-vs-fake"
    Image.new("RGB", (8, 9)).save(place / "valid" / "real" / "001.png")
    (place / "test" / "fake" / "000.png").write_bytes(b"no image")
    assert differences(ROW, faces) == [
        "valid/real has 1 of 2 sampled images that are not 8×8 px, such as 001.png (8×9)",
        "test/fake has 1 of 2 sampled images that are not 8×8 px, such as 000.png "
        "(not a readable image)",
    ]


def test_splits_that_are_not_there_are_told(tmp_path: Path) -> None:
    paint(tmp_path / "real", images=2)
    paint(tmp_path / "fake", images=0)
    lines = differences(ROW, tmp_path)
    assert lines[0] == "train/real holds 0 images, 2 expected"
    assert lines[-1] == "real holds 2 images, 0 expected"
    assert len(lines) == len(ROW.counts) + 1


def test_a_folder_that_is_no_dataset_is_one_line(tmp_path: Path) -> None:
    (line,) = differences(ROW, tmp_path)
    assert line.startswith("no folders named real and fake")


@pytest.mark.parametrize("images", [SAMPLE - 1, SAMPLE, SAMPLE + 1, 2 * SAMPLE + 1])
def test_a_spread_sample_of_the_sizes_is_read(tmp_path: Path, images: int) -> None:
    paint(tmp_path / "real", images, size=(4, 4))
    paint(tmp_path / "fake", images=1)
    row = replace(ROW, counts={(None, "real"): images, (None, "fake"): 1})
    (line,) = differences(row, tmp_path)
    sampled = int(line.split(" of ")[1].split()[0])
    assert SAMPLE // 2 < sampled <= SAMPLE

"""A folder of faces as one table: what is counted, what is left out, and what names its content."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.index import ImageIndex, build_index
from fakeface_bench.data.selection import BOTH_LABELS, HELD_OUT_COPY, UNREADABLE, select_files
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.support.errors import DataError

pytestmark = pytest.mark.usefixtures("fresh_cache")

CLASSES = ("real", "fake")


@dataclass(frozen=True)
class Indexed:
    """An index, and what became of every file on the way to it."""

    index: ImageIndex
    files: pd.DataFrame

    @property
    def frame(self) -> pd.DataFrame:
        return self.index.frame

    @property
    def digest(self) -> str:
        return self.index.digest

    def left_out(self, why: str) -> int:
        return int((self.files["left_out"] == why).sum())


Build = Callable[..., Indexed]


def paint(path: Path, seed: int, **options: Any) -> Path:
    """Write a small picture of its own contents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path, **options)
    return path


def fill(root: Path, per_folder: int, splits: tuple[str, ...] = ()) -> Path:
    """Write different pictures into every class folder, of every split where there are some."""
    folders = [root / split / name for split in splits or ("",) for name in CLASSES]
    for number, folder in enumerate(folders):
        for image in range(per_folder):
            paint(folder / f"{image:03}.png", seed=1000 * number + image)
    return root


@pytest.fixture
def build(progress: Any) -> Build:
    def with_options(*folders: Path, limit: int = 0, seed: int = 0) -> Indexed:
        survey = survey_sources([Source(folder.name, folder) for folder in folders], progress)
        files = select_files(survey, seed)
        return Indexed(build_index(survey, files, limit, progress), files)

    return with_options


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Thirty real and thirty fake pictures without an official split."""
    return fill(tmp_path / "flat", 30)


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Six pictures of each class in each of three splits."""
    return fill(tmp_path / "official", 6, SPLITS)


def read(progress: Any) -> list[int]:
    """Return how many files were read each time that some were."""
    return [total for title, total in progress.stages if title == "reading files"]


def contents(index: Indexed) -> Iterator[tuple[str, int, str]]:
    return index.frame[["digest", "label", "split"]].itertuples(index=False, name=None)


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.JPG", "a.jpeg", "a.JPEG", "a.png", "a.PNG", "a.webp", "a.WEBP"]
)
def test_jpeg_png_and_webp_are_read_in_any_case(build: Build, flat: Path, name: str) -> None:
    paint(flat / "fake" / name, seed=77)
    index = build(flat)
    assert f"fake/{name}" in set(index.frame["path"])
    assert index.left_out(UNREADABLE) == 0


def test_other_files_are_not_taken_for_images(build: Build, flat: Path, progress: Any) -> None:
    (flat / "real" / "Thumbs.db").write_bytes(b"nonsense")
    (flat / "real" / "licence.txt").write_text("free")
    index = build(flat)
    assert len(index.frame) == 60
    assert progress.warnings == []


def test_labels_follow_the_folders_and_fake_is_the_positive_class(
    build: Build, official: Path
) -> None:
    frame = build(official).frame
    expected = [FAKE if "fake" in path else REAL for path in frame["path"]]
    assert frame["label"].tolist() == expected
    assert [path.split("/")[0] for path in frame["path"]] == frame["split"].tolist()


def truncated(path: Path) -> None:
    whole = paint(path, seed=1, quality=95).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("<html>404 not found</html>")


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("gone.jpg"))


@pytest.mark.parametrize("spoil", [truncated, empty, text, dangling])
def test_an_unreadable_file_is_named_counted_and_left_out(
    build: Build, flat: Path, progress: Any, spoil: Callable[[Path], None]
) -> None:
    spoil(flat / "real" / "broken.jpg")
    index = build(flat)
    assert index.left_out(UNREADABLE) == 1
    assert "real/broken.jpg" not in set(index.frame["path"])
    assert len(index.frame) == 60
    assert [line for line in progress.warnings if "'real/broken.jpg'" in line]


def test_many_unreadable_files_are_summed_up(build: Build, tmp_path: Path, progress: Any) -> None:
    root = fill(tmp_path / "many", 130)
    for number in range(13):
        text(root / "fake" / f"{number:03}.png")
    assert build(root).left_out(UNREADABLE) == 13
    assert len(progress.warnings) == 11
    assert progress.warnings[-1] == "left out 3 more unreadable images"


def test_more_than_a_twentieth_unreadable_is_an_error(build: Build, flat: Path) -> None:
    for number in range(4):
        text(flat / "fake" / f"{number:03}.png")
    with pytest.raises(DataError, match=r"7% of the images .* \(the first: 'fake/000.png': not a"):
        build(flat)


def test_a_twentieth_unreadable_is_borne(build: Build, flat: Path) -> None:
    for number in range(3):
        text(flat / "fake" / f"{number:03}.png")
    assert build(flat).left_out(UNREADABLE) == 3


def test_the_share_of_unreadable_files_is_judged_split_by_split(
    build: Build, tmp_path: Path
) -> None:
    root = fill(tmp_path / "official", 20, SPLITS)
    text(root / "train" / "fake" / "000.png")
    for number in range(3):
        text(root / "test" / "real" / f"{number:03}.png")
    with pytest.raises(
        DataError,
        match=r"8% of the images of 'official/test' .*the first: 'test/real/000.png'",
    ):
        build(root)


def test_a_file_that_became_readable_again_is_read_again(
    build: Build, flat: Path, tmp_path: Path
) -> None:
    link = flat / "real" / "link.png"
    link.symlink_to(tmp_path / "late.png")
    assert build(flat).left_out(UNREADABLE) == 1
    paint(tmp_path / "late.png", seed=55)
    assert build(flat).left_out(UNREADABLE) == 0


def test_a_file_that_could_not_be_opened_is_tried_again(
    build: Build, flat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = flat / "real" / "000.png"
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return read(path)

    with monkeypatch.context() as patch:  # not by its mode, which binds no administrator
        patch.setattr(Path, "read_bytes", refuse)
        assert build(flat).left_out(UNREADABLE) == 1
    assert build(flat).left_out(UNREADABLE) == 0


def test_class_folders_without_an_image_are_an_error(build: Build, tmp_path: Path) -> None:
    for name in CLASSES:
        (tmp_path / "none" / name).mkdir(parents=True)
    with pytest.raises(DataError, match="hold no JPEG, PNG or WebP image"):
        build(tmp_path / "none")


def test_an_empty_class_folder_is_an_error_that_names_split_and_class(
    build: Build, official: Path
) -> None:
    shutil.rmtree(official / "valid" / "fake")
    (official / "valid" / "fake").mkdir()
    with pytest.raises(DataError, match="no usable fake image in 'valid'"):
        build(official)


@pytest.mark.parametrize("seed", range(5))
def test_byte_identical_images_stay_in_one_split(build: Build, flat: Path, seed: int) -> None:
    for number in range(10):
        original = flat / "real" / f"{number:03}.png"
        for copy in range(2):
            shutil.copy(original, original.with_name(f"copy{copy}_{number}.png"))
    frame = build(flat, seed=seed).frame
    assert len(frame) == 80
    assert (frame.groupby("digest")["split"].nunique() == 1).all()
    assert (frame.groupby("digest").size() == 3).sum() == 10


def test_images_with_both_labels_are_left_out_and_counted(
    build: Build, flat: Path, progress: Any
) -> None:
    shutil.copy(flat / "real" / "000.png", flat / "fake" / "same.png")
    shutil.copy(flat / "real" / "000.png", flat / "fake" / "again.png")
    index = build(flat)
    assert index.left_out(BOTH_LABELS) == 3
    paths = set(index.frame["path"])
    assert not paths & {"real/000.png", "fake/same.png", "fake/again.png"}
    assert len(paths) == 59
    assert progress.warnings == ["left out 3 images that were found with both labels"]


def test_nothing_is_left_when_both_classes_hold_the_same_images(
    build: Build, tmp_path: Path
) -> None:
    root = fill(tmp_path / "same", 5)
    shutil.rmtree(root / "fake")
    shutil.copytree(root / "real", root / "fake")
    with pytest.raises(DataError, match="no usable real image"):
        build(root)


def test_train_copies_of_held_out_images_are_removed_and_counted(
    build: Build, official: Path, progress: Any
) -> None:
    shutil.copy(official / "test" / "real" / "000.png", official / "train" / "real" / "t.png")
    shutil.copy(official / "valid" / "fake" / "000.png", official / "train" / "fake" / "v.png")
    index = build(official)
    assert index.left_out(HELD_OUT_COPY) == 2
    assert len(index.frame) == 36
    paths = set(index.frame["path"])
    assert {"test/real/000.png", "valid/fake/000.png"} <= paths
    assert not paths & {"train/real/t.png", "train/fake/v.png"}
    assert progress.warnings == [
        "left out 2 train or valid images of which test (or valid) holds a copy: 1 train real "
        "(14.3%), 1 train fake (14.3%)"
    ]


def test_valid_copies_of_test_images_are_removed_and_counted(
    build: Build, official: Path, progress: Any
) -> None:
    """A copy in valid would let test choose the trial."""
    tested = official / "test" / "real" / "000.png"
    for copy in ("valid/real/v.png", "valid/real/w.png", "train/real/t.png"):
        shutil.copy(tested, official / copy)
    index = build(official)
    assert index.left_out(HELD_OUT_COPY) == 3
    assert index.frame.groupby(["split", "label"]).size().tolist() == [6] * 6
    assert index.frame.groupby("digest")["split"].nunique().max() == 1
    assert "test/real/000.png" in set(index.frame["path"])
    assert progress.warnings == [
        "left out 3 train or valid images of which test (or valid) holds a copy: 1 train real "
        "(14.3%), 2 valid real (25.0%)"
    ]


def test_copies_within_one_split_are_kept(build: Build, official: Path) -> None:
    for split in SPLITS:
        folder = official / split / "fake"
        shutil.copy(folder / "000.png", folder / "copy.png")
    index = build(official)
    assert index.left_out(HELD_OUT_COPY) == 0
    assert len(index.frame) == 39


def test_the_projects_own_split_leaks_nothing(build: Build, flat: Path) -> None:
    shutil.copy(flat / "real" / "000.png", flat / "real" / "copy.png")
    assert build(flat).left_out(HELD_OUT_COPY) == 0


def test_the_digest_depends_on_contents_and_labels_alone(
    build: Build, official: Path, tmp_path: Path
) -> None:
    kept = build(official)
    moved = tmp_path / "elsewhere" / "deeper"
    shutil.copytree(official, moved)
    names = list(range(36))
    random.Random(0).shuffle(names)
    for name, path in zip(names, sorted(moved.rglob("*.png")), strict=True):
        path.rename(path.with_name(f"renamed_{name}.png"))
    again = build(moved)
    assert again.digest == kept.digest
    for split in SPLITS:
        assert again.index.split_digest(split) == kept.index.split_digest(split)
    assert set(again.frame["path"]).isdisjoint(kept.frame["path"])


def test_rows_are_in_the_order_of_their_contents(build: Build, flat: Path) -> None:
    before = list(contents(build(flat)))
    for path in flat.rglob("*.png"):
        path.rename(path.with_name(f"{999 - int(path.stem):03}_renamed.png"))
    after = list(contents(build(flat)))
    assert after == before
    assert before == sorted(before, key=lambda row: (row[2], row[0]))


def test_a_changed_content_changes_the_digest(build: Build, official: Path) -> None:
    before = build(official)
    paint(official / "test" / "real" / "000.png", seed=4711)
    after = build(official)
    assert after.digest != before.digest
    assert after.index.split_digest("test") != before.index.split_digest("test")
    assert after.index.split_digest("train") == before.index.split_digest("train")


def test_a_changed_label_changes_the_digest(build: Build, official: Path) -> None:
    before = build(official)
    real, fake = official / "test" / "real" / "000.png", official / "test" / "fake" / "000.png"
    kept = real.read_bytes()
    real.write_bytes(fake.read_bytes())
    fake.write_bytes(kept)
    after = build(official)
    assert set(after.frame["digest"]) == set(before.frame["digest"])
    assert after.digest != before.digest


def test_a_dropped_image_changes_the_digest(build: Build, official: Path) -> None:
    before = build(official).digest
    (official / "train" / "real" / "000.png").unlink()
    assert build(official).digest != before


def test_the_limit_holds_for_every_split_and_class(build: Build, official: Path) -> None:
    index = build(official, limit=4)
    assert (index.frame.groupby(["split", "label"]).size() == 4).all()
    assert len(index.frame) == 24


def test_a_limited_index_is_part_of_the_whole_one(build: Build, flat: Path) -> None:
    few, whole = set(contents(build(flat, limit=3))), set(contents(build(flat)))
    assert few < whole


def test_a_limit_above_the_number_of_images_changes_nothing(build: Build, official: Path) -> None:
    pd.testing.assert_frame_equal(build(official, limit=99).frame, build(official).frame)


def test_the_seed_moves_the_projects_split_and_nothing_else(build: Build, flat: Path) -> None:
    first, same, other = build(flat), build(flat), build(flat, seed=1)
    pd.testing.assert_frame_equal(first.frame, same.frame)
    assert other.digest == first.digest
    assert other.index.split_digest("test") != first.index.split_digest("test")


def test_an_unchanged_folder_is_not_read_again(build: Build, flat: Path, progress: Any) -> None:
    first = build(flat)
    assert read(progress) == [60]
    second = build(flat)
    assert read(progress) == [60]
    pd.testing.assert_frame_equal(second.frame, first.frame)


def test_a_remembered_unreadable_file_is_still_named(
    build: Build, flat: Path, progress: Any
) -> None:
    text(flat / "real" / "broken.jpg")
    build(flat)
    progress.warnings.clear()
    assert build(flat).left_out(UNREADABLE) == 1
    assert [line for line in progress.warnings if "'real/broken.jpg'" in line]
    assert len(read(progress)) == 1


def test_only_a_changed_file_is_read_again(build: Build, flat: Path, progress: Any) -> None:
    before = set(build(flat).frame["digest"])
    changed = flat / "fake" / "007.png"
    when = changed.stat().st_mtime_ns + 10**9
    paint(changed, seed=4711)
    os.utime(changed, ns=(when, when))
    after = set(build(flat).frame["digest"])
    assert read(progress) == [60, 1]
    assert len(after - before) == 1


def test_a_new_file_alone_is_read(build: Build, flat: Path, progress: Any) -> None:
    build(flat)
    paint(flat / "real" / "new.png", seed=4711)
    assert len(build(flat).frame) == 61
    assert read(progress)[1:] == [1]

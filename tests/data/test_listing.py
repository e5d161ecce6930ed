"""Which files below a folder are pictures, and what is said of those that are not read."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fakeface_bench.config import REAL
from fakeface_bench.data.listing import list_images, pictures_outside, printable
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import survey_sources

NOBODY = 65534


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def listed(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in list_images(folder).images]


def skipped(folder: Path) -> dict[str, str]:
    """Return the reason of each skipped path, by its path within the folder."""
    found = list_images(folder).skipped
    reasons = {path.removeprefix(f"{printable(folder)}/"): reason for path, reason in found}
    assert len(reasons) == len(found)
    return reasons


@contextmanager
def without_permission(folder: Path) -> Iterator[None]:
    """Lock a folder, and give up an administrator's rights, which no lock binds, for the while."""
    administrator = os.geteuid() == 0
    places = (folder, *folder.parents)
    modes = {place: stat.S_IMODE(place.stat().st_mode) for place in places}
    try:
        if administrator:
            for parent in folder.parents:
                parent.chmod(modes[parent] | 0o055)
        folder.chmod(0)
        if administrator:
            os.seteuid(NOBODY)
        yield
    finally:
        if administrator:
            os.seteuid(0)
        for place in places if administrator else (folder,):
            place.chmod(modes[place])


def test_jpeg_png_and_webp_are_listed_in_any_case_and_in_order(tmp_path: Path) -> None:
    names = ["b.JPG", "a.png", "e.WebP", "d.jpeg", "c.Png", "f.JPEG", "10.jpg", "9.jpg", "B.webp"]
    touch(tmp_path, *names)
    assert listed(tmp_path) == sorted(names)
    assert skipped(tmp_path) == {}


def test_the_order_of_making_does_not_show(tmp_path: Path) -> None:
    names = ["x/2.jpg", "x/1.jpg", "a.jpg", "z.png", "m/n/o.webp"]
    first, second = touch(tmp_path / "1", *names), touch(tmp_path / "2", *reversed(names))
    assert listed(first) == listed(second) == sorted(names)


def test_deeper_folders_are_listed_too(tmp_path: Path) -> None:
    names = ["a/b/c/d/e/f/g/1.jpg", "a/b/2.jpg", "3.jpg", "f/4.jpg"]
    touch(tmp_path, *names)
    assert sorted(listed(tmp_path)) == sorted(names)


def test_hidden_folders_with_pictures_are_skipped_and_named(tmp_path: Path) -> None:
    hidden = [".ipynb_checkpoints/1-checkpoint.jpg", "a/.trash/x/2.png", ".empty/notes.txt"]
    touch(tmp_path, "1.jpg", "a/2.png", *hidden)
    assert sorted(listed(tmp_path)) == ["1.jpg", "a/2.png"]
    why = "a hidden folder, whose pictures are not read"
    assert list_images(tmp_path).skipped == (
        (str(tmp_path / ".ipynb_checkpoints"), why),
        (str(tmp_path / "a" / ".trash"), why),
    )


def test_videos_are_skipped_with_what_to_do(tmp_path: Path) -> None:
    touch(tmp_path, "000_003.mp4", "1.jpg")
    why = "a video: save its frames as PNG files first"
    assert list_images(tmp_path).skipped == ((str(tmp_path / "000_003.mp4"), why),)


def test_an_empty_folder_lists_nothing(tmp_path: Path) -> None:
    assert list_images(tmp_path).images == ()
    assert list_images(tmp_path).skipped == ()


@pytest.mark.parametrize(
    "suffix",
    [
        *(".jpe", ".jfif", ".gif", ".bmp", ".tif", ".tiff"),
        *(".heic", ".heif", ".avif", ".jp2", ".jxl", ".GIF", ".HeIc"),
    ],
)
def test_pictures_of_other_formats_are_skipped_with_the_reason(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, f"deep/face{suffix}", "face.jpg")
    assert listed(tmp_path) == ["face.jpg"]
    expected = f"{suffix.lower()} is not read; JPEG, PNG and WebP are"
    assert skipped(tmp_path) == {f"deep/face{suffix}": expected}


@pytest.mark.parametrize(
    "name",
    ["licence.txt", "Thumbs.db", ".DS_Store", "labels.csv", "jpg", "face.jpg.part", ".jpg", "a"],
)
def test_what_is_no_picture_by_its_name_is_ignored(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    assert listed(tmp_path) == []
    assert skipped(tmp_path) == {}


@pytest.mark.parametrize(
    "name",
    [
        "new\nline.jpg",
        'it\'s "quoted".jpg',
        "  two  spaces .jpg",
        "🙂.jpg",
        "Zoë & Иван 顔.jpg",
        "back\\slash.jpg",
        "-rf *.jpg",
        "a+b=c,%20.jpg",
        r"\xff.jpg",
        "tab\t.jpg",
        "dots...jpg",
    ],
)
def test_a_strange_name_is_listed_and_its_file_is_read(
    tmp_path: Path, name: str, fresh_cache: Path, progress: Any
) -> None:
    for label in ("real", "fake"):
        (tmp_path / label).mkdir()
    Image.effect_noise((40, 40), 60).save(tmp_path / "real" / name)
    assert listed(tmp_path) == [f"real/{name}"]
    for _ in range(2):  # the second time from memory
        files = survey_sources([Source("odd", tmp_path)], progress).files
        assert files["path"].tolist() == [f"real/{name}"]
        assert files["label"].tolist() == [REAL]
        assert files["error"].tolist() == [""]
        assert files["width"].tolist() == [40]
    assert len([title for title, _ in progress.stages if title == "reading files"]) == 1


@pytest.mark.parametrize("suffix", [b".jpg", b".PNG", b".gif"])
def test_a_name_that_is_not_utf8_is_skipped_by_a_printable_name(
    tmp_path: Path, suffix: bytes
) -> None:
    touch(tmp_path, "face.jpg", os.fsdecode(b"caf\xe9 \xff" + suffix))
    assert listed(tmp_path) == ["face.jpg"]
    name = rf"caf\xe9 \xff{suffix.decode()}"
    assert skipped(tmp_path) == {name: "its name is not UTF-8"}
    name.encode("utf-8")


def test_pictures_in_a_folder_whose_name_is_not_utf8_are_skipped(tmp_path: Path) -> None:
    touch(tmp_path / os.fsdecode(b"\xff"), "1.jpg", "notes.txt")
    assert listed(tmp_path) == []
    assert skipped(tmp_path) == {r"\xff/1.jpg": "its name is not UTF-8"}


def test_a_text_file_whose_name_is_not_utf8_is_ignored(tmp_path: Path) -> None:
    touch(tmp_path, os.fsdecode(b"\xff.txt"))
    assert skipped(tmp_path) == {}


@pytest.mark.parametrize("target", ["gone.jpg", "link.jpg"], ids=["dangling", "to itself"])
def test_a_link_that_leads_nowhere_is_listed_and_later_unreadable(
    tmp_path: Path, target: str, fresh_cache: Path, progress: Any
) -> None:
    touch(tmp_path, "fake/notes.txt", "real/notes.txt")
    (tmp_path / "real" / "link.jpg").symlink_to(tmp_path / "real" / target)
    assert listed(tmp_path) == ["real/link.jpg"]
    files = survey_sources([Source("links", tmp_path)], progress).files
    reason = {"gone.jpg": "No such file or directory", "link.jpg": "Too many levels"}[target]
    assert files["error"].str.startswith(reason).tolist() == [True]


def test_a_link_to_a_file_is_listed(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/1.jpg")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link.jpg").symlink_to(tmp_path / "elsewhere" / "1.jpg")
    assert listed(tmp_path / "here") == ["link.jpg"]


def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", "1.jpg", "deep/2.jpg", "3.gif")
    touch(tmp_path / "here", "0.jpg")
    (tmp_path / "here" / "more").symlink_to(tmp_path / "elsewhere")
    assert listed(tmp_path / "here") == ["0.jpg", "more/1.jpg", "more/deep/2.jpg"]
    assert list(skipped(tmp_path / "here")) == ["more/3.gif"]


def test_a_linked_folder_itself_can_be_listed(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", "1.jpg")
    (tmp_path / "real").symlink_to(tmp_path / "elsewhere")
    assert listed(tmp_path / "real") == ["1.jpg"]


@pytest.mark.parametrize("target", [".", "..", "../../set"])
def test_a_loop_of_links_ends_and_lists_each_file_once(tmp_path: Path, target: str) -> None:
    root = touch(tmp_path / "set", "1.jpg", "inner/2.jpg")
    (root / "inner" / "loop").symlink_to(target)
    assert listed(root) == ["1.jpg", "inner/2.jpg"]


def test_two_folders_linked_to_one_another_end(tmp_path: Path) -> None:
    touch(tmp_path / "set", "a/1.jpg", "b/2.jpg")
    (tmp_path / "set" / "a" / "b").symlink_to(tmp_path / "set" / "b")
    (tmp_path / "set" / "b" / "a").symlink_to(tmp_path / "set" / "a")
    found = list_images(tmp_path / "set").images
    assert sorted(path.name for path in found) == ["1.jpg", "2.jpg"]


def test_a_folder_linked_twice_is_listed_under_the_same_name_however_it_was_made(
    tmp_path: Path,
) -> None:
    """Which of the two names comes first on disk is up to the file system."""
    links = [f"link{number}" for number in range(8)]
    for place, order in (("one", links), ("other", links[::-1])):
        touch(tmp_path / "target", "1.jpg")
        (tmp_path / place).mkdir()
        for link in order:
            (tmp_path / place / link).symlink_to(tmp_path / "target")
    assert listed(tmp_path / "one") == listed(tmp_path / "other") == ["link0/1.jpg"]


def test_a_folder_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "locked/2.jpg", "open/3.jpg")
    with without_permission(tmp_path / "locked"):
        assert listed(tmp_path) == ["1.jpg", "open/3.jpg"]
        assert skipped(tmp_path) == {"locked": "cannot be listed: Permission denied"}
    assert listed(tmp_path) == ["1.jpg", "locked/2.jpg", "open/3.jpg"]


def test_a_locked_class_folder_is_reported_by_a_survey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress: Any
) -> None:
    root = tmp_path / "set"
    (root / "fake").mkdir(parents=True)
    touch(root, "real/1.jpg")
    for number in range(3):
        Image.effect_noise((40, 40), 60).save(root / "fake" / f"{number}.png")
    writable = tmp_path / "cache"
    writable.mkdir()
    writable.chmod(0o777)
    monkeypatch.setenv("FAKEFACE_CACHE", str(writable))
    with without_permission(root / "real"):
        survey = survey_sources([Source("set", root)], progress)
    assert len(survey.files) == 3
    assert survey.skipped.to_dict("records") == [
        {
            "source": "set",
            "path": str(root / "real"),
            "reason": "cannot be listed: Permission denied",
        }
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"plain.jpg", "plain.jpg"),
        (b"\xff.jpg", r"\xff.jpg"),
        ("🙂 é.jpg".encode(), "🙂 é.jpg"),
        (b"caf\xe9\n.jpg", "caf\\xe9\n.jpg"),
    ],
)
def test_a_printable_path_is_text_that_a_store_takes(content: bytes, expected: str) -> None:
    assert printable(Path(os.fsdecode(content))) == expected
    assert expected.encode("utf-8").decode("utf-8") == expected


@pytest.mark.parametrize("name", ["photo", "photo.jpg.part", "photo.download"])
def test_a_picture_under_another_name_is_reported(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.jpg")
    (tmp_path / "red.jpg").rename(tmp_path / name)
    listing = list_images(tmp_path)
    assert listing.images == ()
    ((path, reason),) = listing.skipped
    assert path == str(tmp_path / name)
    assert "does not end in .jpg" in reason


def test_what_macos_leaves_beside_pictures_is_reported_and_not_read(tmp_path: Path) -> None:
    for name in ("face.jpg", "._face.jpg"):
        (tmp_path / name).touch()
    listing = list_images(tmp_path)
    assert [path.name for path in listing.images] == ["face.jpg"]
    assert listing.skipped == ((str(tmp_path / "._face.jpg"), "metadata of macOS beside a file"),)


def test_pictures_outside_of_the_class_folders_are_counted_by_folder(tmp_path: Path) -> None:
    for name in (
        "real/a.jpg",
        "fake/b.jpg",
        "stray.jpg",
        "other/c.png",
        "other/d.JPG",
        "docs/e.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert pictures_outside(tmp_path, [tmp_path / "real", tmp_path / "fake"]) == [
        (str(tmp_path), "holds 1 picture outside of the class folders"),
        (str(tmp_path / "other"), "holds 2 pictures outside of the class folders"),
    ]

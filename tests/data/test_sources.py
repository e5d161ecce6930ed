"""What a user may name as data, how each part is called, and where it lies."""

import os
from pathlib import Path
from typing import Any

import pytest

from fakeface_bench.data.catalogue import DATASETS, dataset_named
from fakeface_bench.data.sources import (
    Source,
    check_data,
    prepare_sources,
    source_identities,
    source_names,
    split_data,
)
from fakeface_bench.data.synthetic.dataset import SYNTHETIC_SEED, SYNTHETIC_VERSION
from fakeface_bench.support.errors import UsageError

KEYS = [row.key for row in DATASETS]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own, where relative paths are short."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def make(*folders: str) -> None:
    for folder in folders:
        Path(folder).mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize("data", [*KEYS, "+".join(KEYS)])
def test_rows_of_the_catalogue_are_known(data: str) -> None:
    check_data(data)
    assert source_names(data) == data.split("+")


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ("faces", ["faces"]),
        ("./faces", ["faces"]),
        ("deep/er", ["er"]),
        ("faces+deep/er", ["faces", "er"]),
        ("faces + 140k", ["faces", "140k"]),
        (" 140k +  faces ", ["140k", "faces"]),
        ("with space", ["with_space"]),
        ("my: faces (2)/", ["my_faces_2_"]),
        ("a+b", ["a_b"]),
        ("Größe-1.0", ["Größe-1.0"]),
        ("🙂", ["_"]),
        (".", ["here"]),
        ("../here", ["here"]),
    ],
)
def test_folders_are_known_by_names_that_a_metric_may_carry(data: str, names: list[str]) -> None:
    make("faces", "deep/er", "with space", "my: faces (2)", "a+b", "Größe-1.0", "🙂")
    check_data(data)
    assert source_names(data) == names


def test_the_root_folder_has_a_name() -> None:
    assert source_names("/") == ["root"]


def test_a_home_folder_is_understood(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    make("faces")
    check_data("~/faces")
    assert source_names("~/faces") == ["faces"]


def test_a_link_is_called_as_the_folder_it_leads_to(here: Path) -> None:
    make("faces")
    (here / "link").symlink_to("faces")
    assert source_names("link") == ["faces"]


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ("a/set+b/set", ["set", "set-2"]),
        ("a/set+b/set+c/set", ["set", "set-2", "set-3"]),
        ("c/my set+c/my_set", ["my_set", "my_set-2"]),
        ("synthetic+a/synthetic", ["synthetic", "synthetic-2"]),
        ("a/synthetic+synthetic", ["synthetic", "synthetic-2"]),
    ],
)
def test_folders_of_the_same_name_are_numbered(data: str, names: list[str]) -> None:
    make("a/set", "b/set", "c/set", "c/my set", "c/my_set", "a/synthetic")
    check_data(data)
    assert source_names(data) == names


@pytest.mark.parametrize(
    "data",
    [
        "a/set-2+a/set",
        "a/set-2+a/set+b/set",
        "a/set+b/set+a/set-2",
        "a/set+a/set-2+b/set",
        "a/set-2+b/set-2+a/set+b/set",
        "a/set-3+a/set+b/set+c/set",
        "a/140k-2+140k",
        "a/set-1+a/set-2+a/set",
    ],
)
def test_names_are_unique_beside_folders_that_end_in_a_number(data: str) -> None:
    """Files of two datasets of one name would be looked for in one folder."""
    make("a/set", "b/set", "c/set", "a/set-1", "a/set-2", "b/set-2", "a/set-3", "a/140k-2")
    check_data(data)
    names = source_names(data)
    assert len(set(names)) == len(data.split("+"))


def test_a_joint_in_a_folders_own_name_is_part_of_it(here: Path, progress: Any) -> None:
    make("real+fake", "real")
    check_data("real+fake")
    assert list(prepare_sources("real+fake", progress)) == [Source("real_fake", here / "real+fake")]


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        ("a+b", ["a+b"]),
        ("a+b+140k", ["a+b", "140k"]),
        ("140k + a+b", ["140k", "a+b"]),
        ("a+b+c+d", ["a+b", "c+d"]),
        ("c+d+a+b+synthetic", ["c+d", "a+b", "synthetic"]),
        ("x++140k", ["x+", "140k"]),
        ("sub/a+b+c", ["sub/a+b", "c"]),
        ("c+nowhere", ["c", "nowhere"]),
        ("~/h+o+140k+~/h", ["~/h+o", "140k", "~/h"]),
    ],
)
def test_a_joint_in_a_folders_own_name_is_part_of_it_among_others_too(
    here: Path, monkeypatch: pytest.MonkeyPatch, data: str, parts: list[str]
) -> None:
    monkeypatch.setenv("HOME", str(here / "home"))
    make("a+b", "c", "c+d", "x+", "sub/a+b", "home/h+o", "home/h")
    assert split_data(data) == parts
    if "nowhere" not in data:
        check_data(data)
        assert len(set(source_names(data))) == len(parts)


def test_home_folders_are_understood_joined(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    make("faces", "more")
    assert source_identities("~/faces+~/more") == [str(here / "faces"), str(here / "more")]


def test_a_row_comes_before_a_folder_of_its_name(here: Path) -> None:
    make("synthetic")
    assert source_names("synthetic+140k") == ["synthetic", "140k"]
    assert source_names("./synthetic") == ["synthetic"]


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ("nowhere", "nowhere"),
        ("faces+nowhere", "nowhere"),
        ("nowhere+faces", "nowhere"),
        ("", ""),
        ("faces+", ""),
        ("+faces", ""),
        ("faces++140k", ""),
        ("a_file", "a_file"),
        ("140K", "140K"),
        ("x" * 300, "x" * 300),
        ("~nobody_of_this_name/faces", "~nobody_of_this_name/faces"),
    ],
)
def test_what_is_neither_a_row_nor_a_folder_is_refused_by_name(data: str, part: str) -> None:
    make("faces")
    Path("a_file").touch()
    with pytest.raises(UsageError, match=f"^no dataset or folder '{part}'.* 'fakeface-bench list'"):
        check_data(data)


@pytest.mark.parametrize(("data", "meant"), [("sinthetic", "synthetic"), ("cip-lab", "ciplab")])
def test_a_slip_is_answered_with_the_row_that_was_meant(data: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"did you mean .*'{meant}'.*\?"):
        check_data(f"140k+{data}")


@pytest.mark.parametrize(
    "data",
    [
        "140k+140k",
        "140k+synthetic+ 140k",
        "faces+faces",
        "faces+./faces",
        "faces+140k+../here/faces/",
        "faces+link",
    ],
)
def test_what_is_named_twice_is_refused(here: Path, data: str) -> None:
    make("faces")
    (here / "link").symlink_to("faces")
    twice = "140k" if data.startswith("140k") else str(here / "faces")
    with pytest.raises(UsageError, match=f"data names '{twice}' twice; name each dataset once"):
        check_data(data)


def test_folders_are_prepared_in_their_order_with_absolute_paths(here: Path, progress: Any) -> None:
    make("b/set", "a/set", "faces")
    assert list(prepare_sources("faces + b/set + ./a/set", progress)) == [
        Source("faces", here / "faces"),
        Source("set", here / "b" / "set"),
        Source("set-2", here / "a" / "set"),
    ]


def test_a_row_is_prepared_beside_a_folder(fresh_cache: Path, here: Path, progress: Any) -> None:
    """The embedded faces were drawn before: here, their folder is there."""
    make("faces")
    images = dataset_named("synthetic").images
    drawn = fresh_cache / "datasets" / f"synthetic-v{SYNTHETIC_VERSION}-{images}-{SYNTHETIC_SEED}"
    drawn.mkdir(parents=True)
    assert list(prepare_sources("synthetic+faces", progress)) == [
        Source("synthetic", drawn),
        Source("faces", here / "faces"),
    ]
    assert progress.stages == []


@pytest.mark.parametrize("data", ["nowhere", "synthetic+nowhere", "faces+faces"])
def test_nothing_is_prepared_where_any_part_is_refused(
    fresh_cache: Path, progress: Any, data: str
) -> None:
    make("faces")
    with pytest.raises(UsageError, match=r"no dataset or folder 'nowhere'|twice"):
        list(prepare_sources(data, progress))
    assert progress.stages == []
    assert not fresh_cache.exists()


def test_a_folder_within_another_is_refused(tmp_path: Path) -> None:
    (tmp_path / "all" / "part").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"part lies within .*all, so its images"):
        check_data(f"{tmp_path / 'all'}+{tmp_path / 'all' / 'part'}")


def test_a_folder_whose_name_is_not_utf8_is_refused(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/ro\xffot"))
    folder.mkdir()
    with pytest.raises(UsageError, match=r"ro\\\\xffot' has a name that is not UTF-8"):
        check_data(str(folder))

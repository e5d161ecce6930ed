"""What travels between machines arrives as it was, by its place or as what it holds."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fakeface_bench.support.parcel import FileContent, UnseenError, pack, unpack


@pytest.fixture
def rows(tmp_path: Path) -> np.memmap:
    np.save(tmp_path / "rows.npy", np.arange(12.0).reshape(4, 3))
    return np.load(tmp_path / "rows.npy", mmap_mode="r")


@pytest.mark.parametrize("by_path", [True, False])
def test_arrays_arrive_as_they_were(rows: np.memmap, by_path: bool) -> None:
    views = (rows, rows[1:], rows[::-1], rows.T, rows.reshape(6, 2), rows[:, 1], np.ones(3))
    arrived = unpack(pack(views, by_path))
    for sent, found in zip(views, arrived, strict=True):
        np.testing.assert_array_equal(found, sent)
    assert isinstance(arrived[0], np.memmap) == by_path
    assert not any(isinstance(view, np.memmap) for view in arrived[1:])


def test_a_mapped_file_travels_as_its_path_alone(rows: np.memmap) -> None:
    assert not pack(rows, by_path=True).arrays
    assert len(pack(rows, by_path=False).arrays) == 1


def test_files_are_read_like_paths_and_folders_are_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a picture")
    file, folder = unpack(pack((tmp_path / "a.png", tmp_path), by_path=False))
    assert isinstance(file, FileContent)
    assert (file.read_bytes(), str(file)) == (b"a picture", str(tmp_path / "a.png"))
    assert folder is None
    assert unpack(pack((tmp_path / "a.png"), by_path=True)) == tmp_path / "a.png"


def test_what_is_not_seen_where_it_arrives_is_named(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    np.save(there / "rows.npy", np.ones(3))
    parcel = pack(np.load(there / "rows.npy", mmap_mode="r"), by_path=True)
    shutil.rmtree(there)
    with pytest.raises(UnseenError, match="there"):
        unpack(parcel)

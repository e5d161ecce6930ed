"""A full disk ends work with what is missing in bytes, and loses none of what was done."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakeface_bench.backbones.building import open_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.data import array_store
from fakeface_bench.data.array_store import CachedArrays, cached_arrays, part_of
from fakeface_bench.data.index import ImageIndex, build_index
from fakeface_bench.data.pictures import Pictures, cached_pixels
from fakeface_bench.data.selection import select_files
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.features.source import BackboneSource
from fakeface_bench.features.store import cached_features
from fakeface_bench.support.disk import check_room, room_for
from fakeface_bench.support.errors import DiskError
from fakeface_bench.support.progress import Advance
from tests.conftest import RecordedProgress
from tests.reliability.small_disk import fill, small_disk

SIZE = 96
#: Images a batch, and a shard.
BATCH = 8


class Filling(RecordedProgress):
    """Fills a disk once so many images are done, as another program might."""

    def __init__(self, disk: Path, after: int) -> None:
        super().__init__()
        self._disk = disk
        self._left = after

    @contextmanager
    def stage(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        with super().stage(title, total, unit):
            yield self._advance

    def _advance(self, units: int) -> None:
        self._left -= units
        if self._left == 0:
            fill(self._disk)


@pytest.fixture(scope="module")
def source() -> BackboneSource:
    row = architecture_named("mobilenetv3_small")
    backbone = open_backbone(row, SIZE, Weights("random"))
    return BackboneSource(row.key, "crop", BATCH, backbone=backbone)


@pytest.fixture
def index(tiny_faces: Path, progress: RecordedProgress) -> ImageIndex:
    survey = survey_sources([Source("faces", tiny_faces)], progress)
    return build_index(survey, select_files(survey, seed=0), 0, progress)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_store, "SHARD_ROWS", BATCH)


def features_of(
    source: BackboneSource, index: ImageIndex, progress: RecordedProgress
) -> CachedArrays:
    rows: pd.DataFrame = index.split("train")
    return cached_features(source, list(rows["digest"]), index.files(rows), progress)


def pixels_of(index: ImageIndex, progress: RecordedProgress) -> CachedArrays:
    rows = index.split("train")
    pictures = Pictures(index.files(rows), SIZE, "crop", 110, digests=list(rows["digest"]))
    return cached_pixels(pictures, progress)


def sizes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.npy"))


def assert_equal(one: CachedArrays, other: CachedArrays) -> None:
    assert one.arrays.keys() == other.arrays.keys()
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(values, other.arrays[name])


def test_what_will_not_fit_is_told_before_any_image_passes_the_network(
    source: BackboneSource,
    index: ImageIndex,
    progress: RecordedProgress,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    progress.stages.clear()
    with small_disk(tmp_path / "disk", 300_000) as disk:
        monkeypatch.setenv("FAKEFACE_CACHE", str(disk))
        with pytest.raises(DiskError, match=r"disk is full: .* make room and run ag") as raised:
            features_of(source, index, progress)
        folder = source.folder(list(index.split("train")["digest"]))
        free = shutil.disk_usage(disk).free
        assert str(part_of(folder)) in str(raised.value)
        assert f"and {free:,} are free there" in str(raised.value)
        assert "\n" not in str(raised.value)
        assert progress.stages == []
        assert [path for path in disk.rglob("*") if path.name.startswith(".")] == []
    monkeypatch.setenv("FAKEFACE_CACHE", str(tmp_path / "elsewhere"))
    features_of(source, index, progress)
    arrays = sizes(source.folder(list(index.split("train")["digest"])))
    description = int(str(raised.value).split()[4].replace(",", ""))
    assert arrays < description < arrays + 80_000, "the arrays, and small files beside them"


def test_extraction_goes_on_at_the_shard_where_the_disk_was_full(
    source: BackboneSource,
    index: ImageIndex,
    progress: RecordedProgress,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKEFACE_CACHE", str(tmp_path / "undisturbed"))
    undisturbed = features_of(source, index, progress)
    images = undisturbed.facts["images_extracted"]
    with small_disk(tmp_path / "disk", 4_000_000) as disk:
        monkeypatch.setenv("FAKEFACE_CACHE", str(disk))
        full = Filling(disk, after=3 * BATCH)
        with pytest.raises(DiskError, match=r"disk is full: [\d,]+ bytes .* and 0 are free") as e:
            features_of(source, index, full)
        assert isinstance(e.value.__cause__, OSError), "it came while a shard was written"
        assert e.value.__cause__.errno == errno.ENOSPC
        assert list(disk.rglob("facts.json")) == []
        with pytest.raises(DiskError):  # still full
            features_of(source, index, progress)
        (disk / "filler").unlink()
        progress.stages.clear()
        resumed = features_of(source, index, progress)
        assert resumed.facts["images_extracted"] == images - 3 * BATCH
        assert [total for _, total in progress.stages] == [images - 3 * BATCH]
        assert resumed.facts["known_seconds"] > 0
        assert resumed.facts["timed_images"] == images
        assert_equal(resumed, undisturbed)
        assert features_of(source, index, progress).made_now is False


def test_decoding_goes_on_at_the_shard_where_the_disk_was_full(
    index: ImageIndex, progress: RecordedProgress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fakeface_bench.data.pictures.STREAM_BATCH", BATCH)
    monkeypatch.setenv("FAKEFACE_CACHE", str(tmp_path / "undisturbed"))
    undisturbed = pixels_of(index, progress)
    images = undisturbed.facts["images_extracted"]
    with small_disk(tmp_path / "disk", 6_000_000) as disk:
        monkeypatch.setenv("FAKEFACE_CACHE", str(disk))
        with pytest.raises(DiskError, match=f"written in {disk}/pixels/.*0 are free"):
            pixels_of(index, Filling(disk, after=2 * BATCH))
        (disk / "filler").unlink()
        resumed = pixels_of(index, progress)
        assert resumed.facts["images_extracted"] == images - 2 * BATCH
        assert_equal(resumed, undisturbed)


def test_a_small_array_that_does_not_fit_is_told_like_a_large_one(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 100_000) as disk:

        def make(draft: Path) -> dict[str, float]:
            np.save(draft / "pairs.npy", np.zeros(50_000))  # NumPy gives the error no number
            return {}

        with pytest.raises(DiskError, match=f"the disk is full: 65,536 bytes .* in {disk}, and"):
            cached_arrays(disk / "key", make)
        assert [path.name for path in disk.iterdir() if path.suffix != ".lock"] == []


def fill_within_room(disk: Path) -> None:
    with room_for(disk, 5_000):
        fill(disk)
        (disk / "file").write_bytes(b"x" * 5_000)


def test_room_is_checked_first_and_a_disk_that_fills_up_is_told_alike(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2**20) as disk:
        description = (
            rf"2,000,000 bytes are still to be written in {disk}/new, and [\d,]+ are free there"
        )
        with pytest.raises(DiskError, match=description):
            check_room(disk / "new", 2_000_000)
        check_room(disk / "new", 1_000_000)
        with pytest.raises(DiskError, match=r"5,000 bytes .* and 0 are free"):
            fill_within_room(disk)
        (disk / "filler").unlink()
        with pytest.raises(FileNotFoundError), room_for(disk, 5_000):
            (disk / "gone").read_bytes()

"""Images through tf.data and the pixel cache: the pixels that `load_image` gives, in order."""

import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.config import FITS
from fakeface_bench.data import pictures as module
from fakeface_bench.data.array_store import CachedArrays
from fakeface_bench.data.pictures import (
    Pictures,
    cached_pixels,
    indexed_bytes,
    stream_images,
    stream_rows,
)
from fakeface_bench.support.errors import DataError
from tests.conftest import load_image

IMAGES = 23
SIZE = 32


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of many shapes and formats, some of which are scaled."""
    folder = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        height, width = rng.integers(20, 90, 2)
        picture = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        picture.save(folder / f"{number:02}.{('png', 'jpg', 'webp')[number % 3]}")
    return folder


@pytest.fixture
def rows(faces: Path) -> pd.DataFrame:
    """The index of the pictures, in an order that is not that of their names."""
    names = [path.name for path in sorted(faces.iterdir())]
    order = np.random.default_rng(1).permutation(IMAGES)
    paths = [names[i] for i in order]
    digests = [hashlib.sha256((faces / path).read_bytes()).hexdigest() for path in paths]
    return pd.DataFrame({"path": paths, "digest": digests})


def paths_of(rows: pd.DataFrame, faces: Path) -> list[Path]:
    return [faces / path for path in rows["path"]]


def pictures(paths: list[Path], size: int = SIZE, fit: str = "crop") -> Pictures:
    return Pictures(paths, size, fit, side=size)


@pytest.mark.parametrize("fit", FITS)
def test_the_stream_equals_eager_loading_bit_for_bit(
    faces: Path, rows: pd.DataFrame, fit: str
) -> None:
    paths = paths_of(rows, faces)
    batches = list(stream_images(pictures(paths, fit=fit), 4))
    eager = np.stack([load_image(path, SIZE, fit) for path in paths])
    streamed = np.concatenate(batches)
    assert streamed.dtype == np.uint8
    np.testing.assert_array_equal(streamed, eager)


@pytest.mark.parametrize("batch_size", [1, 5, IMAGES - 1, IMAGES, IMAGES + 1, 1000])
def test_any_batch_size_holds_every_image_once_the_last_batch_the_rest(
    faces: Path, rows: pd.DataFrame, batch_size: int
) -> None:
    paths = paths_of(rows, faces)
    sizes = [len(batch) for batch in stream_images(pictures(paths), batch_size)]
    full, rest = divmod(IMAGES, batch_size)
    assert sizes == [batch_size] * full + [rest] * (rest > 0)


def test_an_image_that_takes_long_is_not_overtaken(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted(faces.iterdir())

    def read_first_last(path: Path, digest: str) -> bytes:
        time.sleep(0.3 if path == paths[0] else 0.0)
        return indexed_bytes(path, digest)

    monkeypatch.setattr(module, "indexed_bytes", read_first_last)
    streamed = [b[0] for b in stream_images(pictures(paths), 1)]
    np.testing.assert_array_equal(streamed, [load_image(path, SIZE, "crop") for path in paths])


def test_the_stream_knows_the_shape_of_its_images(faces: Path, rows: pd.DataFrame) -> None:
    batch = next(stream_images(pictures(paths_of(rows, faces)), 7))
    assert batch.shape == (7, SIZE, SIZE, 3)
    assert batch.dtype == np.uint8


def test_an_image_that_is_gone_is_a_data_error_that_names_it(
    faces: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    paths = [*sorted(faces.iterdir()), faces / "gone.png"]
    sizes: list[int] = []
    with pytest.raises(DataError, match=r"gone\.png: .*No such file.* run again") as raised:
        sizes.extend(len(batch) for batch in stream_images(pictures(paths), 4))
    assert "\n" not in str(raised.value)
    assert sizes == [4] * (IMAGES // 4)  # all batches before the one that fails
    assert capfd.readouterr().err == ""


def test_of_several_broken_images_the_first_is_named(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    broken = [tmp_path / "cut.jpg", *(tmp_path / f"gone{number}.png" for number in range(20))]
    with pytest.raises(DataError, match=r"^[^:]*cut\.jpg: not a readable image"):
        list(stream_images(pictures([*sorted(faces.iterdir()), *broken]), 4))


def test_what_is_no_fault_of_an_image_keeps_its_traceback(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*anything: Any) -> Any:
        raise RuntimeError("a mistake of the program")

    monkeypatch.setattr(module, "seen_pixels", fail)
    with pytest.raises(RuntimeError, match="a mistake of the program"):
        list(stream_images(pictures(sorted(faces.iterdir())), 4))


def pixels_of(
    faces: Path, rows: pd.DataFrame, progress: Any, size: int = SIZE, fit: str = "crop"
) -> CachedArrays:
    of_rows = pictures(paths_of(rows, faces), size, fit)
    return cached_pixels(replace(of_rows, digests=list(rows["digest"])), progress)


def test_pixels_of_an_image_that_is_gone_are_not_cached(
    faces: Path, rows: pd.DataFrame, fresh_cache: Path, progress: Any
) -> None:
    gone = pd.concat([rows, pd.DataFrame({"path": ["gone.png"], "digest": ["gone"]})])
    with pytest.raises(DataError, match=r"gone\.png"):
        pixels_of(faces, gone, progress)
    assert [path for path in fresh_cache.rglob("*") if path.suffix == ".npy"] == []


def test_cached_pixels_are_the_images_in_the_order_of_the_rows(
    faces: Path, rows: pd.DataFrame, fresh_cache: Path, progress: Any
) -> None:
    cached = pixels_of(faces, rows, progress)
    eager = np.stack([load_image(path, SIZE, "crop") for path in paths_of(rows, faces)])
    assert cached.arrays["images"].dtype == np.uint8
    np.testing.assert_array_equal(cached.arrays["images"], eager)


def test_cached_pixels_are_made_once(
    faces: Path, rows: pd.DataFrame, fresh_cache: Path, progress: Any
) -> None:
    first = pixels_of(faces, rows, progress)
    again = pixels_of(faces, rows, progress)
    assert (first.made_now, again.made_now) == (True, False)
    assert progress.stages == [("decoding images", IMAGES)]
    assert again.facts == first.facts
    assert first.facts["images"] == IMAGES
    np.testing.assert_array_equal(first.arrays["images"], again.arrays["images"])


def test_other_rows_another_order_size_or_fit_are_other_pixels(
    faces: Path, rows: pd.DataFrame, fresh_cache: Path, progress: Any
) -> None:
    pixels_of(faces, rows, progress)
    others = [
        (rows.iloc[:-1], SIZE, "crop"),
        (rows.iloc[::-1], SIZE, "crop"),
        (rows, SIZE + 1, "crop"),
        (rows, SIZE, "resize"),
    ]
    for other, size, fit in others:
        cached = pixels_of(faces, other, progress, size, fit)
        assert cached.made_now
        eager = np.stack([load_image(path, size, fit) for path in paths_of(other, faces)])
        np.testing.assert_array_equal(cached.arrays["images"], eager)


def test_renamed_images_are_found_in_the_cache(
    faces: Path, rows: pd.DataFrame, fresh_cache: Path, progress: Any
) -> None:
    pixels_of(faces, rows, progress)
    renamed = rows.assign(path=[f"moved/{path}" for path in rows["path"]])
    assert not pixels_of(faces, renamed, progress).made_now


def test_an_interrupted_decoding_leaves_nothing_that_a_reader_would_use(
    faces: Path,
    rows: pd.DataFrame,
    fresh_cache: Path,
    progress: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*options: Any) -> Any:
        yield next(stream_rows(*options))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "STREAM_BATCH", 4)
        patch.setattr(module, "stream_rows", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pixels_of(faces, rows, progress)
    assert [path for path in fresh_cache.rglob("*") if path.suffix == ".npy"] == []
    whole = pixels_of(faces, rows, progress)
    assert whole.made_now
    eager = np.stack([load_image(path, SIZE, "crop") for path in paths_of(rows, faces)])
    np.testing.assert_array_equal(whole.arrays["images"], eager)

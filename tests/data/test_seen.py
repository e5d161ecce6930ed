"""What a model has seen is known again: the same bytes, and copies that look the same."""

import io
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from fakeface_bench.data.facts import signature
from fakeface_bench.data.index import build_index
from fakeface_bench.data.seen import SEEN_FILE, SeenImages, seen_images
from fakeface_bench.data.selection import select_files
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import Survey, survey_sources
from fakeface_bench.support.errors import ModelError
from tests.conftest import RecordedProgress


@pytest.fixture
def survey(tiny_faces: Path, progress: RecordedProgress) -> Survey:
    return survey_sources([Source("faces", tiny_faces)], progress)


@pytest.fixture
def seen(survey: Survey, progress: RecordedProgress) -> SeenImages:
    files = select_files(survey, seed=0)
    return seen_images(files, build_index(survey, files, 0, progress))


def test_train_and_validation_were_seen_and_test_was_not(survey: Survey, seen: SeenImages) -> None:
    files = survey.files
    shown = (files["split"] != "test").to_numpy()
    np.testing.assert_array_equal(seen.identical(files["digest"]), shown)
    np.testing.assert_array_equal(seen.similar(files["signature"]), shown)
    assert len(seen) == shown.sum()


def test_its_own_test_split_is_known_and_parts_of_it(survey: Survey, seen: SeenImages) -> None:
    digests = list(survey.files.loc[survey.files["split"] == "test", "digest"])
    assert seen.share_tested(digests) == (True, False)
    assert seen.share_tested(digests[1:]) == (False, True)
    assert seen.share_tested([*digests, "00" * 32]) == (False, False)
    assert seen.share_tested([]) == (False, False)


def encoded(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


@pytest.mark.parametrize(
    "copy",
    [
        lambda image: encoded(image, 30),
        lambda image: image.resize((90, 90), Image.Resampling.LANCZOS),
        ImageOps.mirror,
        lambda image: ImageOps.crop(image, 2),
    ],
    ids=["re-encoded", "scaled", "mirrored", "cropped by a hundredth"],
)
def test_copies_of_what_was_seen_are_found(
    survey: Survey, seen: SeenImages, tiny_faces: Path, copy: object
) -> None:
    files = survey.files
    some = pd.concat([files[files["split"] == "train"].head(6), files[files["split"] == "test"]])
    pictures = [Image.open(tiny_faces / path).convert("RGB") for path in some["path"]]
    copies = pd.Series([signature(copy(picture)) for picture in pictures], dtype=object)
    assert seen.similar(copies).tolist() == [True] * 6 + [False] * (len(some) - 6)


def test_a_picture_that_shows_nothing_is_like_no_other(seen: SeenImages) -> None:
    assert not seen.similar(pd.Series([b"", b""], dtype=object)).any()
    nothing = SeenImages(np.zeros((1, 32), np.uint8), *[np.zeros((0, 32), np.uint8)] * 2)
    assert not nothing.similar(pd.Series([bytes(832)], dtype=object)).any()


def test_it_travels_as_a_file(seen: SeenImages, tmp_path: Path) -> None:
    seen.write(tmp_path / SEEN_FILE)
    read = SeenImages.read(tmp_path / SEEN_FILE)
    np.testing.assert_array_equal(read.digests, seen.digests)
    np.testing.assert_array_equal(read.hashes, seen.hashes)
    np.testing.assert_array_equal(read.tested, seen.tested)


def test_a_file_that_holds_something_else_is_refused_and_not_run(tmp_path: Path) -> None:
    file = tmp_path / SEEN_FILE
    file.write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"seen\.npz cannot be read"):
        SeenImages.read(file)
    for damaged in (b"", file.read_bytes()[:4]):
        file.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"seen\.npz cannot be read"):
            SeenImages.read(file)
    right = np.zeros((2, 32), np.uint8)
    np.savez(file, digests=right[:, :5], hashes=right, tested=right)
    with pytest.raises(ModelError, match=r"digests in seen\.npz have another form"):
        SeenImages.read(file)
    objects = np.array([pickle.dumps(print)], dtype=object)
    np.savez(file, digests=objects, hashes=right, tested=right)
    with pytest.raises(ModelError, match="cannot be read: Object arrays"):
        SeenImages.read(file)

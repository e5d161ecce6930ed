"""What residual statistics alone score: planted compression is found, and goes with one JPEG."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.data.selection import select_files
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.evaluation import residual_shortcut as module
from fakeface_bench.evaluation.residual_shortcut import residual_shortcut
from tests.conftest import RecordedProgress


def painted(folder: Path, images: int, qualities: tuple[int, int], grain: float = 6.0) -> None:
    """Paint a class each of one JPEG quality; there is nothing else to tell them by."""
    rng = np.random.default_rng(0)
    for label, quality in zip(("real", "fake"), qualities, strict=True):
        (folder / label).mkdir(parents=True)
        for number in range(images):
            ramp = np.linspace(40, rng.uniform(120, 220), 64)
            pixels = ramp[:, None, None] + rng.normal(0, grain, (64, 64, 3))
            picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            picture.save(folder / label / f"{number}.jpg", quality=quality)


def files_of(folder: Path) -> tuple[pd.DataFrame, dict[str, Path]]:
    survey = survey_sources([Source("faces", folder)], RecordedProgress())
    return select_files(survey, 0), {"faces": folder}


def test_compression_is_read_and_one_jpeg_takes_it(tmp_path: Path) -> None:
    painted(tmp_path, 30, (75, 95))
    found = residual_shortcut(*files_of(tmp_path), RecordedProgress())
    assert found is not None
    assert found.images == 60
    assert found.jpeg_quality == 75
    assert found.untouched.value > 0.95
    assert found.equalised.value < found.untouched.value - 0.1
    assert found.untouched.low <= found.untouched.value <= found.untouched.high <= 1


def test_of_classes_that_differ_in_nothing_there_is_nothing_to_read(tmp_path: Path) -> None:
    painted(tmp_path, 40, (90, 90))
    found = residual_shortcut(*files_of(tmp_path), RecordedProgress())
    assert found is not None
    for estimate in (found.untouched, found.equalised):
        assert estimate.low < 0.5
        assert estimate.value < 0.7


def test_too_few_pictures_tell_nothing(tmp_path: Path) -> None:
    painted(tmp_path, 19, (75, 95))
    assert residual_shortcut(*files_of(tmp_path), RecordedProgress()) is None


def test_an_unchanged_dataset_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted(tmp_path, 20, (80, 90))
    given = files_of(tmp_path)
    first = residual_shortcut(*given, RecordedProgress())

    def read(*arguments: object) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr(module, "decode_bytes", read)
    assert residual_shortcut(*given, RecordedProgress()) == first

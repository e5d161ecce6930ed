"""Residual statistics are what numpy counts, in any batch, by any engine, saved and loaded."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.fft import dctn

from fakeface_bench.config import BFLOAT16_ENGINE, ENGINES
from fakeface_bench.features.engine import FrozenGraph
from fakeface_bench.features.engines import open_engine
from fakeface_bench.features.quick_residuals import statistics_of
from fakeface_bench.features.residual_statistics import (
    BANDS,
    WIDTH,
    groups,
)
from fakeface_bench.features.residuals import RESIDUALS, ResidualStatistics
from fakeface_bench.support.machine import may_have_bfloat16


def pictures(size: int, count: int = 3) -> np.ndarray:
    """Make smooth pictures with a little noise, so that small differences occur."""
    rng = np.random.default_rng(size)
    ramp = np.linspace(20, 200, size)[:, None] + np.linspace(0, 50, size)[None]
    noise = rng.normal(0, 2, (count, size, size, 3))
    return (ramp[None, :, :, None] + noise).clip(0, 255).astype(np.uint8)


def statistics(size: int) -> keras.Model:
    pixels = keras.Input((size, size, 3))
    return keras.Model(pixels, {RESIDUALS: ResidualStatistics()(pixels)})


def counted(picture: np.ndarray) -> np.ndarray:
    """Count by hand what the layer computes of one picture."""
    whole, found = picture.astype(int), []
    for axis in (1, 0):
        codes = np.clip(np.diff(whole, axis=axis), -2, 2) + 2
        codes = np.moveaxis(codes, axis, 0)
        triples = [
            codes[:-2, :, c] * 25 + codes[1:-1, :, c] * 5 + codes[2:, :, c] for c in range(3)
        ]
        triples.append(codes[..., 0] * 25 + codes[..., 1] * 5 + codes[..., 2])
        found += [np.sqrt(np.bincount(t.ravel(), minlength=125) / t.size) for t in triples]
    size = len(picture)
    luminance = picture @ np.array([0.299, 0.587, 0.114])
    spectrum = np.log(np.abs(dctn(luminance, norm="ortho")) + 1)
    width = size // BANDS
    within = spectrum[: BANDS * width, : BANDS * width]
    found.append(within.reshape(BANDS, width, BANDS, width).mean((1, 3)).ravel())
    count = size // 8
    for channel in range(3):
        plane = picture[: count * 8, : count * 8, channel].astype(float)
        blocks = plane.reshape(count, 8, count, 8).transpose(0, 2, 1, 3)
        magnitudes = np.abs(dctn(blocks, axes=(2, 3), norm="ortho")).mean((0, 1))
        found.append(np.log(magnitudes + 0.01).ravel())
    return np.concatenate(found)


@pytest.mark.parametrize("size", [32, 50, 64])
def test_they_are_what_numpy_counts(size: int) -> None:
    given = pictures(size)
    found = FrozenGraph(statistics(size), 2)(given)[RESIDUALS]
    assert found.shape == (3, WIDTH)
    np.testing.assert_allclose(found, [counted(each) for each in given], atol=2e-3)


@pytest.mark.parametrize("size", [32, 50, 64])
def test_without_keras_they_are_the_same(size: int) -> None:
    given = pictures(size)
    found = FrozenGraph(statistics(size), 3)(given)[RESIDUALS]
    np.testing.assert_allclose([statistics_of(each) for each in given], found, atol=1e-4)


@pytest.mark.parametrize(
    "steps", [[0, 255], [0, 1, 2, 3, 4], [251, 252, 253, 254, 255], range(256)]
)
def test_bytes_that_differ_by_anything_are_counted_right(steps: Sequence[int]) -> None:
    given = np.random.default_rng(0).choice(np.array(steps, np.uint8), (4, 40, 40, 3))
    for picture in (*given, given[0].transpose(1, 0, 2), given[1][:, ::-1]):
        np.testing.assert_allclose(statistics_of(picture), counted(picture), rtol=1e-4, atol=1e-4)


def test_a_picture_counts_the_same_in_any_company() -> None:
    given = pictures(48, 5)
    engine = FrozenGraph(statistics(48))
    alone = np.concatenate([engine(given[n : n + 1])[RESIDUALS] for n in range(5)])
    np.testing.assert_allclose(engine(given)[RESIDUALS], alone, atol=1e-5)


def test_groups_name_every_column_once() -> None:
    ends = [0, *(columns.stop for columns in groups().values())]
    assert [columns.start for columns in groups().values()] == ends[:-1]
    assert ends[-1] == WIDTH
    shares = FrozenGraph(statistics(32))(pictures(32))[RESIDUALS]
    for name, columns in groups().items():
        if "rows" in name or "columns" in name:
            np.testing.assert_allclose((shares[:, columns] ** 2).sum(axis=1), 1, atol=1e-4)


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_gives_them_beside_the_network(name: str) -> None:
    if name == BFLOAT16_ENGINE and not may_have_bfloat16():
        pytest.skip("this processor has no bfloat16")
    pixels = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(8, 3, activation="relu")(keras.layers.Conv2D(8, 3)(pixels))
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(pixels, {"pooled": pooled, RESIDUALS: ResidualStatistics()(pixels)})
    given = pictures(32, 4)
    found = open_engine(name, model, 2)(given)
    assert set(found) == {"pooled", RESIDUALS}
    np.testing.assert_allclose(found[RESIDUALS], [counted(each) for each in given], atol=2e-3)
    expected = np.asarray(model(given.astype(np.float32))["pooled"])
    np.testing.assert_allclose(found["pooled"], expected, rtol=0.05, atol=0.05 * expected.std())


def test_it_is_saved_and_loaded_in_safe_mode(tmp_path: Path) -> None:
    model = statistics(32)
    model.save(tmp_path / "statistics.keras")
    loaded = keras.saving.load_model(tmp_path / "statistics.keras", safe_mode=True)
    given = pictures(32).astype(np.float32)
    np.testing.assert_array_equal(loaded(given)[RESIDUALS], model(given)[RESIDUALS])
    assert not model.weights

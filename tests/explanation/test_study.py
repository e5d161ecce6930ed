"""A study explained: images with evidence, a check of it, spectra, and images that are gone."""

import keras
import numpy as np
import pytest

from fakeface_bench.explanation.attribution import attribute, attribute_and_check
from fakeface_bench.explanation.explain import explain_study
from fakeface_bench.records.study import ScoredSplit
from fakeface_bench.support.errors import DataError
from fakeface_bench.training.head import Calibration, probability

SIZE = 16
PICTURES = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE, 3), dtype=np.uint8)
SPLIT = ScoredSplit(
    np.array([0, 1, 0, 1, 0, 1], np.uint8),
    np.array([0.1, 0.9, 0.6, 0.4, 0.2, 0.8]),
    tuple("abcdef"),
    ("faces",) * 6,
    ("",) * 6,
    0.5,
    {},
)
EXAMPLES = {"right": (0, 1), "wrong": (2, 3), "uncertain": (2, 5)}


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    pixels = keras.Input((SIZE, SIZE, 3))
    maps = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(pixels)
    logit = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(maps))
    return keras.Model(pixels, probability(logit * 1e-2, Calibration()))


def loader(*gone: int):
    def load(position: int) -> np.ndarray:
        if position in gone:
            raise DataError("gone")
        return PICTURES[position]

    return load


def test_every_example_is_explained_once(model: keras.Model) -> None:
    explanation = explain_study(model, SPLIT, EXAMPLES, loader(), seed=1)
    assert explanation.examples == EXAMPLES
    assert list(explanation.images) == [0, 1, 2, 3, 5]
    shown = PICTURES[[0, 1, 2, 3, 5]]
    evidence = attribute(model, shown)
    for image, pixels, expected in zip(explanation.images.values(), shown, evidence, strict=True):
        np.testing.assert_array_equal(image.pixels, pixels)
        np.testing.assert_allclose(image.evidence, expected, atol=1e-5)
    assert explanation.head_dependence == pytest.approx(
        attribute_and_check(model, shown, seed=1)[1]
    )
    assert explanation.metrics() == {"explain/head_dependence": explanation.head_dependence}
    assert {group: s and s.images for group, s in explanation.spectra.items()} == {
        "real": 3,
        "fake": 3,
        "misjudged": 2,
    }


def test_an_image_that_is_gone_costs_itself_alone(model: keras.Model) -> None:
    explanation = explain_study(model, SPLIT, EXAMPLES, loader(2), seed=1)
    assert explanation.examples == EXAMPLES
    assert list(explanation.images) == [0, 1, 3, 5]
    assert explanation.spectra["real"].images == 2


def test_nothing_left_to_explain_is_no_error(model: keras.Model) -> None:
    explanation = explain_study(model, SPLIT, EXAMPLES, loader(*range(6)))
    assert (explanation.images, explanation.head_dependence) == ({}, None)
    assert explanation.metrics() == {}
    assert set(explanation.spectra.values()) == {None}

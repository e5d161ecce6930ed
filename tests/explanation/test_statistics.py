"""Which residual statistics spoke: by detectors of which it is known what they read."""

import keras
import numpy as np
import pytest
from keras import ops

from fakeface_bench.backbones.building import NoBackbone
from fakeface_bench.config import logistic_regression
from fakeface_bench.explanation.attribution import reads_places
from fakeface_bench.explanation.explain import explain_study
from fakeface_bench.explanation.statistics import (
    MAPS,
    features_of,
    group_effects,
    parts_with_statistics,
)
from fakeface_bench.features.residual_statistics import WIDTH, columns_by_group, groups
from fakeface_bench.records.study import ScoredSplit
from fakeface_bench.training.head import Calibration, probability
from fakeface_bench.training.networks import FrozenNetwork

SIZE = 32
RNG = np.random.default_rng(0)
#: Smooth pictures, and such with grain: their statistics are as different as can be.
PICTURES = [
    np.clip(120 + RNG.normal(0, 12 * (number % 2), (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)
    for number in range(12)
]
GRAINY = np.arange(12) % 2 == 1


def detector(group: str, network: FrozenNetwork) -> keras.Model:
    """Return one whose log-odds are a group's numbers, added up."""
    features = keras.Input((sum_of_widths(network),), name="features")
    kernel = np.zeros((sum_of_widths(network), 1), np.float32)
    kernel[columns_by_group()[group] - WIDTH, 0] = 0.02  # statistics are the last that is read
    layer = keras.layers.Dense(1, use_bias=False, name="logits")
    classifier = keras.Model(features, layer(features), name="head")
    layer.set_weights([kernel])
    head = logistic_regression(features=network.features[0], pooling="avg")
    return network.complete(classifier, head, Calibration())


def sum_of_widths(network: FrozenNetwork) -> int:
    return WIDTH if not network.maps else WIDTH + 3


def test_groups_hold_every_column_once() -> None:
    columns = np.concatenate(list(columns_by_group().values()))
    assert sorted(columns.tolist()) == list(range(WIDTH))
    assert sum(len(c) for g, c in columns_by_group().items() if g.startswith("spectrum")) == 256
    assert groups().keys() - columns_by_group().keys() == {"spectrum"}


@pytest.mark.parametrize("group", ["8×8 blocks, green", "along columns, red"])
def test_the_group_that_is_read_is_the_one_that_spoke(group: str) -> None:
    alone = FrozenNetwork(NoBackbone(SIZE).model, residuals=True, maps=False)
    parts = parts_with_statistics(detector(group, alone))
    assert parts is not None
    effects = group_effects(parts, features_of(parts, PICTURES))
    assert effects.keys() == columns_by_group().keys()
    spoke = {name: np.abs(effect).max() for name, effect in effects.items()}
    assert spoke.pop(group) > 0.03
    assert max(spoke.values()) == 0
    assert np.sign(effects[group][GRAINY]).tolist() == [np.sign(effects[group][GRAINY][0])] * 6
    assert (np.sign(effects[group][~GRAINY]) == -np.sign(effects[group][GRAINY][0])).all()


def test_maps_of_a_network_are_told_where_they_are_read() -> None:
    backbone = NoBackbone(SIZE).model  # whose map is the picture
    joined = FrozenNetwork(backbone, residuals=True)
    both = detector("8×8 blocks, green", joined)
    classifier = both.get_layer("head")
    (kernel,) = classifier.get_weights()
    kernel[:3] = 3.0  # the mean of each colour
    classifier.set_weights([kernel])
    parts = parts_with_statistics(both)
    assert parts is not None
    assert MAPS in group_effects(parts, features_of(parts, PICTURES))


def test_a_detector_without_statistics_has_none() -> None:
    pixels = keras.Input((SIZE, SIZE, 3))
    trained = keras.Model(pixels, probability(keras.layers.Flatten()(pixels)[:, :1], Calibration()))
    assert parts_with_statistics(trained) is None


def test_a_study_without_maps_says_that_nothing_has_a_place() -> None:
    alone = FrozenNetwork(NoBackbone(SIZE).model, residuals=True, maps=False)
    model = detector("8×8 blocks, green", alone)
    assert not reads_places(model)
    scores = np.asarray(ops.squeeze(model(np.stack(PICTURES).astype(np.float32)), -1))
    names = tuple(f"{number}.png" for number in range(12))
    y_true, y_score = GRAINY.astype(np.uint8), scores.astype(np.float64)
    split = ScoredSplit(y_true, y_score, names, ("faces",) * 12, ("",) * 12, 0.5, {})
    explanation = explain_study(model, split, {"right": (0, 1)}, PICTURES.__getitem__)
    assert explanation.head_dependence is None
    assert explanation.statistics_images == (6, 6)
    real, fake = explanation.statistics["8×8 blocks, green"]
    assert real == pytest.approx(-fake, rel=0.3)
    assert abs(fake) > 0.1
    evidence = explanation.images[0].evidence
    assert np.ptp(evidence) == pytest.approx(0, abs=1e-5)


def test_what_a_study_has_read_already_is_not_computed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = FrozenNetwork(NoBackbone(SIZE).model, residuals=True, maps=False)
    model = detector("8×8 blocks, green", alone)
    parts = parts_with_statistics(model)
    assert parts is not None
    arrays = {name: a.astype(np.float16) for name, a in features_of(parts, PICTURES).items()}
    names = tuple(f"{number}.png" for number in range(12))
    labels, scores = GRAINY.astype(np.uint8), GRAINY.astype(np.float64)
    split = ScoredSplit(labels, scores, names, ("faces",) * 12, ("",) * 12, 0.5, {})
    computed = explain_study(model, split, {}, PICTURES.__getitem__)
    monkeypatch.setattr("fakeface_bench.explanation.explain.features_of", None)
    read = explain_study(model, split, {}, PICTURES.__getitem__, features=arrays)
    assert read.statistics_images == computed.statistics_images == (6, 6)
    for group, effects in computed.statistics.items():
        assert read.statistics[group] == pytest.approx(effects, abs=1e-3)

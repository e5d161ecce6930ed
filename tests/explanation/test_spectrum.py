"""Spectra of pictures whose frequencies are known."""

from dataclasses import replace

import numpy as np
import pytest

from fakeface_bench.explanation.explain import (
    MOST_IMAGES,
    SpectrumSum,
    draw_groups,
    group_spectra,
    log_power,
    radial_profile,
)
from fakeface_bench.records.study import ScoredSplit
from fakeface_bench.support.errors import DataError

SIZE = 64
LUMA = np.array([0.299, 0.587, 0.114])


def waves(cycles: float) -> np.ndarray:
    """Return stripes of so many cycles a pixel, from left to right."""
    line = 128 + 100 * np.sin(2 * np.pi * cycles * np.arange(SIZE))
    return np.broadcast_to(line[None, :, None], (SIZE, SIZE, 3)).astype(np.uint8)


def split_of(y_true: list[int], y_score: list[float]) -> ScoredSplit:
    count = len(y_true)
    return ScoredSplit(
        np.array(y_true, np.uint8),
        np.array(y_score),
        tuple(f"{n}.png" for n in range(count)),
        ("faces",) * count,
        ("",) * count,
        0.5,
        {},
    )


def spectrum_of(*pictures: np.ndarray):
    total = SpectrumSum()
    for picture in pictures:
        total.add(log_power(picture))
    return total.result()


@pytest.mark.parametrize("cycles", [0.125, 0.25, 0.4375])
def test_stripes_peak_at_their_frequency_and_hardly_beside_it(cycles: float) -> None:
    power = log_power(waves(cycles))
    row, column = np.unravel_index(np.argmax(power), power.shape)
    assert row == SIZE // 2
    assert abs(column - SIZE // 2) == cycles * SIZE
    spectrum = spectrum_of(waves(cycles))
    assert spectrum.frequencies[np.argmax(spectrum.profile)] == pytest.approx(cycles)
    far = np.abs(spectrum.frequencies - cycles) > 0.1
    assert spectrum.profile[far].max() < spectrum.profile.max() - 3


def test_white_noise_is_level_at_its_variance() -> None:
    rng = np.random.default_rng(0)
    noise = [rng.normal(128, 20, (SIZE, SIZE, 3)).astype(np.uint8) for _ in range(12)]
    expected = np.log10(np.mean([np.var(picture @ LUMA) for picture in noise]))
    spectrum = spectrum_of(*noise)
    np.testing.assert_allclose(spectrum.profile[4:], expected, atol=0.08)
    # The logarithm of an exponential variable lies 0.577 nats below that of its mean.
    assert spectrum.log_power[:, :8].mean() == pytest.approx(expected - 0.2507, abs=0.02)
    assert spectrum.images == 12
    assert (spectrum.profile_low <= spectrum.profile).all()
    assert (spectrum.profile <= spectrum.profile_high).all()
    assert spectrum.profile_error[4:].max() < 0.1


def test_a_blank_picture_has_a_spectrum() -> None:
    spectrum = spectrum_of(np.full((SIZE, SIZE, 3), 90, np.uint8))
    assert spectrum.log_power == pytest.approx(-3, abs=0.01)
    assert (spectrum.profile_error == 0).all()
    assert SpectrumSum().result() is None


@pytest.mark.parametrize("size", [64, 71])
def test_a_profile_averages_rings(size: int) -> None:
    offsets = np.arange(size) - size // 2
    distance = np.hypot(offsets[:, None], offsets).astype(np.float32)
    profile = 10 ** radial_profile(np.log10(distance + 1e-9))
    assert len(profile) == size // 2
    np.testing.assert_allclose(profile, np.arange(1, size // 2 + 1), atol=0.25)


def test_groups_are_drawn_evenly_and_the_same_for_a_seed() -> None:
    count = 3 * MOST_IMAGES
    y_true = (np.arange(count) % 2).astype(np.uint8)
    score = np.where(np.arange(count) % 10 == 0, 1 - y_true, y_true).astype(np.float64)
    split = split_of(y_true.tolist(), score.tolist())
    groups = draw_groups(split, seed=1)
    assert {group: len(drawn) for group, drawn in groups.items()} == {
        "real": MOST_IMAGES,
        "fake": MOST_IMAGES,
        "misjudged": count // 10,
    }
    assert (y_true[groups["fake"]] == 1).all()
    assert 0.4 * count < np.mean(groups["real"]) < 0.6 * count
    assert (draw_groups(split, seed=1)["real"] == groups["real"]).all()
    assert (draw_groups(split, seed=2)["real"] != groups["real"]).any()


def test_each_group_is_of_its_images_that_can_be_read() -> None:
    split = split_of([0, 0, 1, 1, 1], [0.1, 0.8, 0.9, 0.7, 0.6])
    pictures = [waves(0.05 * (n + 2)) for n in range(5)]
    asked = []

    def load(position: int) -> np.ndarray:
        asked.append(position)
        if position == 3:
            raise DataError("gone")
        return pictures[position]

    spectra = group_spectra(split, load)
    assert sorted(asked) == [0, 1, 2, 3, 4]
    for group, members in {"real": [0, 1], "fake": [2, 4], "misjudged": [1]}.items():
        expected = spectrum_of(*(pictures[n] for n in members))
        assert spectra[group].images == len(members)
        np.testing.assert_allclose(spectra[group].log_power, expected.log_power)
    right = replace(split, y_score=split.y_true.astype(np.float64))
    assert group_spectra(right, load)["misjudged"] is None

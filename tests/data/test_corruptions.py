"""Each corruption does what it is called, by degrees, and the same whatever a picture shows."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from fakeface_bench.data import corruptions
from fakeface_bench.data.corruptions import CONDITIONS, CORRUPTIONS, Corruption, pictures_of
from tests.serving.drawn import drawn

SOURCE = np.random.default_rng(0)
DIGEST = hashlib.sha256(b"a picture").hexdigest()


def textured(width: int = 192, height: int = 160) -> Image.Image:
    """Blots under fine grain: something for every corruption to change."""
    rng = np.random.default_rng(1)
    grain = rng.normal(0, 6, (height, width, 3))
    pixels = 40 + np.asarray(drawn(3, width, height)) + grain
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


def changed(corruption: Corruption, value: float, image: Image.Image) -> Image.Image:
    return corruption.change(image, value, np.random.default_rng(5))


def test_the_table_holds_what_it_promises() -> None:
    values = {row.key: [severity.value for severity in row.severities] for row in CORRUPTIONS}
    assert values["jpeg"] == [95, 75, 50, 30]
    assert values["resize"] == [0.75, 0.5, 0.25]
    assert values["blur"] == [0.5, 1, 2]
    assert values["noise"] == [2, 5, 10]
    assert values["crop"] == [0.8]
    assert {"webp", "shared", "brightness", "contrast", "gamma"} < values.keys()
    assert len(values) == len(CORRUPTIONS)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda row: row.key)
def test_steps_lead_away_from_the_untouched_picture(corruption: Corruption) -> None:
    steps = [severity.step for severity in corruption.severities]
    assert steps == sorted(set(steps) - {0})
    assert {abs(step) for step in steps} == set(range(1, max(steps) + 1))
    assert "{}" in corruption.description
    labels = {severity.label for severity in corruption.severities}
    assert len({*labels, corruption.untouched}) == len(steps) + 1


@pytest.mark.parametrize(
    "corruption", [row for row in CORRUPTIONS if row.key != "crop"], ids=lambda row: row.key
)
def test_a_picture_changes_more_with_every_step_and_keeps_its_size(corruption: Corruption) -> None:
    image = textured()
    for side in (-1, 1):
        severities = [s for s in corruption.severities if s.step * side > 0]
        pictures = [changed(corruption, s.value, image) for s in severities[::side]]
        assert {(picture.size, picture.mode) for picture in pictures} <= {(image.size, "RGB")}
        moved = [0.0, *(difference(image, picture) for picture in pictures)]
        assert all(less < more for less, more in pairwise(moved))


def test_the_crop_is_the_centre_as_it_was() -> None:
    image = textured(200, 100)
    cropped = corruptions.cropped(image, 0.8, SOURCE)
    assert (cropped.size, cropped.mode) == ((160, 80), "RGB")
    assert cropped.tobytes() == image.crop((20, 10, 180, 90)).tobytes()


def test_pictures_come_one_after_another_the_untouched_first_and_unchanged() -> None:
    image = textured()
    before = image.tobytes()
    pictures = list(pictures_of(image, DIGEST, 0))
    assert len(pictures) == 1 + len(CONDITIONS)
    assert pictures[0] is image
    assert image.tobytes() == before
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_the_same_content_becomes_the_same_pictures() -> None:
    once, again = ([p.tobytes() for p in pictures_of(textured(), DIGEST, 7)] for _ in range(2))
    assert once == again


def test_noise_alone_depends_on_the_digest_and_the_seed() -> None:
    image = textured()
    noise = {1 + n for n, (row, _) in enumerate(CONDITIONS) if row.key == "noise"}
    first = [p.tobytes() for p in pictures_of(image, DIGEST, 0)]
    for digest, seed in ((DIGEST, 1), (hashlib.sha256(b"another").hexdigest(), 0)):
        other = [p.tobytes() for p in pictures_of(image, digest, seed)]
        assert {n for n, (a, b) in enumerate(zip(first, other, strict=True)) if a != b} == noise


@pytest.mark.parametrize("sigma", [2, 5, 10])
def test_noise_has_the_stated_deviation(sigma: float) -> None:
    grey = Image.new("RGB", (200, 200), (128, 128, 128))
    noise = np.asarray(corruptions.noisy(grey, sigma, np.random.default_rng(0)), float) - 128
    assert noise.std() == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.01)
    assert noise.mean() == pytest.approx(0, abs=0.1)
    channels = np.corrcoef(noise.reshape(-1, 3).T)
    assert np.abs(channels - np.eye(3)).max() < 0.02


@pytest.mark.parametrize("sigma", [0.5, 1, 2])
def test_a_blurred_line_is_a_gaussian_of_the_stated_width(sigma: float) -> None:
    pixels = np.zeros((41, 41, 3), np.uint8)
    pixels[:, 20] = 250
    profile = np.asarray(corruptions.blurred(Image.fromarray(pixels), sigma, SOURCE))[20, :, 0]
    weights = np.exp(-((np.arange(41) - 20.0) ** 2) / (2 * sigma**2))
    np.testing.assert_allclose(profile, 250 * weights / weights.sum(), atol=0.75)


def test_blur_does_not_mix_the_channels() -> None:
    red = Image.new("RGB", (20, 20), (200, 0, 0))
    assert corruptions.blurred(red, 2, SOURCE).tobytes() == red.tobytes()


def test_brightness_contrast_and_gamma_are_those_of_the_field() -> None:
    grey = Image.new("RGB", (8, 8), (100, 100, 100))
    assert corruptions.lit(grey, 1.5, SOURCE).getpixel((0, 0)) == (150, 150, 150)
    assert corruptions.lit(grey, 3, SOURCE).getpixel((0, 0)) == (255, 255, 255)
    value = round(255 * (100 / 255) ** 2)
    assert corruptions.gamma(grey, 2, SOURCE).getpixel((0, 0)) == (value,) * 3
    halves = Image.fromarray(np.repeat(np.uint8([[50, 150]]), 3).reshape(1, 2, 3))
    less = np.asarray(corruptions.contrasted(halves, 0.5, SOURCE))[0, :, 0]
    assert less.tolist() == [75, 125]


def test_what_is_shared_is_brought_to_what_networks_hand_out() -> None:
    assert corruptions.shared(textured(1500, 900), 85, SOURCE).size == (1080, 648)
    assert corruptions.shared(textured(640, 480), 85, SOURCE).size == (640, 480)


def test_the_blocks_of_both_jpegs_of_what_is_shared_lie_half_a_block_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(corruptions, "_FIRST_QUALITY", 5)
    columns = np.asarray(corruptions.shared(textured(), 100, SOURCE).convert("L"), float)
    jumps = np.abs(np.diff(columns, axis=1)).mean(axis=0)
    of_phase = [jumps[phase::8].mean() for phase in range(8)]
    assert int(np.argmax(of_phase)) == 3  # between the columns 3 and 4, 11 and 12, ...


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (40, 2)])
def test_the_smallest_pictures_pass_too(size: tuple[int, int]) -> None:
    assert len(list(pictures_of(textured().resize(size), DIGEST, 0))) == 1 + len(CONDITIONS)

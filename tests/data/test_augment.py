"""Every row of AUGMENTATIONS: what it may do to a picture, and that it does it to any alike."""

import inspect
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from fakeface_bench.config import AUGMENTATIONS, AUGMENTS, JPEG_QUALITY, Augmentation
from fakeface_bench.features.epochs import Crop, augmented, draw_mirrored

SIZE, SIDE = 28, 32
CANVAS = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
WHOLE = (4, 4)


def draw(
    how: Augmentation,
    seed: int,
    mirror: bool = False,
    spare: tuple[int, int] = WHOLE,
    canvas: np.ndarray = CANVAS,
) -> np.ndarray:
    image = augmented(
        tf.constant(canvas),
        tf.constant(spare),
        tf.constant(mirror),
        tf.constant([3, seed]),
        Crop(how, SIZE),
    )
    assert image.dtype == tf.uint8
    return image.numpy()


def corner_of(image: np.ndarray) -> tuple[int, int]:
    """Find where in the canvas a crop lies."""
    places = [
        (top, left)
        for top in range(SIDE - SIZE + 1)
        for left in range(SIDE - SIZE + 1)
        if (CANVAS[top : top + SIZE, left : left + SIZE] == image).all()
    ]
    (place,) = places
    return place


def test_the_names_that_can_be_asked_for_are_the_rows() -> None:
    assert tuple(AUGMENTATIONS) == AUGMENTS


def test_labels_do_not_reach_the_augmentation() -> None:
    """Both classes are treated alike, for what treats them is never told which is which."""
    for function in (augmented, draw_mirrored):
        assert "label" not in " ".join(inspect.signature(function).parameters)


@pytest.mark.parametrize("key", AUGMENTS)
def test_a_row_gives_pictures_of_the_right_size_and_the_same_for_the_same_seed(key: str) -> None:
    how = AUGMENTATIONS[key]
    for seed in range(8):
        first, again = draw(how, seed, how.flip), draw(how, seed, how.flip)
        assert first.shape == (SIZE, SIZE, 3)
        np.testing.assert_array_equal(first, again)


def test_none_is_the_centre() -> None:
    assert corner_of(draw(AUGMENTATIONS["none"], 5)) == (2, 2)


def test_light_crops_at_every_whole_pixel_and_nothing_else() -> None:
    corners = [corner_of(draw(AUGMENTATIONS["light"], seed)) for seed in range(300)]
    assert set(corners) == {(top, left) for top in range(5) for left in range(5)}


@pytest.mark.parametrize("spare", [(0, 0), (1, 3), (3, 0), (4, 2)])
def test_a_crop_never_leaves_the_picture(spare: tuple[int, int]) -> None:
    tops, lefts = zip(
        *(corner_of(draw(AUGMENTATIONS["light"], s, spare=spare)) for s in range(150)), strict=True
    )
    for places, room in ((tops, spare[0]), (lefts, spare[1])):
        first = 2 - room // 2
        assert set(places) == set(range(first, first + room + 1))


def test_a_mirrored_picture_is_the_same_crop_turned_round() -> None:
    light = AUGMENTATIONS["light"]
    np.testing.assert_array_equal(draw(light, 4, mirror=True), draw(light, 4)[:, ::-1])


def test_half_of_the_pictures_are_mirrored_and_none_where_the_row_says_so() -> None:
    rng = np.random.default_rng(0)
    assert 450 < draw_mirrored(1000, AUGMENTATIONS["light"], rng).sum() < 550
    assert not draw_mirrored(1000, AUGMENTATIONS["none"], rng).any()


def smooth() -> np.ndarray:
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(40, 215, (6, 6, 3), dtype=np.uint8))
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def test_strong_encodes_as_jpeg_within_its_qualities() -> None:
    canvas = smooth()
    centre = canvas[2:30, 2:30]
    errors = []
    for seed in range(40):
        image = draw(Augmentation("", jpeg=1.0), seed, canvas=canvas)
        errors.append(np.abs(image.astype(int) - centre).mean())
    worst = io.BytesIO()
    Image.fromarray(centre).save(worst, "JPEG", quality=JPEG_QUALITY[0])
    bound = np.abs(np.asarray(Image.open(worst)).astype(int) - centre).mean()
    assert 0 < min(errors) < max(errors) <= 1.3 * bound
    assert len({round(error, 3) for error in errors}) > 15, "the quality does not vary"


def test_blur_takes_detail_and_keeps_brightness() -> None:
    detail = [draw(Augmentation("", blur=1.0), seed).astype(float) for seed in range(20)]
    centre = CANVAS[2:30, 2:30].astype(float)
    for image in detail:
        assert image.std() < centre.std()
        assert abs(image.mean() - centre.mean()) < 3
    assert len({round(image.std(), 2) for image in detail}) > 10


def test_strong_changes_about_a_third_of_the_pictures() -> None:
    """One in five is encoded and one in five blurred, independently: 36 % are touched."""
    strong = AUGMENTATIONS["strong"]
    quiet = Augmentation("", crop=True)
    touched = [(draw(strong, s) != draw(quiet, s)).any() for s in range(300)]
    assert 0.27 < np.mean(touched) < 0.45

"""Canvases hold what surrounds the centre, exactly where crops expect it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakeface_bench.data.decode import fit_image, fitted_size
from fakeface_bench.data.pictures import DecodedOnDemand, Pictures, side_with_room
from fakeface_bench.support.errors import DataError
from tests.conftest import load_image

SIZE = 28
SIDE = side_with_room(SIZE)


def picture(path: Path, width: int, height: int, orientation: int = 1) -> Path:
    rng = np.random.default_rng(width * height)
    image = Image.fromarray(rng.integers(1, 256, (height, width, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize(("size", "side"), [(224, 256), (176, 202), (299, 341), (28, 32), (32, 36)])
def test_a_canvas_leaves_an_even_room(size: int, side: int) -> None:
    assert side_with_room(size) == side
    assert (side - size) % 2 == 0


@pytest.mark.parametrize("fit", ["crop", "resize"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    ("width", "height"),
    [(28, 28), (29, 28), (31, 30), (32, 32), (33, 41), (41, 36), (90, 60), (20, 50)],
)
def test_the_middle_of_a_canvas_is_what_the_network_sees(
    tmp_path: Path, width: int, height: int, orientation: int, fit: str
) -> None:
    path = picture(tmp_path / "a.png", width, height, orientation)
    pictures = Pictures([path], SIZE, fit, SIDE)
    canvas, (spare,) = pictures.load(0), pictures.spare()
    first = (SIDE - SIZE) // 2
    middle = canvas[first : first + SIZE, first : first + SIZE]
    np.testing.assert_array_equal(middle, load_image(path, SIZE, fit))
    drawn = np.argwhere(canvas.any(axis=2))
    np.testing.assert_array_equal(np.ptp(drawn, axis=0) + 1 - SIZE, spare)
    np.testing.assert_array_equal(drawn.min(axis=0), first - spare // 2)
    assert spare.max() <= SIDE - SIZE
    assert fit == "crop" or spare.max() == 0


def test_a_canvas_as_small_as_the_input_is_the_picture_itself(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", 40, 35)
    pictures = Pictures([path], SIZE, "crop", SIZE)
    np.testing.assert_array_equal(pictures.load(0), load_image(path, SIZE, "crop"))
    assert pictures.spare().tolist() == [[0, 0]]
    assert pictures.bytes == SIZE * SIZE * 3


def test_decoded_on_demand_reads_like_an_array(tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"{n}.png", 30 + n, 40) for n in range(7)]
    pictures = Pictures(paths, SIZE, "crop", SIDE)
    whole = np.stack([pictures.load(n) for n in range(7)])
    array = DecodedOnDemand(pictures)
    assert array.shape == whole.shape
    assert len(array) == 7
    np.testing.assert_array_equal(array[3], whole[3])
    np.testing.assert_array_equal(array[np.array([6, 0, 0, 2])], whole[[6, 0, 0, 2]])


def test_a_picture_that_is_gone_is_told_with_its_name(tmp_path: Path) -> None:
    array = DecodedOnDemand(Pictures([tmp_path / "gone.png"], SIZE, "crop", SIDE))
    with pytest.raises(DataError, match=r"gone\.png: .*No such file.* run again"):
        array[np.array([0])]


def test_scaling_is_as_it_was_before_canvases() -> None:
    """The rule that published figures rest on: native up to 1.5 times the input, else to it."""
    for width, height, expected in (
        (42, 42, (42, 42)),
        (43, 43, (28, 28)),
        (27, 60, (28, 62)),
        (100, 50, (56, 28)),
    ):
        image = Image.new("RGB", (width, height))
        assert fit_image(image, 28, "crop").size == (28, 28)
        assert fitted_size(width, height, 28, "crop") == expected

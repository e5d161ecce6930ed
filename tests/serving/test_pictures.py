"""Every form of a picture becomes the pixels that training saw; everything else is refused."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakeface_bench.data.decode import MAX_PIXELS, fit_image
from fakeface_bench.serving.pictures import PixelBudget, read_picture
from fakeface_bench.support.errors import DataError, NotAnImageError
from tests.conftest import load_image
from tests.serving.drawn import drawn, encoded, every_kind, text

SIZE = 96
KINDS = every_kind(3)
JPEG = KINDS["jpeg.jpg"]
NOT_BASE64 = "not base64 text: an image file's bytes in base64 are expected"
NOT_ALLOWED = "a file path, and this model was not loaded to read files"


def seen(given: Any, allow_paths: bool = False) -> np.ndarray:
    return np.asarray(fit_image(read_picture(given, allow_paths), SIZE, "crop"))


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_becomes_the_pixels_of_training(name: str, tmp_path: Path) -> None:
    path, content = tmp_path / name, KINDS[name]
    path.write_bytes(content)
    expected = load_image(path, SIZE, "crop")
    for given in (content, bytearray(content), memoryview(content), text(content)):
        np.testing.assert_array_equal(seen(given), expected)
    np.testing.assert_array_equal(seen(path, allow_paths=True), expected)


def test_a_picture_is_upright_and_on_white() -> None:
    picture = read_picture(KINDS["turned.jpg"])
    assert picture.size == (140, 100)
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert read_picture(encoded(clear, "PNG")).getextrema() == ((255, 255),) * 3
    white = Image.fromarray(np.full((20, 20), 65535, np.uint16))
    assert read_picture(encoded(white, "PNG")).getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize(
    "wrapped",
    [
        f"data:image/jpeg;base64,{text(JPEG)}",
        f"data:image/svg+xml;base64,{text(JPEG)}",
        base64.encodebytes(JPEG).decode(),
        text(JPEG).rstrip("="),
        base64.urlsafe_b64encode(JPEG).decode(),
        base64.urlsafe_b64encode(JPEG).decode().rstrip("="),
        text(JPEG).replace("A", "A\r\n"),
        f"  {text(JPEG)}\n",
    ],
    ids=[
        *("data URI", "data URI of another type", "lines", "unpadded"),
        *("URL-safe", "URL-safe, unpadded", "Windows lines", "spaces"),
    ],
)
def test_base64_may_be_wrapped_as_browsers_and_tools_wrap_it(wrapped: str) -> None:
    np.testing.assert_array_equal(seen(wrapped), seen(JPEG))


@pytest.mark.parametrize("shape", [(50, 40), (50, 40, 1), (50, 40, 3), (50, 40, 4)])
def test_arrays_are_taken_as_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    picture = read_picture(pixels)
    assert (picture.mode, picture.size) == ("RGB", (40, 50))
    if shape[2:] == (3,):
        np.testing.assert_array_equal(np.asarray(picture), pixels)
    if shape[2:] in ((), (1,)):
        np.testing.assert_array_equal(np.asarray(picture)[..., 1], pixels.reshape(50, 40))


def test_an_array_need_not_be_contiguous_and_is_left_alone() -> None:
    pixels = np.asarray(drawn(1)).copy()
    before = pixels.copy()
    np.testing.assert_array_equal(np.asarray(read_picture(pixels[::2, ::-1])), pixels[::2, ::-1])
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "no image was given"),
        (b"", "no image was given: it is empty"),
        ("", "no image was given: it is empty"),
        (b"neither JPEG nor PNG", "not a readable image: its content is of no known format"),
        ("a face", NOT_BASE64),
        ("/etc/passwd", NOT_BASE64),
        ("AAA", NOT_BASE64),
        ("ÄÖÜ=", NOT_BASE64),
        ("file:///etc/passwd", NOT_BASE64),
        ("http://localhost/face.jpg", NOT_BASE64),
        (r"\\server\share\face.jpg", NOT_BASE64),
        ("data:text/html,<script>", NOT_BASE64),
        ("data:image/jpeg;base64,%%%", NOT_BASE64),
        (text(b"<html>"), "not a readable image: its content is of no known format"),
        (
            3,
            "not an image but int; the bytes of an image file, their base64 text or a uint8 array "
            "is expected",
        ),
        (
            {"path": "/etc/passwd"},
            "not an image but dict; the bytes of an image file, their base64 text or a uint8 "
            "array is expected",
        ),
        (np.zeros((4, 4)), "an array of float64; uint8 from 0 to 255 is expected"),
        (np.zeros((4, 4, 3), np.int64), "an array of int64; uint8 from 0 to 255 is expected"),
        (np.zeros(9, np.uint8), "an array of shape 9; (height, width, 3) is expected"),
        (
            np.zeros((2, 4, 4, 3), np.uint8),
            "an array of shape 2×4×4×3; (height, width, 3) is expected",
        ),
        (np.zeros((4, 4, 2), np.uint8), "an array of shape 4×4×2; (height, width, 3) is expected"),
        (np.zeros((0, 4, 3), np.uint8), "an array of shape 0×4×3: it is empty"),
    ],
    ids=repr,
)
def test_what_is_no_image_is_refused_as_such(given: object, says: str) -> None:
    with pytest.raises(NotAnImageError) as refusal:
        read_picture(given)
    assert str(refusal.value) == says


@pytest.mark.parametrize("allow_paths", [False, True])
def test_text_is_never_taken_for_a_path(allow_paths: bool, tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(JPEG)
    with pytest.raises(NotAnImageError, match=NOT_BASE64):
        read_picture(str(path), allow_paths)


def test_a_path_is_read_only_where_it_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(JPEG)
    with pytest.raises(NotAnImageError, match=NOT_ALLOWED):
        read_picture(path)
    assert read_picture(path, allow_paths=True).size == (120, 120)
    with pytest.raises(DataError, match=r"^cannot be opened: No such file or directory$"):
        read_picture(tmp_path / "gone.jpg", allow_paths=True)
    with pytest.raises(DataError, match=r"^cannot be opened: Is a directory$"):
        read_picture(tmp_path, allow_paths=True)


@pytest.mark.parametrize("name", ["jpeg.jpg", "png.png", "webp.webp"])
def test_a_damaged_picture_is_one_all_the_same(name: str) -> None:
    with pytest.raises(DataError, match=r"^not a readable image: ") as refusal:
        read_picture(KINDS[name][: len(KINDS[name]) // 2])
    assert not isinstance(refusal.value, NotAnImageError)


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    side = int(MAX_PIXELS**0.5) + 10
    bomb = io.BytesIO()
    Image.new("1", (side, side)).save(bomb, "PNG")
    with pytest.raises(DataError, match=f"^too large: {side} × {side} pixels, at most 89,000,000"):
        read_picture(bomb.getvalue())


def test_pixels_of_one_call_are_bounded_before_they_are_decoded() -> None:
    picture = encoded(drawn(0), "PNG")  # 120 × 120
    budget = PixelBudget(0.03)
    for _ in range(2):
        assert read_picture(picture, admit=budget.admit).size == (120, 120)
    with pytest.raises(DataError, match=r"one call may hold 0\.03 million pixels") as refusal:
        read_picture(picture, admit=budget.admit)
    assert not isinstance(refusal.value, NotAnImageError)
    small = encoded(drawn(0, 20, 20), "PNG")
    assert read_picture(small, admit=budget.admit).size == (20, 20)


@pytest.mark.parametrize("shape", [(1, 21, 3), (2100, 100)])
def test_an_array_far_too_narrow_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="too narrow: "):
        read_picture(np.zeros(shape, np.uint8))

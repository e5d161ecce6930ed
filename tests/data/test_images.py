"""One file to the network's pixels: native where it can be, upright, RGB, whatever the format."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from fakeface_bench.config import FITS
from fakeface_bench.data import decode
from fakeface_bench.data.decode import decode_bytes, fit_image
from fakeface_bench.support.errors import DataError
from tests.conftest import load_image

Pixels = npt.NDArray[np.uint8]


def noise(width: int, height: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def cropped(pixels: Pixels, size: int) -> Pixels:
    return np.asarray(fit_image(Image.fromarray(pixels), size, "crop"))


def centre(pixels: Pixels, size: int) -> Pixels:
    top, left = (pixels.shape[0] - size) // 2, (pixels.shape[1] - size) // 2
    return pixels[top : top + size, left : left + size]


@pytest.mark.parametrize(
    ("width", "height", "holds"), [(400, 20, True), (421, 20, False), (20, 421, False)]
)
def test_what_is_far_too_narrow_is_refused(width: int, height: int, holds: bool) -> None:
    file = io.BytesIO()
    Image.fromarray(noise(width, height)).save(file, "PNG")
    if holds:
        assert decode_bytes(file).size == (width, height)
        return
    says = f"too narrow: {width} × {height} pixels, one side at most 20 times the other"
    with pytest.raises(DataError, match=says):
        decode_bytes(file)


def test_256_px_meet_224_by_their_very_pixels() -> None:
    pixels = noise(256, 256)
    np.testing.assert_array_equal(cropped(pixels, 224), pixels[16:240, 16:240])


@pytest.mark.parametrize(
    ("width", "height"),
    [(224, 224), (225, 225), (255, 256), (336, 336), (336, 400), (400, 336), (224, 700)],
)
def test_up_to_one_and_a_half_times_the_input_nothing_is_resampled(width: int, height: int) -> None:
    pixels = noise(width, height)
    np.testing.assert_array_equal(cropped(pixels, 224), centre(pixels, 224))


@pytest.mark.parametrize(("width", "height"), [(337, 337), (337, 500), (600, 600), (1024, 800)])
def test_beyond_it_the_short_side_is_scaled_to_the_input(width: int, height: int) -> None:
    pixels = noise(width, height)
    scale = 224 / min(width, height)
    small = Image.fromarray(pixels).resize(
        (round(width * scale), round(height * scale)), Image.Resampling.BICUBIC
    )
    result = cropped(pixels, 224)
    np.testing.assert_array_equal(result, centre(np.asarray(small), 224))
    assert not np.array_equal(result, centre(pixels, 224))


@pytest.mark.parametrize(("width", "height"), [(100, 100), (100, 400), (300, 223), (1, 1)])
def test_below_the_input_the_short_side_is_scaled_up(width: int, height: int) -> None:
    pixels = noise(width, height)
    scale = 224 / min(width, height)
    large = Image.fromarray(pixels).resize(
        (round(width * scale), round(height * scale)), Image.Resampling.BICUBIC
    )
    np.testing.assert_array_equal(cropped(pixels, 224), centre(np.asarray(large), 224))


def test_crop_keeps_the_shape_of_a_wide_picture() -> None:
    pixels = np.zeros((600, 1200, 3), np.uint8)
    pixels[:, 300:900] = 255  # the square in the middle
    result = cropped(pixels, 224)
    assert result[:, 2:-2].min() == 255


def test_resize_shows_the_whole_picture_whatever_its_shape() -> None:
    pixels = noise(300, 120)
    result = np.asarray(fit_image(Image.fromarray(pixels), 224, "resize"))
    expected = Image.fromarray(pixels).resize((224, 224), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(result, np.asarray(expected))


def test_resize_leaves_a_picture_of_the_right_size_alone() -> None:
    pixels = noise(224, 224)
    result = np.asarray(fit_image(Image.fromarray(pixels), 224, "resize"))
    np.testing.assert_array_equal(result, pixels)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 3), (64, 64), (97, 131), (500, 40)])
def test_every_picture_ends_square_at_the_size(fit: str, width: int, height: int) -> None:
    image = Image.fromarray(noise(width, height))
    assert fit_image(image, 64, fit).size == (64, 64)


TURNS = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_picture_is_turned_as_its_exif_says(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    upright = noise(20, 12)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    stored = np.ascontiguousarray(TURNS[orientation](upright))
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(stored).save(path, exif=exif, **options)
    np.testing.assert_array_equal(np.asarray(decode_bytes(path)), upright)


def grey(pixels: Pixels) -> tuple[Image.Image, Pixels]:
    return Image.fromarray(pixels[..., 0]), np.repeat(pixels[..., :1], 3, axis=-1)


def on_white(pixels: Pixels, opacity: Pixels) -> Pixels:
    """Return what shows of pixels over a white page, rounded as Pillow does, give or take 1."""
    share = opacity[..., None] / 255
    return np.round(pixels * share + 255 * (1 - share)).astype(np.uint8)


def grey_alpha(pixels: Pixels) -> tuple[Image.Image, Pixels]:
    image, expected = grey(pixels)
    image.putalpha(Image.fromarray(pixels[..., 1]))
    return image, on_white(expected, pixels[..., 1])


def sixteen_bits(pixels: Pixels) -> tuple[Image.Image, Pixels]:
    deep = pixels[..., 0].astype(np.uint16) * 256 + pixels[..., 1]
    return Image.fromarray(deep), np.repeat(pixels[..., :1], 3, axis=-1)


def one_bit(pixels: Pixels) -> tuple[Image.Image, Pixels]:
    on = pixels[..., 0] > 127
    return Image.fromarray(on), np.repeat(on[..., None] * np.uint8(255), 3, axis=-1)


def palette(pixels: Pixels) -> tuple[Image.Image, Pixels]:
    image = Image.fromarray(pixels).quantize(32)
    return image, np.asarray(image.convert("RGB"))


def alpha(pixels: Pixels) -> tuple[Image.Image, Pixels]:
    image = Image.fromarray(np.concatenate([pixels, pixels[..., :1]], axis=-1))
    return image, on_white(pixels, pixels[..., 0])


@pytest.mark.parametrize("kind", [grey, grey_alpha, sixteen_bits, one_bit, palette, alpha])
def test_every_kind_of_png_becomes_rgb(tmp_path: Path, kind: Any) -> None:
    image, expected = kind(noise(40, 40))
    path = tmp_path / "face.png"
    image.save(path)
    result = load_image(path, 40, "crop")
    assert result.dtype == np.uint8
    assert result.shape == (40, 40, 3)
    np.testing.assert_allclose(
        result.astype(int), expected, atol=1 if image.has_transparency_data else 0
    )


def test_a_palette_with_transparency_becomes_rgb_without_a_warning(tmp_path: Path) -> None:
    image, expected = palette(noise(40, 40))
    path = tmp_path / "face.png"
    image.save(path, transparency=bytes(range(32)))
    shown = on_white(expected, np.asarray(image))  # entry n of the palette has opacity n
    np.testing.assert_allclose(load_image(path, 40, "crop").astype(int), shown, atol=1)


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    smooth = np.asarray(Image.fromarray(noise(5, 5)).resize((40, 40), Image.Resampling.BICUBIC))
    Image.fromarray(smooth).convert("CMYK").save(path, quality=100)
    result = load_image(path, 40, "crop")
    assert result.shape == (40, 40, 3)
    assert np.abs(result.astype(int) - smooth).mean() < 6


def jpeg(**options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(40, 40)).save(buffer, "jpeg", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>404 not found</html>", jpeg()[:-500], jpeg()[:20], b"\x89PNG\r\n\x1a\n"],
    ids=["empty", "text", "truncated", "header alone", "signature alone"],
)
def test_what_is_no_whole_image_is_a_data_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a readable image"):
        load_image(path, 40, "crop")


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_image(tmp_path / "gone.jpg", 40, "crop")


def test_a_picture_beyond_the_limit_is_a_data_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "face.png"
    Image.fromarray(noise(40, 40)).save(path)
    monkeypatch.setattr(decode, "MAX_PIXELS", 700)
    with pytest.raises(DataError, match="too large: 40 × 40 pixels, at most 700 in all"):
        load_image(path, 40, "crop")


def test_however_a_file_is_broken_it_decodes_or_is_a_data_error() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x9003] = "2020:01:01 00:00:00"
    whole = jpeg(exif=exif)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(1500):
        broken = bytearray(whole)
        for place in rng.integers(0, 150, rng.integers(1, 8)):  # headers and EXIF
            broken[place] = rng.integers(0, 256)
        try:
            decode_bytes(io.BytesIO(bytes(broken)))
        except DataError:
            refused += 1
    assert 0 < refused < 1500

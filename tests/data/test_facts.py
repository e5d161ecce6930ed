"""Each fact of an image file, on a file made for it; and what is said of one that is no image."""

import hashlib
import io
import math
import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from fakeface_bench.data import decode
from fakeface_bench.data.facts import FACTS, NOT_OPENED, SIGNATURE_BYTES, read_facts


def picture(seed: int = 0, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """Return a picture with something to see at every scale."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def facts_of(path: Path, image: Image.Image | None = None, **options: Any) -> dict[str, Any]:
    """Save a picture, and return the facts of its file, which decodes."""
    (image or picture()).save(path, **options)
    facts = read_facts(path)
    assert facts["error"] == ""
    return facts


def png(width: int, height: int) -> bytes:
    """Return a whole, valid PNG of one bit a pixel, all black, without drawing it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    packer = zlib.compressobj(1)
    row = bytes(1 + (width + 7) // 8)
    content = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def encoded(kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, kind, **options)
    return buffer.getvalue()


def exif() -> Image.Exif:
    found = Image.Exif()
    found[0x010E] = "a description"
    return found


def test_a_plain_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    facts = facts_of(path, quality=75)
    assert list(facts) == list(FACTS)
    assert len(facts.pop("quantisation")) == 12
    assert len(facts.pop("signature")) == SIGNATURE_BYTES
    pixels = decode.decode_bytes(path)
    expected = hashlib.sha256(b"48 40 " + pixels.tobytes()).hexdigest()
    assert facts.pop("pixels") == expected
    assert facts.pop("quality") == pytest.approx(28.8, abs=0.3)
    assert facts == {
        "digest": hashlib.sha256(path.read_bytes()).hexdigest(),
        "error": "",
        "format": "JPEG",
        "width": 48,
        "height": 40,
        "mode": "RGB",
        "subsampling": "4:2:0",
        "progressive": False,
        "exif": False,
        "icc": False,
        "frames": 1,
        "wrong_extension": False,
    }


def test_a_plain_png_has_nothing_of_a_jpeg(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "face.png")
    assert facts["format"] == "PNG"
    assert (facts["quantisation"], facts["subsampling"]) == ("", "")
    assert math.isnan(facts["quality"])
    assert facts["progressive"] is False


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}])
def test_jpegs_of_one_quality_share_the_name_of_their_tables(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    one = facts_of(tmp_path / "one.jpg", picture(1), quality=80)
    other = facts_of(tmp_path / "other.jpg", picture(2, (30, 50)), quality=80, **options)
    assert one["quantisation"] == other["quantisation"]
    assert one["quality"] == other["quality"]


def test_jpegs_of_different_qualities_differ_in_the_name_of_their_tables(tmp_path: Path) -> None:
    names = [
        facts_of(tmp_path / f"{quality}.jpg", quality=quality)["quantisation"]
        for quality in (50, 74, 75, 76, 90, 95)
    ]
    assert len(set(names)) == 6


def test_tables_that_differ_in_colour_alone_differ_in_name(tmp_path: Path) -> None:
    tables = [[10] * 64, [20] * 64]
    one = facts_of(tmp_path / "one.jpg", qtables=tables)
    other = facts_of(tmp_path / "other.jpg", qtables=[tables[0], [30] * 64])
    assert one["quality"] == other["quality"] == 10
    assert one["quantisation"] != other["quantisation"]


@pytest.mark.parametrize(("quality", "mean"), [(100, 1.0), (50, 57.625)])
def test_quality_is_the_mean_of_the_luminance_table(
    tmp_path: Path, quality: int, mean: float
) -> None:
    """The standard's own luminance table is used at quality 50; its mean is 57.625."""
    assert facts_of(tmp_path / "face.jpg", quality=quality)["quality"] == mean


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_subsampling(tmp_path: Path, subsampling: str) -> None:
    facts = facts_of(tmp_path / "face.jpg", subsampling=subsampling)
    assert facts["subsampling"] == subsampling


def test_a_grey_jpeg_has_no_subsampling_of_colour(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "face.jpg", picture().convert("L"))
    assert facts["subsampling"] == "other"


@pytest.mark.parametrize("progressive", [False, True])
def test_progressive(tmp_path: Path, progressive: bool) -> None:
    facts = facts_of(tmp_path / "face.jpg", progressive=progressive)
    assert facts["progressive"] is progressive


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif(tmp_path: Path, suffix: str) -> None:
    assert facts_of(tmp_path / f"with.{suffix}", exif=exif())["exif"] is True
    assert facts_of(tmp_path / f"without.{suffix}")["exif"] is False


def test_exif_behind_the_pixels_of_a_png_counts_too(tmp_path: Path) -> None:
    """Where the standard allows it, and some programs write it."""
    whole = encoded("PNG")
    with_exif = encoded("PNG", exif=exif())
    start = with_exif.index(b"eXIf") - 4
    (length,) = struct.unpack(">I", with_exif[start : start + 4])
    chunk = with_exif[start : start + 12 + length]
    path = tmp_path / "late.png"
    path.write_bytes(whole[:-12] + chunk + whole[-12:])
    with Image.open(path) as image:
        image.load()
        assert "exif" in image.info
    assert read_facts(path)["exif"] is True


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_icc(tmp_path: Path, suffix: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert facts_of(tmp_path / f"with.{suffix}", icc_profile=profile)["icc"] is True
    assert facts_of(tmp_path / f"without.{suffix}")["icc"] is False


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *(("RGB", "jpg"), ("L", "jpg"), ("CMYK", "jpg")),
        *(("1", "png"), ("L", "png"), ("LA", "png"), ("P", "png"), ("RGB", "png"), ("RGBA", "png")),
    ],
)
def test_mode_is_the_files_own(tmp_path: Path, mode: str, suffix: str) -> None:
    facts = facts_of(tmp_path / f"face.{suffix}", picture().convert(mode))
    assert facts["mode"] == mode
    assert len(facts["signature"]) == SIGNATURE_BYTES


def test_mode_of_sixteen_bits(tmp_path: Path) -> None:
    grey = np.asarray(picture().convert("L")).astype(np.uint16) * 257
    facts = facts_of(tmp_path / "face.png", Image.fromarray(grey))
    assert facts["mode"] == "I;16"
    assert facts["signature"] == facts_of(tmp_path / "8.png", picture().convert("L"))["signature"]


def test_mode_of_a_webp_with_transparency(tmp_path: Path) -> None:
    image = picture()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    assert facts_of(tmp_path / "face.webp", image)["mode"] == "RGBA"


def test_size_is_the_files_own_and_the_look_is_upright(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # shown turned by a quarter
    image = picture()
    lying = facts_of(
        tmp_path / "lying.png", image.transpose(Image.Transpose.ROTATE_90), exif=turned
    )
    upright = facts_of(tmp_path / "upright.png", image)
    assert (lying["width"], lying["height"]) == (40, 48)
    assert lying["signature"] == upright["signature"]


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize(("kind", "name"), [("WEBP", "a.webp"), ("PNG", "a.png"), ("GIF", "b.png")])
def test_frames_of_an_animation(tmp_path: Path, kind: str, name: str, frames: int) -> None:
    further = [picture(seed) for seed in range(1, frames)]
    animation = {"save_all": True, "append_images": further} if further else {}
    facts = facts_of(tmp_path / name, picture(), format=kind, **animation)
    assert facts["frames"] == frames
    assert facts["format"] == kind
    assert facts["wrong_extension"] is (kind == "GIF")


def test_the_look_of_an_animation_is_that_of_its_first_frame(tmp_path: Path) -> None:
    further = {"save_all": True, "append_images": [picture(1)], "lossless": True}
    moving = facts_of(tmp_path / "moving.webp", picture(), **further)
    assert moving["signature"] == facts_of(tmp_path / "still.png")["signature"]


def test_further_views_in_a_jpeg_are_no_frames(tmp_path: Path) -> None:
    further = {"save_all": True, "append_images": [picture(1)]}
    facts = facts_of(tmp_path / "face.jpg", format="MPO", **further)
    assert (facts["format"], facts["frames"]) == ("MPO", 1)
    assert facts["wrong_extension"] is False
    assert facts["subsampling"] == "4:2:0"


@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        ("JPEG", "a.jpg", False),
        ("JPEG", "a.JPEG", False),
        ("PNG", "a.PNG", False),
        ("WEBP", "a.WebP", False),
        ("PNG", "a.jpg", True),
        ("WEBP", "a.jpeg", True),
        ("JPEG", "a.png", True),
        ("WEBP", "a.png", True),
        ("PNG", "a.webp", True),
        ("JPEG", "a.webp", True),
        ("BMP", "a.jpg", True),
        ("TIFF", "a.png", True),
    ],
)
def test_wrong_extension(tmp_path: Path, kind: str, name: str, wrong: bool) -> None:
    facts = facts_of(tmp_path / name, format=kind)
    assert facts["wrong_extension"] is wrong
    assert facts["format"] == kind


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_image_that_shows_nothing_has_no_signature(tmp_path: Path, mode: str) -> None:
    facts = facts_of(tmp_path / "blank.png", Image.new(mode, (30, 30), "grey"))
    assert facts["signature"] == b""


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "truncated JPEG": (lambda: encoded("JPEG", quality=95)[:900], "not a readable image: "),
    "header of a JPEG": (lambda: encoded("JPEG")[:20], "not a readable image: "),
    "truncated PNG": (lambda: encoded("PNG")[:-500], "not a readable image: "),
    "truncated WebP": (lambda: encoded("WEBP")[:-100], "not a readable image: "),
    "zero bytes": (lambda: b"", "the file is empty"),
    "text": (lambda: b"<html>404 not found</html>", "not a readable image: "),
    "EPS": (lambda: encoded("EPS"), "not a readable image: "),
    "PDF": (lambda: encoded("PDF"), "not a readable image: "),
    "PPM": (lambda: encoded("PPM"), "not a readable image: "),
    "ICO": (lambda: encoded("ICO"), "not a readable image: "),
    "bomb": (lambda: png(30_000, 30_000), "too large: "),
    "small bomb": (lambda: png(9_440, 9_440), "too large: 9440 × 9440 pixels, at most 89,000,000"),
}


@pytest.mark.parametrize("name", ["face.jpg", "face.png", "face.webp"])
@pytest.mark.parametrize("what", [what for what in BAD if "bomb" not in what])
def test_a_bad_file_says_why_and_has_no_other_fact(tmp_path: Path, what: str, name: str) -> None:
    make, error = BAD[what]
    assert_refused(tmp_path / name, make(), error)


def assert_refused(path: Path, content: bytes, error: str) -> None:
    path.write_bytes(content)
    facts = read_facts(path)
    assert facts["error"].startswith(error)
    assert facts["digest"] == hashlib.sha256(content).hexdigest()
    assert_nothing_else_known(facts)


def assert_nothing_else_known(facts: dict[str, Any]) -> None:
    others = {**facts, "digest": "", "error": ""}
    assert math.isnan(others.pop("quality"))
    assert others == {name: value for name, value in FACTS.items() if name != "quality"}


@pytest.mark.parametrize("what", ["bomb", "small bomb"])
def test_a_bomb_is_refused_at_once_and_never_decoded(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Any] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded.append)
    make, error = BAD[what]
    content = make()
    started = time.perf_counter()
    assert_refused(tmp_path / "face.png", content, error)
    assert time.perf_counter() - started < 1
    assert decoded == []


@pytest.mark.parametrize(("limit", "error"), [(48 * 40, ""), (48 * 40 - 1, "too large: 48 × 40")])
def test_the_limit_itself_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, error: str
) -> None:
    monkeypatch.setattr(decode, "MAX_PIXELS", limit)
    picture().save(tmp_path / "face.png")
    found = read_facts(tmp_path / "face.png")["error"]
    assert (bool(found), found.startswith(error)) == (bool(error), True)


@pytest.mark.parametrize("what", ["text", "zero bytes", "EPS"])
def test_what_is_said_of_a_bad_file_is_the_same_each_time(tmp_path: Path, what: str) -> None:
    """It is recorded, and two records of one dataset must not differ."""
    path = tmp_path / "face.jpg"
    path.write_bytes(BAD[what][0]())
    first, second = (read_facts(path)["error"] for _ in range(2))
    assert " at 0x" not in first  # the place in memory of what was read
    assert first == second


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    facts = read_facts(tmp_path / "gone.jpg")
    assert (facts["digest"], facts["error"]) == (NOT_OPENED, "No such file or directory")
    assert_nothing_else_known(facts)


def test_a_folder_named_as_a_picture_says_so(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    facts = read_facts(tmp_path / "folder.jpg")
    assert (facts["digest"], facts["error"]) == (NOT_OPENED, "it is no regular file")


def test_a_pipe_named_as_an_image_is_unreadable_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.jpg")
    assert read_facts(tmp_path / "endless.jpg")["error"] == "it is no regular file"

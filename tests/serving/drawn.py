"""Pictures that are drawn, not photographed, in every form that a caller may hand over."""

import base64
import io
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def drawn(seed: int, width: int = 120, height: int = 120) -> Image.Image:
    """Return coloured blots, as different from seed to seed as pictures are."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (rng.integers(2, 9), rng.integers(2, 9), 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.integers(0, 1 + 12 * (seed % 5), (height, width, 1), dtype=np.uint8)
    return Image.fromarray(np.asarray(picture) // 2 + grain)


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    """Return a picture as the bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def text(content: bytes) -> str:
    """Return bytes as base64 text."""
    return base64.b64encode(content).decode()


def exif_turned(picture: Image.Image, orientation: int = 6) -> bytes:
    """Return a JPEG that a viewer turns."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture, "JPEG", exif=exif)


def sixteen_bit(seed: int) -> Image.Image:
    """Return a grey picture of sixteen bits a pixel."""
    values = np.asarray(drawn(seed).convert("L")).astype(np.uint16) * 257
    return Image.fromarray(values)


def every_kind(seed: int) -> dict[str, bytes]:
    """Return a file of each kind, by its name."""
    picture = drawn(seed)
    translucent = picture.copy()
    translucent.putalpha(drawn(seed + 1).convert("L"))
    return {
        "jpeg.jpg": encoded(picture, "JPEG"),
        "png.png": encoded(picture, "PNG"),
        "webp.webp": encoded(picture, "WEBP"),
        "grey.jpg": encoded(picture.convert("L"), "JPEG"),
        "cmyk.jpg": encoded(picture.convert("CMYK"), "JPEG"),
        "palette.png": encoded(picture.quantize(32), "PNG"),
        "turned.jpg": exif_turned(drawn(seed, 100, 140)),
        "sixteen_bit.png": encoded(sixteen_bit(seed), "PNG"),
        "alpha.png": encoded(translucent, "PNG"),
        "portrait.jpg": encoded(drawn(seed, 90, 160), "JPEG"),
        "tiny.png": encoded(drawn(seed, 16, 16), "PNG"),
    }


def mixed(count: int, large: int = 2) -> list[bytes]:
    """Return files of every kind in turn, `large` of them of twelve megapixels."""
    kinds = (content for seed in range(count) for content in every_kind(seed).values())
    files = list(islice(kinds, count))
    for number in range(large):
        place = (number + 1) * count // (large + 1)
        files[place] = encoded(drawn(1000 + number, 4000, 3000), "JPEG")
    return files

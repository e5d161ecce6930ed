"""One image file to the pixels a network sees: decoding, and how it meets the input's size."""

from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image, ImageOps

from fakeface_bench.errors import DataError

#: What decoded the pixels; part of every key of what is made from them.
DECODER = f"pillow {PIL.__version__}"
#: Short sides up to this many times the input are cropped as they are: scaling down is a
#: low-pass filter, and a generator's traces are high-frequency.
NATIVE_UP_TO = 1.5


def decode_bytes(source: Path | IO[bytes]) -> Image.Image:
    """Decode a whole image to RGB, turned upright as its EXIF orientation says.

    An alpha channel is dropped, sixteen bits a channel become eight.

    Raises:
        DataError: If the file is no image, is truncated, or is larger than Pillow's limit.
    """
    try:
        with Image.open(source) as image:
            return _to_rgb(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"too large: {error}") from error
    except Exception as error:  # a broken file makes Pillow's decoders raise nearly anything
        raise DataError(f"not a readable image: {error}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    image.info.pop("transparency", None)  # Pillow warns where a conversion drops it
    if image.mode.startswith("I;16"):  # Pillow would clip it to white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGB")


def fit_image(image: Image.Image, size: int, fit: str) -> Image.Image:
    """Bring an image to `size` × `size` pixels.

    `crop` takes the centre at native resolution. It scales only where it must: up where the
    short side is below `size`, down (to `size`) where it is more than 1.5 times too large.
    `resize` scales the whole picture to the square, whatever its shape.

    Args:
        image: RGB.
        size: Side of the network's input in pixels.
        fit: One of `config.FITS`.
    """
    if fit == "resize":
        return image.resize((size, size), Image.Resampling.BICUBIC)
    short = min(image.size)
    if short < size or short > NATIVE_UP_TO * size:
        scaled = (max(size, round(side * size / short)) for side in image.size)
        image = image.resize((next(scaled), next(scaled)), Image.Resampling.BICUBIC)
    left, top = ((side - size) // 2 for side in image.size)
    return image.crop((left, top, left + size, top + size))


def load_image(path: Path, size: int, fit: str) -> npt.NDArray[np.uint8]:
    """Read one file as the network sees it: uint8 RGB of shape (size, size, 3).

    Raises:
        DataError: If the file cannot be decoded; the message names it.
    """
    try:
        image = decode_bytes(path)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return np.asarray(fit_image(image, size, fit), dtype=np.uint8)

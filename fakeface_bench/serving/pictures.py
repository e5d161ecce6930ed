"""What a caller may hand over as a picture, and how it becomes one.

Text is base64 and nothing else: no request, whatever it holds, names a file or an address.
"""

import base64
import binascii
import io
import re
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Semaphore
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image

from fakeface_bench.data.decode import check_shape, opened, upright_rgb
from fakeface_bench.support.errors import DataError, NotAnImageError

#: What browsers put before the base64 of a file.
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,")
_NOT_BASE64 = "not base64 text: an image file's bytes in base64 are expected"
#: To base64's usual alphabet from the one that URLs and file names take.
_URL_SAFE = str.maketrans("-_", "+/")
_CHANNELS = (1, 3, 4)
#: Array dimensions of a grey picture, and of one with channels.
_GREY, _COLOUR = 2, 3
#: Pictures of more pixels are decoded two at a time, however many threads there are: each takes
#: up to a gigabyte.
_LARGE_PIXELS = 16_000_000
_LARGE_TURNS = Semaphore(2)

#: Called with a picture that was opened, before it is decoded; raises a `DataError` to refuse it.
Admit = Callable[[Image.Image], None]


class PixelBudget:
    """How much may be decoded for one call: small files can hold large pictures.

    Args:
        megapixels: In all, in 10⁶ pixels.
    """

    def __init__(self, megapixels: float) -> None:
        self._megapixels = megapixels
        self._left = megapixels * 1e6
        self._lock = Lock()

    def admit(self, image: Image.Image) -> None:
        """Charge a picture.

        Raises:
            DataError: If there is no room for it.
        """
        pixels = image.width * image.height
        with self._lock:
            if pixels <= self._left:
                self._left -= pixels
                return
        raise DataError(
            f"one call may hold {self._megapixels:,g} million pixels (the setting "
            "max_megapixels), and this picture goes beyond them"
        )


def read_picture(
    given: object, allow_paths: bool = False, admit: Admit = lambda image: None
) -> Image.Image:
    """Return a picture as RGB, upright, on white: the same decoding as in training.

    Args:
        given: The bytes of an image file, the same as base64 text, a uint8 array of shape (height,
            width) or (height, width, 1, 3 or 4), or, if allowed, a `pathlib.Path`.
        allow_paths: Whether files may be read. Text is never taken for a path.
        admit: May refuse a file by its size, before it is decoded.

    Raises:
        NotAnImageError: If it is none of them, or no picture.
        DataError: If it is a picture that cannot be read.
    """
    match given:
        case bytes() | bytearray() | memoryview():
            return _decoded(bytes(given), admit)
        case str():
            return _from_text(given, admit)
        case np.ndarray():
            return _from_array(given)
        case Path() if allow_paths:
            return _from_file(given, admit)
        case Path():
            raise NotAnImageError("a file path, and this model was not loaded to read files")
        case None:
            raise NotAnImageError("no image was given")
    raise NotAnImageError(
        f"not an image but {type(given).__name__}; the bytes of an image file, their base64 text "
        "or a uint8 array is expected"
    )


def _decoded(content: bytes, admit: Admit) -> Image.Image:
    if not content:
        raise NotAnImageError("no image was given: it is empty")
    return _opened(io.BytesIO(content), admit)


def _opened(source: IO[bytes], admit: Admit) -> Image.Image:
    with opened(source) as image:
        admit(image)
        if image.width * image.height <= _LARGE_PIXELS:
            return upright_rgb(image)
        with _LARGE_TURNS:
            return upright_rgb(image)


def _from_file(path: Path, admit: Admit) -> Image.Image:
    try:
        with open(path, "rb") as file:
            return _opened(file, admit)
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror}") from error


def _from_text(text: str, admit: Admit) -> Image.Image:
    """Decode base64 in either alphabet, with line breaks, padded or not.

    Words and paths may pass for base64 that lacks its padding, so what holds no picture then was
    none.
    """
    begun = _DATA_URI.match(text)
    given = "".join(text[begun.end() if begun else 0 :].split())
    digits = given.translate(_URL_SAFE).rstrip("=")
    padded = digits + "=" * (-len(digits) % 4)
    try:
        return _decoded(base64.b64decode(padded, validate=True), admit)
    except NotAnImageError as error:
        if padded == given:
            raise
        raise NotAnImageError(_NOT_BASE64) from error
    except (binascii.Error, ValueError) as error:
        raise NotAnImageError(_NOT_BASE64) from error


def _from_array(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    shape = "×".join(map(str, pixels.shape))
    grey = pixels.ndim == _GREY
    if not grey and not (pixels.ndim == _COLOUR and pixels.shape[2] in _CHANNELS):
        raise NotAnImageError(f"an array of shape {shape}; (height, width, 3) is expected")
    if pixels.dtype != np.uint8:
        raise NotAnImageError(f"an array of {pixels.dtype}; uint8 from 0 to 255 is expected")
    if not pixels.size:
        raise NotAnImageError(f"an array of shape {shape}: it is empty")
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels)
    check_shape(image)
    return upright_rgb(image)

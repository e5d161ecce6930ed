"""What a caller may hand over as a picture, and how it becomes one.

Text is base64 and nothing else: no request, whatever it holds, names a file or an address.
"""

import base64
import binascii
import io
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from fakeface_bench.data.images import decode_bytes, upright_rgb
from fakeface_bench.errors import DataError, NotAnImageError

#: What browsers put before the base64 of a file.
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,")
_CHANNELS = (1, 3, 4)
#: Array dimensions of a grey picture, and of one with channels.
_GREY, _COLOUR = 2, 3


def read_picture(given: object, allow_paths: bool = False) -> Image.Image:
    """Return a picture as RGB, upright, on white: the same decoding as in training.

    Args:
        given: The bytes of an image file, the same as base64 text, a uint8 array of shape (height,
            width) or (height, width, 1, 3 or 4), or, if allowed, a `pathlib.Path`.
        allow_paths: Whether files may be read. Text is never taken for a path.

    Raises:
        NotAnImageError: If it is none of them, or no picture.
        DataError: If it is a picture that cannot be read.
    """
    match given:
        case bytes() | bytearray() | memoryview():
            return _decoded(bytes(given))
        case str():
            return _decoded(_from_base64(given))
        case np.ndarray():
            return _from_array(given)
        case Path() if allow_paths:
            return _from_file(given)
        case Path():
            raise NotAnImageError("a file path, and this model was not loaded to read files")
        case None:
            raise NotAnImageError("no image was given")
    raise NotAnImageError(
        f"not an image but {type(given).__name__}; the bytes of an image file, their base64 text "
        "or a uint8 array is expected"
    )


def _decoded(content: bytes) -> Image.Image:
    if not content:
        raise NotAnImageError("no image was given: it is empty")
    return decode_bytes(io.BytesIO(content))


def _from_file(path: Path) -> Image.Image:
    try:
        with open(path, "rb") as file:
            return decode_bytes(file)
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror}") from error


def _from_base64(text: str) -> bytes:
    begun = _DATA_URI.match(text)
    try:
        # Line breaks are what the command base64 puts in.
        return base64.b64decode("".join(text[begun.end() if begun else 0 :].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotAnImageError(
            "not base64 text: an image file's bytes in base64 are expected"
        ) from error


def _from_array(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    shape = "×".join(map(str, pixels.shape))
    grey = pixels.ndim == _GREY
    if not grey and not (pixels.ndim == _COLOUR and pixels.shape[2] in _CHANNELS):
        raise NotAnImageError(f"an array of shape {shape}; (height, width, 3) is expected")
    if pixels.dtype != np.uint8:
        raise NotAnImageError(f"an array of {pixels.dtype}; uint8 from 0 to 255 is expected")
    if not pixels.size:
        raise NotAnImageError(f"an array of shape {shape}: it is empty")
    return upright_rgb(Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels))

"""What one image file is: its content's digest, its format and metadata, and how it looks."""

import hashlib
import io
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from fakeface_bench.data.images import opened
from fakeface_bench.data.listing import IMAGE_SUFFIXES
from fakeface_bench.data.rgb import upright_rgb
from fakeface_bench.data.signature import signature
from fakeface_bench.errors import DataError

#: Every fact, and its value where a file cannot be read.
FACTS: Mapping[str, Any] = {
    "digest": "",
    "error": "",
    "format": "",
    "width": 0,
    "height": 0,
    "mode": "",
    "quantisation": "",
    "quality": float("nan"),
    "subsampling": "",
    "progressive": False,
    "exif": False,
    "icc": False,
    "frames": 0,
    "wrong_extension": False,
    "signature": b"",
    "pixels": "",
}
#: Larger files are not read: no picture of a face needs as much.
MAX_BYTES = 256 * 2**20
#: Stands for a digest where a file could not be opened.
NOT_OPENED = "unreadable"

_SUBSAMPLING: Mapping[int, str] = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_DIGEST_DIGITS = 12
_MOST_PAGES = 1_000


def read_facts(path: Path) -> dict[str, Any]:
    """Read a file once and return all its `FACTS`; one that is no image says why in `error`."""
    try:
        content = _read(path)
    except OSError as error:
        return {**FACTS, "digest": NOT_OPENED, "error": error.strerror or str(error)}
    except DataError as error:
        return {**FACTS, "digest": NOT_OPENED, "error": str(error)}
    known = {**FACTS, "digest": hashlib.sha256(content).hexdigest()}
    if not content:
        return {**known, "error": "the file is empty"}
    try:
        with opened(io.BytesIO(content)) as image:
            found = _jpeg(image) | _looks(upright_rgb(image)) | _metadata(image)
    except DataError as error:
        return {**known, "error": str(error)}
    allowed = IMAGE_SUFFIXES[path.suffix.lower()]
    return known | found | {"wrong_extension": found["format"] not in allowed}


def _read(path: Path) -> bytes:
    """Read a file, unless it might never end.

    Raises:
        DataError: If it is a pipe or a device, or too large to be a picture.
        OSError: If it cannot be opened.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DataError("it is no regular file")
    if status.st_size > MAX_BYTES:
        raise DataError(f"it has {status.st_size:,} bytes, at most {MAX_BYTES:,} are read")
    return path.read_bytes()


def _looks(image: Image.Image) -> dict[str, Any]:
    """Describe what an RGB image shows; `pixels` is a digest of its size and every pixel."""
    pixels = hashlib.sha256(f"{image.width} {image.height} ".encode() + image.tobytes())
    return {"signature": signature(image), "pixels": pixels.hexdigest()}


def _metadata(image: Image.Image) -> dict[str, Any]:
    """Describe an image that is loaded: a PNG's EXIF data may follow its pixels."""
    return {
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "exif": "exif" in image.info,
        "icc": "icc_profile" in image.info,
        "frames": _frames(image),
    }


def _frames(image: Image.Image) -> int:
    """Return how many frames an image has; further views, in an MPO, of one picture are none.

    A TIFF's are counted up to `_MOST_PAGES`: counting is slow work there.
    """
    if image.format != "TIFF":
        return getattr(image, "n_frames", 1) if image.format != "MPO" else 1
    pages = 1
    try:
        while pages < _MOST_PAGES:
            image.seek(pages)
            pages += 1
    except EOFError:
        return pages
    finally:
        image.seek(0)
    return pages


def _jpeg(image: Image.Image) -> dict[str, Any]:
    """Describe how a JPEG was compressed; nothing for other formats."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return {}
    tables = sorted((number, *table) for number, table in image.quantization.items())
    name = hashlib.sha256(repr(tables).encode()).hexdigest()[:_DIGEST_DIGITS]
    return {
        "quantisation": name,
        "quality": float(np.mean(image.quantization.get(0, (0,)))),
        "subsampling": _SUBSAMPLING.get(JpegImagePlugin.get_sampling(image), "other"),
        "progressive": "progressive" in image.info,
    }

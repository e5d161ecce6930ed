"""One image file to the pixels a network sees: decoding, and how it meets the input's size."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import PIL
from PIL import ExifTags, Image

from fakeface_bench.data.file_parts import check_coding, check_parts, content_of
from fakeface_bench.data.rgb import upright_rgb
from fakeface_bench.errors import DataError, NotAnImageError

#: Raise it with any change here that alters a decoded pixel.
DECODING_VERSION = 2
#: What decoded the pixels; part of every key of what is made from them.
DECODER = f"pillow {PIL.__version__}, rules {DECODING_VERSION}"
#: What a file may hold, whatever its name says (JPEG opens MPO too). Pillow knows more formats,
#: some of which start other programs.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
#: Above this many an image is refused before it is decoded: a bomb, or a scan of a wall.
MAX_PIXELS = 89_000_000
#: A picture this many times as long as wide shows no face, and scaling its short side up to a
#: network's input would make it huge.
MAX_RATIO = 20
#: Short sides up to this many times the input are cropped as they are: scaling down is a
#: low-pass filter, and a generator's traces are high-frequency.
NATIVE_UP_TO = 1.5
#: EXIF orientations from this one up exchange width and height.
_TURNED_FROM = 5

# What Pillow has to remark on damaged metadata would stand between the lines of a command, naming
# neither file nor remedy; what damage matters is an error.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def decode_bytes(source: Path | IO[bytes]) -> Image.Image:
    """Decode a whole image to RGB as a viewer shows it: upright, on white, the first frame.

    Sixteen bits a channel become eight.

    Raises:
        DataError: If the file is no image, is truncated, or has a size that `check_shape` refuses.
    """
    with opened(source) as image:
        return upright_rgb(image)


@contextmanager
def opened(source: Path | IO[bytes]) -> Iterator[Image.Image]:
    """Open an image without decoding it; whatever goes wrong within the block is a `DataError`."""
    try:
        with (
            nullcontext(source) if not isinstance(source, Path) else open(source, "rb") as file,
            Image.open(check_parts(file), formats=FORMATS) as image,
        ):
            check_shape(image)
            check_coding(image)
            yield image
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"too large: {error}") from error
    except MemoryError:  # says nothing of the file
        raise
    except PIL.UnidentifiedImageError as error:
        raise NotAnImageError(f"not a readable image: {content_of(source)}") from error
    except Exception as error:  # a broken file makes Pillow's decoders raise nearly anything
        raise DataError(f"not a readable image: {error}") from error


def check_shape(image: Image.Image) -> None:
    """Refuse what is too large or too narrow, by its size alone.

    Raises:
        DataError: If it has more than `MAX_PIXELS`, or one side is over `MAX_RATIO` times the
            other.
    """
    size = f"{image.width} × {image.height} pixels"
    if image.width * image.height > MAX_PIXELS:
        raise DataError(f"too large: {size}, at most {MAX_PIXELS:,} in all")
    if max(image.size) > MAX_RATIO * min(image.size):
        raise DataError(f"too narrow: {size}, one side at most {MAX_RATIO} times the other")


def fitted_size(width: int, height: int, size: int, fit: str) -> tuple[int, int]:
    """Return the width and height an image is scaled to before its centre is taken.

    `crop` keeps native resolution. It scales only where it must: up where the short side is below
    `size`, down (to `size`) where it is more than 1.5 times too large. `resize` scales the whole
    picture to the square, whatever its shape.

    Args:
        width: Of the picture as a viewer shows it.
        height: Likewise.
        size: Side of the network's input in pixels.
        fit: One of `config.FITS`.
    """
    if fit == "resize":
        return size, size
    short = min(width, height)
    if size <= short <= NATIVE_UP_TO * size:
        return width, height
    return max(size, round(width * size / short)), max(size, round(height * size / short))


def fit_image(image: Image.Image, size: int, fit: str) -> Image.Image:
    """Bring an image to `size` × `size` pixels: scaled as `fitted_size` says, then its centre.

    Args:
        image: RGB.
        size: Side of the network's input in pixels.
        fit: One of `config.FITS`.
    """
    return centre(_fitted(image, size, fit), size, size)


def centre(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the centre of an image that is at least as large."""
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _fitted(image: Image.Image, size: int, fit: str) -> Image.Image:
    wanted = fitted_size(*image.size, size, fit)
    return image if wanted == image.size else image.resize(wanted, Image.Resampling.BICUBIC)


def reencoded(image: Image.Image, quality: int) -> Image.Image:
    """Return an RGB image as it comes back from a JPEG, chroma halved both ways (4:2:0).

    Args:
        image: RGB.
        quality: Pillow's, 1 to 100; 0 leaves the image as it is.
    """
    if not quality:
        return image
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(stream, formats=["JPEG"]) as encoded:
        return encoded.convert("RGB")


def load_image(path: Path, size: int, fit: str, jpeg_quality: int = 0) -> npt.NDArray[np.uint8]:
    """Read one file as the network sees it: uint8 RGB of shape (size, size, 3).

    Raises:
        DataError: If the file cannot be decoded; the message names it.
    """
    return seen_pixels(_decoded(path), size, fit, jpeg_quality)


def seen_pixels(
    image: Image.Image, size: int, fit: str, jpeg_quality: int = 0
) -> npt.NDArray[np.uint8]:
    """Return a picture as the network sees it: uint8 RGB of shape (size, size, 3).

    Args:
        image: RGB.
        size: Side of the network's input in pixels.
        fit: One of `config.FITS`.
        jpeg_quality: Of the JPEG that the whole picture passes first; 0 for none.
    """
    return np.asarray(fit_image(reencoded(image, jpeg_quality), size, fit), dtype=np.uint8)


def canvas_pixels(
    image: Image.Image, size: int, fit: str, side: int, jpeg_quality: int = 0
) -> npt.NDArray[np.uint8]:
    """Return a picture with some of what surrounds the centre, for crops beside it.

    The picture, cut to at most `side` × `side` around its centre, lies on a black canvas so that
    the middle `size` × `size` pixels of the canvas are those of `seen_pixels`.

    Args:
        image: RGB.
        size: Side of the network's input in pixels.
        fit: One of `config.FITS`.
        side: Of the canvas in pixels; `side` - `size` is even.
        jpeg_quality: As in `seen_pixels`.

    Returns:
        uint8 RGB of shape (side, side, 3).
    """
    image = _fitted(reencoded(image, jpeg_quality), size, fit)
    seen = np.asarray(centre(image, min(image.width, side), min(image.height, side)))
    canvas = np.zeros((side, side, 3), dtype=np.uint8)
    top, left = (-(-(side - length) // 2) for length in seen.shape[:2])
    canvas[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    return canvas


def spare_pixels(source: IO[bytes], size: int, fit: str, side: int) -> tuple[int, int]:
    """Return by how much the picture on a canvas is higher and wider than the network's input.

    Only the file's header is decoded.

    Raises:
        DataError: If it is no readable image.
    """
    with opened(source) as image:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= _TURNED_FROM
        width, height = reversed(image.size) if turned else image.size
    width, height = fitted_size(width, height, size, fit)
    return min(height, side) - size, min(width, side) - size


def _decoded(path: Path) -> Image.Image:
    try:
        return decode_bytes(path)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error

"""What each row of `data.corruptions` does to a picture; RGB in, RGB out.

Nothing here knows a picture's class, so both classes are treated alike.
"""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter

from fakeface_bench.data.images import centre, reencoded
from fakeface_bench.errors import DataError

#: Longest side that Instagram hands out again, whatever was uploaded, as measured in
#: phototacopodcast.com/dimensions-and-quality-for-social-media-photo-sharing (2021).
SHARED_SIDE_PX = 1080
#: Of the format.
_LONGEST_WEBP = 16_383
#: As cameras and editors save.
_FIRST_QUALITY = 90
#: By which the blocks of 8 pixels of two JPEGs in a row lie apart, in pixels.
_GRID_SHIFT = 4


def jpeg(image: Image.Image, quality: float, source: np.random.Generator) -> Image.Image:
    """Save as a JPEG and read it back."""
    return reencoded(image, int(quality))


def webp(image: Image.Image, quality: float, source: np.random.Generator) -> Image.Image:
    """Save as a lossy WebP and read it back.

    Raises:
        DataError: If a side is longer than the format allows.
    """
    if max(image.size) > _LONGEST_WEBP:
        raise DataError(
            f"{image.width} × {image.height} pixels: a WebP has at most {_LONGEST_WEBP:,} a side"
        )
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=int(quality))
    with Image.open(stream, formats=["WEBP"]) as encoded:
        return encoded.convert("RGB")


def shared(image: Image.Image, quality: float, source: np.random.Generator) -> Image.Image:
    """Imitate a picture that was saved, cropped a little, and uploaded to a social network.

    A JPEG of quality 90; what was cropped away shifts the grid of its blocks against that of the
    second JPEG, whose quality is the severity, by half a block. In between the network scales down
    what is larger than it hands out. So that nothing but the grid moves, the strip that is cropped
    is not the picture's: its edge is continued to the left and above.
    """
    strip = ((_GRID_SHIFT, 0), (_GRID_SHIFT, 0), (0, 0))
    widened = Image.fromarray(np.pad(np.asarray(image), strip, mode="edge"))
    saved = reencoded(widened, _FIRST_QUALITY)
    cropped = saved.crop((_GRID_SHIFT, _GRID_SHIFT, *saved.size))
    share = min(1.0, SHARED_SIDE_PX / max(cropped.size))
    return reencoded(_scaled(cropped, share) if share < 1 else cropped, int(quality))


def resized(image: Image.Image, share: float, source: np.random.Generator) -> Image.Image:
    """Scale down to a share of the sides, and up to the old size."""
    return _scaled(image, share).resize(image.size, Image.Resampling.BICUBIC)


def blurred(image: Image.Image, sigma: float, source: np.random.Generator) -> Image.Image:
    """Blur with a Gaussian; Pillow's own is made of boxes, far from it at half a pixel."""
    pixels = np.asarray(image, dtype=np.float32)
    return _image(gaussian_filter(pixels, (sigma, sigma, 0)))


def noisy(image: Image.Image, sigma: float, source: np.random.Generator) -> Image.Image:
    """Add normal noise to each channel; all severities of a picture scale the same draw."""
    pixels = np.asarray(image, dtype=np.float32)
    return _image(pixels + sigma * source.standard_normal(pixels.shape, dtype=np.float32))


def cropped(image: Image.Image, share: float, source: np.random.Generator) -> Image.Image:
    """Keep the centre, of this share of the sides."""
    width, height = (max(1, round(share * side)) for side in image.size)
    return centre(image, width, height)


def lit(image: Image.Image, factor: float, source: np.random.Generator) -> Image.Image:
    """Multiply every value; what goes beyond white is white."""
    return ImageEnhance.Brightness(image).enhance(factor)


def contrasted(image: Image.Image, factor: float, source: np.random.Generator) -> Image.Image:
    """Move every value away from, or towards, the picture's mean grey."""
    return ImageEnhance.Contrast(image).enhance(factor)


def gamma(image: Image.Image, exponent: float, source: np.random.Generator) -> Image.Image:
    """Raise values, as shares of white, to a power: above 1 the picture darkens."""
    table = [round(255 * (value / 255) ** exponent) for value in range(256)]
    return image.point(table * len(image.getbands()))


def _scaled(image: Image.Image, share: float) -> Image.Image:
    """Return an image with sides of this share; Pillow smooths what becomes smaller."""
    width, height = (max(1, round(share * side)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _image(pixels: npt.NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.rint(pixels).clip(0, 255).astype(np.uint8))

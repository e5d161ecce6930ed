"""What happens to pictures on their way, by degrees: the table, and a picture under every row.

Nothing here knows a picture's class, so both classes are treated alike.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter

from fakeface_bench.data.decode import centre, reencoded
from fakeface_bench.support.errors import DataError

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
    """Save as a lossy WebP and read it back."""
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


#: Raise it with any change here that alters a pixel of a corrupted picture.
CORRUPTIONS_VERSION = 1
#: A picture, how strongly, and the picture's own source of random numbers.
Change = Callable[[Image.Image, float, np.random.Generator], Image.Image]


@dataclass(frozen=True, slots=True)
class Severity:
    """One degree of a corruption."""

    value: float
    label: str
    step: int  # place on the axis: 0 is the untouched picture, and what is further away is worse


@dataclass(frozen=True, slots=True)
class Corruption:
    """One row of `CORRUPTIONS`."""

    key: str
    title: str
    axis: str  # what its severities are, with their unit
    description: str
    untouched: str
    severities: tuple[Severity, ...]
    change: Change


def pictures_of(image: Image.Image, digest: str, seed: int) -> Iterator[Image.Image]:
    """Yield a picture untouched, then under each of `CONDITIONS`, one at a time.

    Args:
        digest: SHA-256 of its file as hexadecimal text; with the seed it decides the noise, so
            that is the same for every model, order and name of the file.
    """
    yield image
    for corruption, severity in CONDITIONS:
        source = np.random.default_rng([seed, int(digest, 16)])
        yield corruption.change(image, severity.value, source)


def _worse(*values: float) -> tuple[Severity, ...]:
    """Return severities on one side of the untouched picture, the mildest first."""
    return tuple(Severity(v, f"{v:g}", step) for step, v in enumerate(values, start=1))


def _shares(*values: float) -> tuple[Severity, ...]:
    return tuple(Severity(v, f"{100 * v:g} %", step) for step, v in enumerate(values, start=1))


def _both_ways(*values: float) -> tuple[Severity, ...]:
    """Return severities around the untouched picture, as many on either side."""
    half = len(values) // 2
    steps = [*range(-half, 0), *range(1, half + 1)]
    return tuple(Severity(v, f"{v:g}", step) for v, step in zip(values, steps, strict=True))


CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption(
        key="jpeg",
        title="JPEG",
        axis="quality",
        description="JPEG at quality {}",
        untouched="none",
        severities=_worse(95, 75, 50, 30),
        change=jpeg,
    ),
    Corruption(
        key="webp",
        title="WebP",
        axis="quality",
        description="WebP at quality {}",
        untouched="none",
        severities=_worse(90, 75, 50),
        change=webp,
    ),
    Corruption(
        key="shared",
        title="Sharing online",
        axis="quality of the second JPEG",
        description="shared online at quality {}",
        untouched="none",
        severities=_worse(85, 70, 50),
        change=shared,
    ),
    Corruption(
        key="resize",
        title="Resizing and back",
        axis="side, of the original",
        description="resized to {} and back",
        untouched="100 %",
        severities=_shares(0.75, 0.5, 0.25),
        change=resized,
    ),
    Corruption(
        key="blur",
        title="Gaussian blur",
        axis="σ in pixels",
        description="blur of σ {} px",
        untouched="0",
        severities=_worse(0.5, 1, 2),
        change=blurred,
    ),
    Corruption(
        key="noise",
        title="Noise",
        axis="σ in 1/255",
        description="noise of σ {}/255",
        untouched="0",
        severities=_worse(2, 5, 10),
        change=noisy,
    ),
    Corruption(
        key="crop",
        title="Cropping",
        axis="side, of the original",
        description="cropped to {}",
        untouched="100 %",
        severities=_shares(0.8),
        change=cropped,
    ),
    Corruption(
        key="brightness",
        title="Brightness",
        axis="factor",
        description="brightness × {}",
        untouched="1",
        severities=_both_ways(0.5, 0.75, 1.25, 1.5),
        change=lit,
    ),
    Corruption(
        key="contrast",
        title="Contrast",
        axis="factor",
        description="contrast × {}",
        untouched="1",
        severities=_both_ways(0.5, 0.75, 1.25, 1.5),
        change=contrasted,
    ),
    Corruption(
        key="gamma",
        title="Gamma",
        axis="exponent, above 1 darker",
        description="gamma of {}",
        untouched="1",
        severities=_both_ways(0.5, 0.75, 1.33, 2),
        change=gamma,
    ),
)

#: Every severity of every corruption, in the table's order.
CONDITIONS: tuple[tuple[Corruption, Severity], ...] = tuple(
    (corruption, severity) for corruption in CORRUPTIONS for severity in corruption.severities
)

"""What happens to pictures on their way, by degrees: the table, and a picture under every row.

Nothing here knows a picture's class, so both classes are treated alike.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fakeface_bench.data import corrupt

#: Raise it with any change here that alters a pixel of a corrupted picture.
CORRUPTIONS_VERSION = 1
#: A picture, how strongly, and the picture's own source of random numbers.
Change = Callable[[Image.Image, float, np.random.Generator], Image.Image]


@dataclass(frozen=True, slots=True)
class Severity:
    """One degree of a corruption.

    Attributes:
        value: What the change is given.
        label: The same on an axis.
        step: Place on the axis: 0 is the untouched picture, and what is further away is worse.
    """

    value: float
    label: str
    step: int


@dataclass(frozen=True, slots=True)
class Corruption:
    """One row of `CORRUPTIONS`.

    Attributes:
        key: As in metrics and tables.
        title: Of its curve.
        axis: What its severities are, with their unit.
        told: A picture at one severity, in a sentence, with the label at `{}`.
        untouched: Stands on the axis for the untouched picture.
        severities: In the axis's order.
        change: Makes a corrupted picture, RGB as it was.
    """

    key: str
    title: str
    axis: str
    told: str
    untouched: str
    severities: tuple[Severity, ...]
    change: Change


def pictures_of(image: Image.Image, digest: str, seed: int) -> Iterator[Image.Image]:
    """Yield a picture untouched, then under each of `CONDITIONS`, one at a time.

    Args:
        image: RGB, at its native size.
        digest: SHA-256 of its file as hexadecimal text; with the seed it decides the noise, so
            that is the same for every model, order and name of the file.
        seed: Of the noise.
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
        told="JPEG at quality {}",
        untouched="none",
        severities=_worse(95, 75, 50, 30),
        change=corrupt.jpeg,
    ),
    Corruption(
        key="webp",
        title="WebP",
        axis="quality",
        told="WebP at quality {}",
        untouched="none",
        severities=_worse(90, 75, 50),
        change=corrupt.webp,
    ),
    Corruption(
        key="shared",
        title="Sharing online",
        axis="quality of the second JPEG",
        told="shared online at quality {}",
        untouched="none",
        severities=_worse(85, 70, 50),
        change=corrupt.shared,
    ),
    Corruption(
        key="resize",
        title="Resizing and back",
        axis="side, of the original",
        told="resized to {} and back",
        untouched="100 %",
        severities=_shares(0.75, 0.5, 0.25),
        change=corrupt.resized,
    ),
    Corruption(
        key="blur",
        title="Gaussian blur",
        axis="σ in pixels",
        told="blur of σ {} px",
        untouched="0",
        severities=_worse(0.5, 1, 2),
        change=corrupt.blurred,
    ),
    Corruption(
        key="noise",
        title="Noise",
        axis="σ in 1/255",
        told="noise of σ {}/255",
        untouched="0",
        severities=_worse(2, 5, 10),
        change=corrupt.noisy,
    ),
    Corruption(
        key="crop",
        title="Cropping",
        axis="side, of the original",
        told="cropped to {}",
        untouched="100 %",
        severities=_shares(0.8),
        change=corrupt.cropped,
    ),
    Corruption(
        key="brightness",
        title="Brightness",
        axis="factor",
        told="brightness × {}",
        untouched="1",
        severities=_both_ways(0.5, 0.75, 1.25, 1.5),
        change=corrupt.lit,
    ),
    Corruption(
        key="contrast",
        title="Contrast",
        axis="factor",
        told="contrast × {}",
        untouched="1",
        severities=_both_ways(0.5, 0.75, 1.25, 1.5),
        change=corrupt.contrasted,
    ),
    Corruption(
        key="gamma",
        title="Gamma",
        axis="exponent, above 1 darker",
        told="gamma of {}",
        untouched="1",
        severities=_both_ways(0.5, 0.75, 1.33, 2),
        change=corrupt.gamma,
    ),
)

#: Every severity of every corruption, in the table's order.
CONDITIONS: tuple[tuple[Corruption, Severity], ...] = tuple(
    (corruption, severity) for corruption in CORRUPTIONS for severity in corruption.severities
)

"""What may be done to training pictures, the same to both classes. Needs no TensorFlow.

Nothing here resamples: scaling and rotation are low-pass filters that erase a generator's traces,
and on train alone would shift it from test.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fakeface_bench.config import SEARCHED

#: Quality of the JPEG that a strongly augmented picture may pass through once more.
JPEG_QUALITY = (60, 100)
#: Standard deviation of its Gaussian blur, in pixels.
BLUR_SIGMA = (0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One row of `AUGMENTATIONS`.

    Attributes:
        title: One line for `fakeface-bench list`.
        flip: Whether half of the pictures are mirrored left to right.
        crop: Whether the crop lies anywhere within the canvas, at whole pixels; else its centre.
        jpeg: Share of pictures that are encoded again.
        blur: Share of pictures that are blurred.
    """

    title: str
    flip: bool = False
    crop: bool = False
    jpeg: float = 0.0
    blur: float = 0.0


AUGMENTATIONS: Mapping[str, Augmentation] = {
    "none": Augmentation("pictures as they are"),
    "light": Augmentation("mirroring; crops at whole pixels where all layers train", True, True),
    "strong": Augmentation(
        f"the same, and JPEG quality {JPEG_QUALITY[0]} to {JPEG_QUALITY[1]} and blur, one in five "
        "each",
        True,
        True,
        jpeg=0.2,
        blur=0.2,
    ),
}


def augments_in_play(asked: str, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Return the augmentations that trials choose from.

    Args:
        asked: A key, or `search`.
        offered: By the network; empty where no layer under the head is trained.
    """
    return offered if asked == SEARCHED or not offered else (asked,)

"""What each family of weights expects of its input, as layers inside the model.

Pixels arrive as 0 to 255 everywhere; the right range is a fact of the architecture's row, so that
no caller can rescale twice or not at all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: Mean BGR of ImageNet, subtracted by the original VGG (arXiv:1409.1556, section 2.1).
CAFFE_MEANS_BGR = (103.939, 116.779, 123.68)
#: Mean and standard deviation of ImageNet's RGB within 0 to 1, as torchvision's models use them.
TORCH_MEANS = (0.485, 0.456, 0.406)
TORCH_DEVIATIONS = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """One row of `PREPROCESSINGS`.

    Attributes:
        apply: From a Keras tensor of pixels 0 to 255 to what the backbone is called on.
        low: What pixel 0 becomes, smallest over the channels.
        high: What pixel 255 becomes, largest over the channels.
    """

    apply: Callable[[Any], Any]
    low: float
    high: float


def _inside(pixels: Any) -> Any:
    return pixels


def _unit(pixels: Any) -> Any:
    import keras

    return keras.layers.Rescaling(1 / 255)(pixels)


def _symmetric(pixels: Any) -> Any:
    import keras

    return keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)


def _torch(pixels: Any) -> Any:
    import keras

    mean = [255 * m for m in TORCH_MEANS]
    variance = [(255 * d) ** 2 for d in TORCH_DEVIATIONS]
    return keras.layers.Normalization(mean=mean, variance=variance)(pixels)


def _caffe(pixels: Any) -> Any:
    import keras

    return keras.layers.Rescaling(1.0, offset=[-m for m in CAFFE_MEANS_BGR])(pixels[..., ::-1])


PREPROCESSINGS: Mapping[str, Preprocessing] = {
    "inside": Preprocessing(_inside, 0.0, 255.0),
    "unit": Preprocessing(_unit, 0.0, 1.0),
    "symmetric": Preprocessing(_symmetric, -1.0, 1.0),
    "torch": Preprocessing(_torch, -0.485 / 0.229, (1 - 0.406) / 0.225),
    "caffe": Preprocessing(_caffe, -123.68, 255 - 103.939),
}

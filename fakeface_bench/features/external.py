"""A detector of others as an engine: from pixels to its probability of fake."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from fakeface_bench.backbones.description import LOGITS
from fakeface_bench.backbones.file_facts import INSIDE
from fakeface_bench.backbones.onnx_part import onnx_part
from fakeface_bench.features import residuals  # noqa: F401  # a layer that detectors may hold
from fakeface_bench.features.engine import compiled_forward
from fakeface_bench.support.errors import ModelError, shortened

#: From pictures (n, side, side, 3) in the detector's own range to its scores: (n,), (n, scores).
Forward = Callable[[npt.NDArray[np.float32]], Any]
#: How far beyond 0 and 1 rounding may take a probability.
_ROUNDING = 1e-4


@dataclass(frozen=True, slots=True)
class Reading:
    """How a detector's pictures and scores are to be understood.

    Attributes:
        pixels: What 0 and 255 become before it, by channel as it takes them.
        bgr: Whether it takes blue first.
        fake: Place of fake among its scores; of a single one 1 where high is fake, 0 where low is.
        scores: `PROBABILITIES` or `LOGITS`.
    """

    pixels: tuple[tuple[float, ...], tuple[float, ...]]
    bgr: bool
    fake: int
    scores: str

    def prepared(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return pictures (n, side, side, 3) as the detector takes them, channels last."""
        ordered = images[..., ::-1] if self.bgr else images
        if self.pixels == INSIDE:
            return ordered.astype(np.float32)
        black, white = (np.array(end, np.float32) for end in self.pixels)
        return black + ordered.astype(np.float32) * ((white - black) / np.float32(255))

    def probabilities(self, scores: Any, name: str) -> npt.NDArray[np.float64]:
        """Return the probability of fake (n, 1) that scores stand for.

        Raises:
            ModelError: If they are none, or not of the form that is stated.
        """
        rows = np.asarray(scores, np.float64)
        rows = rows.reshape(len(rows), -1)
        width = rows.shape[1]
        if self.fake >= max(width, 2):
            raise ModelError(
                f"{name} gives {width} scores a picture, of which fake: {self.fake} is none; they "
                "count from 0."
            )
        if width > 1:
            shares = softmax(rows, axis=1) if self.scores == LOGITS else rows
            chosen = shares[:, self.fake]
        else:
            chosen = expit(rows[:, 0]) if self.scores == LOGITS else rows[:, 0]
            chosen = chosen if self.fake else 1 - chosen
        low, high = chosen.min(), chosen.max()
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise ModelError(
                f"{name} gives scores from {low:.3g} to {high:.3g}, which are no probabilities: "
                "write 'scores: logits' into its description, if that is what they are."
            )
        return np.clip(chosen, 0, 1)[:, None]


class ExternalDetector:
    """A detector of others; an `Engine` whose one array is `fake`, the probability (n, 1)."""

    def __init__(self, forward: Forward, reading: Reading, name: str) -> None:
        self._forward, self._reading, self._name = forward, reading, name

    def __call__(self, images: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """Return the probability of fake of some pictures."""
        try:
            scores = self._forward(self._reading.prepared(images))
        except Exception as error:  # whatever the library that runs it raises
            raise ModelError(f"{self._name} fails on pictures: {shortened(error)}") from error
        return {"fake": self._reading.probabilities(scores, self._name)}


def keras_forward(path: Path) -> Forward:
    """Load a Keras file, in safe mode.

    Raises:
        ModelError: If Keras cannot.
    """
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras, h5py and the layers of the file raise
        raise ModelError(f"Keras cannot load {path}: {shortened(error)}") from error
    return compiled_forward(model)


def onnx_forward(path: Path, output: str, image_size: int, channels_first: bool) -> Forward:
    """Open an output of an ONNX file; an image a thread, as `OnnxNetwork` says."""
    layer = onnx_part(path, {output: False}, image_size, channels_first, name="external")
    return lambda pictures: layer.run(pictures)[0]


def function_forward(
    predict: Callable[[Any], Any], output: str, channels_first: bool, name: str
) -> Forward:
    """Take a function of arrays, such as an MLflow model's, and pick an output by its name."""

    def forward(pictures: npt.NDArray[np.float32]) -> Any:
        given = pictures.transpose(0, 3, 1, 2) if channels_first else pictures
        found = predict(np.ascontiguousarray(given))
        if isinstance(found, Mapping) or (output and hasattr(found, "columns")):
            if output not in found:
                raise ModelError(
                    f"{name} gives {', '.join(map(str, found))}: write which into its description, "
                    "such as 'output: NAME'."
                )
            found = found[output]
        return np.asarray(found)

    return forward

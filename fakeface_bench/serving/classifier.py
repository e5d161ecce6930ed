"""A trained detector, loaded to classify pictures of any size, as fast as they can be decoded.

This module and what it imports travel inside every logged model, so that a served model decodes
and crops by the very code that it was trained with.
"""

import json
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import numpy.typing as npt
from PIL import Image

from fakeface_bench.config import CLASS_NAMES, TENSORFLOW_ENGINE
from fakeface_bench.data.decode import DECODING_VERSION, Equalisation, seen_pixels
from fakeface_bench.features import residuals  # noqa: F401  # a layer that networks may hold
from fakeface_bench.features.engine import Engine, FrozenGraph
from fakeface_bench.support.errors import DataError, ModelError, shortened

NETWORK_FILE = "detector.keras"
FACTS_FILE = "detector.json"
BATCH = 32
#: Distribution of the networks that `backbones.foundation` builds.
KERAS_HUB = "keras-hub"
#: Distribution that runs the networks of `backbones.onnx_network`.
ONNX_RUNTIME = "onnxruntime"
#: Batches decoded while one is in the network.
_AHEAD = 2

#: From what a caller has to an RGB picture; raises a `DataError`.
Read = Callable[[Any], Image.Image]


@dataclass(frozen=True, slots=True)
class DetectorFacts:
    """What a detector is besides its network.

    Attributes:
        fit: How a picture meets it, one of `config.FITS`.
        threshold: Probability from which a picture is predicted fake.
        decoding_version: `DECODING_VERSION` of the code that trained it.
        canvas_px: As `Equalisation.side`.
        jpeg_quality: As there.
        features: Identity of the frozen features that the head reads; empty where more than the
            head was trained.
        engine: What they were extracted with, one of `config.ENGINES`.
        unsure_low: Probability from which the detector is unsure.
        unsure_high: Probability from which it is sure again; the same where it never is unsure.
        library: `KERAS_HUB` where the network holds layers of it, `ONNX_RUNTIME` where that runs
            part of it; empty where Keras's own layers suffice.
    """

    image_size_px: int
    fit: str
    threshold: float
    decoding_version: int = DECODING_VERSION
    jpeg_quality: int = 0
    features: str = ""
    engine: str = TENSORFLOW_ENGINE
    unsure_low: float = 0.0
    unsure_high: float = 0.0
    library: str = ""
    canvas_px: int = 0

    @property
    def equalisation(self) -> Equalisation:
        """What every picture passes first."""
        return Equalisation(self.canvas_px, self.jpeg_quality)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one picture; a row of the answer.

    Attributes:
        label: `real` or `fake`; None where it could not be read.
        probability_fake: Within 0 and 1; None where it could not be read.
        threshold: Probability from which a picture is predicted fake.
        unsure: Whether the detector is unsure of it, whatever the label; None where it could not
            be read.
        model_version: Version in the registry, else MLflow's id of the model.
        error: Why it could not be read; None where it was.
    """

    label: str | None
    probability_fake: float | None
    threshold: float
    unsure: bool | None
    model_version: str
    error: str | None = None


class FaceClassifier:
    """Classifies pictures; every method may be called from several threads.

    Args:
        network: From pixels 0 to 255, shape (n, side, side, 3), to the probability of fake (n, 1);
            None where `engine` is all that there is.
        engine: What gives that probability; the network as a frozen graph where None.
    """

    def __init__(
        self,
        network: keras.Model | None,
        facts: DetectorFacts,
        version: str,
        engine: Engine | None = None,
    ) -> None:
        self.network = network
        self.facts = facts
        self.version = version
        self._engine: Engine = engine or FrozenGraph(network)
        self._pool = ThreadPoolExecutor(os.cpu_count())

    def __reduce__(self) -> tuple[type["FaceClassifier"], tuple[Any, ...]]:
        """Let it travel without engine and threads.

        Raises:
            TypeError: If the engine is all that there is.
        """
        if self.network is None:
            raise TypeError("a detector of others does not travel")
        return type(self), (self.network, self.facts, self.version)

    @classmethod
    def load(cls, folder: Path, version: str, safe: bool = True) -> Self:
        """Load what `write_detector` wrote.

        Args:
            safe: Whether a network is refused that could run code of its author.

        Raises:
            ModelError: If it is damaged, or was trained on pictures decoded by other rules than
                this code's.
        """
        try:
            facts = DetectorFacts(**json.loads((folder / FACTS_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise _damaged(FACTS_FILE, error) from error
        if facts.decoding_version != DECODING_VERSION:
            raise ModelError(
                f"the model was trained on pictures decoded by rules {facts.decoding_version}, "
                f"this version's are {DECODING_VERSION}; 'mlflow models serve' and 'mlflow models "
                "predict' use the code that the model brings."
            )
        _register_layers_of(facts.library)
        try:
            network = keras.saving.load_model(folder / NETWORK_FILE, compile=False, safe_mode=safe)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise _damaged(NETWORK_FILE, error) from error
        return cls(network, facts, version)

    def classify(self, pictures: Iterable[Any], read: Read) -> Iterator[Verdict]:
        """Yield the verdict of each picture, in their order.

        A few batches are decoded ahead in threads while another is in the network, so memory stays
        flat however many there are. One that cannot be read costs its own verdict alone.

        Args:
            pictures: Whatever `read` takes.
        """
        ahead: deque[list[Future[npt.NDArray[np.uint8]]]] = deque()
        remaining = iter(pictures)
        while batch := list(islice(remaining, BATCH)):
            ahead.append([self._pool.submit(self._pixels, given, read) for given in batch])
            if len(ahead) > _AHEAD:
                yield from self._verdicts(ahead.popleft())
        while ahead:
            yield from self._verdicts(ahead.popleft())

    def probabilities(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Return the probability of fake (n,) of pictures as the network sees them.

        Args:
            pixels: Shape (n, side, side, 3), 0 to 255.
        """
        (scores,) = self._engine(pixels).values()
        return np.asarray(scores, dtype=np.float64)[:, 0]

    def pixels(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        """Return an RGB picture as the network sees it, shape (side, side, 3)."""
        facts = self.facts
        return seen_pixels(picture, facts.image_size_px, facts.fit, facts.equalisation)

    def _pixels(self, given: Any, read: Read) -> npt.NDArray[np.uint8]:
        return self.pixels(read(given))

    def _verdicts(self, batch: Sequence[Future[npt.NDArray[np.uint8]]]) -> Iterator[Verdict]:
        errors = [_error_of(future) for future in batch]
        good = [f.result() for f, error in zip(batch, errors, strict=True) if error is None]
        scores = iter(self.probabilities(np.stack(good)).tolist() if good else ())
        for error in errors:
            yield self._failed(error) if error else self._called(next(scores))

    def _called(self, score: float) -> Verdict:
        """Return the verdict of a probability of fake."""
        if not math.isfinite(score):
            return self._failed("the network gives no number for it")
        threshold = self.facts.threshold
        label = CLASS_NAMES[score >= threshold]
        unsure = self.facts.unsure_low <= score < self.facts.unsure_high
        return Verdict(label, score, threshold, unsure, self.version)

    def _failed(self, error: str) -> Verdict:
        return Verdict(None, None, self.facts.threshold, None, self.version, error)


def write_detector(network: keras.Model, facts: DetectorFacts, folder: Path) -> None:
    """Write a detector as files that `FaceClassifier.load` reads; neither is a pickle."""
    network.save(folder / NETWORK_FILE)
    shown = json.dumps(asdict(facts), indent=2, allow_nan=False)
    (folder / FACTS_FILE).write_text(f"{shown}\n", encoding="utf-8")


def _register_layers_of(library: str) -> None:
    """Import what makes the layers of networks by another library known to Keras."""
    try:
        if library == KERAS_HUB:
            from fakeface_bench.backbones import hub_layers  # noqa: F401
        elif library == ONNX_RUNTIME:
            from fakeface_bench.backbones import onnx_network  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"the model holds layers of {library}, which cannot be imported here "
            f"({shortened(error)}): pip install {library}"
        ) from error


def _damaged(file: str, error: Exception) -> ModelError:
    return ModelError(f"the model is damaged: {file} cannot be read: {shortened(error)}")


def _error_of(future: Future[npt.NDArray[np.uint8]]) -> str | None:
    """Wait for a picture; return why it cannot be read, if so. Other errors are raised."""
    error = future.exception()
    if error is None:
        return None
    if isinstance(error, DataError | OSError):
        return str(error)
    raise error

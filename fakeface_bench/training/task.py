"""What to fit, apart from the options of a trial."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fakeface_bench.features.samples import Samples
from fakeface_bench.models.networks import Network
from fakeface_bench.records import EpochRecord, FloatArray, LabelArray

Objective = Callable[[LabelArray, FloatArray], float]
OnEpoch = Callable[[EpochRecord], None]


def _nobody(line: str) -> None:
    """Is told, and tells nobody."""


@dataclass(frozen=True, slots=True)
class FitTask:
    """What to fit.

    Attributes:
        network: Makes the classifier.
        train: Samples to learn from.
        valid: Samples to stop by.
        epochs: At most this many in each stage.
        seed: Of initial weights, dropout, augmentation and the order of batches.
        objective: From labels and margins of validation to the figure to maximise.
        precision: One of `config.PRECISIONS`, for layers under the head.
        checkpoints: Folder for what a killed fit goes on from; nothing is kept where None.
        warn: Told what a reader of the results must not miss.
    """

    network: Network
    train: Samples
    valid: Samples
    epochs: int
    seed: int
    objective: Objective
    precision: str = "float32"
    checkpoints: Path | None = None
    warn: Callable[[str], None] = _nobody

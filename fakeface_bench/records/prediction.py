"""What a detector says of one file, and how many of each it said."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row of what `predict` tells.

    Attributes:
        path: Of the file, as it was named.
        label: `real` or `fake`; None where the file could not be read.
        probability_fake: Within 0 and 1; None where the file could not be read.
        threshold: Probability from which a picture is called fake.
        model_version: Version in the registry, else MLflow's id of the model.
        error: Why the file could not be read; None where it was.
    """

    path: str
    label: str | None
    probability_fake: float | None
    threshold: float
    model_version: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class PredictionCounts:
    """How a prediction ended.

    Attributes:
        real: Files called real.
        fake: Files called fake.
        unreadable: Files that could not be read.
        seconds: Of reading and classifying, without loading the model.
    """

    real: int
    fake: int
    unreadable: int
    seconds: float

    @property
    def line(self) -> str:
        """All of it in words."""
        files = self.real + self.fake + self.unreadable
        unreadable = f", {self.unreadable:,} could not be read" if self.unreadable else ""
        return (
            f"{files:,} {'file' if files == 1 else 'files'} in {self.seconds:.1f} s: "
            f"{self.real:,} real, {self.fake:,} fake{unreadable}."
        )

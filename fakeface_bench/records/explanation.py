"""What a detector says of a file, and what it looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakeface_bench.records.study import FloatArray


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row of what `predict` tells.

    Attributes:
        path: Of the file, as it was named.
        label: `real` or `fake`; None where the file could not be read.
        probability_fake: Within 0 and 1; None where the file could not be read.
        threshold: Probability from which a picture is predicted fake.
        unsure: Whether the model is unsure of it; None where the file could not be read.
        model_version: Version in the registry, else MLflow's id of the model.
        error: Why the file could not be read; None where it was.
    """

    path: str
    label: str | None
    probability_fake: float | None
    threshold: float
    unsure: bool | None
    model_version: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class PredictionCounts:
    """How a prediction ended.

    Attributes:
        seconds: Of reading and classifying, without loading the model.
        unsure: Of those read, how many the model is unsure of.
    """

    real: int
    fake: int
    unreadable: int
    seconds: float
    unsure: int = 0

    @property
    def line(self) -> str:
        """All of it in words."""
        files = self.real + self.fake + self.unreadable
        unreadable = f", {self.unreadable:,} could not be read" if self.unreadable else ""
        unsure = f" (unsure of {self.unsure:,})" if self.unsure else ""
        return (
            f"{files:,} {'file' if files == 1 else 'files'} in {self.seconds:.1f} s: "
            f"{self.real:,} real, {self.fake:,} fake{unsure}{unreadable}."
        )


#: Kinds of examples that are shown.
EXAMPLE_KINDS = ("right", "wrong", "uncertain")
#: Groups of images whose spectra are compared.
SPECTRUM_GROUPS = ("real", "fake", "misjudged")


@dataclass(frozen=True, slots=True)
class ExplainedImage:
    """A picture, and what in it speaks for fake or real.

    Attributes:
        pixels: As the network saw it, uint8 of shape (size, size, 3).
        evidence: In logits, positive for fake, shape (size, size); its mean is the logit of the
            picture's score.
    """

    pixels: npt.NDArray[np.uint8]
    evidence: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The power spectrum of a group of images.

    Attributes:
        log_power: Mean over the images of log10 of the power in grey levels² a pixel, shape
            (size, size), frequency 0 at (size // 2, size // 2).
        profile: Mean over the images of log10 of the power averaged over directions, at
            `frequencies`.
        profile_low: Of the images, what 2.5 % lie below.
        profile_high: What 2.5 % lie above.
        profile_error: Standard error of `profile`; 0 for a single image, which tells none.
    """

    images: int
    log_power: FloatArray
    profile: FloatArray
    profile_low: FloatArray
    profile_high: FloatArray
    profile_error: FloatArray

    @property
    def frequencies(self) -> FloatArray:
        """Of the profiles, in cycles a pixel, above 0 up to 0.5."""
        return np.arange(1, len(self.profile) + 1) / len(self.log_power)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a study shows of how its detector decides.

    Attributes:
        examples: Positions in the test split, by kind of `EXAMPLE_KINDS`.
        images: By position; what could not be read any more is not among them.
        head_dependence: How alike evidence is with the head's weights shuffled: 1 where the head
            does not matter, about 0 where it is all that does. None without a picture or places.
        spectra: By group of `SPECTRUM_GROUPS`; None for a group without images.
        statistics: By group of residual statistics, what it adds to the log-odds of fake in the
            mean over real and over fake pictures; empty where none are read.
        statistics_images: Pictures of each class that it was measured on.
        places: Whether anything that is read belongs to a place of the picture.
    """

    examples: Mapping[str, tuple[int, ...]]
    images: Mapping[int, ExplainedImage]
    head_dependence: float | None
    spectra: Mapping[str, Spectrum | None]
    statistics: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    statistics_images: tuple[int, int] = (0, 0)
    places: bool = True

    def metrics(self) -> dict[str, float]:
        """Return its metrics under their MLflow names."""
        if self.head_dependence is None:
            return {}
        return {"explain/head_dependence": self.head_dependence}

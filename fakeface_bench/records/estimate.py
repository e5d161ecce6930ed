"""A metric, or a difference of one, with its 95 % interval, from the bootstrap to a page."""

from dataclasses import dataclass, field
from statistics import stdev


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the 95 % interval around it.

    Attributes:
        value: Of the images as they are; of several seeds their mean.
        low: Lower end of the interval, over images, and over seeds where there are several.
        high: Upper end.
        of_seeds: The value of each seed, the kept model's first, where seeds are known.
    """

    value: float
    low: float
    high: float
    of_seeds: tuple[float, ...] = field(default=(), compare=False)

    @property
    def std(self) -> float | None:
        """Sample standard deviation over seeds; None where there are not several."""
        return stdev(self.of_seeds) if len(self.of_seeds) > 1 else None

"""A metric, or a difference of one, with its 95 % interval, from the bootstrap to a page."""

from dataclasses import dataclass, field
from math import hypot
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

    def is_shown_above(self, other: "Estimate") -> bool:
        """Whether it is higher than another that was measured apart from it, at 95 %.

        The interval of the difference is made of both intervals, by the distances of their ends
        that face each other. Source: Zou & Donner (2008), "Construction of confidence limits about
        effect measures" (of shares: Newcombe 1998).
        """
        difference = self.value - other.value
        return difference > hypot(self.value - self.low, other.high - other.value)

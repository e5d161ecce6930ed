"""Axes that pictures and plots share: time on a log scale, marked in units that people use."""

from collections.abc import Iterable
from dataclasses import dataclass

from fakeface_bench.report.comparison.units import duration

#: Seconds that may be marked.
_MARKS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 20, 30)),
    *(3600 * hours for hours in (1, 2, 5, 10)),
    *(86400 * days for days in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)
_MOST_MARKS = 6
#: Marks that are closer would touch on a phone.
_CLOSEST_RATIO = 1.9
#: Shortest time that a log axis shows.
SHORTEST = 0.001
#: The axis spans at least this ratio, so that it has two marks or more.
_LEAST_RATIO = 6.0
_MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A log axis of seconds.

    Attributes:
        low: Its start.
        high: Its end.
        marks: Seconds that are marked.
    """

    low: float
    high: float
    marks: tuple[float, ...]

    @property
    def texts(self) -> list[str]:
        """What stands at the marks."""
        return [duration(seconds, short=True) for seconds in self.marks]


def time_axis(seconds: Iterable[float]) -> TimeAxis:
    """Choose an axis that holds some times with a margin."""
    times = [max(SHORTEST, time) for time in seconds] or [1.0]
    low, high = min(times) / _MARGIN, max(times) * _MARGIN
    wider = max(1.0, _LEAST_RATIO / (high / low)) ** 0.5
    low, high = low / wider, high * wider
    marks: list[float] = []
    for mark in _MARKS:
        if low <= mark <= high and (not marks or mark >= _CLOSEST_RATIO * marks[-1]):
            marks.append(float(mark))
    every = -(-len(marks) // _MOST_MARKS)
    return TimeAxis(low, high, tuple(marks[:: max(1, every)]))

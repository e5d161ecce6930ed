"""How far a stage is: a bar that takes one line of any terminal, or a line every few seconds."""

import time
from collections.abc import Callable

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

#: Between two plain lines of one stage.
SECONDS_BETWEEN_LINES = 10.0
#: A terminal from this width on has room for what is left out of a bar on a narrower one.
WIDE = 100
#: Of a bar's parts: `183 images/s`, `0:00:14`; of its title with what is told beside it.
_RATE_WIDTH = 13
_TIME_WIDTH = 7
_SHORTEST_TITLE, _LONGEST_TITLE = 8, 48


class _Rate(ProgressColumn):
    """Units a second, or seconds a unit where they are slow."""

    def render(self, task: Task) -> Text:
        return Text(rate(task.finished_speed or task.speed or 0.0, task.fields["unit"]))


class Bar:
    """Advances a bar, and puts words behind its title."""

    def __init__(self, bars: Progress, title: str, total: int, unit: str) -> None:
        self._bars = bars
        self._title = title
        self._task = bars.add_task(title, total=total, unit=unit)

    def __call__(self, units: int) -> None:
        self._bars.advance(self._task, units)

    def tell(self, words: str) -> None:
        self._bars.update(self._task, description=f"{self._title}, {words}")


def rate(per_second: float, unit: str) -> str:
    """Say a speed in the way round that reads well: `183 images/s`, `26k images/s`, `4.2 s/trial`.

    It takes at most 13 characters where the unit has at most 6, as images and trials have.
    """
    if not per_second:
        return ""
    if per_second < 1:
        return f"{1 / per_second:.1f} s/{unit.removesuffix('s')}"
    for scale, sign in ((1e6, "M"), (1e3, "k")):
        if per_second >= 10 * scale:
            return f"{per_second / scale:.0f}{sign} {unit}/s"
    return f"{per_second:.0f} {unit}/s" if per_second >= 10 else f"{per_second:.1f} {unit}/s"


class Lines:
    """Tells every few seconds how far a stage is, in a line of its own."""

    def __init__(self, say: Callable[[str], None], title: str, total: int, unit: str) -> None:
        self._say, self._title, self._total, self._unit = say, title, total, unit
        self._started = self._told = time.monotonic()
        self._done = 0
        self._words = ""

    def __call__(self, units: int) -> None:
        self._done += units
        now = time.monotonic()
        if now - self._told >= SECONDS_BETWEEN_LINES and self._done < self._total:
            self._told = now
            left = (self._total - self._done) * (now - self._started) / max(self._done, 1)
            how_far = f"{self._done} of {self._total} {self._unit}{self._words}"
            self._say(f"{self._title}: {how_far}, about {left:.0f} s left")

    def tell(self, words: str) -> None:
        self._words = f", {words}"

    def end(self) -> None:
        seconds = time.monotonic() - self._started
        speed = rate(self._done / max(seconds, 1e-9), self._unit)
        how_far = f"{self._done} {self._unit} in {seconds:.1f} s ({speed})"
        self._say(f"{self._title}: {how_far}{self._words}")


def bar_columns(width: int, total: int) -> list[ProgressColumn]:
    """Return the columns of a bar that takes one line of a terminal, whatever its width."""
    is_wide = width >= WIDE
    bar, counted, times = (30 if is_wide else 8), len(f"{total}/{total}"), (2 if is_wide else 1)
    columns = 4 + times
    taken = bar + counted + _RATE_WIDTH + times * _TIME_WIDTH + (columns - 1)
    title = min(_LONGEST_TITLE, max(_SHORTEST_TITLE, width - taken))
    named = Column(width=title, overflow="ellipsis", no_wrap=True)
    return [
        TextColumn("{task.description}", table_column=named),
        BarColumn(bar),
        MofNCompleteColumn(table_column=Column(width=counted, no_wrap=True)),
        _Rate(table_column=Column(width=_RATE_WIDTH, no_wrap=True)),
        *([TimeElapsedColumn(table_column=Column(no_wrap=True))] if is_wide else []),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    ]

"""How far a job is, as a person sees it: bars on a terminal, in a notebook; lines elsewhere."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
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

from fakeface_bench.support.progress import Advance
from fakeface_bench.support.progress import Progress as Told
from fakeface_bench.support.text import hide_credentials, visible

#: Between two plain lines of one stage.
SECONDS_BETWEEN_LINES = 10.0
#: A terminal from this width on has room for a longer bar, and for the time elapsed.
WIDE = 100
#: Widths of a bar's parts: `183 images/s`, `0:00:14`; of its title with the detail beside it.
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

    def detail(self, words: str) -> None:
        self._bars.update(self._task, description=f"{self._title}, {words}")


def rate(per_second: float, unit: str) -> str:
    """Format a speed as units a second or seconds a unit: `183 images/s`, `4.2 s/trial`.

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
    """Prints every few seconds how far a stage is, in a line of its own."""

    def __init__(self, say: Callable[[str], None], title: str, total: int, unit: str) -> None:
        self._say, self._title, self._total, self._unit = say, title, total, unit
        self._started = self._last_line = time.monotonic()
        self._done, self._words = 0, ""

    def __call__(self, units: int) -> None:
        self._done += units
        now = time.monotonic()
        if now - self._last_line >= SECONDS_BETWEEN_LINES and self._done < self._total:
            self._last_line = now
            left = (self._total - self._done) * (now - self._started) / max(self._done, 1)
            done = f"{self._done} of {self._total} {self._unit}{self._words}"
            self._say(f"{self._title}: {done}, about {left:.0f} s left")

    def detail(self, words: str) -> None:
        self._words = f", {words}"

    def end(self) -> None:
        seconds = time.monotonic() - self._started
        speed = rate(self._done / max(seconds, 1e-9), self._unit)
        done = f"{self._done} {self._unit} in {seconds:.1f} s ({speed})"
        self._say(f"{self._title}: {done}{self._words}")


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


#: Lines of a width that logs keep whole where no terminal tells one.
PLAIN_WIDTH = 120


def plain(text: str) -> str:
    """Return text without markup, control characters and passwords, as rich prints it."""
    return escape(visible(hide_credentials(text)))


def result_console() -> Console:
    """Return where results are printed: as wide as the terminal, or as `PLAIN_WIDTH`."""
    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)


class ConsoleProgress:
    """Shows progress on standard error; standard output is left to results."""

    def __init__(self) -> None:
        self.console = result_console()
        self._messages = Console(stderr=True)
        if not self._messages.is_terminal:
            self._messages = Console(stderr=True, width=PLAIN_WIDTH, soft_wrap=True)

    @contextmanager
    def stage(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        """Open a stage of `total` units; the value advances it."""
        if self._messages.is_terminal:
            columns = bar_columns(self._messages.width, total)
            with Progress(*columns, console=self._messages) as bars:
                yield Bar(bars, title, total, unit)
        else:
            lines = Lines(self.say, title, total, unit)
            yield lines
            lines.end()

    def say(self, line: str) -> None:
        """Print one plain line."""
        self._messages.print(plain(line), highlight=False)

    def warn(self, line: str) -> None:
        """Print one line in a warning's colour."""
        self._messages.print(f"[yellow]Warning:[/] {plain(line)}", highlight=False)


class Silent:
    """Shows nothing; what a reader must not miss is a warning of Python's."""

    @contextmanager
    def stage(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        """Show nothing."""
        yield lambda units: None

    def say(self, line: str) -> None:
        """Show nothing."""

    def warn(self, line: str) -> None:
        """Warn as Python does."""
        warnings.warn(visible(hide_credentials(line)), UserWarning, stacklevel=2)


def progress_of(asked: bool | Told) -> Told:
    """Return who is told how far a job is: bars or lines, nobody, or an object of the caller's."""
    if isinstance(asked, bool):
        return ConsoleProgress() if asked else Silent()
    return asked

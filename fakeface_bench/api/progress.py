"""How far a job is, as a person sees it: bars on a terminal, in a notebook; lines elsewhere."""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape as escaped
from typing import Any

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
        one = f"{unit.removesuffix('ies')}y" if unit.endswith("ies") else unit.removesuffix("s")
        return f"{1 / per_second:.1f} s/{one}"
    for scale, sign in ((1e6, "M"), (1e3, "k")):
        if per_second >= 10 * scale:
            return f"{per_second / scale:.0f}{sign} {unit}/s"
    return f"{per_second:.0f} {unit}/s" if per_second >= 10 else f"{per_second:.1f} {unit}/s"


class Lines:
    """Tells every few seconds how far a stage is, in a line of its own.

    Args:
        say: Takes a line.
        seconds: Between two lines.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        title: str,
        total: int,
        unit: str,
        seconds: float = SECONDS_BETWEEN_LINES,
    ) -> None:
        self._say, self._title, self._total, self._unit = say, title, total, unit
        self._seconds = seconds
        self._started = self._last_line = time.monotonic()
        self._words = ""
        self.done = 0

    def __call__(self, units: int) -> None:
        self.done += units
        now = time.monotonic()
        if now - self._last_line >= self._seconds and self.done < self._total:
            self._last_line = now
            left = (self._total - self.done) * (now - self._started) / max(self.done, 1)
            done = f"{self.done} of {self._total} {self._unit}{self._words}"
            self._say(f"{self._title}: {done}, about {left:.0f} s left")

    def detail(self, words: str) -> None:
        self._words = f", {words}"

    def end(self) -> str:
        """Return what was done, and how fast."""
        seconds = time.monotonic() - self._started
        speed = rate(self.done / max(seconds, 1e-9), self._unit)
        done = f"{self.done} {self._unit} in {seconds:.1f} s ({speed})"
        return f"{self._title}: {done}{self._words}"


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


_WARNING = "Warning: "
#: Lines of a width that logs keep whole where no terminal tells one.
PLAIN_WIDTH = 120


def plain(text: str) -> str:
    """Return text without markup, control characters and passwords, as rich prints it."""
    return escape(_safe(text))


def _safe(text: str) -> str:
    return visible(hide_credentials(text))


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
            self.say(lines.end())

    def say(self, line: str) -> None:
        """Print one plain line."""
        self._messages.print(plain(line), highlight=False)

    def warn(self, line: str) -> None:
        """Print one line in a warning's colour."""
        self._messages.print(f"[yellow]{_WARNING}[/]{plain(line)}", highlight=False)


#: Between two changes of what a notebook shows.
_SECONDS_BETWEEN_CHANGES = 0.25
_FOLDED = (
    "<details><summary>{last}</summary>"
    '<pre style="white-space:pre-wrap;margin:0 0 0 1em">{earlier}</pre></details>'
)


class NotebookProgress:
    """Shows progress below a notebook's cell: a bar, and what is done folded under its last line.

    One output that changes takes no widgets, so Jupyter, VS Code and Colab show it, and a notebook
    that is saved keeps it.

    Args:
        display: `IPython.display.display`.
    """

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._shown: Any = None
        self._stages: list[str] = []
        self._lines: list[str] = []
        self._warnings: list[str] = []

    @contextmanager
    def stage(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        """Open a stage of `total` units; the value advances it."""

        def show(line: str) -> None:
            share = f'value="{told.done}" max="{max(total, 1)}"'
            self._stages[place] = f"<div><progress {share}></progress> {escaped(line)}</div>"
            self._show()

        told = Lines(show, title, total, unit, _SECONDS_BETWEEN_CHANGES)
        place = len(self._stages)
        self._stages.append("")
        show(title)
        try:
            yield told
        finally:
            del self._stages[place:]
            self.say(told.end())

    def say(self, line: str) -> None:
        """Keep one plain line."""
        self._lines.append(_safe(line))
        self._show()

    def warn(self, line: str) -> None:
        """Let one line stand before all others."""
        self._warnings.append(_safe(line))
        self._show()

    def _show(self) -> None:
        told = [f"{_WARNING}{line}" for line in self._warnings]
        parts = [f"<div><b>{escaped(line)}</b></div>" for line in told] + self._stages
        if self._lines:
            *earlier, last = map(escaped, self._lines)
            parts.append(_FOLDED.format(last=last, earlier="\n".join(earlier)))
        html = f"<div>{''.join(parts)}</div>"
        shown = {"text/html": html, "text/plain": "\n".join([*told, *self._lines])}
        if self._shown is None:
            self._shown = self._display(shown, raw=True, display_id=True)
        else:
            self._shown.update(shown, raw=True)


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
        warnings.warn(_safe(line), UserWarning, stacklevel=2)


def tell_line(progress: Told, line: str) -> None:
    """Hand on a line that `ConsoleProgress` printed in another process."""
    if line.startswith(_WARNING):
        progress.warn(line.removeprefix(_WARNING))
    else:
        progress.say(line)


def progress_of(asked: bool | Told) -> Told:
    """Return who is told how far a job is: bars or lines, nobody, or an object of the caller's."""
    if not isinstance(asked, bool):
        return asked
    if not asked:
        return Silent()
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if hasattr(shell, "kernel"):  # what shows pictures, not a terminal
        return NotebookProgress(sys.modules["IPython.display"].display)
    return ConsoleProgress()

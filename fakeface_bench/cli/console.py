"""What a person sees: bars on a terminal, plain lines elsewhere."""

import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
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
from rich.table import Column, Table
from rich.text import Text

from fakeface_bench.support.progress import Advance
from fakeface_bench.support.text import hide_credentials, visible

if TYPE_CHECKING:
    from fakeface_bench.analysis.comparison import Comparison
    from fakeface_bench.jobs import JobOutcome
    from fakeface_bench.jobs.audit import JudgedAudit
    from fakeface_bench.records.study import Registration
    from fakeface_bench.report.table import Table as TextTable

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


#: Below this a table's first column, which names the rows, is not folded.
_LEAST_NAMES = 12
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


def print_comparison(outcome: "JobOutcome[Comparison]", console: Console) -> None:
    """Print the leaderboard, what follows from it, and where the whole report is."""
    from fakeface_bench.report.comparison_page import verdict_of, warnings_of
    from fakeface_bench.report.comparison_tables import detectors_table, leaderboard

    comparison = outcome.result
    title = f"what accuracy costs (n = {comparison.images:,} test images, 95 % intervals)"
    print_table(title, leaderboard(comparison), console)
    if comparison.detectors:
        shown = detectors_table(comparison).pick("label", "accuracy", "roc_auc", "accuracy_ahead")
        print_table("detectors of others, ahead of the most accurate study", shown, console)
    left_out = (f"Left out: {study.name}: {study.reason}" for study in comparison.left_out)
    verdict = verdict_of(comparison)
    said = [f"{verdict.headline}.", verdict.paragraph, *warnings_of(comparison), *left_out]
    print_end(said, outcome, console)


def print_end(sentences: Iterable[str], outcome: "JobOutcome[Any]", console: Console) -> None:
    """Print what follows from a table, where the page is, and how to open the run."""
    for sentence in sentences:
        console.print(plain(sentence), highlight=False)
    if outcome.folder:
        page = outcome.folder / "report.html"
        console.print(f"Report: {plain(str(page))}", soft_wrap=True, highlight=False)
    print_ui_command(outcome.experiment_id, outcome.run_id, console)


def print_table(title: str, shown: "TextTable", console: Console) -> None:
    """Print a table whose first column names the rows, and whose metrics are never cut.

    Where there is no room, intervals stand below their metrics; where there still is none, each
    row is printed as a list.
    """
    header, rows = shown.header, shown.rows
    named = _widest([header[0], *(row[0] for row in rows)])
    for broken in (False, True):
        cells = [
            [cell.replace(" (", "\n(").replace("; ", ";\n") if broken else cell for cell in row]
            for row in rows
        ]
        widths = [
            max(_widest(column), max(map(len, heading.split())))
            for heading, *column in list(zip(header, *cells, strict=True))[1:]
        ]
        frame = 3 * len(header) + (-3 if broken else 1)  # without its edge where room is short
        room = console.width - sum(widths) - frame
        if room >= min(named, _LEAST_NAMES):
            table = Table(title=plain(title), show_edge=not broken, pad_edge=not broken)
            for heading, width in zip(header, [min(named, room), *widths], strict=True):
                justify: JustifyMethod = "right" if table.columns else "left"
                table.add_column(plain(heading), justify=justify, width=width, overflow="fold")
            for row in cells:
                table.add_row(*("\n".join(map(plain, cell.split("\n"))) for cell in row))
            console.print(table)
            return
    console.print(f"[italic]{plain(title)}[/]", highlight=False)
    for name, *values in rows:
        console.print(plain(name), highlight=False)
        for heading, value in zip(header[1:], values, strict=True):
            if value:
                console.print(f"  {plain(heading)}: {plain(value)}", highlight=False)


def _widest(cells: Iterable[str]) -> int:
    return max(cell_len(visible(line)) for cell in cells for line in cell.split("\n"))


def print_registration(registration: "Registration", console: Console) -> None:
    """Print what the gate found, and how the champion is served."""
    for line in (*registration.choice, *registration.lines):
        console.print(plain(line), soft_wrap="'fakeface-bench " in line, highlight=False)
    if registration.is_champion:
        champion = f"models:/{registration.name}@champion"
        command = f"mlflow models serve -m {shlex.quote(champion)} --env-manager local"
        console.print(f"Serve it: {plain(command)}", soft_wrap=True, highlight=False)


def print_audit(outcome: "JobOutcome[JudgedAudit]", console: Console) -> None:
    """Print the findings and how to open the run in MLflow's UI."""
    from fakeface_bench.report.audit_checks import audit_rows

    result = outcome.result
    table = Table(title=plain(f"audit of {result.audit.name}"), show_header=False)
    for finding, value in audit_rows(result.findings):
        table.add_row(plain(finding), plain(value))
    console.print(table)
    print_ui_command(outcome.experiment_id, outcome.run_id, console)


def print_ui_command(experiment_id: str, run_id: str, console: Console) -> None:
    """Print how a run is opened in MLflow's UI."""
    from fakeface_bench.tracking.store import ui_command

    command, address = ui_command(experiment_id, run_id)
    if command:
        console.print(f"See it: {plain(command)}", soft_wrap=True, highlight=False)
    console.print(f"  then open {plain(address)}", soft_wrap=True, highlight=False)

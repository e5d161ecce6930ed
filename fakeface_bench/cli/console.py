"""What a person sees: bars on a terminal, plain lines elsewhere, and the table at the end."""

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
from rich.table import Table
from rich.text import Text

from fakeface_bench.credentials import hide_credentials
from fakeface_bench.progress import Advance
from fakeface_bench.visible import visible

if TYPE_CHECKING:  # importing them would load TensorFlow
    from fakeface_bench.audit import AuditOutcome
    from fakeface_bench.compare import ComparisonOutcome
    from fakeface_bench.records import Registration

#: Between two plain lines of one stage.
SECONDS_BETWEEN_LINES = 10.0
#: Lines of a width that logs keep whole where no terminal tells one.
PLAIN_WIDTH = 120


class _Rate(ProgressColumn):
    """Units a second, or seconds a unit where they are slow."""

    def render(self, task: Task) -> Text:
        return Text(rate(task.finished_speed or task.speed or 0.0, task.fields["unit"]))


def rate(per_second: float, unit: str) -> str:
    """Say a speed in the way round that reads well: `183 images/s`, `4.2 s/trial`."""
    if not per_second:
        return ""
    if per_second < 1:
        return f"{1 / per_second:.1f} s/{unit.removesuffix('s')}"
    return f"{per_second:.0f} {unit}/s" if per_second >= 10 else f"{per_second:.1f} {unit}/s"


def plain(text: str) -> str:
    """Return text as rich prints it to the letter: no markup, nothing that steers, no password."""
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
        show = self._bar if self._messages.is_terminal else self._lines
        with show(title, total, unit) as advance:
            yield advance

    def say(self, line: str) -> None:
        """Tell one plain line."""
        self._messages.print(plain(line), highlight=False)

    def warn(self, line: str) -> None:
        """Tell one line in a warning's colour."""
        self._messages.print(f"[yellow]Warning:[/] {plain(line)}", highlight=False)

    @contextmanager
    def _bar(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        columns = (
            TextColumn("{task.description:<40}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._messages) as bars:
            task = bars.add_task(title, total=total, unit=unit)
            yield lambda units: bars.advance(task, units)

    @contextmanager
    def _lines(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        started = told = time.monotonic()
        done = 0

        def advance(units: int) -> None:
            nonlocal done, told
            done += units
            now = time.monotonic()
            if now - told >= SECONDS_BETWEEN_LINES and done < total:
                told = now
                left = (total - done) * (now - started) / max(done, 1)
                self.say(f"{title}: {done} of {total} {unit}, about {left:.0f} s left")

        yield advance
        seconds = time.monotonic() - started
        self.say(
            f"{title}: {done} {unit} in {seconds:.1f} s ({rate(done / max(seconds, 1e-9), unit)})"
        )


def print_comparison(outcome: "ComparisonOutcome", console: Console) -> None:
    """Print the leaderboard, what follows from it, and where the whole report is."""
    from fakeface_bench.report import leaderboard_rows, verdict_of

    comparison = outcome.comparison
    header, rows = leaderboard_rows(comparison)
    images = f"n = {comparison.images:,} test images"
    table = Table(title=f"what accuracy costs ({images}, 95 % intervals)")
    for number, heading in enumerate(header):
        table.add_column(plain(heading), justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(plain, row))
    console.print(table)
    console.print(plain(verdict_of(comparison).paragraph), highlight=False)
    for study in comparison.left_out:
        console.print(f"Left out: {plain(study.name)}: {plain(study.reason)}", highlight=False)
    if outcome.folder:
        page = outcome.folder / "report.html"
        console.print(f"Report: {plain(str(page))}", soft_wrap=True, highlight=False)
    print_way_to(outcome.experiment_id, outcome.run_id, console)


def print_registration(registration: "Registration", console: Console) -> None:
    """Print what the gate found, and how the champion is served."""
    for line in (*registration.choice, *registration.lines):
        console.print(plain(line), soft_wrap="'fakeface-bench " in line, highlight=False)
    if registration.is_champion:
        champion = f"models:/{registration.name}@champion"
        command = f"mlflow models serve -m {shlex.quote(champion)} --env-manager local"
        console.print(f"Serve it: {plain(command)}", soft_wrap=True, highlight=False)


def print_audit(outcome: "AuditOutcome", console: Console) -> None:
    """Print the findings and how to open the run in MLflow's UI."""
    from fakeface_bench.report import audit_rows

    table = Table(title=plain(f"audit of {outcome.audit.name}"), show_header=False)
    for finding, value in audit_rows(outcome.audit):
        table.add_row(plain(finding), plain(value))
    console.print(table)
    print_way_to(outcome.experiment_id, outcome.run_id, console)


def print_way_to(experiment_id: str, run_id: str, console: Console) -> None:
    """Print how a run is opened in MLflow's UI."""
    from fakeface_bench.tracking.store import ui_command

    command, address = ui_command(experiment_id, run_id)
    if command:
        console.print(f"See it: {plain(command)}", soft_wrap=True, highlight=False)
    console.print(f"  then open {plain(address)}", soft_wrap=True, highlight=False)

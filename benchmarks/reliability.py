"""What the project was put through and survived: the tests of tests/reliability, counted.

    python benchmarks/reliability.py --output RESULT.json

Each test says what it does to a study, a store or a decoder and how often; what a test did that
failed counts as not survived. With --quick the bounded forms alone, which every change must pass.
"""

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402

LIBRARIES = ("tensorflow", "keras", "mlflow", "optuna", "sqlalchemy", "pillow")


class Tally:
    """A plug-in of pytest that adds up what the tests say of themselves."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.survived: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.failed: list[str] = []
        self.skipped: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one part of a test."""
        if report.when != "call" and report.passed:
            return
        self.outcomes[report.outcome] += 1
        if report.failed:
            self.failed.append(report.nodeid)
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skipped[report.nodeid] = str(report.longrepr[-1])
        for name, count in report.user_properties:
            self.done[name] += int(str(count))
            self.survived[name] += int(str(count)) if report.passed else 0

    def figures(self) -> dict[str, Any]:
        """Return all that was added up."""
        return {
            "done": dict(sorted(self.done.items())),
            "survived": dict(sorted(self.survived.items())),
            "tests": dict(self.outcomes),
            "failed": self.failed,
            "skipped": self.skipped,
        }


@click.command()
@click.option("--quick", is_flag=True, help="The bounded forms alone: minutes in place of an hour.")
@click.option("--processes", default=2, show_default=True, help="That share the tests' files.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(quick: bool, processes: int, output: Path | None) -> None:
    """Run the reliability tests on this machine and count what they did."""
    tally = Tally()
    began = time.perf_counter()
    chosen = "not slow" if quick else "slow or not slow"
    shared_out = ["-n", str(processes), "--dist", "loadfile"]
    folder = str(ROOT / "tests" / "reliability")
    code = pytest.main(["-q", "-m", chosen, *shared_out, folder], plugins=[tally])
    seconds = time.perf_counter() - began
    figures = {
        "machine": machine(*LIBRARIES),
        "forms": "bounded" if quick else "whole",
        "processes": processes,
        "seconds": round(seconds, 1),
        **tally.figures(),
    }
    click.echo()
    for name, count in figures["done"].items():
        click.echo(f"{name:<32}{count:>8,}   survived {figures['survived'][name]:>8,}")
    click.echo(f"tests: {dict(tally.outcomes)}, {seconds:.0f} s")
    keep(figures, output)
    sys.exit(code)


if __name__ == "__main__":
    main()

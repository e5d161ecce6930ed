"""The tables that end a study, run now or finished before."""

from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from fakeface_bench.cli.console import plain, print_registration, print_way_to

if TYPE_CHECKING:  # importing them would load TensorFlow
    from fakeface_bench.again import FinishedStudy
    from fakeface_bench.study import StudyOutcome


def print_outcome(outcome: "StudyOutcome", console: Console) -> None:
    """Print the short table of results and how to open the run in MLflow's UI."""
    from fakeface_bench.report import PARTS_HEADER, part_rows, summary_rows

    record = outcome.record
    how = f", {record.trained}" if record.trained else ""
    title = f"{record.model} on {record.data} ({record.weights.label} weights{how})"
    table = Table(title=plain(title))
    for heading in ("metric", "validation", "test (95 % interval)"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for row in summary_rows(record):
        table.add_row(*row)
    table.add_row("weights", "", record.weights.label, end_section=True)
    console.print(table)
    parts = Table(*PARTS_HEADER, title="parts of the test split (95 % intervals)")
    parts.columns[0].no_wrap = True
    for part in part_rows(record):
        parts.add_row(*(plain(cell.replace(" (", "\n(")) for cell in part))
    if parts.row_count:
        console.print(parts)
    if record.weights.warning:
        console.print(f"[yellow]{plain(record.weights.warning)}[/]", soft_wrap=True)
    states = [trial.state for trial in record.search.trials]
    console.print(
        f"{len(states)} trials ({states.count('pruned')} pruned, {states.count('failed')} failed), "
        f"{outcome.ledger.figures['extracted_images']:.0f} images extracted or decoded; "
        f"{outcome.ledger.total_warm_seconds:.0f} s, "
        f"{outcome.ledger.total_cold_seconds:.0f} s from a cold start; study {record.study}",
        highlight=False,
    )
    if outcome.bias:
        console.print(plain(outcome.bias.told), highlight=False)
    print_way_to(outcome.experiment_id, outcome.run_id, console)
    if outcome.registration:
        print_registration(outcome.registration, console)


def print_finished(finished: "FinishedStudy", console: Console) -> None:
    """Print what a study that was finished before found, and how to open its run."""
    from fakeface_bench.report import main_rows

    saved, run = finished.saved, finished.run
    how = f", {saved.identity.trained}" if saved.identity.trained else ""
    table = Table(title=plain(f"{run.model} on {run.dataset} ({run.weights} weights{how})"))
    for heading in ("metric", "validation", "test (95 % interval)"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for row in main_rows(finished.results):
        table.add_row(*row)
    table.add_row("weights", "", run.weights)
    console.print(table)
    if saved.warning:
        console.print(f"[yellow]{plain(saved.warning)}[/]", soft_wrap=True)
    when = datetime.fromtimestamp(run.began / 1000).strftime("%Y-%m-%d %H:%M")
    console.print(
        f"Finished before: the run of {when} holds {saved.trials} trials and took "
        f"{saved.ledger.total_cold_seconds:.0f} s from a cold start; study "
        f"{plain(saved.identity.study)}. Nothing was run now; --again true refits and scores it "
        "once more.",
        highlight=False,
    )
    print_way_to(run.experiment_id, run.run_id, console)
    if finished.registration:
        print_registration(finished.registration, console)

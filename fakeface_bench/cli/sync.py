"""`fakeface-bench sync`: what MLflow's server did not take."""

import click

from fakeface_bench.errors import UnsentError


@click.command(context_settings={"show_default": True})
@click.option(
    "--folder", default="", help="Folder of unsent records; empty for all on this machine."
)
def sync(folder: str) -> None:
    """Send MLflow's server what it did not take while it was away."""
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.runtime import start_tensorflow

    start_tensorflow()
    from fakeface_bench.sync import sync as send

    progress = ConsoleProgress()
    outcome = send(folder, progress)
    for run in outcome.sent:
        progress.say(f"sent: run {run}")
    if outcome.kept:
        raise UnsentError("; ".join(outcome.kept))

"""`fakeface-bench compare`: what accuracy costs, over all finished studies of a dataset."""

import click

from fakeface_bench.config import CompareConfig

_DEFAULT = CompareConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--data",
    default=_DEFAULT.data,
    help="Dataset as it was studied, or the first digits of its digest; empty for the newest's.",
)
@click.option(
    "--runs",
    default=_DEFAULT.runs,
    help="MLflow runs of the studies to compare, joined by commas; empty chooses by dataset.",
)
@click.option(
    "--output",
    default=_DEFAULT.output,
    help="Folder to write the report to, besides MLflow; empty for none.",
)
@click.option(
    "--dollars-per-hour",
    type=click.FloatRange(0),
    default=_DEFAULT.dollars_per_hour,
    help="What the machine costs; 0 for what each study was told.",
)
def compare(**options: object) -> None:
    """Compare the newest finished study of each network on one dataset.

    Accuracy with intervals, cost cold and warm, which steps up in accuracy are real and what they
    cost: as one page, tables and pictures.
    """
    # MLflow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress, print_comparison
    from fakeface_bench.request import check_compare

    config = CompareConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_compare(config)
    from fakeface_bench.compare import run_comparison

    progress = ConsoleProgress()
    print_comparison(run_comparison(config, progress), progress.console)

"""`fakeface-bench audit`: what is wrong with a dataset."""

import click

from fakeface_bench.cli.model_options import classes_option
from fakeface_bench.config import AuditConfig

_DEFAULT = AuditConfig()


@click.command(context_settings={"show_default": True})
@click.argument("data", default=_DEFAULT.data)
@classes_option
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=_DEFAULT.seed,
    help="Of the split, where the dataset has no official one.",
)
@click.option(
    "--output",
    default=_DEFAULT.output,
    help="Folder to write the report to, besides MLflow.",
)
def audit(**options: object) -> None:
    """Look for what would make results on DATA worthless, and record it in MLflow.

    DATA is a dataset by name or a folder of faces; several are joined by '+'. Found are broken
    files, copies within and across splits and labels, and what the files' metadata alone give away.
    """
    # MLflow takes seconds to import, so a wrong name is told before.
    from fakeface_bench.cli.console import ConsoleProgress, print_audit
    from fakeface_bench.request import check_audit

    config = AuditConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_audit(config)
    from fakeface_bench.audit import run_audit

    progress = ConsoleProgress()
    print_audit(run_audit(config, progress), progress.console)

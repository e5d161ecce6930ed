"""`fakeface-bench register`: a study's model into MLflow's registry, and through the gate."""

import click

from fakeface_bench.config import RegisterConfig

_DEFAULT = RegisterConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--run",
    default=_DEFAULT.run,
    help="MLflow run of a study; or best: the cheapest not shown to be less accurate than the "
    "most accurate.",
)
@click.option("--name", default=_DEFAULT.name, help="Name of the registered model.")
@click.option(
    "--data-digest",
    default=_DEFAULT.data_digest,
    help="First digits of the digest of the dataset, or its name, that best chooses in; empty for "
    "the newest study's.",
)
@click.option(
    "--force",
    type=click.BOOL,
    is_flag=False,
    flag_value=True,
    default=_DEFAULT.force,
    help="Make it the champion whatever the gate says; recorded as a tag.",
)
def register(**options: object) -> None:
    """Register the model of a finished study, and make it the champion if it passes the gate.

    The gate: loaded in a new process, it gives the scores that its study logged; and on the same
    test images it is shown to be more accurate than the champion, or to be within a point of it
    and was at least a tenth cheaper.
    """
    # MLflow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress, print_registration
    from fakeface_bench.request import check_register

    config = RegisterConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_register(config)
    from fakeface_bench.register import run_registration

    progress = ConsoleProgress()
    print_registration(run_registration(config, progress), progress.console)

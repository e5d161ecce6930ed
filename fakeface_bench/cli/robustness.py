"""`fakeface-bench robustness`: what models still tell when pictures are made worse."""

import click

from fakeface_bench.cli.model_options import allow_unsafe_option, classes_option
from fakeface_bench.config import RobustnessConfig

_DEFAULT = RobustnessConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--models",
    default=_DEFAULT.models,
    help="Trained models, joined by commas: registry addresses, runs, folders, or best.",
)
@click.option(
    "--data",
    default=_DEFAULT.data,
    help="Test set by name, or a folder of faces; empty for the first model's own test split.",
)
@classes_option
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=_DEFAULT.limit,
    help="At most this many images per class; 0 for all.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=_DEFAULT.seed,
    help="Of the noise.",
)
@click.option(
    "--output",
    default=_DEFAULT.output,
    help="Folder to write the report to, besides MLflow; empty for none.",
)
@allow_unsafe_option
def robustness(**options: object) -> None:
    """Score trained models on test pictures that are compressed, scaled, blurred and the like.

    Real and fake images alike pass through each corruption, by degrees: ROC AUC and accuracy of
    every severity with intervals, and one figure, the mean over corruptions.
    """
    # TensorFlow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.transfer_request import check_robustness

    config = RobustnessConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_robustness(config)
    from fakeface_bench.runtime import start_tensorflow

    start_tensorflow()
    from fakeface_bench.cli.transfer_tables import print_robustness
    from fakeface_bench.robustness import run_robustness

    progress = ConsoleProgress()
    print_robustness(run_robustness(config, progress), progress.console)

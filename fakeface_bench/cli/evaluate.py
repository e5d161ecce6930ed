"""`fakeface-bench evaluate`: a finished model on other datasets."""

import click

from fakeface_bench.cli.model_options import allow_unsafe_option, classes_option
from fakeface_bench.config import EvaluateConfig

_DEFAULT = EvaluateConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--model",
    default=_DEFAULT.model,
    help="Address in the registry, MLflow run of a study, folder of an MLflow model; or best: the "
    "cheapest not shown to be less accurate than the most accurate.",
)
@click.option(
    "--data",
    default=_DEFAULT.data,
    help="Test sets by name, or folders of faces, joined by commas; one class suffices.",
)
@classes_option
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=_DEFAULT.limit,
    help="At most this many images per class of each set; 0 for all.",
)
@click.option(
    "--output",
    default=_DEFAULT.output,
    help="Folder to write the report to, besides MLflow; empty for none.",
)
@allow_unsafe_option
def evaluate(**options: object) -> None:
    """Score a finished model on datasets that nothing of it was selected on.

    Images that it saw in training, and copies of them, are left out and counted. A dataset with an
    official test split is tested on that, any other on all its images.
    """
    # TensorFlow and MLflow take seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.transfer_request import check_evaluate

    config = EvaluateConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_evaluate(config)
    from fakeface_bench.runtime import start_tensorflow

    start_tensorflow()
    from fakeface_bench.cli.transfer_tables import print_evaluation
    from fakeface_bench.evaluate import run_evaluation

    progress = ConsoleProgress()
    print_evaluation(run_evaluation(config, progress), progress.console)

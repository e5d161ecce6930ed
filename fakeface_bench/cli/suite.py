"""`fakeface-bench suite`: a study each of several networks, then their comparison."""

import click

from fakeface_bench.cli.study_options import study_options
from fakeface_bench.config import StudyConfig, SuiteConfig
from fakeface_bench.errors import StudyError

_DEFAULT = SuiteConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--models",
    default=_DEFAULT.models,
    help="Architectures, joined by commas; see 'fakeface-bench list'.",
)
@click.option(
    "--output",
    default=_DEFAULT.output,
    help="Folder to write the comparison to, besides MLflow; empty for none.",
)
@study_options
def suite(models: str, output: str, **options: object) -> None:
    """Study several networks on one dataset, each in a process of its own, and compare them.

    One that fails does not stop the others. Interrupted and started again, it skips what is
    finished. WEIGHTS may name a file for each model: mobilenetv3_small=FILE,vgg19=FILE.
    """
    # MLflow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress, print_comparison
    from fakeface_bench.suite_request import check_suite

    study = StudyConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    config = SuiteConfig(models, output, study)
    check_suite(config)
    from fakeface_bench.suite import run_suite

    progress = ConsoleProgress()
    outcome = run_suite(config, progress)
    print_comparison(outcome.comparison, progress.console)
    if outcome.failure:
        raise StudyError(outcome.failure)

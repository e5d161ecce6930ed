"""`fakeface-bench generalise`: rows trained on, columns tested on."""

import click

from fakeface_bench.cli.study_options import matrix_options
from fakeface_bench.config import HOLD_OUTS, GeneraliseConfig, StudyConfig
from fakeface_bench.errors import StudyError

_DEFAULT = GeneraliseConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--models",
    default=_DEFAULT.models,
    help="Architectures, joined by commas; see 'fakeface-bench list'.",
)
@click.option(
    "--train",
    default=_DEFAULT.train,
    help="Training sets, joined by commas; several that are joined by '+' are one.",
)
@click.option(
    "--test",
    default=_DEFAULT.test,
    help="Test sets, joined by commas; empty for every dataset named in TRAIN.",
)
@click.option(
    "--hold-out",
    type=click.Choice(HOLD_OUTS),
    default=_DEFAULT.hold_out,
    help="Also leave each source or tier of a training set out in turn, and test on it.",
)
@click.option(
    "--output",
    default=_DEFAULT.output,
    help="Folder to write the report to, besides MLflow; empty for none.",
)
@matrix_options
def generalise(
    models: str, train: str, test: str, hold_out: str, output: str, **options: object
) -> None:
    """Fill a matrix: a study of each training set, scored on each test set.

    Studies that are finished are not run again; a frozen backbone sees each picture once. What a
    study trains on is tested on its held-out split, any other set as 'evaluate' does.
    """
    # MLflow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.transfer_request import check_generalise

    study = StudyConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    config = GeneraliseConfig(models, train, test, hold_out, output, study)
    check_generalise(config)
    from fakeface_bench.runtime import start_tensorflow

    start_tensorflow()
    from fakeface_bench.cli.transfer_tables import print_generalisation
    from fakeface_bench.generalise import run_generalisation

    progress = ConsoleProgress()
    outcome = run_generalisation(config, progress)
    print_generalisation(outcome, progress.console)
    if outcome.failure:
        raise StudyError(outcome.failure)

"""`fakeface-bench run`: one study."""

import click

from fakeface_bench import PROCESS_BEGAN
from fakeface_bench.cli.study_options import study_options
from fakeface_bench.config import StudyConfig
from fakeface_bench.errors import UnsentError

_DEFAULT = StudyConfig()


@click.command(context_settings={"show_default": True})
@click.option("--model", default=_DEFAULT.model, help="Architecture; see 'fakeface-bench list'.")
@study_options
@click.option("--study", default=_DEFAULT.study, help="Name; empty derives it from the rest.")
@click.option(
    "--register",
    default=_DEFAULT.register,
    help="Name to register the winner under, as its champion where it passes the gate.",
)
@click.option(
    "--again",
    type=click.BOOL,
    is_flag=False,
    flag_value=True,
    default=_DEFAULT.again,
    help="Refit, score and record a study that is finished once more; its trials are kept.",
)
def run(**options: object) -> None:
    """Search one architecture on one dataset and record the study in MLflow.

    A study that is finished is told with its figures, and nothing is run; with more trials it is
    topped up.
    """
    # TensorFlow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.cli.study_tables import print_finished, print_outcome
    from fakeface_bench.request import check_request

    config = StudyConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_request(config)
    from fakeface_bench.again import look_back

    progress = ConsoleProgress()
    before = look_back(config, progress)
    if before.finished:
        print_finished(before.finished, progress.console)
        return
    from fakeface_bench.runtime import start_tensorflow

    start_tensorflow()
    from fakeface_bench.clock import Clock
    from fakeface_bench.study import run_study

    outcome = run_study(config, progress, Clock(PROCESS_BEGAN), before.dataset)
    print_outcome(outcome, progress.console)
    if outcome.unsent:
        raise UnsentError(outcome.unsent)

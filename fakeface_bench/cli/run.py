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
def run(**options: object) -> None:
    """Search one architecture on one dataset and record the study in MLflow."""
    # TensorFlow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress, print_outcome
    from fakeface_bench.request import check_request

    config = StudyConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_request(config)
    from fakeface_bench.runtime import start_tensorflow

    start_tensorflow()
    from fakeface_bench.clock import Clock
    from fakeface_bench.study import run_study

    progress = ConsoleProgress()
    outcome = run_study(config, progress, Clock(PROCESS_BEGAN))
    print_outcome(outcome, progress.console)
    if outcome.unsent:
        raise UnsentError(outcome.unsent)

"""Options that several commands share: a model that others made, the classes of folders."""

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]

_HELP = (
    "Load a model too that holds a Lambda layer or a pickle: code of whoever made it, which then "
    "runs with your rights."
)


def _warned(context: click.Context, _: click.Parameter, allowed: bool) -> bool:
    """Tell who allows it what that means, before anything is fetched."""
    if allowed and not context.resilient_parsing:
        from fakeface_bench.cli.console import ConsoleProgress
        from fakeface_bench.tracking.model_safety import WARNING

        ConsoleProgress().warn(WARNING)
    return allowed


#: Where what follows on the command line may be a path.
allow_unsafe_flag = click.option("--allow-unsafe-model", is_flag=True, callback=_warned, help=_HELP)
#: Where MLproject gives a value.
allow_unsafe_option = click.option(
    "--allow-unsafe-model",
    type=click.BOOL,
    is_flag=False,
    flag_value=True,
    default=False,
    callback=_warned,
    help=_HELP,
)
classes_option = click.option(
    "--classes",
    default="",
    help="What folders' names mean that are not understood by themselves: real:nature,fake:ai.",
)

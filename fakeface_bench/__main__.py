"""`python -m fakeface_bench`: the command line, with a user's mistakes printed in one line."""

import gc
import io
import os
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType

import click

from fakeface_bench.cli import cli
from fakeface_bench.support.errors import INTERRUPTED, FakefaceError, UsageError
from fakeface_bench.support.processes import (
    RUN_VARIABLE,
    as_interruption,
    collect_seldom,
    listen,
    work_where_called,
)
from fakeface_bench.support.text import hide_credentials, visible

#: Commands that go on where they were interrupted; any other starts again.
_RESUMED = ("run", "suite", "generalise", "fetch")


def main() -> None:
    """Run the command line and exit: 0, 2 for a wrong request, 1 for any other obstacle."""
    collect_seldom()
    sys.excepthook = _report_unexpected
    listen(_give_up)
    if obstacle := work_where_called():
        click.echo(f"Warning: {_one_line(obstacle)}", err=True)
    try:
        with as_interruption():
            _check_once(sys.argv[1:])
            code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        usage = io.StringIO()
        error.show(usage)
        click.echo("\n".join(map(_one_line, usage.getvalue().split("\n"))), err=True, nl=False)
        _fail(error.format_message())
        code = error.exit_code
    except (FakefaceError, OSError) as error:  # OSError: a full disk, a folder without permission
        click.echo(f"Error: {_one_line(error)}", err=True)
        _fail(str(error))
        code = error.exit_code if isinstance(error, FakefaceError) else 1
    except (click.Abort, KeyboardInterrupt):
        click.echo(_interrupted(), err=True)
        code = INTERRUPTED
    gc.freeze()  # else the last collection walks all that TensorFlow holds: two seconds for nothing
    sys.exit(code)


def _check_once(words: Sequence[str]) -> None:
    """Refuse a parameter under two spellings.

    `mlflow run` hands on a `-P` that MLproject does not know (`image-size`) as an option of that
    name, after the one that it does know, and logs both.
    """
    if RUN_VARIABLE not in os.environ:
        return
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    twice = [option for option in options if options.count(option) > 1]
    if twice:
        name = twice[0].removeprefix("--")
        known = name.replace("-", "_")
        raise UsageError(
            f"{known} arrived twice, since MLproject has no parameter {name!r}: write -P "
            f"{known}=VALUE."
        )


def _one_line(error: object) -> str:
    """Return an error's message on one line, without passwords."""
    return visible(hide_credentials(str(error)))


def _report_unexpected(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an unexpected error as Python does, without passwords."""
    lines = traceback.format_exception(kind, error, trace)
    click.echo(hide_credentials("".join(lines)), err=True, nl=False)


def _interrupted() -> str:
    goes_on = sys.argv[1:2] and sys.argv[1] in _RESUMED
    then = " The same command goes on where this one stopped." if goes_on else ""
    return f"Interrupted.{then}"


def _give_up() -> None:
    """Mark the run and tell the user when a process is ended that cannot react any more."""
    click.echo(_interrupted(), err=True)
    if "fakeface_bench.tracking.lifetime" in sys.modules:
        from fakeface_bench.tracking.lifetime import kill_open_run

        kill_open_run()


def _fail(reason: str) -> None:
    """Mark the run that `mlflow run` opened for this process as failed, if there is one."""
    if RUN_VARIABLE in os.environ:
        from fakeface_bench.tracking.lifetime import fail_adopted_run

        try:
            fail_adopted_run(reason)
        except Exception as obstacle:  # the store itself may be what failed
            click.echo(
                f"The MLflow run could not be marked FAILED: {_one_line(obstacle)}", err=True
            )


if __name__ == "__main__":
    main()

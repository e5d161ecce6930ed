"""Click commands that are made of requests: every field is an option, or an argument."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, get_origin

import click

from fakeface_bench.config import STORAGE_VARIABLE
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.processes import RUN_VARIABLE
from fakeface_bench.support.request import Option, Request, flag_of
from fakeface_bench.support.text import holds_password

if TYPE_CHECKING:
    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.resolve import Checked

R = TypeVar("R", bound=Request)


def command(
    request: type[R],
) -> Callable[[Callable[["Checked[R]", "ConsoleProgress"], None]], click.Command]:
    """Make a function that takes a request and a progress a command of its name and docstring.

    A wrong request is refused before the function is called, which may then import what takes
    seconds.
    """

    def made(job: Callable[["Checked[R]", "ConsoleProgress"], None]) -> click.Command:
        @wraps(job)
        def called(**given: object) -> None:
            from fakeface_bench.api.progress import ConsoleProgress
            from fakeface_bench.resolve import checked

            job(checked(request.from_params(given)), ConsoleProgress())

        settings = {"show_default": True}
        return click.command(context_settings=settings, params=list(_parameters(request)))(called)

    return made


def _parameters(request: type[Request]) -> Iterator[click.Parameter]:
    options = request.options().values()
    before_paths = any(_is_many(option) for option in options)
    for option in options:
        if option.required:
            count = -1 if _is_many(option) else 1
            yield click.Argument([option.name], type=_kind(option), required=True, nargs=count)
        elif option.argument:
            yield click.Argument([option.name], type=_kind(option), default=option.default)
        elif option.kind is bool and before_paths:  # a path after it would be taken for its value
            yield _option(option, is_flag=True, show_default=False)
        elif option.kind is bool:  # MLproject gives a value
            yield _option(option, type=click.BOOL, is_flag=False, flag_value=True)
        else:
            yield _option(option, type=_kind(option))


def _option(option: Option, **settings: Any) -> click.Option:
    return click.Option(
        [option.name, flag_of(option.name)],
        default=option.default,
        callback=_CALLBACKS.get(option.name),
        help=option.help,
        **settings,
    )


def _is_many(option: Option) -> bool:
    return get_origin(option.kind) is tuple


def _kind(option: Option) -> click.ParamType[Any]:
    if option.choices:
        return click.Choice(option.choices)
    limited = (option.minimum, option.maximum) != (None, None)
    if option.kind is int:
        return click.IntRange(option.minimum, option.maximum) if limited else click.INT
    if option.kind is float:
        return click.FloatRange(option.minimum, option.maximum) if limited else click.FLOAT
    return click.STRING


def _warned(context: click.Context, _: click.Parameter, allowed: bool) -> bool:
    """Warn whoever allows an unsafe model of what that means, before anything is fetched."""
    if allowed and not context.resilient_parsing:
        from fakeface_bench.api.progress import ConsoleProgress
        from fakeface_bench.tracking.model_source import WARNING

        ConsoleProgress().warn(WARNING)
    return allowed


def _storage(context: click.Context, parameter: click.Parameter, given: str) -> str:
    """Return the storage, which the environment names where the command line does not."""
    if holds_password(given):
        run_id = os.environ.get(RUN_VARIABLE, "")
        logged = run_id and (
            f" 'mlflow run' has logged it already: 'mlflow runs delete --run-id {run_id}', then "
            f"'mlflow gc --run-ids {run_id}', deletes it for good."
        )
        raise UsageError(
            "storage holds a password, and a command line and MLflow's params show it to "
            f"everybody: put the URL into the variable {STORAGE_VARIABLE}, or the password into "
            f"PGPASSWORD or ~/.pgpass, and leave it out of storage.{logged}"
        )
    storage = given or os.environ.get(STORAGE_VARIABLE, "")
    if holds_password(storage) and re.search(r"\s", storage):
        raise UsageError(
            f"the password in {STORAGE_VARIABLE} holds white space; write it as %20, and other "
            "marks of URLs likewise."
        )
    return storage


#: Called with what arrived for options of these names, before the request is made.
_CALLBACKS: Mapping[str, Callable[[click.Context, click.Parameter, Any], Any]] = {
    "storage": _storage,
    "allow_unsafe_model": _warned,
}

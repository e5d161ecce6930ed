"""From keyword arguments to a request: the options of a command, by the same names and defaults."""

import inspect
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import wraps
from textwrap import fill
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from fakeface_bench.config import STORAGE_VARIABLE
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.request import Option, Request

if TYPE_CHECKING:
    from fakeface_bench.resolve import Checked

R = TypeVar("R", bound=Request)
P = ParamSpec("P")
Result = TypeVar("Result")


#: Options by their names of the version before, each with today's: they warn, and go with the next.
FORMER_OPTIONS: Mapping[str, str] = {}


def _by_their_names(kind: type[Request], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options by today's names; who asks a public function by a former one is warned."""
    options, named = kind.options(), dict(given)
    for former, name in FORMER_OPTIONS.items():
        if former not in named or former in options or name not in options:
            continue
        if name in named:
            raise UsageError(f"{former} is the former name of {name}, which is given too.")
        warnings.warn(
            f"the option {former!r} is {name!r} now; the next version no longer knows it as "
            f"{former!r}.",
            FutureWarning,
            stacklevel=3,  # whoever called that function
        )
        named[name] = named.pop(former)
    return named


def asked_of(kind: type[R], given: Mapping[str, Any]) -> "Checked[R]":
    """Return the request that keyword arguments make, refused as on the command line.

    Raises:
        UsageError: If there is no such option, or it cannot have the value.
    """
    from fakeface_bench.resolve import checked

    options = kind.options()
    for name in given:
        if name not in options:
            near = get_close_matches(name, options, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(options)}."
            raise UsageError(f"there is no option {name!r}; {hint}")
    params = {name: _value(option, given) for name, option in options.items()}
    if "storage" in params and not params["storage"]:
        params["storage"] = os.environ.get(STORAGE_VARIABLE, "")
    return checked(kind.from_params(params))


def _value(option: Option, given: Mapping[str, Any]) -> Any:
    value = given.get(option.name)
    if value is None:
        if option.required and option.name not in given:
            raise UsageError(f"{option.name} is missing: {option.help}")
        return option.default
    if option.kind is str:
        return as_text(value)
    if option.kind == tuple[str, ...]:
        return (
            (as_text(value),)
            if isinstance(value, (str, os.PathLike))
            else tuple(map(as_text, value))
        )
    return value


def as_text(value: Any) -> Any:
    """Return a value as options write it: several joined by commas, `true` and `false`."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:.12g}"
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        return ",".join(map(as_text, value))
    return value


def _told(option: Option) -> str:
    """Return an option as a docstring's line, or lines."""
    room = {"initial_indent": " " * 8, "subsequent_indent": " " * 12}
    return fill(f"{option.name}: {option.help}", 100, **room)  # type: ignore[arg-type]


def with_options(
    kind: type[Request], **own: type
) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Give a function that takes `**options` the signature and the help of a request's options.

    Args:
        own: Kinds of the options that the function takes in more ways than the command line.
    """

    def give(function: Callable[P, Result]) -> Callable[P, Result]:
        @wraps(function)
        def called(*arguments: P.args, **keywords: P.kwargs) -> Result:
            named = _by_their_names(kind, keywords)
            return function(*arguments, **named)

        signature = inspect.signature(function)
        named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        known = {parameter.name for parameter in named}
        options = [option for option in kind.options().values() if option.name not in known]
        further = [
            inspect.Parameter(
                option.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if option.required else option.default,
                annotation=own.get(option.name, option.kind),
            )
            for option in options
        ]
        parameters = [*further, *named]
        called.__options__ = kind  # type: ignore[attr-defined]
        called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        told = "\n".join(_told(option) for option in options)
        called.__doc__ = (function.__doc__ or "").replace("        **options:", told, 1)
        return called

    return give

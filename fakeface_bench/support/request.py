"""Requests: frozen records whose fields are options, with their help, ranges and defaults.

The command line's options, the params of runs and every refusal of a single value are made of them.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields
from math import inf
from numbers import Integral, Real
from typing import Any, Self, TypeVar

from fakeface_bench.support.text import without_credentials

T = TypeVar("T")

#: From a param of a run, which is text, to a value of each kind.
_READ: Mapping[Any, Callable[[str], Any]] = {
    str: str,
    int: lambda text: int(float(text)),
    float: float,
    bool: lambda text: text.lower() == "true",
}
#: What a value of each kind is called where it is refused, and what counts as one.
_KINDS: Mapping[Any, tuple[str, type]] = {
    str: ("text", str),
    int: ("integer", Integral),
    float: ("float", Real),
    bool: ("boolean", bool),
    tuple[str, ...]: ("tuple of texts", tuple),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What a field of a request may hold; the command line's options are made of these.

    Attributes:
        kind: A key of `_KINDS`.
        default: `MISSING` where it must be given.
        minimum: Of a number; None for no limit.
        maximum: Of a number that has a minimum; None for no limit.
        choices: All that a text may be; empty for any text.
        argument: Whether it has a place on the command line instead of a name.
    """

    name: str
    kind: Any
    default: Any
    help: str = ""
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    argument: bool = False

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is MISSING

    def refusal(self, value: object) -> str:
        """Return why it cannot hold a value, in the command line's words; empty where it can."""
        word, accepted = _KINDS[self.kind]
        is_kind = isinstance(value, accepted) and isinstance(value, bool) == (self.kind is bool)
        if not is_kind or value != value:  # a number that is none
            return f"{value!r} is not a valid {word}."
        if self.choices and value not in self.choices:
            return f"{value!r} is not one of {', '.join(map(repr, self.choices))}."
        if isinstance(value, Real) and self.minimum is not None:
            maximum = inf if self.maximum is None else self.maximum
            if not self.minimum <= float(value) <= maximum:
                no_limit = self.maximum is None
                allowed = f"x>={self.minimum}" if no_limit else f"{self.minimum}<=x<={maximum}"
                shown = float(value) if self.kind is float else value
                return f"{shown!r} is not in the range {allowed}."
        return ""


def option(
    default: T,
    help: str,
    minimum: int | None = None,
    maximum: int | None = None,
    choices: tuple[str, ...] = (),
    argument: bool = False,
) -> T:
    """Return a request's field; arguments as in `Option`."""
    facts = {"help": help, "minimum": minimum, "maximum": maximum, "choices": choices}
    return field(default=default, metadata={**facts, "argument": argument})


def flag_of(name: str) -> str:
    """Return how a command line names an option."""
    return f"--{name.replace('_', '-')}"


def needed(help: str) -> Any:
    """Return a request's field that must be given."""
    return field(metadata={"help": help})


#: Marks a field that holds another request; its value names the options of that to leave out.
EXCEPT = "except"


@dataclass(frozen=True, slots=True)
class Request:
    """A request's fields are the options of a command and the params of a run.

    A request may hold another one, whose options are then among its own.
    """

    @classmethod
    def options(cls) -> dict[str, Option]:
        """Return the options by name, in the order in which help shows them."""
        rows: dict[str, Option] = {}
        for each in fields(cls):
            if EXCEPT in each.metadata:
                shared = each.type.options()  # type: ignore[union-attr]  # a class of requests
                for name in each.metadata[EXCEPT]:
                    del shared[name]
                rows |= shared
            else:
                rows[each.name] = Option(
                    name=each.name, kind=each.type, default=each.default, **each.metadata
                )
        return rows

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Return the request that flat params make."""
        names = {each.name for each in fields(cls)}
        own = {name: value for name, value in params.items() if name in names}
        for each in fields(cls):
            if EXCEPT in each.metadata:
                shared = {name: value for name, value in params.items() if name not in names}
                own[each.name] = each.type.from_params(shared)  # type: ignore[union-attr]  # there
        return cls(**own)

    @classmethod
    def from_texts(cls, params: Mapping[str, str]) -> Self:
        """Return the request that the params of a run tell; what they lack is at its default."""
        values = {
            name: _READ[option.kind](params[name]) if name in params else option.default
            for name, option in cls.options().items()
        }
        return cls.from_params(values)

    def as_params(self) -> dict[str, Any]:
        """Return the request as flat params, keyed as on the command line."""
        params: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            params |= value.as_params() if isinstance(value, Request) else {each.name: value}
        return {name: params[name] for name in self.options()}

    def as_words(self, without: Collection[str] = ()) -> list[str]:
        """Return its options as a command line has them, each after its flag.

        Args:
            without: Options that are left out.
        """
        named = ((key, value) for key, value in self.as_params().items() if key not in without)
        return [word for key, value in named for word in (flag_of(key), str(value))]

    def shown_params(self) -> dict[str, Any]:
        """Return them as a run shows them: without the storage's credentials, and without `again`.

        A study that is run again is the same study.
        """
        shown = {key: value for key, value in self.as_params().items() if key != "again"}
        if "storage" in shown:
            shown["storage"] = without_credentials(shown["storage"])
        return shown

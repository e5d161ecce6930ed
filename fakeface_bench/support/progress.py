"""How long work reports how far it is, without knowing who watches."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

#: Called with the number of units done since the last call.
Advance = Callable[[int], None]


@runtime_checkable
class ShowsDetail(Protocol):
    """An `Advance` of a stage that is shown with a few words beside it."""

    def detail(self, words: str) -> None:
        """Show these words from now on, in place of earlier ones."""
        ...


def show_detail(advance: Advance, words: str) -> None:
    """Let a few words stand beside a stage, where whoever shows it has a place for them."""
    if isinstance(advance, ShowsDetail):
        advance.detail(words)


class Progress(Protocol):
    """Somebody who is told how far a long job is: a terminal, a log, a test."""

    def stage(self, title: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Open a stage of `total` units (`images`, `trials`); the value advances it."""
        ...

    def say(self, line: str) -> None:
        """Tell one plain line."""
        ...

    def warn(self, line: str) -> None:
        """Tell one line that a reader of the results must not miss."""
        ...

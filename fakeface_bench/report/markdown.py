"""Markdown in which names and paths from outside stay what they are: text."""

import re
from collections.abc import Iterable, Sequence

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "://": "&#58;//"}
#: An underscore within a word is no markup, and reads better bare in the raw file.
_MARKUP = re.compile(r"://|[&<>]|[\\`*\[\]|~#!$]|(?<![^\W_])_|_(?![^\W_])")


def escaped(text: str) -> str:
    """Return text on one line that shows as written: no markup, HTML, link or table cell."""
    on_one_line = " ".join(text.split())
    return _MARKUP.sub(lambda match: _ENTITIES.get(match[0], "\\" + match[0]), on_one_line)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table, escaping every cell; columns after the first are right-aligned."""
    lines = [_line(header), _line(["---"] + ["---:"] * (len(header) - 1), escape=False)]
    return "\n".join([*lines, *(_line(row) for row in rows)])


def _line(cells: Sequence[str], escape: bool = True) -> str:
    return f"| {' | '.join(escaped(cell) if escape else cell for cell in cells)} |"

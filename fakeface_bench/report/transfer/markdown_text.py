"""A verdict, tables and sentences as markdown, short enough for a run's description."""

from collections.abc import Mapping, Sequence

from fakeface_bench.report.comparison.markdown_text import MOST_CHARACTERS
from fakeface_bench.report.comparison.verdict import Verdict
from fakeface_bench.report.markdown import escaped, table
from fakeface_bench.report.transfer.rows import Table
from fakeface_bench.report.wording import prose

#: How many rows and sentences each list may have, tried in turn until the text is short enough.
_CUTS = (64, 40, 25, 16, 10, 7, 5, 3, 2, 1)


def description(
    verdict: Verdict,
    tables: Mapping[str, Table],
    sentences: Mapping[str, Sequence[str]],
    file: str,
) -> str:
    """Return headline, paragraph, tables and lists of sentences; names escaped.

    MLflow shows 5,000 characters of a description: lists are cut alike so that all of it stays
    below, and a line says where the rest is.

    Args:
        verdict: Comes first.
        tables: By title.
        sentences: By title; empty lists are left out.
        file: Holds every row.
    """
    texts = (_cut(verdict, tables, sentences, file, most) for most in _CUTS)
    return next((text for text in texts if len(text) < MOST_CHARACTERS), _shortest(verdict))


def _cut(
    verdict: Verdict,
    tables: Mapping[str, Table],
    sentences: Mapping[str, Sequence[str]],
    file: str,
    most: int,
) -> str:
    parts = [f"**{escaped(verdict.headline)}.**", escaped(verdict.paragraph)]
    for title, (header, rows) in tables.items():
        parts += [f"### {title}", table(header, rows[:most]), *_more(len(rows) - most, file)]
    for title, lines in sentences.items():
        if lines:
            told = "\n".join(f"- {escaped(line)}" for line in lines[:most])
            parts += [f"### {title}", told, *_more(len(lines) - most, "report.html")]
    return "\n\n".join(parts) + "\n"


def _shortest(verdict: Verdict) -> str:
    text = escaped(verdict.paragraph)
    return f"{prose(text, MOST_CHARACTERS - 100)}\n\nThe rest is in report.html.\n"


def _more(number: int, file: str) -> list[str]:
    return [f"{number} more in {file}."] if number > 0 else []

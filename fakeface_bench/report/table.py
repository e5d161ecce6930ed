"""A table, told once: its columns, and how it reads as text, Markdown, a page and CSV."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, Self

import pandas as pd

from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import LeftOut
from fakeface_bench.report.format import (
    UNKNOWN,
    duration,
    escaped,
    named,
    prose,
    sentence_end,
    with_interval,
)
from fakeface_bench.support.text import elided, visible


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of value is written.

    Attributes:
        text: On pages, in Markdown, on a terminal.
        csv: In full precision: what is added to the column's key, and the value there.
        align: On a page: `number` to the right, `long` may break anywhere, or neither.
    """

    text: Callable[[Any], str]
    csv: Mapping[str, Callable[[Any], Any]]
    align: str = "number"


def _known(write: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: UNKNOWN if value is None else write(value)


def _part_of(part: str) -> Callable[[Estimate | None], float | None]:
    return lambda estimate: None if estimate is None else getattr(estimate, part)


_AS_IS: Mapping[str, Callable[[Any], Any]] = {"": lambda value: value}
_ENDS = {"": "value", "_low_95": "low", "_high_95": "high"}

WORDS = Format(str, _AS_IS, "")
NAME = Format(named, {"": visible}, "")
LONG = Format(lambda name: elided(name) or UNKNOWN, {"": visible}, "long")
FIGURE = Format(str, _AS_IS)
COUNT = Format(_known("{:,}".format), _AS_IS)
SCORE = Format(_known("{:.3f}".format), _AS_IS)
TIME = Format(_known(lambda seconds: duration(seconds, short=True)), _AS_IS)
ESTIMATE = Format(with_interval, {end: _part_of(part) for end, part in _ENDS.items()})


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        key: Its name in CSV, and to pick it by.
        heading: As a terminal shows it; a page writes it large. Empty where only CSV has it.
        of: Its value of a record: a path of attributes, which is the key where it is empty.
        format: How the value is written.
        in_csv: Whether it is written there.
        is_name: Whether the heading is somebody's name, which stays as it is.
    """

    key: str
    heading: str
    of: str | Callable[[Any], Any] = ""
    format: Format = WORDS
    in_csv: bool = True
    is_name: bool = False

    def value(self, record: Any) -> Any:
        """Return what stands here of a record."""
        return self.of(record) if callable(self.of) else attrgetter(self.of or self.key)(record)

    @property
    def head(self) -> str:
        """The heading on a page; it breaks within no metric."""
        name = self.heading
        if not self.is_name and not name.startswith("p,") and name != "p":
            name = name[0].upper() + name[1:]
        return name.replace("To 0", unbroken("To 0")).replace("(95 %)", unbroken("(95 %)"))


def only_csv(key: str, of: str | Callable[[Any], Any] = "", format: Format = WORDS) -> Column:
    """Return a column that no text shows."""
    return Column(key, "", of, format)


def only_text(
    key: str, heading: str, of: str | Callable[[Any], Any], format: Format = FIGURE
) -> Column:
    """Return a column that CSV lacks."""
    return Column(key, heading, of, format, in_csv=False)


def at(path: str, key: str) -> Callable[[Any], Any]:
    """Return what takes a record's value by key, None where it is missing."""
    return lambda record: attrgetter(path)(record).get(key)


def unbroken(text: str) -> str:
    """Return text that stays on one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _tied(cell: str) -> str:
    """Let an estimate break before its bracket alone, and counts between the classes."""
    value, bracket, rest = cell.partition(" (")
    if bracket:
        return unbroken(value) + bracket + unbroken(rest)
    return ", ".join(unbroken(part) for part in cell.split(", "))


@dataclass(frozen=True, slots=True)
class Table:
    """Columns over records.

    Attributes:
        columns: From left to right.
        records: A row each.
        title: Above it on a page; may be empty where `name` says what it is.
        note: Below it, or in place of an empty one.
        name: What it is, for those who cannot see it, where it has no title.
        marked: Which rows stand out.
    """

    columns: tuple[Column, ...]
    records: Sequence[Any]
    title: str = ""
    note: str = ""
    name: str = ""
    marked: frozenset[int] = frozenset()

    @classmethod
    def of(
        cls, header: Sequence[str], rows: Iterable[Sequence[str]], *formats: Format, **more: Any
    ) -> Self:
        """Return a table of text; without formats, columns after the first hold figures."""
        formats = formats or (WORDS, *(FIGURE for _ in header[1:]))
        columns = (
            Column(name, name, itemgetter(n), written)
            for n, (name, written) in enumerate(zip(header, formats, strict=True))
        )
        return cls(tuple(columns), list(rows), **more)

    def pick(self, *keys: str, **changes: Any) -> Self:
        """Return some columns in this order, and perhaps another title or note."""
        by_key = {column.key: column for column in self.columns}
        return replace(self, columns=tuple(by_key[key] for key in keys), **changes)

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns that text has."""
        return tuple(column for column in self.columns if column.heading)

    @property
    def header(self) -> tuple[str, ...]:
        """Their headings."""
        return tuple(column.heading for column in self.shown)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Cells as text: visible, but not escaped."""
        return [
            tuple(c.format.text(c.value(record)) for c in self.shown) for record in self.records
        ]

    @property
    def page_rows(self) -> list[list[tuple[str, str]]]:
        """Cells as a page shows them, each with its class there."""
        aligned = [column.format.align for column in self.shown]
        other = "short" if "long" in aligned else ""
        return [
            [
                (_tied(cell) if align == "number" else cell, align or other)
                for cell, align in zip(row, aligned, strict=True)
            ]
            for row in self.rows
        ]

    @property
    def is_narrow(self) -> bool:
        """Whether all but one column hold figures."""
        return [column.format.align == "number" for column in self.shown].count(False) == 1

    def markdown(self, most: int | None = None) -> str:
        """Lay out at most so many rows, every cell escaped."""
        cells = [[escaped(cell) for cell in row] for row in (self.header, *self.rows[:most])]
        rule = ["---:" if c.format.align == "number" else "---" for c in self.shown]
        return "\n".join(f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:]))

    def cut(self, most: int, file: str) -> list[str]:
        """Return at most so many rows in Markdown, and which file has the rest."""
        return [self.markdown(most), *more(len(self.records) - most, file)]

    def frame(self) -> pd.DataFrame:
        """Return the columns of the CSV; what is not known is missing."""
        parts = [
            (f"{c.key}{end}", c.value, value)
            for c in self.columns
            if c.in_csv
            for end, value in c.format.csv.items()
        ]
        rows = [{key: value(of(record)) for key, of, value in parts} for record in self.records]
        return pd.DataFrame(rows, columns=[key for key, _, _ in parts])


def more(number: int, file: str) -> list[str]:
    """Say how many are left out, and where they are; nothing where none is."""
    return [f"{number:,} more in {file}."] if number > 0 else []


#: MLflow shows this much of a description.
MOST_CHARACTERS = 5000


def fitting(write: Callable[[int], str], cuts: Sequence[int], paragraph: str) -> str:
    """Return a description that MLflow shows whole: lists are cut alike until it is.

    Args:
        write: Returns the text with lists of at most so many rows.
        cuts: What is tried in turn.
        paragraph: Stands alone where names are so long that nothing else fits.
    """
    shortest = (
        f"{prose(escaped(paragraph), MOST_CHARACTERS - 100)}\n\nThe rest is in report.html.\n"
    )
    texts = (write(most) for most in cuts)
    return next((text for text in texts if len(text) < MOST_CHARACTERS), shortest)


def left_out_table(
    left_out: Sequence[LeftOut],
    name: str,
    empty: str = "",
    written: Callable[[str], str] = elided,
) -> Table:
    """Return the studies that are not among the others, and why; `empty` where there is none."""
    columns = (
        Column("study", "study", "name", replace(LONG, text=written)),
        Column("why", "why", _reason, replace(LONG, text=str)),
        Column("run", "run", "run_id", LONG),
    )
    return Table(columns, left_out, note="" if left_out else empty, name=name)


def _reason(out: LeftOut) -> str:
    return sentence_end(prose(out.reason, 300))


def write_csv(table: Table | pd.DataFrame, path: Path) -> None:
    """Write a table in full precision."""
    frame = table.frame() if isinstance(table, Table) else table
    frame.to_csv(path, index=False, lineterminator="\n")

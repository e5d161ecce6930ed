"""Predictions as text, row by row, to standard output or a file that appears whole."""

import csv
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, fields
from io import TextIOWrapper
from pathlib import Path
from typing import IO
from uuid import uuid4

from fakeface_bench.cli.console import ConsoleProgress
from fakeface_bench.records.explanation import Prediction
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.progress import Advance
from fakeface_bench.support.text import visible


@contextmanager
def rows_stream(name: str) -> Iterator[IO[str]]:
    """Yield a stream of UTF-8 text; opening it tells whether it can be written at all.

    A file is written beside itself and moved to its place when the block ends well; a block that
    raises leaves what was there before.

    Args:
        name: Of the file; standard output when empty.

    Raises:
        UsageError: If the file cannot be written.
    """
    if not name:
        yield _standard_output()
        return
    try:
        target = Path(name).expanduser().resolve()
        draft = _draft_of(target)
        stream = open(draft, "w", encoding="utf-8", newline="")
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"output {name!r} cannot be written: {_reason(error)}.") from error
    try:
        with stream:
            yield stream
        if draft != target:
            os.replace(draft, target)
    except BaseException:
        if draft != target:
            draft.unlink(missing_ok=True)
        raise


def abandon_standard_output() -> None:
    """Let nothing more be written to a pipe that nobody reads, not even at the process's end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _standard_output() -> IO[str]:
    """Return it as it is now: a progress bar that begins later takes its name over."""
    stream = sys.stdout
    if isinstance(stream, TextIOWrapper) and not stream.isatty():
        stream.reconfigure(encoding="utf-8", line_buffering=True)  # whoever reads may be waiting
    return stream


def _draft_of(target: Path) -> Path:
    """Return where to write first: beside the file, but a device or pipe itself."""
    if target.is_dir():
        raise IsADirectoryError("it is a folder; name a file")
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        return target
    return target.with_name(f".draft-{uuid4().hex[:8]}")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


COLUMNS = tuple(field.name for field in fields(Prediction))
#: Longer paths push their own row's other columns to the right.
_WIDEST_PATH = 100
#: What a table takes beside the paths, with the id of a model; and a narrow one, a space left over.
_BESIDE_PATH = 85
_NARROW_BESIDE_PATH = 26

#: Writes one row; every row is a line of its own.
WriteRow = Callable[[Prediction], object]


class RowsAsProgress(ConsoleProgress):
    """For rows that scroll by on a terminal: they are progress enough, a bar would break them."""

    @contextmanager
    def stage(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        """Show nothing."""
        yield lambda units: None


def row_writer(form: str, stream: IO[str], longest_path: int, width: int = 0) -> WriteRow:
    """Return what writes rows, and the columns' names before the first.

    Args:
        form: One of `config.PREDICTION_FORMS`.
        stream: Written to as the rows come.
        longest_path: Characters of the longest path; a table's first column has as many.
        width: Of the terminal that shows them; a table that is wider leaves out what all rows
            share. 0 where there is none.
    """
    if form == "csv":
        return _csv_rows(stream)
    if form == "jsonl":
        return _json_rows(stream)
    path_width = min(longest_path, _WIDEST_PATH)
    if width and path_width + _BESIDE_PATH > width:
        return _narrow_rows(stream, min(path_width, width - _NARROW_BESIDE_PATH))
    return _table_rows(stream, path_width)


def _csv_rows(stream: IO[str]) -> WriteRow:
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(COLUMNS)
    return lambda row: rows.writerow(astuple(row))


def _json_rows(stream: IO[str]) -> WriteRow:
    def write(row: Prediction) -> None:
        stream.write(f"{json.dumps(asdict(row), ensure_ascii=False, allow_nan=False)}\n")

    return write


def _table_rows(stream: IO[str], path_width: int) -> WriteRow:
    """Align columns without waiting for rows: one call's differ in nothing but path and reason."""
    widths: list[int] = []

    def write(*cells: str) -> None:
        padded = (f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
        stream.write(f"{'  '.join(padded).rstrip()}\n")

    def write_row(row: Prediction) -> None:
        if not widths:
            known = (path_width, 0, 0, 0, len(row.model_version), 0)
            widths.extend(map(max, known, map(len, COLUMNS)))
            write(*COLUMNS)
        score = "" if row.probability_fake is None else f"{row.probability_fake:.4f}"
        told = (row.path, row.label or "", score, f"{row.threshold:.4f}", row.model_version)
        write(*map(visible, (*told, row.error or "")))

    return write_row


def _narrow_rows(stream: IO[str], path_width: int) -> WriteRow:
    """Tell model and threshold once, and of each path its end, which tells files apart."""
    begun = False

    def write_row(row: Prediction) -> None:
        nonlocal begun
        if not begun:
            stream.write(f"model {visible(row.model_version)}, threshold {row.threshold:.4f}\n")
            stream.write(f"{'path':{path_width}}  label  {COLUMNS[2]}\n")
            begun = True
        path = visible(row.path)
        shown = path if len(path) <= path_width else f"…{path[1 - path_width :]}"
        if row.probability_fake is None:
            stream.write(f"{shown:{path_width}}  {visible(row.error or '')}\n")
        else:
            stream.write(f"{shown:{path_width}}  {row.label:5}  {row.probability_fake:.4f}\n")

    return write_row

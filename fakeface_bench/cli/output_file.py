"""Where a command writes its rows: standard output, or a file that appears whole or not at all."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO
from uuid import uuid4

from fakeface_bench.errors import UsageError


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

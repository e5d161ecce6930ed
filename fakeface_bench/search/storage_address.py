"""Checks the address of a study's database, and whether a SQLite file is damaged."""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.text import without_credentials

#: How long another process's transaction is waited for.
LOCKED_SECONDS = 60.0


def damage_of(file: Path) -> str:
    """Return what is wrong with a SQLite file; empty if nothing is, or if there is no such file.

    An empty file is one that a copy began: SQLite takes it for a new database. What only keeps it
    from being read, a lock or a missing right, is no damage: opening it fails then.
    """
    if not file.exists():
        return ""
    if not file.stat().st_size:
        return "it is empty"
    address = f"{file.absolute().as_uri()}?mode=rw"  # else it is made where it has gone meanwhile
    try:
        with closing(sqlite3.connect(address, LOCKED_SECONDS, uri=True)) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN")  # nobody else writes before the two looks are done
            return _damage(connection, file)
    except sqlite3.OperationalError:
        return ""
    except sqlite3.DatabaseError as error:
        return str(error)


def _damage(connection: sqlite3.Connection, file: Path) -> str:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        return str(found).splitlines()[-1]
    (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    ((pages,), (page_bytes,)) = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
    )
    there, needed = file.stat().st_size, max(pages, 1) * page_bytes
    if journal != "wal" and there < needed:  # SQLite reads the end of a last page as zeros
        return f"it has {there:,} of {needed:,} bytes"
    return ""


SQLITE = "sqlite"
POSTGRESQL = "postgresql"
_KINDS = (SQLITE, POSTGRESQL)
_FORMS = "'sqlite:///FILE' or 'postgresql://HOST/NAME'"
_SCHEME = re.compile(r"[A-Za-z][\w.-]*(?:\+\w+)?://")
#: Suffixes of files that Optuna keeps in another way.
_JOURNALS = (".log", ".journal", ".jsonl")


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for any other database."""
    parsed = make_url(url)
    if parsed.get_backend_name() != SQLITE or not parsed.database:
        return None
    return Path(parsed.database).resolve()


def engine_options(url: str) -> dict[str, Any]:
    """Return how SQLAlchemy is to open a database."""
    if make_url(url).get_backend_name() == SQLITE:
        return {"connect_args": {"timeout": LOCKED_SECONDS}}
    return {"pool_pre_ping": True}  # a connection may date from before a restart


def check_storage(url: str) -> None:
    """Refuse what no study can be kept in; nothing is opened, and the default passes."""
    if not url:
        return
    shown = without_credentials(url)
    if not _SCHEME.match(url):
        raise UsageError(_path_advice(shown))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UsageError(f"storage {shown!r} cannot be read as a URL; it is {_FORMS}.") from error
    _check_kind(parsed.drivername.partition("+")[0], shown)
    if parsed.get_backend_name() == SQLITE:
        _check_file(parsed, shown)
    elif not parsed.database:
        raise UsageError(f"storage {shown!r} names no database; it is 'postgresql://HOST/NAME'.")


def _check_kind(kind: str, shown: str) -> None:
    """Refuse databases on which several processes cannot agree."""
    if kind in _KINDS:
        return
    hint = kind_hint(kind, _KINDS, shown, _FORMS)
    raise UsageError(f"storage {shown!r} is of kind {kind!r}, which holds no study; {hint}")


def kind_hint(kind: str, known: Sequence[str], shown: str, forms: str) -> str:
    """Suggest the known kind of database that a URL's kind resembles, else the usual forms."""
    near = get_close_matches(kind, known, n=1, cutoff=0.7)
    return f"did you mean '{near[0]}{shown[len(kind) :]}'?" if near else f"it is {forms}."


def _check_file(parsed: URL, shown: str) -> None:
    name = parsed.database or ""
    if parsed.host or name in ("", ":memory:"):
        asked = "/".join(filter(None, (parsed.host, name)))
        meant = "fakeface_studies.db" if asked in ("", ":memory:") else asked
        raise UsageError(
            f"storage {shown!r} names no file, so no study could be gone on with; did you mean "
            f"'sqlite:///{meant}'?"
        )
    check_database_file(f"storage {shown!r}", Path(name), "fakeface_studies.db")


def check_database_file(named: str, file: Path, example: str) -> None:
    """Refuse a SQLite file in a folder that is not there, and a folder in its place."""
    folder = file.resolve().parent
    if not folder.is_dir():
        raise UsageError(
            f"{named} lies in {folder}, which is no folder; make it, or name a file in another."
        )
    if file.is_dir():
        raise UsageError(
            f"{named} is a folder; name a file in it, such as 'sqlite:///{file / example}'."
        )


def _path_advice(shown: str) -> str:
    if Path(shown).suffix in _JOURNALS:
        meant = Path(shown).with_suffix(".db")
        return (
            f"storage {shown!r} is a journal file, which Optuna keeps and this project does not; a "
            f"study is kept in a database, such as 'sqlite:///{meant}'."
        )
    return f"storage {shown!r} is no URL of a database; did you mean 'sqlite:///{shown}'?"

"""Whether a SQLite file is whole, before anything trusts it."""

import sqlite3
from contextlib import closing
from pathlib import Path

#: How long another process's transaction is waited for.
LOCKED_SECONDS = 60.0


def damage_of(file: Path) -> str:
    """Return what is wrong with a SQLite file; empty if nothing is, or if there is no such file.

    An empty file is one that a copy began: SQLite takes it for a new database. What only keeps it
    from being read, a lock or a missing right, is no damage, and met by whoever opens it.
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

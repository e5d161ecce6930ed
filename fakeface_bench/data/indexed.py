"""Files of an indexed dataset, which must still hold what they held when it was indexed."""

import hashlib
from pathlib import Path

from fakeface_bench.errors import DataError


class ChangedError(DataError):
    """A file that is not the one that was indexed."""


def indexed_bytes(path: Path, digest: str) -> bytes:
    """Read a file.

    Args:
        path: Of the file.
        digest: SHA-256 of its content in the index, as hexadecimal text; empty where any content
            will do.

    Raises:
        ChangedError: If it holds something else; the message names it.
        DataError: If it cannot be read; the message does not name it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror or error}") from error
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise ChangedError(
            f"{path} has changed since the dataset was indexed; run again to index it anew."
        )
    return content

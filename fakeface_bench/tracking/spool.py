"""The folder that keeps what MLflow's server did not take, until it does."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fakeface_bench.folders import SMALL_FILE_BYTES, bytes_of, full_disk_told, replaced_whole

_ENTRIES = "entries.jsonl"
_SENT = "sent.json"
_FACTS = "facts.json"
_FILES = "files"
_LOCK = ".lock"
#: What to do where there is no room for it, besides making some.
REMEDY = "or bring MLflow's server back, which takes it"


class Spool:
    """One run's entries, in their order, with the files that go with them.

    A process that writes or sends them holds its lock, which no dead one does.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: FileLock | None = None
        self._kept = 0

    def take(self) -> bool:
        """Lock it; return whether no other process has."""
        if self._lock is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / _LOCK, timeout=0)
            try:
                lock.acquire()
            except Timeout:
                return False
            self._lock = lock
            self._kept = len(self._lines())
        return True

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Write down what it is of."""
        (self.folder / _FACTS).write_text(json.dumps(dict(facts)))

    def facts(self) -> dict[str, Any]:
        """Return what it is of."""
        return dict(json.loads((self.folder / _FACTS).read_text()))

    def keep(self, entry: Mapping[str, Any], files: Path | None) -> None:
        """Add an entry; its files are copied first, so that none is there without them.

        Raises:
            DiskError: If there is no room for it; nothing of it stays.
        """
        line = (json.dumps(dict(entry)) + "\n").encode()
        entries, copies = self.folder / _ENTRIES, self._files(self._kept)
        whole = entries.stat().st_size if entries.exists() else 0
        with full_disk_told(self.folder, lambda: len(line) + bytes_of(files), REMEDY):
            try:
                if files is not None:
                    shutil.copytree(files, copies, dirs_exist_ok=True)
                with open(entries, "ab") as lines:
                    lines.write(line)
                    lines.flush()
                    os.fsync(lines.fileno())
            except OSError:
                shutil.rmtree(copies, ignore_errors=True)
                if entries.exists():
                    os.truncate(entries, whole)  # else the next line would go on with this one
                raise
        self._kept += 1

    def unsent(self) -> Iterator[tuple[int, dict[str, Any], Path]]:
        """Yield number, entry and folder of files of what is still to be sent."""
        sent, _ = self._sent()
        for number, line in enumerate(self._lines()):
            if number >= sent:
                yield number, json.loads(line), self._files(number)

    def ids(self) -> dict[str, str]:
        """Return the ids of MLflow that were given to names of entries."""
        return self._sent()[1]

    def mark_sent(self, count: int, ids: Mapping[str, str]) -> None:
        """Write down that the first entries are sent, and which ids are known since.

        Raises:
            DiskError: If there is no room for it.
        """
        draft = self.folder / f"{_SENT}.draft"
        told = full_disk_told(self.folder, lambda: SMALL_FILE_BYTES, REMEDY)
        with told, replaced_whole(self.folder / _SENT, draft):
            draft.write_text(json.dumps({"count": count, "ids": dict(ids)}))

    def __len__(self) -> int:
        """Return how many entries are still to be sent."""
        return len(list(self.unsent()))

    def release(self) -> None:
        """Unlock it for whoever sends it; what is sent whole is deleted."""
        if self._lock is None:
            return
        if not len(self):
            shutil.rmtree(self.folder)
            parent = self.folder.parent
            if not any(parent.iterdir()):
                parent.rmdir()
        self._lock.release()
        self._lock = None

    def _files(self, number: int) -> Path:
        return self.folder / _FILES / f"{number:06d}"

    def _lines(self) -> list[str]:
        """Return the whole lines: a process may have been killed while it wrote the last."""
        file = self.folder / _ENTRIES
        if not file.exists():
            return []
        text = file.read_text(encoding="utf-8")
        return text[: text.rfind("\n") + 1].splitlines()

    def _sent(self) -> tuple[int, dict[str, str]]:
        file = self.folder / _SENT
        if not file.exists():
            return 0, {}
        sent = json.loads(file.read_text())
        return int(sent["count"]), dict(sent["ids"])

"""What a draft's rows were when they were written, so that a later process can go on with them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Shard:
    """Some rows that were written one after another: a line of the journal.

    Attributes:
        rows: Their numbers, in the order in which they were written.
        sha256: Of the values of each array.
        seconds: That making them took.
        steady_rows: Those of them that came after the process's first batch, which may have
            compiled a graph.
        steady_seconds: That these took.
    """

    rows: list[int]
    sha256: Mapping[str, str]
    seconds: float
    steady_rows: int
    steady_seconds: float


def note_shard(file: Path, shard: Shard) -> None:
    """Append a shard to a journal.

    The break comes before the line, since the one before may have been cut short.
    """
    with open(file, "a") as journal:
        journal.write(f"\n{json.dumps(asdict(shard))}")


def noted_shards(file: Path, count: int, names: set[str]) -> Iterator[Shard]:
    """Yield the shards of a journal, the last first; lines cut short or rotten are left out.

    Args:
        file: Need not be there.
        count: Rows of each array.
        names: Of the arrays.
    """
    lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    for line in reversed(lines):
        try:
            shard = Shard(**json.loads(line))
            fits = 0 <= min(shard.rows) <= max(shard.rows) < count and set(shard.sha256) == names
        except (ValueError, TypeError):
            fits = False
        if fits:
            yield shard


def speed_of(shards: list[Shard]) -> dict[str, float]:
    """Return `seconds_per_image`, and on how many it was timed: `timed_images`; empty for none."""
    images = sum(len(shard.rows) for shard in shards)
    if not images:
        return {}
    steady = sum(shard.steady_rows for shard in shards)
    seconds = sum(shard.steady_seconds if steady else shard.seconds for shard in shards)
    return {"seconds_per_image": seconds / (steady or images), "timed_images": images}

"""The longest that work on a dataset has taken here: what it is charged where its result is kept.

Much of the work is remembered file by file, so that no single run can be named that did it all.
"""

import json
from pathlib import Path

from fakeface_bench.folders import SMALL_FILE_BYTES, cache_folder, locked, replaced_whole, room_for


def longest_effort(digest: str, seconds: float) -> float:
    """Remember how long work on a dataset took now; return the longest it ever has.

    Args:
        digest: Of the dataset's contents and labels.
        seconds: Spent now.
    """
    file = cache_folder("efforts") / f"{digest}.json"
    if seconds > _kept(file):  # so that a cache that is only read from need not be written
        with locked(file.with_suffix(".lock")), room_for(file.parent, SMALL_FILE_BYTES):
            if seconds > _kept(file):
                draft = file.with_suffix(".draft")
                with replaced_whole(file, draft):
                    draft.write_text(json.dumps({"seconds": seconds}))
    return max(seconds, _kept(file))


def _kept(file: Path) -> float:
    try:
        return float(json.loads(file.read_text())["seconds"])
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or broken: it is made anew
        return 0.0

"""The longest that work on a dataset has taken here: what it is charged where its result is kept.

Much of the work is remembered file by file, so that no single run can be named that did it all.
"""

import json
import os

from filelock import FileLock

from fakeface_bench.folders import cache_folder


def longest_effort(digest: str, seconds: float) -> float:
    """Remember how long work on a dataset took now; return the longest it ever has.

    Args:
        digest: Of the dataset's contents and labels.
        seconds: Spent now.
    """
    file = cache_folder("efforts") / f"{digest}.json"
    with FileLock(file.with_suffix(".lock")):
        kept = json.loads(file.read_text())["seconds"] if file.exists() else 0.0
        if seconds > kept:
            draft = file.with_suffix(".draft")
            draft.write_text(json.dumps({"seconds": seconds}))
            os.replace(draft, file)
    return max(seconds, float(kept))

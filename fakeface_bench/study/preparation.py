"""A dataset prepared for any job, and what a study is charged for that where it was done before.

That is the longest it ever took: much of the work is remembered file by file, so that no single run
did it all.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fakeface_bench.data.audit import Audit, make_audit
from fakeface_bench.data.index import ImageIndex, build_index
from fakeface_bench.data.selection import select_files
from fakeface_bench.data.sources import prepare_sources
from fakeface_bench.data.survey import Survey, survey_sources
from fakeface_bench.evaluation.shortcut import shortcut_floors
from fakeface_bench.records.ledger import StageCost
from fakeface_bench.support.disk import (
    SMALL_FILE_BYTES,
    cache_folder,
    locked,
    replaced_whole,
    room_for,
)
from fakeface_bench.support.progress import Progress


def longest_effort(digest: str, seconds: float) -> float:
    """Remember how long work on a dataset took now; return the longest it ever has."""
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
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or broken: it is made again
        return 0.0


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """A dataset before anything is trained on it; `files` says which are used."""

    survey: Survey
    files: pd.DataFrame
    audit: Audit
    cost: StageCost

    def index(self, limit: int, progress: Progress, left_out: Sequence[str] = ()) -> ImageIndex:
        """Return the images that a study uses, without those of sources and tiers left out."""
        return build_index(self.survey, self.files, limit, progress, left_out)


def prepare_dataset(data: str, seed: int, progress: Progress, classes: str = "") -> PreparedDataset:
    """Prepare a dataset; files that have not changed are charged, but not read again."""
    started = time.perf_counter()
    survey = survey_sources(prepare_sources(data, progress, classes), progress)
    files = select_files(survey, seed)
    audit = make_audit(survey, files, shortcut_floors(files))
    spent = time.perf_counter() - started
    amortised = longest_effort(audit.digest, spent) - spent
    return PreparedDataset(
        survey, files, audit, StageCost("preparation", spent, amortised, len(survey.files))
    )

"""A dataset prepared for any job, and what a study is charged for that where it was done before.

That is the median of the times that it was done as a whole: much of the work is remembered file by
file, so that most runs do little of it.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

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

#: Measurements of one dataset that are remembered, the newest.
_MOST_KEPT = 25


def usual_effort(digest: str, seconds: float, whole: bool) -> float:
    """Return what preparing a dataset usually takes: the median of what it took as a whole.

    Where it was never done as a whole, the longest of its parts; never less than now.

    Args:
        seconds: That it took now.
        whole: Whether every file was read for it; of files remembered it tells nothing.
    """
    file = cache_folder("efforts") / f"{digest}.json"
    kept = _kept(file)
    if whole or (not kept.whole and seconds > kept.longest):
        # else nothing is learnt, and a cache that is only read from need not be written
        with locked(file.with_suffix(".lock")), room_for(file.parent, SMALL_FILE_BYTES):
            kept = _kept(file)
            measured = (*kept.whole, seconds)[-_MOST_KEPT:] if whole else kept.whole
            kept = _Efforts(measured, max(kept.longest, seconds))
            draft = file.with_suffix(".draft")
            with replaced_whole(file, draft):
                draft.write_text(json.dumps({"whole": measured, "seconds": kept.longest}))
    return max(seconds, median(kept.whole) if kept.whole else kept.longest)


@dataclass(frozen=True, slots=True)
class _Efforts:
    """What preparing a dataset took: each time as a whole, and at most in any run."""

    whole: tuple[float, ...] = ()
    longest: float = 0.0


def _kept(file: Path) -> _Efforts:
    try:
        content = json.loads(file.read_text())
        whole = tuple(float(seconds) for seconds in content.get("whole", ()))
        return _Efforts(whole, float(content["seconds"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none yet, or broken
        return _Efforts()


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """A dataset before anything is trained on it; `files` says which are used."""

    survey: Survey
    files: pd.DataFrame
    audit: Audit
    cost: StageCost

    def index(self, limit: int, progress: Progress, left_out: Sequence[str] = ()) -> ImageIndex:
        """Return the images that a study uses, without those of what is left out."""
        return build_index(self.survey, self.files, limit, progress, left_out)


def prepare_dataset(data: str, seed: int, progress: Progress, classes: str = "") -> PreparedDataset:
    """Prepare a dataset; files that have not changed are charged, but not read again."""
    started = time.perf_counter()
    survey = survey_sources(prepare_sources(data, progress, classes), progress)
    files = select_files(survey, seed)
    audit = make_audit(survey, files, shortcut_floors(files))
    spent = time.perf_counter() - started
    whole = survey.read_now >= len(survey.files)
    amortised = usual_effort(audit.digest, spent, whole) - spent
    return PreparedDataset(
        survey, files, audit, StageCost("preparation", spent, amortised, len(survey.files))
    )

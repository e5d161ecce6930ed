"""What a study learned, as frozen records that travel up through the layers and into MLflow."""

from fakeface_bench.records.fits import EpochRecord, FitRecord, last_stage
from fakeface_bench.records.scores import (
    TIER_PART,
    FloatArray,
    LabelArray,
    ScoredSplit,
    part_members,
)
from fakeface_bench.records.search import SearchRecord, TrialRecord
from fakeface_bench.records.shortcut import ShortcutFloor
from fakeface_bench.records.study import CostRecord, StudyRecord, WeightsRecord

__all__ = [
    "TIER_PART",
    "CostRecord",
    "EpochRecord",
    "FitRecord",
    "FloatArray",
    "LabelArray",
    "ScoredSplit",
    "SearchRecord",
    "ShortcutFloor",
    "StudyRecord",
    "TrialRecord",
    "WeightsRecord",
    "last_stage",
    "part_members",
]

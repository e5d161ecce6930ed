"""What a study learned, as frozen records that travel up through the layers and into MLflow."""

from fakeface_bench.records.compared import ComparedStudy, LeftOut, SeedScores, StudyIdentity
from fakeface_bench.records.fits import EpochRecord, FitRecord, last_stage
from fakeface_bench.records.ledger import (
    STAGES,
    TARGETS,
    Ledger,
    StageCost,
    first_reached,
    target_key,
)
from fakeface_bench.records.scores import (
    TIER_PART,
    FloatArray,
    LabelArray,
    ScoredSplit,
    part_members,
)
from fakeface_bench.records.search import SearchRecord, TrialRecord
from fakeface_bench.records.shortcut import ShortcutFloor
from fakeface_bench.records.study import RepeatRecord, StudyRecord, WeightsRecord

__all__ = [
    "STAGES",
    "TARGETS",
    "TIER_PART",
    "ComparedStudy",
    "EpochRecord",
    "FitRecord",
    "FloatArray",
    "LabelArray",
    "Ledger",
    "LeftOut",
    "RepeatRecord",
    "ScoredSplit",
    "SearchRecord",
    "SeedScores",
    "ShortcutFloor",
    "StageCost",
    "StudyIdentity",
    "StudyRecord",
    "TrialRecord",
    "WeightsRecord",
    "first_reached",
    "last_stage",
    "part_members",
    "target_key",
]

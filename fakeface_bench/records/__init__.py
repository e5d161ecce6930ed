"""What a study learned, as frozen records that travel up through the layers and into MLflow."""

from fakeface_bench.records.compared import ComparedStudy, LeftOut, SeedScores, StudyIdentity
from fakeface_bench.records.explanation import (
    EXAMPLE_KINDS,
    SPECTRUM_GROUPS,
    ExplainedImage,
    Explanation,
    Spectrum,
)
from fakeface_bench.records.fits import EpochRecord, FitRecord, last_stage
from fakeface_bench.records.ledger import (
    STAGES,
    TARGETS,
    Ledger,
    StageCost,
    first_reached,
    target_key,
)
from fakeface_bench.records.origin import ModelOrigin
from fakeface_bench.records.registration import Finding, Registration
from fakeface_bench.records.scores import (
    ECE_BINS,
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
    "ECE_BINS",
    "EXAMPLE_KINDS",
    "SPECTRUM_GROUPS",
    "STAGES",
    "TARGETS",
    "TIER_PART",
    "ComparedStudy",
    "EpochRecord",
    "ExplainedImage",
    "Explanation",
    "Finding",
    "FitRecord",
    "FloatArray",
    "LabelArray",
    "Ledger",
    "LeftOut",
    "ModelOrigin",
    "Registration",
    "RepeatRecord",
    "ScoredSplit",
    "SearchRecord",
    "SeedScores",
    "ShortcutFloor",
    "Spectrum",
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

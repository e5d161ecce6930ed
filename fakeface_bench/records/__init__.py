"""What a study learned, as frozen records that travel up through the layers and into MLflow."""

from fakeface_bench.records.bias import Bias
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
from fakeface_bench.records.transfer import (
    FIGURES,
    Estimate,
    Generalisation,
    HoldOut,
    MixtureEffect,
    Overlap,
    SetScores,
    TrainedModel,
)

__all__ = [
    "ECE_BINS",
    "EXAMPLE_KINDS",
    "FIGURES",
    "SPECTRUM_GROUPS",
    "STAGES",
    "TARGETS",
    "TIER_PART",
    "Bias",
    "ComparedStudy",
    "EpochRecord",
    "Estimate",
    "ExplainedImage",
    "Explanation",
    "Finding",
    "FitRecord",
    "FloatArray",
    "Generalisation",
    "HoldOut",
    "LabelArray",
    "Ledger",
    "LeftOut",
    "MixtureEffect",
    "ModelOrigin",
    "Overlap",
    "Registration",
    "RepeatRecord",
    "ScoredSplit",
    "SearchRecord",
    "SeedScores",
    "SetScores",
    "ShortcutFloor",
    "Spectrum",
    "StageCost",
    "StudyIdentity",
    "StudyRecord",
    "TrainedModel",
    "TrialRecord",
    "WeightsRecord",
    "first_reached",
    "last_stage",
    "part_members",
    "target_key",
]

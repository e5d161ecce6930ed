"""The trials of a study, and which options mattered."""

from collections.abc import Mapping
from dataclasses import dataclass

from fakeface_bench.config import TrialConfig
from fakeface_bench.records.fits import EpochRecord


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial as the study's storage holds it.

    Attributes:
        uid: Unlike any other trial's, in this study and every other.
        number: Optuna's number of the trial.
        state: `complete`, `pruned` or `failed`.
        config: The options tried.
        value: Best validation ROC AUC; for a pruned trial the one it was stopped at.
        epochs: Epochs run.
        seconds: Wall time of the trial.
        finished_at: Unix time of its end, in seconds.
        reason: Why it failed; empty otherwise.
    """

    uid: str
    number: int
    state: str
    config: TrialConfig
    value: float | None
    epochs: tuple[EpochRecord, ...]
    seconds: float
    finished_at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """All trials of a study, and which options mattered.

    Attributes:
        trials: In order of their numbers.
        best: The complete trial with the highest validation ROC AUC.
        importances: Share of the variation in validation ROC AUC per option, adding up to 1;
            empty where too few trials tell.
    """

    trials: tuple[TrialRecord, ...]
    best: TrialRecord
    importances: Mapping[str, float]

"""What a study has found: its trials, the best one, and which options mattered."""

from collections.abc import Mapping, Sequence

import optuna
from optuna.trial import TrialState

from fakeface_bench.errors import StudyError
from fakeface_bench.records import SearchRecord, TrialRecord
from fakeface_bench.search.storage import finished_trials, trial_record


def search_record(study: optuna.Study) -> SearchRecord:
    """Return what a study holds.

    Raises:
        StudyError: If no trial completed.
    """
    trials = tuple(trial_record(trial) for trial in finished_trials(study))
    best = best_trial(trials)
    if best is None:
        raise StudyError("no trial completed; ask for more trials.")
    complete = sum(trial.state == "complete" for trial in trials)
    return SearchRecord(trials, best, _importances(study, complete))


def best_trial(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the best of some trials, the earliest of equals; None where none is complete."""
    complete = [trial for trial in trials if trial.state == "complete"]
    return max(complete, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)


def _importances(study: optuna.Study, complete: int) -> Mapping[str, float]:
    """Return the importance of each option; empty where too few trials tell."""
    values = {trial.value for trial in study.get_trials(states=[TrialState.COMPLETE])}
    if complete < 4 or len(values) < 2:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))

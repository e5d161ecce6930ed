"""The study's storage: opened, or refused for another definition; what it keeps of trials."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import optuna
from optuna import Study as Study  # the one name of Optuna that other layers may hold
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from fakeface_bench.config import TrialConfig
from fakeface_bench.credentials import without_credentials
from fakeface_bench.errors import StudyError
from fakeface_bench.processes import CUT_OFF
from fakeface_bench.records import EpochRecord, TrialRecord
from fakeface_bench.search.patience import (
    PatientStorage,
    check_whole,
    damaged,
    first_line,
    make_whole,
    obstacle,
    tells_full_disk,
)
from fakeface_bench.search.sharing import (
    GRACE_SECONDS,
    HEARTBEAT_SECONDS,
    claim_process,
    fail_dead,
    opening,
    turn,
)
from fakeface_bench.search.storage_address import check_storage, engine_options

_DEFINITION = "definition"
_UID = "uid"
_CONFIG = "head"
_EPOCHS = "epochs"
_SECONDS = "seconds"
_PRECISION = "precision"
_REASON = "reason"
_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


def open_study(storage: str, name: str, definition: Mapping[str, Any]) -> Study:
    """Open a study, or create it; trials whose process has ended are marked failed.

    Args:
        storage: SQLAlchemy URL; not MLflow's database, both keep a table `alembic_version`.
        name: Of the study.
        definition: What defines its results.

    Raises:
        UsageError: As `check_storage`.
        StudyError: If the storage cannot be opened, is damaged, or holds another definition by
            that name.
        DiskError: If there is no room for it.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    check_storage(storage)
    try:
        check_whole(storage)
        with opening(storage):
            make_whole(storage)
            study = _open(storage, name, definition)
        study.get_trials(deepcopy=False)  # what cannot be read is met here
    except json.JSONDecodeError as error:  # in a page that SQLite does not look into
        raise damaged(storage, str(error)) from error
    except (SQLAlchemyError, StorageInternalError, ImportError, RuntimeError, OSError) as error:
        if tells_full_disk(error):
            raise obstacle(storage, error) from error
        place, said = without_credentials(storage), first_line(error)
        raise StudyError(f"the study's storage {place} cannot be opened: {said}") from error
    kept = study.user_attrs[_DEFINITION]
    if kept != (asked := json.loads(json.dumps(dict(definition)))):
        raise StudyError(_differs(name, kept, asked))
    with turn(study):
        fail_dead(study, has_options, anew=True)
    return study


def _open(storage: str, name: str, definition: Mapping[str, Any]) -> Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        database = PatientStorage(
            storage,
            engine_options(storage),
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
        )
    study = optuna.create_study(
        storage=database, study_name=name, direction="maximize", load_if_exists=True
    )
    if _DEFINITION not in study.user_attrs:
        study.set_user_attr(_UID, uuid4().hex)
        study.set_user_attr(_DEFINITION, dict(definition))
    return study


def has_options(trial: FrozenTrial) -> bool:
    """Whether all options of a trial are known."""
    return _CONFIG in trial.user_attrs


def keep_config(trial: optuna.Trial, config: TrialConfig) -> None:
    """Write down the options that a trial tries."""
    trial.set_user_attr(_CONFIG, config.as_params())


def study_uid(study: Study) -> str:
    """Return what tells this study from any other, of the same name in another storage too."""
    return str(study.user_attrs[_UID])


def kept_precision(study: Study) -> str:
    """Return the precision that an earlier run of the study measured and chose; else empty."""
    return str(study.user_attrs.get(_PRECISION, ""))


def keep_precision(study: Study, precision: str) -> str:
    """Write it down, unless another process was quicker; return what holds.

    A study does not change it, whatever is faster next time.
    """
    kept = kept_precision(study)
    if not kept:
        study.set_user_attr(_PRECISION, precision)
    return kept or precision


def claim(trial: optuna.Trial) -> str:
    """Write down which process runs a trial, and give it a uid; return that."""
    uid = uuid4().hex
    trial.set_user_attr(_UID, uid)
    claim_process(trial)
    return uid


def keep_epochs(trial: optuna.Trial, epochs: Sequence[EpochRecord], seconds: float) -> None:
    """Write down a running trial's epochs, and the time it has taken, so that a kill loses none.

    Epochs that a killed trial had run before are among them, their time is not.
    """
    trial.set_user_attr(_EPOCHS, [asdict(epoch) for epoch in epochs])
    trial.set_user_attr(_SECONDS, seconds)


def keep_reason(trial: optuna.Trial, reason: str) -> None:
    """Write down why a trial failed by itself."""
    trial.set_user_attr(_REASON, reason)


def failed_by_itself(trial: FrozenTrial) -> bool:
    """Tell a trial that failed by its options from one that its process cut off."""
    return _REASON in trial.user_attrs


def was_killed(trial: FrozenTrial) -> bool:
    """Tell a trial whose process was killed, interrupted, or could not write down its end."""
    return trial.state == TrialState.FAIL and not failed_by_itself(trial)


def trial_record(trial: FrozenTrial) -> TrialRecord:
    """Return a finished trial as a record.

    A killed trial lasted until its last epoch: when it was found dead says nothing of its cost.
    """
    facts = trial.user_attrs
    state = _STATES[trial.state]
    epochs = tuple(EpochRecord(**epoch) for epoch in facts.get(_EPOCHS, []))
    began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    if was_killed(trial):
        seconds = float(facts.get(_SECONDS, 0.0))
    else:
        seconds = trial.duration.total_seconds() if trial.duration else 0.0
    return TrialRecord(
        uid=facts[_UID],
        number=trial.number,
        state=state,
        config=TrialConfig.from_params(facts[_CONFIG]),
        value=trial.value,
        epochs=epochs,
        seconds=seconds,
        finished_at=began + seconds,
        reason=facts.get(_REASON, CUT_OFF if state == "failed" else ""),
    )


def finished_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that ended and whose options are known, in order of their numbers."""
    return [t for t in study.get_trials() if t.state in _STATES and has_options(t)]


def _differs(name: str, kept: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    changed = [
        f"{key} was {kept.get(key)!r} and is {asked.get(key)!r}"
        for key in sorted({*kept, *asked})
        if kept.get(key) != asked.get(key)
    ]
    return (
        f"study {name!r} exists with another definition: {'; '.join(changed)}. Give another "
        "study name, or leave it empty to have one derived."
    )

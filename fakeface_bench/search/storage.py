"""The study's storage: opening it, refusing another definition, clearing what was killed."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import optuna
import psutil
from optuna import Study as Study  # the one name of Optuna that other layers may hold
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from fakeface_bench.config import TrialConfig, without_credentials
from fakeface_bench.errors import StudyError
from fakeface_bench.records import EpochRecord, TrialRecord

_DEFINITION = "definition"
_PROCESS = "process"
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
    """Open a study, or create it; trials whose process was killed are marked failed.

    Args:
        storage: SQLAlchemy URL; not MLflow's database, both keep a table `alembic_version`.
        name: Of the study.
        definition: What defines its results.

    Raises:
        StudyError: If the storage cannot be opened, or holds another definition by that name.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=RDBStorage(storage), study_name=name, direction="maximize", load_if_exists=True
        )
    except (SQLAlchemyError, ImportError, RuntimeError) as error:
        place, obstacle = without_credentials(storage), _first_line(error)
        raise StudyError(f"the study's storage {place} cannot be opened: {obstacle}") from error
    kept = study.user_attrs.get(_DEFINITION)
    if kept is None:
        study.set_user_attr(_UID, uuid4().hex)
        study.set_user_attr(_DEFINITION, dict(definition))
    elif kept != (asked := json.loads(json.dumps(dict(definition)))):
        raise StudyError(_differs(name, kept, asked))
    _fail_killed(study)
    return study


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
    """Write down which process runs a trial, so that its death can be told; return its uid."""
    uid = uuid4().hex
    trial.set_user_attr(_UID, uid)
    trial.set_user_attr(_PROCESS, _this_process())
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
    """Tell a trial that failed by its options from one whose process was killed."""
    return _REASON in trial.user_attrs


def was_killed(trial: FrozenTrial) -> bool:
    """Tell a trial whose process was killed or interrupted."""
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
        reason=facts.get(_REASON, "its process was killed" if state == "failed" else ""),
    )


def finished_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that ended and whose options are known, in order of their numbers."""
    return [t for t in study.get_trials() if t.state in _STATES and _CONFIG in t.user_attrs]


def _fail_killed(study: Study) -> None:
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        process = trial.user_attrs.get(_PROCESS)
        if process is None or (process["host"] == platform.node() and not _alive(process)):
            study.tell(trial.number, state=TrialState.FAIL)


def _this_process() -> dict[str, Any]:
    process = psutil.Process(os.getpid())
    return {"host": platform.node(), "pid": process.pid, "started": process.create_time()}


def _alive(process: Mapping[str, Any]) -> bool:
    try:
        return bool(psutil.Process(process["pid"]).create_time() == process["started"])
    except psutil.Error:
        return False


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


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

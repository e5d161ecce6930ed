"""The study's storage: opened or refused, what it keeps of trials, and several processes on it."""

import hashlib
import json
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import optuna
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fakeface_bench.config import TrialConfig
from fakeface_bench.records.study import EpochRecord, TrialRecord
from fakeface_bench.search.patience import (
    PatientStorage,
    check_whole,
    damaged,
    first_line,
    make_whole,
    means_full_disk,
    obstacle,
    patiently,
)
from fakeface_bench.search.storage_address import check_storage, engine_options, sqlite_file
from fakeface_bench.support.errors import FakefaceError, StudyError
from fakeface_bench.support.processes import CUT_OFF, is_dead, this_process
from fakeface_bench.support.text import without_credentials

#: A process that runs a trial says so this often, and counts as dead after so long a silence.
HEARTBEAT_SECONDS = 30
GRACE_SECONDS = 120
#: Trials that are run again by themselves where a process has died over them, each.
REPEATS = 1
#: States of the trials that a study is asked for.
USEFUL = (TrialState.COMPLETE, TrialState.PRUNED)
#: Which draw a trial is of, where several are drawn together.
POSITION = "position"
_PROCESS = "process"
_REPEATED = "repeated"
_GIVEN_UP = "given_up"
#: Where Optuna keeps the options of a trial that was put up.
_FIXED = "fixed_params"
_LOCK_KEY = int.from_bytes(hashlib.sha256(b"fakeface_bench").digest()[:7], "big")


class Study(optuna.Study):
    """Optuna's study in a database that is waited for while it is away.

    Attributes:
        number: Of the study in its storage.
        watched: The same study as Optuna opens it, which knows whose heart has stopped.
    """

    def __init__(self, name: str, storage: PatientStorage, stale: list[FrozenTrial]) -> None:
        super().__init__(name, storage)
        self.storage = storage
        self._stale = stale
        self.number = storage.get_study_id_from_name(name)
        self.watched = optuna.load_study(study_name=name, storage=storage.database)

    def record_heartbeat(self, trial: optuna.Trial) -> None:
        """Say that a trial's process lives."""
        self.storage.record_heartbeat(self.number, trial.number)

    def fail_stale_trials(self) -> list[FrozenTrial]:
        """Mark trials failed whose process has not said for long that it lives; return them."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            patiently(self.storage.url, fail_stale_trials)(self.watched)
        found = self._stale.copy()
        self._stale.clear()
        return found


@contextmanager
def opening(url: str) -> Iterator[None]:
    """Let one process at a time through that opens, or creates, the studies of a storage."""
    file = sqlite_file(url)
    if file is not None:
        file.parent.stat()  # a lock would make the folder that somebody has mistyped
    engine = create_engine(url, **engine_options(url))
    try:
        with _lock(url, lambda: _locked_connection(engine)):
            yield
    finally:
        engine.dispose()


def turn(study: Study) -> AbstractContextManager[object]:
    """Let one process of a study at a time through the block; a dead one releases its lock."""
    url, engine = study.storage.url, study.storage.database.engine
    return _lock(url, patiently(url, lambda: _locked_connection(engine)))


def _lock(url: str, connect: Callable[[], Connection]) -> AbstractContextManager[object]:
    """Return the lock of a SQLite file, or else of a connection that holds PostgreSQL's."""
    file = sqlite_file(url)
    if file is not None:
        return FileLock(file.with_name(f"{file.name}.lock"))
    return _kept_open(connect())


@contextmanager
def _kept_open(connection: Connection) -> Iterator[None]:
    """Close a connection after the block; where it is lost by then, its lock is gone with it."""
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        try:
            connection.close()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            logging.getLogger(__name__).debug("the lock's connection is lost: %s", error)


def _locked_connection(engine: Engine) -> Connection:
    """Return a connection that holds PostgreSQL's lock of this project until it is closed."""
    connection = engine.connect()
    try:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    except BaseException:
        connection.close()
        raise
    return connection


def ask(study: Study) -> optuna.Trial:
    """Start a trial whose heart beats in the block of `heartbeat`, not by Optuna's own loop."""
    trial = study.ask()
    study.record_heartbeat(trial)  # before it is claimed: without one it never counts as dead
    return trial


def start(
    study: Study, drawn: optuna.Trial, config: TrialConfig, position: int
) -> tuple[optuna.Trial, str]:
    """Start a trial of options that were drawn in another study, and return it with its uid.

    All is written down in one step, for a database takes as long for each as for all together;
    but for the claim, as `claim` says.
    """
    uid = uuid4().hex
    template = create_trial(
        state=TrialState.RUNNING,
        params=drawn.params,
        distributions=drawn.distributions,
        user_attrs={POSITION: position, _CONFIG: config.as_params(), _UID: uid},
    )
    trial = optuna.Trial(study, study.storage.create_new_trial(study.number, template))
    study.record_heartbeat(trial)
    trial.set_user_attr(_PROCESS, this_process())
    return trial, uid


@contextmanager
def heartbeat(study: Study, trial: optuna.Trial) -> Iterator[None]:
    """Say again and again, while the block runs, that a trial's process lives."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            try:
                study.record_heartbeat(trial)
            except FakefaceError as error:  # the trial itself will meet it, and tell it
                logging.getLogger(__name__).debug("no heartbeat: %s", error)
        study.storage.remove_session()

    thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        ended.set()


def fail_dead(study: Study, trials: Sequence[FrozenTrial], again: bool) -> bool:
    """Mark trials failed whose process has died, and put their options up to be run again.

    Args:
        trials: Of the study, as they were just read.
        again: Whether somebody starts the study again: every trial is then run again. Where other
            processes of the study meet a dead one, it is repeated once, for its options might
            kill them all.

    Returns:
        Whether there were any: the study holds other trials then.
    """
    running = [trial for trial in trials if trial.state == TrialState.RUNNING]
    dead = [
        study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        for trial in running
        if _has_died(trial)
    ]
    dead += study.fail_stale_trials() if running else []
    for trial in dead:
        if was_killed(trial) and not _has_a_place(trial):  # and has not ended meanwhile
            _repeat(study, trial, again)
    return bool(dead)


def _has_a_place(trial: FrozenTrial) -> bool:
    """Whether a trial that nobody claimed is simply drawn again, at its position."""
    return POSITION in trial.user_attrs and _PROCESS not in trial.user_attrs


def _has_died(trial: FrozenTrial) -> bool:
    process = trial.user_attrs.get(_PROCESS)
    return process is None or is_dead(process)


# Not by Optuna's RetryHeartbeatStaleTrialCallback, which was tried: it hands on what the dead
# trial wrote down (uid, epochs), fixes the options that it had drawn, so that the sampler draws the
# others from other random numbers than an undisturbed study's, and does not tell what it gives up.
def _repeat(study: optuna.Study, trial: FrozenTrial, again: bool) -> None:
    repeated = int(trial.user_attrs.get(_REPEATED, 0))
    options = trial.params if has_options(trial) else trial.system_attrs.get(_FIXED, {})
    if repeated >= REPEATS and not again:
        study.set_user_attr(_GIVEN_UP, [*given_up(study), trial.number])
    elif options:  # else the sampler draws them again
        facts = {_REPEATED: repeated + 1}
        if POSITION in trial.user_attrs:
            facts[POSITION] = trial.user_attrs[POSITION]
        study.enqueue_trial(dict(options), user_attrs=facts)


def given_up(study: optuna.Study) -> list[int]:
    """Return the numbers of the trials that killed their processes and are not run again."""
    return list(study.user_attrs.get(_GIVEN_UP, []))


_DEFINITION = "definition"
_UID = "uid"
_CONFIG = "head"
_EPOCHS = "epochs"
_SECONDS = "seconds"
_RAN = "ran_seconds"
_FOLDS = "folds"
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

    Raises:
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
        if means_full_disk(error):
            raise obstacle(storage, error) from error
        place, said = without_credentials(storage), first_line(error)
        raise StudyError(f"the study's storage {place} cannot be opened: {said}") from error
    kept = study.user_attrs[_DEFINITION]
    if kept != (asked := json.loads(json.dumps(dict(definition)))):
        raise StudyError(_differs(name, kept, asked))
    with turn(study):
        fail_dead(study, study.get_trials(deepcopy=False), again=True)
    return study


def _open(storage: str, name: str, definition: Mapping[str, Any]) -> Study:
    stale: list[FrozenTrial] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        database = RDBStorage(
            storage,
            engine_options(storage),
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=lambda _, trial: stale.append(trial),
        )
    patient = PatientStorage(database)
    optuna.create_study(storage=patient, study_name=name, direction="maximize", load_if_exists=True)
    study = Study(name, patient, stale)
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


def saved_precision(study: Study) -> str:
    """Return the precision that an earlier run of the study measured and chose; else empty."""
    return str(study.user_attrs.get(_PRECISION, ""))


def save_precision(study: Study, precision: str) -> str:
    """Write it down, unless another process was quicker; return what holds.

    A study does not change it, whatever is faster next time.
    """
    kept = saved_precision(study)
    if not kept:
        study.set_user_attr(_PRECISION, precision)
    return kept or precision


def claim(trial: optuna.Trial) -> str:
    """Give a trial a uid, and write down which process runs it, so that its death is noticed."""
    uid = uuid4().hex
    trial.set_user_attr(_UID, uid)
    trial.set_user_attr(_PROCESS, this_process())
    return uid


def keep_epochs(
    trial: optuna.Trial, epochs: Sequence[EpochRecord], seconds: float, folds: int = 0
) -> None:
    """Write down a running trial's epochs, and the time it has taken, so that a kill loses none.

    Epochs that a killed trial had run before are among them, their time is not.

    Args:
        folds: That they are the mean over; 0 where it has none.
    """
    if folds:
        trial.set_user_attr(_FOLDS, folds)
    trial.set_user_attr(_EPOCHS, [asdict(epoch) for epoch in epochs])
    trial.set_user_attr(_SECONDS, seconds)


def keep_ran(trial: optuna.Trial, seconds: float) -> None:
    """Write down how long a trial ran, where it waited for a worker before."""
    trial.set_user_attr(_RAN, seconds)


def keep_reason(trial: optuna.Trial, reason: str) -> None:
    """Write down why a trial failed by itself."""
    trial.set_user_attr(_REASON, reason)


def failed_by_itself(trial: FrozenTrial) -> bool:
    """Tell a trial that failed by its options from one that its process cut off."""
    return _REASON in trial.user_attrs


def ended_by_itself(trial: FrozenTrial, left: Sequence[int]) -> bool:
    """Tell a trial that counts from one that runs, or was killed and is simply run again.

    Args:
        left: What `given_up` returns.
    """
    if trial.state in USEFUL:
        return True
    return trial.state == TrialState.FAIL and (failed_by_itself(trial) or trial.number in left)


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
        began += max(0.0, seconds - facts.get(_RAN, seconds))
        seconds = facts.get(_RAN, seconds)
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
        folds=int(facts.get(_FOLDS, 1)),
        position=int(facts.get(POSITION, trial.number)),
    )


def ended_trials(study: Study) -> list[TrialRecord]:
    """Return the trials that ended as records, in the order in which they were drawn."""
    records = [trial_record(trial) for trial in finished_trials(study)]
    return sorted(records, key=lambda trial: (trial.position, trial.number))


def configs_under_way(study: Study) -> list[TrialConfig]:
    """Return the options of the trials that run."""
    running = study.get_trials(states=[TrialState.RUNNING])
    return [TrialConfig.from_params(t.user_attrs[_CONFIG]) for t in running if has_options(t)]


def finished_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that ended and whose options are known, in order of their numbers."""
    trials = study.get_trials(deepcopy=False)  # whose epochs take long to copy
    return [t for t in trials if t.state in _STATES and has_options(t)]


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

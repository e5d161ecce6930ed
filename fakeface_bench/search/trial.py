"""One trial: the work of it, wherever that is done, and what the study learns of it meanwhile."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import optuna

from fakeface_bench.config import TrialConfig
from fakeface_bench.evaluation.cross_validation import cross_validate
from fakeface_bench.features.engine import models_let_go
from fakeface_bench.records.study import EpochRecord, FitRecord, TrialRecord
from fakeface_bench.search.rounds import Judged
from fakeface_bench.search.storage import Study, heartbeat, keep_epochs
from fakeface_bench.support.errors import DataError, DiskError, OutageError
from fakeface_bench.support.executor import Shared, Tell
from fakeface_bench.support.processes import as_interruption
from fakeface_bench.training.checkpoint import KeptFit, told_checkpoints
from fakeface_bench.training.fit import fit_record
from fakeface_bench.training.networks import FitTask

#: Epochs are written down this often at most, for many a trial ends sooner; and at its end.
EPOCHS_SECONDS = 1.0
#: What no other options would do better at.
NOT_OF_THE_OPTIONS = (DataError, DiskError)
#: What MLflow's store fails with, where it opens no run.
NOT_OPENED = (DiskError, OutageError)


class TrialListener:
    """Somebody who watches trials; the methods do nothing unless overridden."""

    def started(self, uid: str, number: int, config: TrialConfig) -> None:
        """A trial begins."""

    def epoch(self, uid: str, record: EpochRecord) -> None:
        """One more epoch of it has ended; may raise `StopTrial` or `StopSearch`, as all may."""

    def epochs(self, uid: str, records: Sequence[EpochRecord]) -> None:
        """Some more epochs of it have ended, told seldom."""

    def ended(self, trial: TrialRecord) -> None:
        """It was completed, pruned or failed."""


class Listeners(TrialListener):
    """Tells several what it is told, one after another; the first is told all the same."""

    def __init__(self, listeners: Sequence[TrialListener]) -> None:
        self._listeners = listeners

    def started(self, uid: str, number: int, config: TrialConfig) -> None:
        for each in self._listeners:
            each.started(uid, number, config)

    def epoch(self, uid: str, record: EpochRecord) -> None:
        for each in self._listeners:
            each.epoch(uid, record)

    def epochs(self, uid: str, records: Sequence[EpochRecord]) -> None:
        for each in self._listeners:
            each.epochs(uid, records)

    def ended(self, trial: TrialRecord) -> None:
        for each in self._listeners:
            each.ended(trial)


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """How the fit of a trial's options ended.

    Attributes:
        value: The objective at its best epoch; None where it failed.
        reason: Why it failed by its options.
    """

    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TrialUnit:
    """The fit of some options, which asks nobody anything; a `Unit`.

    It tells, in this order: its options, when it begins; each epoch, or the mean over the folds so
    far after each fold; a line wherever a user is to be warned; what it has kept, where the
    driver does not see that.
    """

    task: Shared[FitTask]
    config: TrialConfig
    fresh: bool = False
    kept: Sequence[Any] = ()  # by `kept_files`, as they have travelled

    def run(self, tell: Tell) -> TrialEnd:
        """Fit them.

        Raises:
            DataError: If a picture cannot be read any more.
            DiskError: If a checkpoint finds no room.
        """
        task = self.task.get().changed(warn=tell)
        tell(self.config)
        try:
            with (
                models_let_go(),
                as_interruption(),
                told_checkpoints(task, self.kept, tell) as (kept, tell_all),
            ):
                fit = cross_validate if kept.folds else fit_record
                fitted = fit(kept, self.config, tell_all)
        except NOT_OF_THE_OPTIONS:
            raise
        except Exception as error:  # a trial may fail by its options alone; the study goes on
            return TrialEnd(None, f"{type(error).__name__}: {error}")
        return TrialEnd(fitted.best.val_roc_auc)


@dataclass(frozen=True, slots=True)
class BegunTrial:
    """A trial that was started, and the options that it tries.

    Attributes:
        judged: The same trial, or as a study has it that knows what the pruner may know.
    """

    trial: optuna.Trial
    uid: str
    config: TrialConfig
    judged: optuna.Trial | Judged


class TrialCourse:
    """A trial as it runs: written down, told, and judged by the pruner.

    Its heart beats in the study's storage until it is closed.
    """

    def __init__(
        self, study: Study, begun: BegunTrial, fit: FitTask, listener: TrialListener
    ) -> None:
        self.trial, self._judged, self._uid = begun.trial, begun.judged, begun.uid
        self._config = begun.config
        self._listener, self._warn = listener, fit.warn
        self._checkpoints = fit.checkpoints
        self._last_stage = fit.network.stages[-1]
        self._all_folds = len(fit.folds)
        self._epochs: list[EpochRecord] = []
        #: Epochs (or folds) that were heard of; None before it begins.
        self._heard: int | None = None
        self._told = self._folds = 0
        self._began = self._written = time.monotonic()
        self._heart = ExitStack()
        self._heart.enter_context(heartbeat(study, begun.trial))

    def hear(self, told: Any) -> None:
        """Take what its unit tells.

        Raises:
            optuna.TrialPruned: If the pruner sees no use in going on.
            StopTrial: If who watches it does not, or `StopSearch`.
        """
        with as_interruption():
            if isinstance(told, TrialConfig):
                self.begin()
                self._epochs, self._folds = [], 0
            elif isinstance(told, EpochRecord):
                self._epoch(told)
            elif isinstance(told, FitRecord):
                self._fold(told)
            elif isinstance(told, KeptFit):
                if self._checkpoints is not None:
                    told.write(self._checkpoints)
            else:
                self._warn(told)

    @property
    def begun(self) -> bool:
        """Whether it runs, or has run, and does not merely wait for a worker."""
        return self._heard is not None

    def begin(self) -> None:
        """Tell that it begins, unless it begins once more, since the process it ran in has died."""
        if self._heard is None:
            self._heard, self._began = 0, time.monotonic()
            try:
                self._listener.started(self._uid, self.trial.number, self._config)
            except NOT_OPENED:  # nobody has written down that it runs, and could write its end
                self._heard = None
                raise

    @property
    def seconds(self) -> float:
        """Since it began, where it runs; 0 before."""
        return 0.0 if self._heard is None else time.monotonic() - self._began

    def end(self) -> None:
        """Write down what was not yet, and how long it took where no epoch was told."""
        if self._told < len(self._epochs) or not self._told:
            self._write_down()

    def close(self) -> None:
        """Let its heart stand still."""
        self._heart.close()

    def _epoch(self, record: EpochRecord) -> None:
        """Note an epoch that ended; the pruner is told of those of the last stage."""
        self._epochs.append(record)
        if len(self._epochs) <= (self._heard or 0):
            return  # as it was when it ran before
        self._heard = len(self._epochs)
        self._listener.epoch(self._uid, record)
        if time.monotonic() - self._written >= EPOCHS_SECONDS:
            self._write_down()
        if record.stage == self._last_stage:
            step = sum(epoch.stage == self._last_stage for epoch in self._epochs) - 1
            self._judge(record.val_roc_auc, step)

    def _fold(self, mean: FitRecord) -> None:
        """Note a fold that ended, by the mean over it and those before.

        After the last there is nothing left to save.
        """
        self._epochs = list(mean.epochs)
        self._folds += 1
        if self._folds <= (self._heard or 0):
            return
        self._heard = self._folds
        keep_epochs(self.trial, self._epochs, time.monotonic() - self._began, self._folds)
        if mean.best.stage == self._last_stage and self._folds < self._all_folds:
            self._judge(mean.best.val_roc_auc, self._folds - 1)

    def _judge(self, value: float, step: int) -> None:
        self.trial.report(value, step)
        if self._judged is not self.trial:
            self._judged.report(value, step)
        if self._judged.should_prune():
            raise optuna.TrialPruned

    def _write_down(self) -> None:
        self._written = time.monotonic()
        keep_epochs(self.trial, self._epochs, self._written - self._began, self._folds)
        self._listener.epochs(self._uid, self._epochs[self._told :])
        self._told = len(self._epochs)

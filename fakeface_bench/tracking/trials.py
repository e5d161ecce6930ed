"""Child runs: one a trial, live while it runs, restored from the study's storage where missing."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

import mlflow

from fakeface_bench.config import TrialConfig
from fakeface_bench.records.study import EpochRecord, TrialRecord, last_stage
from fakeface_bench.search.trial import TrialListener
from fakeface_bench.tracking import names
from fakeface_bench.tracking.entries import Batch, End, OpenTrial, Steps
from fakeface_bench.tracking.runs import TrackedRun, shown_tags, step_of
from fakeface_bench.tracking.succession import trial_runs

_STATUS = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED"}
#: A metric that every epoch has.
_OF_EVERY_EPOCH = "val/roc_auc"


class TrialRuns(TrialListener):
    """Logs the trials of one study, which share some tags, as child runs of one parent."""

    def __init__(self, parent: TrackedRun, tags: dict[str, str]) -> None:
        self._parent = parent
        self._outbox = parent.outbox
        self._tags = shown_tags(tags) | {names.KIND: "trial", names.PARENT: parent.run_id}

    def adopt_earlier(self, trials: Iterable[TrialRecord]) -> None:
        """Hang the study's earlier trials under this parent.

        A trial that this MLflow store does not know is logged again from the study's storage, and
        what a kill has kept from it is added.
        """
        client = mlflow.MlflowClient()
        runs = trial_runs(client, self._parent.experiment_id, self._tags[names.STUDY])
        known = {run.data.tags.get(names.TRIAL_ID, ""): run for run in runs}
        for trial in trials:
            run = known.get(trial.uid)
            if run is None:
                began = trial.finished_at - trial.seconds
                self._open_run(trial.uid, trial.number, trial.config, began)
                self._complete(trial, logged=())
                continue
            run_id = run.info.run_id
            self._outbox.recipient.ids[trial.uid] = run_id
            self._outbox.send(Batch(run_id, tags={names.PARENT: self._parent.run_id}))
            if run.info.status == "RUNNING":
                self._log_options(trial.uid, trial.config)
                history = client.get_metric_history(run_id, _OF_EVERY_EPOCH)
                self._complete(trial, logged=[metric.step for metric in history])

    def _complete(self, trial: TrialRecord, logged: Iterable[int]) -> None:
        """Log what is missing of a trial that has ended."""
        self.epochs(trial.uid, [epoch for epoch in trial.epochs if epoch.epoch not in logged])
        self.ended(trial)

    def started(self, uid: str, number: int, config: TrialConfig) -> None:
        """Open the child run with the trial's options as params."""
        self._open_run(uid, number, config, time.time())

    def _open_run(self, uid: str, number: int, config: TrialConfig, began: float) -> None:
        tags = self._tags | {names.TRIAL: str(number), names.TRIAL_ID: uid}
        seed = self._tags.get(names.SEED)
        name = f"trial {number}" if seed is None else f"trial {number}, seed {seed}"
        began_ms, experiment = int(began * 1000), self._parent.experiment_id
        self._outbox.send(OpenTrial(uid, experiment, name, began_ms, tags))
        self._log_options(uid, config)

    def _log_options(self, uid: str, config: TrialConfig) -> None:
        params = {key: str(value) for key, value in config.as_params().items()}
        self._outbox.send(Batch(uid, params=params))

    def epochs(self, uid: str, records: Sequence[EpochRecord]) -> None:
        """Log each epoch as a step."""
        if records:
            steps = [{"step": record.epoch, **record.as_metrics()} for record in records]
            self._outbox.send(Steps(uid, steps, int(time.time() * 1000)))

    def ended(self, trial: TrialRecord) -> None:
        """Close the child run with its state."""
        figures = {"cost/trial_seconds": trial.seconds}
        if trial.value is not None:
            figures["objective"] = trial.value
        if trial.epochs:
            figures["cost/first_epoch_seconds"] = last_stage(trial.epochs)[0].seconds
        states = {names.STATE: trial.state, names.FAILURE: trial.reason}
        self._outbox.send(replace(step_of(trial.uid, figures, 0), tags=shown_tags(states)))
        status = _STATUS[trial.state]
        self._outbox.send(End(trial.uid, status, int(trial.finished_at * 1000)))

"""Child runs: one a trial, live while it runs, restored from the study's storage where missing."""

import time
from collections.abc import Iterable, Iterator

import mlflow
from mlflow.entities import Param, Run

from fakeface_bench.config import TrialConfig
from fakeface_bench.records import EpochRecord, TrialRecord, last_stage
from fakeface_bench.search.optimise import TrialListener
from fakeface_bench.tracking import names
from fakeface_bench.tracking.runs import TrackedRun, all_runs, log_step, log_tags

_STATUS = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED"}


class TrialRuns(TrialListener):
    """Logs the trials of one study as child runs of one parent.

    Args:
        parent: The open study run.
        tags: What every trial shares: model, dataset, weights, study.
    """

    def __init__(self, parent: TrackedRun, tags: dict[str, str]) -> None:
        self._client = mlflow.MlflowClient()
        self._parent = parent
        self._tags = {k: v for k, v in tags.items() if v} | {
            names.KIND: "trial",
            names.PARENT: parent.run_id,
        }
        self._open: dict[str, str] = {}

    def adopt_earlier(self, trials: Iterable[TrialRecord]) -> None:
        """Hang the study's earlier trials under this parent.

        A trial that this MLflow store does not know is logged anew from the study's storage.
        """
        known = {run.data.tags.get(names.TRIAL_ID, ""): run for run in self._runs("trial")}
        for trial in trials:
            run = known.get(trial.uid)
            if run is None:
                began = trial.finished_at - trial.seconds
                self._open_run(trial.uid, trial.number, trial.config, began)
                for epoch in trial.epochs:
                    self.epoch(trial.uid, epoch)
                self.ended(trial)
                continue
            self._client.set_tag(run.info.run_id, names.PARENT, self._parent.run_id)
            if run.info.status == "RUNNING":
                self._open[trial.uid] = run.info.run_id
                self.ended(trial)

    def supersede_older(self) -> None:
        """Mark the study's older parents, now that this one holds its results."""
        same = (names.MODEL, names.TEST_DIGEST)
        for run in self._runs("study"):
            # Another storage may hold a study of the same name that is another one.
            is_same = all(run.data.tags.get(key) == self._tags.get(key) for key in same)
            if is_same and run.info.run_id != self._parent.run_id:
                self._client.set_tag(run.info.run_id, names.SUPERSEDED_BY, self._parent.run_id)

    def started(self, uid: str, number: int, config: TrialConfig) -> None:
        """Open the child run with the trial's options as params."""
        self._open_run(uid, number, config, time.time())

    def _open_run(self, uid: str, number: int, config: TrialConfig, began: float) -> None:
        run = self._client.create_run(
            self._parent.experiment_id,
            start_time=int(began * 1000),
            run_name=f"trial {number}",
            tags=self._tags | {names.TRIAL: str(number), names.TRIAL_ID: uid},
        )
        self._open[uid] = run.info.run_id
        params = [Param(key, str(value)) for key, value in config.as_params().items()]
        self._client.log_batch(run.info.run_id, params=params)

    def epoch(self, uid: str, record: EpochRecord) -> None:
        """Log one epoch as a step."""
        log_step(self._client, self._open[uid], record.as_metrics(), record.epoch)

    def ended(self, trial: TrialRecord) -> None:
        """Close the child run with its state."""
        run_id = self._open.pop(trial.uid)
        figures = {"cost/trial_seconds": trial.seconds}
        if trial.value is not None:
            figures["objective"] = trial.value
        if trial.epochs:
            figures["cost/first_epoch_seconds"] = last_stage(trial.epochs)[0].seconds
        log_step(self._client, run_id, figures, 0)
        log_tags(self._client, run_id, {names.STATE: trial.state, names.FAILURE: trial.reason})
        end_time = int(trial.finished_at * 1000)
        self._client.set_terminated(run_id, _STATUS[trial.state], end_time)

    def _runs(self, kind: str) -> Iterator[Run]:
        study = self._tags[names.STUDY]
        query = f"tags.`{names.KIND}` = '{kind}' and tags.`{names.STUDY}` = '{study}'"
        return all_runs(self._client, self._parent.experiment_id, query)

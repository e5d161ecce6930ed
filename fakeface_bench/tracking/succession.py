"""What becomes of the earlier runs of a job that is now finished: one run shows all there is."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
from mlflow.entities import Run

from fakeface_bench.processes import is_dead
from fakeface_bench.tracking import names
from fakeface_bench.tracking.entries import Entry, Recipient
from fakeface_bench.tracking.logged_model import models_of
from fakeface_bench.tracking.queries import all_runs, trial_runs


@dataclass(frozen=True, slots=True)
class Succession(Entry):
    """A finished run takes the place of those before it.

    One that was killed or interrupted is deleted, with what it logged; `mlflow runs restore` brings
    it back. A finished one of the same study is marked; its trials hang under the newest.

    Attributes:
        run: Id of the run.
        experiment_id: Of the experiment.
        kind: Of the job.
        request: Digest of what was asked; empty where only the study counts.
        study: Name of the study; empty for other jobs.
        same: Tags that a study of that name must share with this one to be this one: another
            storage may hold another by its name.
    """

    run: str
    experiment_id: str
    kind: str
    request: str = ""
    study: str = ""
    same: Mapping[str, str] = field(default_factory=dict)

    def deliver(self, to: Recipient, files: Path | None, again: bool) -> None:
        """Mark or delete the earlier runs."""
        if self.request:
            for run in self._found(to.client, names.REQUEST, self.request):
                if _was_cut_off(run):
                    self._retire(to.client, run)
        if self.study:
            self._succeed(to.client)

    def _succeed(self, client: mlflow.MlflowClient) -> None:
        """Take the place of the study's other runs."""
        for run in self._found(client, names.STUDY, self.study):
            if not self._is_same(run):
                continue
            if _was_cut_off(run):
                self._retire(client, run)
            else:
                client.set_tag(run.info.run_id, names.SUPERSEDED_BY, self.run)
        for run in trial_runs(client, self.experiment_id, self.study):
            if self._is_same(run) and run.data.tags.get(names.PARENT) != self.run:
                client.set_tag(run.info.run_id, names.PARENT, self.run)
        if names.SUPERSEDED_BY in client.get_run(self.run).data.tags:
            client.delete_tag(self.run, names.SUPERSEDED_BY)  # of another process of the study

    def _is_same(self, run: Run) -> bool:
        return all(run.data.tags.get(key) == value for key, value in self.same.items())

    def _found(self, client: mlflow.MlflowClient, tag: str, value: str) -> Iterator[Run]:
        """Yield the other runs of this kind with a tag."""
        of_kind = f"tags.`{names.KIND}` = '{self.kind}' and tags.`{tag}` = '{value}'"
        for run in list(all_runs(client, self.experiment_id, of_kind)):
            if run.info.run_id != self.run:
                yield run

    def _retire(self, client: mlflow.MlflowClient, run: Run) -> None:
        run_id = run.info.run_id
        client.set_tag(run_id, names.SUPERSEDED_BY, self.run)
        if run.info.status == "RUNNING":
            client.set_tag(run_id, names.FAILURE, "its process was killed")
            client.set_terminated(run_id, "KILLED")
        for model in models_of(client, run_id):
            client.delete_logged_model(model.model_id)
        client.delete_run(run_id)


def _was_cut_off(run: Run) -> bool:
    """Whether a run ended by no doing of its own: its process was killed, or interrupted."""
    if run.info.status == "RUNNING":
        process = run.data.tags.get(names.PROCESS)
        return process is not None and is_dead(json.loads(process))
    # `mlflow run` marks a run FAILED whose process was killed; any other says why.
    return run.info.status == "KILLED" or (
        run.info.status == "FAILED" and names.FAILURE not in run.data.tags
    )

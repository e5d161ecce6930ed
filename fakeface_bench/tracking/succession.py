"""Runs of an experiment found by their tags; one finished run takes the place of its others."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Run

from fakeface_bench.support.processes import CUT_OFF, is_dead
from fakeface_bench.tracking import names
from fakeface_bench.tracking.entries import Entry, Recipient
from fakeface_bench.tracking.logged_model import models_of


def all_runs(client: mlflow.MlflowClient, experiment_id: str, query: str) -> Iterator[Run]:
    """Yield every run of an experiment that a query finds, the newest first."""
    token: Any = None
    while True:
        page = client.search_runs([experiment_id], query, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def is_deleted(run_id: str) -> bool:
    """Whether a run was deleted, by somebody or for another that took its place."""
    return bool(mlflow.MlflowClient().get_run(run_id).info.lifecycle_stage == "deleted")


def trial_runs(client: mlflow.MlflowClient, experiment_id: str, study: str) -> Iterator[Run]:
    """Yield the runs of all trials of a study, by its name."""
    query = f"tags.`{names.KIND}` = 'trial' and tags.`{names.STUDY}` = '{study}'"
    return all_runs(client, experiment_id, query)


def useful_trials(experiment_id: str, parent: str) -> int:
    """Return how many trials of a study's first search were completed or pruned."""
    query = f"tags.`{names.KIND}` = 'trial' and tags.`{names.PARENT}` = '{parent}'"
    runs = all_runs(mlflow.MlflowClient(), experiment_id, query)
    return sum(
        run.data.tags.get(names.STATE) in ("complete", "pruned")
        for run in runs
        if names.SEED not in run.data.tags
    )


def same_study(tags: Mapping[str, str]) -> Mapping[str, str]:
    """Return those of a study's tags by which its other runs are known.

    Its name alone does not do: another storage may hold another study by it.
    """
    return {key: tags[key] for key in (names.STUDY, names.MODEL, names.TEST_DIGEST)}


@dataclass(frozen=True, slots=True)
class Succession(Entry):
    """A finished run takes the place of those that were to become it.

    A run that was killed or interrupted is deleted, with what it logged; `mlflow runs restore`
    brings it back. Of the runs of one study that have all results the one that began last stays;
    the others are marked and hang under it, with all trials.

    Attributes:
        study: As `same_study` returns it; empty for other jobs.
    """

    run: str
    experiment_id: str
    kind: str
    request: str
    study: Mapping[str, str] = field(default_factory=dict)

    def deliver(self, to: Recipient, files: Path | None, again: bool) -> None:
        """Mark or delete the other runs."""
        self._retire_cut_off(to.client, self._found(to.client, {names.REQUEST: self.request}))
        if self.study:
            to.client.set_tag(self.run, names.CONCLUDED, "true")  # before looking for others
            self._retire_cut_off(to.client, self._found(to.client, self.study))
            seen: Sequence[str] = ()
            while seen != (seen := self._concluded(to.client)):  # others may finish meanwhile
                self._leave_newest(to.client, seen)

    def _concluded(self, client: mlflow.MlflowClient) -> Sequence[str]:
        """Return the study's runs that have results, in the order in which they began."""
        found = filter(_has_results, self._found(client, self.study))
        began = sorted((run.info.start_time, run.info.run_id) for run in found)
        return [run_id for _, run_id in began]

    def _leave_newest(self, client: mlflow.MlflowClient, concluded: Sequence[str]) -> None:
        """Let the last of some runs stay, and all trials hang under it."""
        *others, newest = concluded
        for run_id in others:
            client.set_tag(run_id, names.SUPERSEDED_BY, newest)
            above = client.get_run(run_id).data.tags.get(names.PARENT)
            if above in (None, *others):  # that of a suite stays under the suite's run
                client.set_tag(run_id, names.PARENT, newest)
        for run in trial_runs(client, self.experiment_id, self.study[names.STUDY]):
            if self._is_same(run) and run.data.tags.get(names.PARENT) != newest:
                client.set_tag(run.info.run_id, names.PARENT, newest)

    def _is_same(self, run: Run) -> bool:
        return all(run.data.tags.get(key) == value for key, value in self.study.items())

    def _found(self, client: mlflow.MlflowClient, tags: Mapping[str, str]) -> Sequence[Run]:
        """Return the runs of this kind with some tags, this one among them."""
        asked = {names.KIND: self.kind, **tags}
        query = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in asked.items())
        return list(all_runs(client, self.experiment_id, query))

    def _retire_cut_off(self, client: mlflow.MlflowClient, found: Iterable[Run]) -> None:
        for run in found:
            if run.info.run_id == self.run or not _was_cut_off(run):
                continue
            now = client.get_run(run.info.run_id)  # its process may have ended it before it died
            if _was_cut_off(now):
                self._retire(client, now)

    def _retire(self, client: mlflow.MlflowClient, run: Run) -> None:
        run_id = run.info.run_id
        client.set_tag(run_id, names.SUPERSEDED_BY, self.run)
        if run.info.status == "RUNNING":
            client.set_tag(run_id, names.FAILURE, CUT_OFF)
            client.set_terminated(run_id, "KILLED")
        for model in models_of(client, run_id):
            client.delete_logged_model(model.model_id)
        client.delete_run(run_id)


def _has_results(run: Run) -> bool:
    return names.CONCLUDED in run.data.tags or run.info.status == "FINISHED"


def _was_cut_off(run: Run) -> bool:
    """Whether a run ended by no doing of its own: its process was killed, or interrupted."""
    if run.info.status == "RUNNING":
        process = run.data.tags.get(names.PROCESS)
        return process is not None and is_dead(json.loads(process))
    # `mlflow run` marks a run FAILED whose process was killed; any other says why.
    return run.info.status == "KILLED" or (
        run.info.status == "FAILED" and names.FAILURE not in run.data.tags
    )

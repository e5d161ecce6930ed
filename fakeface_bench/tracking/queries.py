"""Asks MLflow for runs, however many there are."""

from collections.abc import Iterator
from typing import Any

import mlflow
from mlflow.entities import Run

from fakeface_bench.tracking import names


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
    """Return how many trials under a study's run were completed or pruned."""
    query = f"tags.`{names.KIND}` = 'trial' and tags.`{names.PARENT}` = '{parent}'"
    runs = all_runs(mlflow.MlflowClient(), experiment_id, query)
    return sum(run.data.tags.get(names.STATE) in ("complete", "pruned") for run in runs)

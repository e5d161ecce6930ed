"""The run of a job, a study or a comparison: opened or adopted, described, failed with reason."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.data.pandas_dataset import PandasDataset
from mlflow.data.sources import LocalArtifactDatasetSource
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.errors import StudyError
from fakeface_bench.records import EpochRecord
from fakeface_bench.tracking import names

_RUN_VARIABLE = "MLFLOW_RUN_ID"
#: Longest tag that every MLflow store takes.
_MAX_TAG = 5000
#: What MLflow's UI has room for; the whole digest is a tag.
_DIGEST_DIGITS = 12


class TrackedRun:
    """An open run."""

    def __init__(self, run_id: str, experiment_id: str) -> None:
        self.run_id = run_id
        self.experiment_id = experiment_id
        self._client = mlflow.MlflowClient()

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags; empty values are left out."""
        log_tags(self._client, self.run_id, tags)

    def fail(self, reason: str) -> None:
        """End the run FAILED, with what it holds, and say why."""
        self.tag({names.FAILURE: reason})
        mlflow.end_run("FAILED")

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log params, leaving alone those that `mlflow run` has logged under the same name."""
        present = self._client.get_run(self.run_id).data.params
        fresh = [Param(key, str(value)) for key, value in params.items() if key not in present]
        self._client.log_batch(self.run_id, params=fresh)

    def log_fit(
        self, epochs: tuple[EpochRecord, ...], figures: Mapping[str, float], model_id: str
    ) -> None:
        """Log the epochs of the final fit as steps, and single figures, which are the model's too.

        A figure that the epochs log as well (`val/roc_auc`) gets the step after the last one,
        which MLflow's tables show; any other gets step 0, which its charts draw as a bar.
        """
        for epoch in epochs:
            log_step(self._client, self.run_id, epoch.as_metrics(), epoch.epoch)
        by_epoch = epochs[0].as_metrics().keys()
        last = {key: value for key, value in figures.items() if key in by_epoch}
        single = {key: value for key, value in figures.items() if key not in by_epoch}
        log_step(self._client, self.run_id, last, len(epochs), model_id)
        self.log_figures(single, model_id)

    def log_figures(self, figures: Mapping[str, float], model_id: str | None = None) -> None:
        """Log single figures, which MLflow's charts draw as bars, as those of a model too."""
        log_step(self._client, self.run_id, figures, 0, model_id)

    def log_curves(self, curves: Mapping[int, Mapping[str, float]]) -> None:
        """Log metrics by step, a request a step; MLflow's charts draw them as curves.

        Args:
            curves: By step, which may be negative, the metrics by name.
        """
        for step, figures in sorted(curves.items()):
            log_step(self._client, self.run_id, figures, step)

    def log_dataset(
        self,
        name: str,
        digest: str,
        rows: pd.DataFrame,
        folders: Mapping[str, Path],
        context: str = "train, valid and test",
    ) -> None:
        """Log which images a run is about, as its input, with their digest.

        Args:
            name: Of the dataset.
            digest: SHA-256 over contents and labels.
            rows: Columns `source`, `path`, `label`, `split`.
            folders: Of each source.
            context: What they are used for.
        """
        frame = rows[["source", "path", "label", "split"]]
        named = frame.assign(label=[CLASS_NAMES[label] for label in frame["label"]])
        dataset = PandasDataset(
            named,
            source=LocalArtifactDatasetSource(" + ".join(map(str, folders.values()))),
            targets="label",
            name=name,
            digest=digest[:_DIGEST_DIGITS],
        )
        mlflow.log_input(dataset, context=context)

    def log_folder(self, folder: Path) -> None:
        """Log every file of a folder as an artifact, under the same names."""
        self._client.log_artifacts(self.run_id, str(folder))


def all_runs(client: mlflow.MlflowClient, experiment_id: str, query: str) -> Iterator[Run]:
    """Yield every run of an experiment that a query finds, the newest first."""
    token: Any = None
    while True:
        page = client.search_runs([experiment_id], query, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def log_step(
    client: mlflow.MlflowClient,
    run_id: str,
    figures: Mapping[str, float],
    step: int,
    model_id: str | None = None,
) -> None:
    """Log some metrics of one step in one request; with a model's id they are its metrics too."""
    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[
            Metric(key, value, now, step, model_id=model_id) for key, value in figures.items()
        ],
    )


def log_tags(client: mlflow.MlflowClient, run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags in one request, cut to what every store takes; empty values are left out."""
    kept = [RunTag(key, value[:_MAX_TAG]) for key, value in tags.items() if value]
    client.log_batch(run_id, tags=kept)


def tag_run(run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of any run, one that has ended too.

    Raises:
        StudyError: If the store does not answer.
    """
    try:
        log_tags(mlflow.MlflowClient(), run_id, tags)
    except MlflowException as error:
        raise StudyError(f"the MLflow store failed: {error.message}") from error


@contextmanager
def tracked_run(kind: str, name: str) -> Iterator[TrackedRun]:
    """Adopt the run that `mlflow run` opened, or open one; it ends as the block does.

    A block that raises leaves the run FAILED, an interrupted one KILLED, with the reason as a tag.

    Args:
        kind: What job it is: `study`, `comparison`, `audit`, `registration`, `evaluation`,
            `generalisation`, `robustness`.
        name: Of the run, for people.
    """
    try:
        started = mlflow.start_run(log_system_metrics=True)
    except MlflowException as error:
        raise StudyError(f"MLflow opens no run: {error.message}") from error
    with started as active:
        run = TrackedRun(active.info.run_id, active.info.experiment_id)
        run.tag({names.KIND: kind, names.RUN_NAME: name})
        try:
            yield run
        except KeyboardInterrupt:
            run.tag({names.FAILURE: "interrupted"})
            mlflow.end_run("KILLED")
            raise
        except MlflowException as error:
            raise StudyError(f"the MLflow store failed: {error.message}") from error
        except Exception as error:
            run.tag({names.FAILURE: str(error) or type(error).__name__})
            raise


def fail_adopted_run(reason: str) -> None:
    """Mark the run that `mlflow run` opened for this process FAILED, if there is one."""
    run_id = os.environ.get(_RUN_VARIABLE)
    if run_id:
        client = mlflow.MlflowClient()
        log_tags(client, run_id, {names.FAILURE: reason})
        client.set_terminated(run_id, "FAILED")

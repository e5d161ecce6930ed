"""What is written to the run of a job, through an outbox that loses nothing."""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.data.pandas_dataset import PandasDataset
from mlflow.data.sources import LocalArtifactDatasetSource
from mlflow.entities import RunTag
from mlflow.exceptions import MlflowException

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.records.study import EpochRecord
from fakeface_bench.support.disk import draft_folder, unused_folder
from fakeface_bench.support.progress import Progress
from fakeface_bench.support.text import hide_credentials
from fakeface_bench.tracking import names
from fakeface_bench.tracking.entries import Artifacts, Batch, Input
from fakeface_bench.tracking.failures import failure_of_store
from fakeface_bench.tracking.logged_model import LogModel
from fakeface_bench.tracking.outbox import Outbox

#: Longest tag and param that every MLflow store takes.
_MAX_TAG = 5000
_MAX_PARAM = 6000
#: What MLflow's UI has room for; the whole digest is a tag.
_DIGEST_DIGITS = 12


class TrackedRun:
    """An open run.

    Attributes:
        status: How it is to end, in MLflow's words.
        study: By which tags the runs of the study are known whose results it holds; empty before
            it does, and for other jobs.
    """

    def __init__(self, run_id: str, experiment_id: str, present: Mapping[str, str]) -> None:
        self.run_id = run_id
        self.experiment_id = experiment_id
        self.outbox = Outbox(run_id)
        self.status = "FINISHED"
        self.study: Mapping[str, str] = {}
        self._params = set(present)

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags; empty values are left out."""
        self.outbox.send(Batch(self.run_id, tags=shown_tags(tags)))

    def fail(self, reason: str) -> None:
        """Let the run end FAILED, with what it holds, and say why."""
        self.tag({names.FAILURE: reason})
        self.status = "FAILED"

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log params, leaving alone those that `mlflow run` has logged under the same name."""
        fresh = {
            key: hide_credentials(str(value))[:_MAX_PARAM]
            for key, value in params.items()
            if key not in self._params
        }
        self._params |= set(fresh)
        self.outbox.send(Batch(self.run_id, params=fresh))

    def log_fit(
        self, epochs: tuple[EpochRecord, ...], metrics: Mapping[str, float], model: str
    ) -> None:
        """Log the epochs of the final fit as steps, and metrics, which are the model's too.

        A metric that the epochs log as well (`val/roc_auc`) gets the step after the last one,
        which MLflow's tables show; any other gets step 0, which its charts draw as a bar.
        """
        for epoch in epochs:
            self.outbox.send(step_of(self.run_id, epoch.as_metrics(), epoch.epoch))
        by_epoch = epochs[0].as_metrics().keys()
        last = {key: value for key, value in metrics.items() if key in by_epoch}
        single = {key: value for key, value in metrics.items() if key not in by_epoch}
        self.outbox.send(step_of(self.run_id, last, len(epochs), model))
        self.log_metrics(single, model)

    def log_metrics(self, metrics: Mapping[str, float], model: str = "") -> None:
        """Log metrics, which MLflow's charts draw as bars, as those of a model too."""
        self.outbox.send(step_of(self.run_id, metrics, 0, model))

    def log_curves(self, curves: Mapping[int, Mapping[str, float]]) -> None:
        """Log metrics by step, a request a step; MLflow's charts draw them as curves."""
        for step, metrics in sorted(curves.items()):
            self.outbox.send(step_of(self.run_id, metrics, step))

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
            digest: SHA-256 over contents and labels.
            rows: Columns `source`, `path`, `label`, `split`.
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
        self.outbox.send(Input(self.run_id, dataset.to_dict(), context))

    def log_folder(self, folder: Path) -> None:
        """Log every file of a folder as an artifact, under the same names."""
        self.outbox.send(Artifacts(self.run_id), folder)

    def log_model(self, folder: Path, metadata: Mapping[str, Any]) -> str:
        """Log the model that `write_model` wrote; return what its figures call it."""
        entry = LogModel(self.run_id, dict(metadata))
        self.outbox.send(entry, folder)
        return entry.name


def step_of(run: str, metrics: Mapping[str, float], step: int, model: str = "") -> Batch:
    """Return some metrics of one step and of this moment."""
    numbers = {key: float(value) for key, value in metrics.items()}
    return Batch(run, figures=numbers, step=step, at=int(time.time() * 1000), model=model)


def shown_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags as every store takes them, without anybody's password or empty values."""
    return {key: hide_credentials(value)[:_MAX_TAG] for key, value in tags.items() if value}


def log_tags(client: mlflow.MlflowClient, run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags in one request; empty values are left out."""
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in shown_tags(tags).items()])


def close_run(run_id: str, status: str, reason: str) -> None:
    """End any run from outside, and say why."""
    client = mlflow.MlflowClient()
    log_tags(client, run_id, {names.FAILURE: reason})
    client.set_terminated(run_id, status)


def tag_run(run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of any run, one that has ended too."""
    try:
        log_tags(mlflow.MlflowClient(), run_id, tags)
    except MlflowException as error:
        raise failure_of_store(error) from error


def log_report(
    run: TrackedRun, output: str, write: Callable[[Path], None], progress: Progress
) -> Path | None:
    """Log what is written as artifacts of a run, and copy it; nothing that is there is replaced.

    Returns the folder that was asked for, or one beside it that holds no files.
    """
    with draft_folder() as draft:
        write(draft)
        run.log_folder(draft)
        if not output:
            return None
        return copied_beside(draft, Path(output).expanduser().absolute(), progress)


def copied_beside(draft: Path, wanted: Path, progress: Progress) -> Path:
    """Copy what a job wrote to the folder asked for, or to one beside it where files are in it."""
    folder = unused_folder(wanted)
    if folder != wanted:
        progress.say(f"{wanted} holds files already, which are kept; this report is in {folder}")
    shutil.copytree(draft, folder, dirs_exist_ok=True)
    return folder

"""What is written to MLflow, one request each, so that it can be kept, and made again, unharmed.

Each may be delivered twice, where MLflow's answer to the first time was lost: what would then be
there twice is looked for first.
"""

import logging
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModel, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from fakeface_bench.support.disk import is_full
from fakeface_bench.tracking import names


def drop_half_files(files: Path, place: str) -> None:
    """Delete the copies that are shorter than what was copied."""
    folder = _local(place)
    if folder is None:
        return
    for file in files.rglob("*"):
        copy = folder / file.relative_to(files)
        if file.is_file() and copy.is_file() and copy.stat().st_size != file.stat().st_size:
            copy.unlink()


def drop_model(client: mlflow.MlflowClient, model: LoggedModel) -> None:
    """Delete a model of which a part is missing, with its files where they lie in a folder."""
    folder = _local(model.artifact_location)
    if folder is not None and folder.is_dir():
        shutil.rmtree(folder)
    try:
        client.delete_logged_model(model.model_id)
    except MlflowException as error:  # the database may lie on the same disk
        logging.getLogger(__name__).debug("the model %s stays listed: %s", model.model_id, error)


def _local(place: str) -> Path | None:
    repository = get_artifact_repository(place)
    local = isinstance(repository, LocalArtifactRepository)
    return Path(repository.artifact_dir) if local else None


_STEP = "step"
#: MLflow takes no more in one request.
_METRICS_AT_ONCE = 1000
_CONTEXT_TAG = "mlflow.data.context"
#: Says what kind of entry is kept; no entry has such a field.
ENTRY = "entry"


class Recipient:
    """MLflow, and the ids that it gave to what was named before it could be asked.

    Attributes:
        ids: Of runs and models, by the names that entries call them.
    """

    def __init__(self, ids: Mapping[str, str]) -> None:
        self.client = mlflow.MlflowClient()
        self.ids = dict(ids)

    def id_of(self, name: str) -> str:
        """Return MLflow's id of what is named so; an id is its own name."""
        return self.ids.get(name, name)


@dataclass(frozen=True, slots=True)
class Entry(ABC):
    """Something to be written."""

    #: Whether a folder of files goes with it.
    has_files: ClassVar[bool] = False

    @abstractmethod
    def deliver(self, to: Recipient, files: Path | None, again: bool) -> None:
        """Write it; if `again`, it may have been written already."""


@dataclass(frozen=True, slots=True)
class OpenTrial(Entry):
    """The child run of a trial."""

    uid: str  # of the trial; names the run until MLflow has given it an id
    experiment_id: str
    name: str
    began: int  # Unix time in milliseconds
    tags: Mapping[str, str]

    def deliver(self, to: Recipient, files: Path | None, again: bool) -> None:
        """Open the run, unless there is one of this trial."""
        if again:
            query = f"tags.`{names.TRIAL_ID}` = '{self.uid}'"
            for run in to.client.search_runs([self.experiment_id], query):
                to.ids[self.uid] = run.info.run_id
                return
        run = to.client.create_run(
            self.experiment_id, start_time=self.began, run_name=self.name, tags=dict(self.tags)
        )
        to.ids[self.uid] = run.info.run_id


@dataclass(frozen=True, slots=True)
class Batch(Entry):
    """Metrics, params and tags of a run."""

    run: str
    figures: Mapping[str, float] = field(default_factory=dict)
    step: int = 0
    at: int = 0  # of the metrics: Unix time in milliseconds
    model: str = ""  # whose metrics they are too, by name; no model's if empty
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def deliver(self, to: Recipient, files: Path | None, again: bool) -> None:
        """Log them; MLflow keeps the same metric of the same moment once."""
        model_id = to.id_of(self.model) or None
        to.client.log_batch(
            to.id_of(self.run),
            metrics=[
                Metric(key, value, self.at, self.step, model_id=model_id)
                for key, value in self.figures.items()
            ],
            params=[Param(key, value) for key, value in self.params.items()],
            tags=[RunTag(key, value) for key, value in self.tags.items()],
        )


@dataclass(frozen=True, slots=True)
class Steps(Entry):
    """Metrics of several steps of a run."""

    run: str
    steps: Sequence[Mapping[str, float]]  # each with its number, "step"
    at: int  # of all of them: Unix time in milliseconds

    def deliver(self, to: Recipient, files: Path | None, again: bool) -> None:
        """Log them; MLflow keeps the same metric of the same moment once."""
        metrics = [
            Metric(key, float(value), self.at, int(figures[_STEP]))
            for figures in self.steps
            for key, value in figures.items()
            if key != _STEP
        ]
        for start in range(0, len(metrics), _METRICS_AT_ONCE):
            to.client.log_batch(to.id_of(self.run), metrics[start : start + _METRICS_AT_ONCE])


@dataclass(frozen=True, slots=True)
class Input(Entry):
    """A dataset that a run is about."""

    run: str
    dataset: Mapping[str, Any]
    context: str

    def deliver(self, to: Recipient, files: Path | None, again: bool) -> None:
        """Log it; MLflow keeps the same one once."""
        tags = [InputTag(_CONTEXT_TAG, self.context)]
        to.client.log_inputs(to.id_of(self.run), [DatasetInput(Dataset(**self.dataset), tags=tags)])


@dataclass(frozen=True, slots=True)
class Artifacts(Entry):
    """A folder of files of a run, each under its name; written again, they are the same."""

    has_files: ClassVar[bool] = True
    run: str

    def deliver(self, to: Recipient, files: Path | None, again: bool) -> None:
        """Log them; of a file for which there is no room nothing stays."""
        assert files is not None
        run_id = to.id_of(self.run)
        try:
            to.client.log_artifacts(run_id, str(files))
        except OSError as error:
            if is_full(error):
                drop_half_files(files, to.client.get_run(run_id).info.artifact_uri)
            raise


@dataclass(frozen=True, slots=True)
class End(Entry):
    """The end of a run."""

    run: str
    status: str
    at: int

    def deliver(self, to: Recipient, files: Path | None, again: bool) -> None:
        """End it."""
        to.client.set_terminated(to.id_of(self.run), self.status, self.at)


def as_json(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON can hold it."""
    return {ENTRY: type(entry).__name__, **asdict(entry)}

"""Takes back what a full disk has let be written half-way to a local store of MLflow's."""

import logging
import shutil
from pathlib import Path

import mlflow
from mlflow.entities import LoggedModel
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository


def drop_half_files(files: Path, place: str) -> None:
    """Delete the copies that are shorter than what was copied.

    Args:
        files: Folder that was to be copied.
        place: Address to which; nothing is done where that is no local folder.
    """
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

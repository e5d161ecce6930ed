"""What a logged model of this project is made of, read without loading it; travels with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.models import Model
from mlflow.store.artifact.models_artifact_repo import REGISTERED_MODEL_META_FILE_NAME
from mlflow.utils.yaml_utils import read_yaml

#: Name of the model among a run's artifacts.
MODEL_NAME = "model"
#: Name of the detector among the model's own artifacts.
DETECTOR = "detector"


def is_detector(flavors: Mapping[str, Any]) -> bool:
    """Whether an MLflow model of these flavours is one that a study logged."""
    return DETECTOR in (flavors.get("python_function", {}).get("artifacts") or {})


def detector_folder(folder: Path) -> Path:
    """Return where the detector lies within the folder of an MLflow model."""
    return folder / "artifacts" / DETECTOR


def model_facts(folder: Path) -> tuple[str, Mapping[str, Any]]:
    """Return the run that logged a model, empty if it is unknown, and the model's metadata."""
    model = Model.load(str(folder))
    return str(model.run_id or ""), model.metadata or {}


def model_version(folder: Path) -> str:
    """Return a model's version in the registry it was loaded from, else MLflow's id of it.

    Args:
        folder: Of the MLflow model, as MLflow downloaded it; that writes the version there.
    """
    if (folder / REGISTERED_MODEL_META_FILE_NAME).exists():
        version = read_yaml(str(folder), REGISTERED_MODEL_META_FILE_NAME).get("model_version")
        if version is not None:
            return str(version)
    return str(Model.load(str(folder)).model_id or "")

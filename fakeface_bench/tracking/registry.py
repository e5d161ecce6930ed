"""MLflow's model registry: versions, the champion, and a version loaded as anybody would."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from fakeface_bench.support.disk import draft_folder
from fakeface_bench.support.errors import DataError, ModelError, UsageError, shortened
from fakeface_bench.support.processes import RUN_VARIABLE
from fakeface_bench.support.text import hide_credentials, without_credentials
from fakeface_bench.tracking import names
from fakeface_bench.tracking.addresses import refusal
from fakeface_bench.tracking.model_files import is_detector
from fakeface_bench.tracking.studies import StudyRun

CHAMPION = "champion"
#: Longest description of a version that every registry takes.
MAX_DESCRIPTION = 5000
_ABSENT = ErrorCode.Name(RESOURCE_DOES_NOT_EXIST)
_PRESENT = ErrorCode.Name(RESOURCE_ALREADY_EXISTS)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a registered model."""

    name: str
    number: str
    run_id: str  # of the study that logged it; empty where it came another way

    @property
    def address(self) -> str:
        """Under which MLflow loads it."""
        return f"models:/{self.name}/{self.number}"


def check_registry() -> None:
    """Ask the registry for anything: one that cannot be reached is refused before long work."""
    with _reached():
        mlflow.MlflowClient().search_registered_models(max_results=1)


def register_version(study: StudyRun, model_id: str, name: str) -> Version:
    """Register the model of a study; a study that is there already keeps its version."""
    client = mlflow.MlflowClient()
    with _reached():
        _name(client, name)
        found = client.search_model_versions(f"name = '{name}' and run_id = '{study.run_id}'")
        # Not every store tells the model's id when it is searched.
        same = [version for version in found if version.source == f"models:/{model_id}"]
        version = same[0] if same else _create(client, name, study.run_id, model_id)
    return _version(version)


def describe_version(version: Version, description: str, tags: Mapping[str, str]) -> None:
    """Give a version its description, and tags; one that is empty now is deleted."""
    client = mlflow.MlflowClient()
    with _reached():
        present = client.get_model_version(version.name, version.number).tags
        client.update_model_version(version.name, version.number, description)
        for key, value in tags.items():
            if value:
                client.set_model_version_tag(version.name, version.number, key, value)
            elif key in present:
                client.delete_model_version_tag(version.name, version.number, key)


def descriptions_of(run_id: str) -> dict[Version, str]:
    """Return what the versions that hold a study's model say of it."""
    client = mlflow.MlflowClient()
    with _reached():
        found = client.search_model_versions(f"run_id = '{run_id}'")
        return {_version(version): version.description or "" for version in found}


def tries_on(version: Version, test_digest: str) -> int:
    """Return which challenger on a test split a version is, the first champion not counted."""
    client = mlflow.MlflowClient()
    asked = f"name = '{version.name}' and tags.`{names.TEST_DIGEST}` = '{test_digest}'"
    with _reached():
        found = client.search_model_versions(asked)
    earlier = [other for other in found if int(other.version) < int(version.number)]
    return max(1, len(earlier))


def champion_of(name: str) -> Version | None:
    """Return the version with the alias `champion`, if there is one."""
    with _reached():
        try:
            found = mlflow.MlflowClient().get_model_version_by_alias(name, CHAMPION)
        except MlflowException as error:
            # An alias that no version has is an invalid value in some stores.
            if error.error_code in (_ABSENT, "INVALID_PARAMETER_VALUE"):
                return None
            raise
    return _version(found)


def make_champion(version: Version) -> None:
    """Move the alias `champion` to a version."""
    with _reached():
        mlflow.MlflowClient().set_registered_model_alias(version.name, CHAMPION, version.number)


def detector_of(study: StudyRun) -> str:
    """Return the id of the model that a study logged."""
    again = f"Run the study again. (run {study.run_id})"
    with _reached():
        outputs = mlflow.MlflowClient().get_run(study.run_id).outputs
        models = outputs.model_outputs if outputs else []
        if not models:
            raise UsageError(f"the study of {study.name} has no model in MLflow. {again}")
        model_id = str(models[-1].model_id)
        try:
            flavors = mlflow.models.get_model_info(f"models:/{model_id}").flavors
        except (MlflowException, FileNotFoundError) as error:
            if isinstance(error, MlflowException) and error.error_code != _ABSENT:
                raise
            raise UsageError(
                f"the model of the study of {study.name} is gone from MLflow ({model_id}). {again}"
            ) from error
    if not is_detector(flavors):
        raise UsageError(
            f"the model of the study of {study.name} is of another kind (flavours: "
            f"{', '.join(sorted(flavors))}): an earlier version of fakeface_bench logged it. "
            f"{again}"
        )
    return model_id


def _name(client: mlflow.MlflowClient, name: str) -> None:
    """Create the registered model, if nobody has."""
    try:
        client.create_registered_model(
            name,
            description="Detectors of generated faces, logged by fakeface_bench. The alias "
            f"`{CHAMPION}` is the one to use; each version's description is its model card.",
        )
    except MlflowException as error:
        if error.error_code != _PRESENT:
            raise


def _create(client: mlflow.MlflowClient, name: str, run_id: str, model_id: str) -> ModelVersion:
    version = client.create_model_version(name, f"models:/{model_id}", run_id, model_id=model_id)
    # By this tag the model's own page in MLflow's UI leads to its versions.
    tags = client.get_logged_model(model_id).tags
    versions = json.loads(tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
    versions.append({"name": name, "version": version.version})
    client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(versions)})
    return version


def _version(found: ModelVersion) -> Version:
    return Version(found.name, str(found.version), found.run_id or "")


@contextmanager
def _reached() -> Iterator[None]:
    """Tell a registry that does not answer, or refuses, in one line."""
    try:
        yield
    except (MlflowException, OSError) as error:
        uri = without_credentials(mlflow.get_registry_uri())
        if known := refusal(uri, error, registry=True):
            raise ModelError(str(known)) from error
        said = hide_credentials(shortened(getattr(error, "message", error)))
        raise ModelError(
            f"the model registry {uri} failed: {said} MLFLOW_REGISTRY_URI names another."
        ) from error


#: It names nothing of this package, so what runs is the code that the model brings.
_PROGRAM = """
import json, pathlib, sys
import mlflow, pandas as pd
address, asked, answer = sys.argv[1:]
pictures = [pathlib.Path(name) for name in json.loads(pathlib.Path(asked).read_text())]
model = mlflow.pyfunc.load_model(address, model_config={"allow_paths": True})
rows = model.predict(pd.DataFrame({"image": pictures}))
said = rows[["probability_fake", "error"]].values.tolist()
pathlib.Path(answer).write_text(json.dumps(said))
"""
#: Of this process's variables, what would lead the new one to code or a run of this one.
_NOT_PASSED_ON = ("PYTHONPATH", RUN_VARIABLE)
_LONGEST_SECONDS = 900


def reloaded_scores(address: str, files: Sequence[Path]) -> list[float]:
    """Return the probability of fake of image files from a model that a new process loads.

    Args:
        files: At most as many as one call of a model takes.

    Returns:
        One a file.
    """
    variables = {k: v for k, v in os.environ.items() if k not in _NOT_PASSED_ON}
    variables |= {
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        "MLFLOW_REGISTRY_URI": mlflow.get_registry_uri(),
    }
    with draft_folder() as folder:
        asked, answer = folder / "files.json", folder / "scores.json"
        asked.write_text(json.dumps([str(file.absolute()) for file in files]), encoding="utf-8")
        # -P: this folder may hold the package, and what runs is to be the model's own copy of it.
        command = [sys.executable, "-P", "-c", _PROGRAM, address, str(asked), str(answer)]
        try:
            process = subprocess.run(
                command,
                env=variables,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_LONGEST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ModelError(f"it did not answer within {_LONGEST_SECONDS} s") from error
        if process.returncode:
            said = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
            raise ModelError(shortened(said[-1]))
        rows = json.loads(answer.read_text(encoding="utf-8"))
    for file, (score, reason) in zip(files, rows, strict=True):
        if score is None:
            raise DataError(f"{file}: {reason}")
    return [float(score) for score, _ in rows]

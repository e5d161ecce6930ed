"""Where a model comes from: the registry, a run, or a folder; found, checked, downloaded."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import yaml
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

from fakeface_bench.backbones.file_facts import pictures_of
from fakeface_bench.backbones.unsafe_files import what_runs_code
from fakeface_bench.support.disk import draft_folder
from fakeface_bench.support.errors import ModelError, UsageError, shortened
from fakeface_bench.support.text import hide_places, without_credentials
from fakeface_bench.tracking.addresses import (
    ADDRESSES,
    check_store_is_there,
    database_of,
    model_folder,
    refusal,
)
from fakeface_bench.tracking.model_files import MODEL_NAME, is_detector
from fakeface_bench.tracking.store import open_store

ALLOW_UNSAFE = "--allow-unsafe-model"
#: For who gives that option.
WARNING = f"{ALLOW_UNSAFE}: a model may run code of its author, with all your rights"
#: MLflow's loader of the models that this project logs, which are code and data.
_LOADER = "mlflow.pyfunc.loaders.code_model"
#: Of formats that hold no code.
_HARMLESS_LOADERS = ("mlflow.onnx",)


def unsafe_part(folder: Path, flavors: Mapping[str, Any]) -> str:
    """Return the first thing that could, in words; empty where nothing could.

    The code that a logged model brings for serving is not meant: no command here runs it.
    """
    how = flavors.get("python_function", {})
    if "python_model" in how:
        return f"a pickle ({how['python_model']}, as MLmodel says)"
    ours = is_detector(flavors)
    allowed = (_LOADER,) if ours else _HARMLESS_LOADERS
    if how and (loader := str(how.get("loader_module", ""))) not in allowed:
        return f"a loader of another kind ({loader}, as MLmodel says)"
    if how.get("code") and not ours:
        return f"code of its own ({how['code']}, as MLmodel says)"
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if found := what_runs_code(path):
            return f"{found} in {path.relative_to(folder).as_posix()}"
    return ""


def flavours_of(folder: Path) -> Mapping[str, Any]:
    """Return what MLflow can load a model as, by its file MLmodel."""
    flavours: Mapping[str, Any] = Model.load(str(folder)).flavors
    return flavours


@contextmanager
def fetched_model(
    model: str, allow_unsafe: bool = False, of_others: bool = False
) -> Iterator[Path]:
    """Yield the folder of a model of this project, which may be gone after the block.

    A wrong name is refused before TensorFlow is loaded.

    Args:
        of_others: Whether one of any other flavour will do.
    """
    with draft_folder() as draft:
        folder = _fetched(model, draft)
        try:
            flavors = flavours_of(folder)
        except Exception as error:  # a damaged file makes MLflow raise nearly anything
            raise UsageError(
                f"the model {model!r} is damaged: its file MLmodel cannot be read ({error!r})."
            ) from error
        if not (of_others or is_detector(flavors)):
            flavours = ", ".join(sorted(flavors))
            raise UsageError(
                f"the model {model!r} is of another kind (flavours: {flavours}); only models that "
                "a study of fakeface_bench has logged hold what is needed."
            )
        found = "" if allow_unsafe else unsafe_part(folder, flavors)
        if found:
            raise UsageError(
                f"the model {model!r} holds {found}, which could run code of its author, and "
                f"is not loaded. {ALLOW_UNSAFE} loads it all the same, if you trust them."
            )
        yield folder


def _fetched(model: str, draft: Path) -> Path:
    """Return the folder of an MLflow model: as it is, or downloaded into a draft."""
    folder = model_folder(model)
    if folder is not None:
        return folder
    address = model if model.startswith(ADDRESSES) else f"runs:/{model}/{MODEL_NAME}"
    check_store_is_there()
    open_store()
    try:
        return Path(mlflow.artifacts.download_artifacts(address, dst_path=str(draft)))
    except MlflowException as error:
        raise _obstacle(address, error) from error
    except OSError as error:
        raise UsageError(f"the model {address!r} has no files any more: {error}") from error


def _obstacle(address: str, error: MlflowException) -> UsageError | ModelError:
    """Tell what there is not from what cannot be reached."""
    where = without_credentials(database_of(mlflow.get_registry_uri()))
    unknown = ErrorCode.Name(RESOURCE_DOES_NOT_EXIST), "INVALID_PARAMETER_VALUE", "NOT_FOUND"
    said = shortened(error.message)
    if error.error_code in unknown:
        return UsageError(f"no model {address!r} in {where}: {said}")
    if known := refusal(mlflow.get_registry_uri(), error, registry=True):
        return ModelError(f"the model {address!r} cannot be had: {known}")
    return ModelError(
        f"the model {address!r} cannot be had from {where}: {said} MLFLOW_TRACKING_URI names "
        "another store, MLFLOW_REGISTRY_URI another registry."
    )


#: Of a logged model: a picture to try it with.
_EXAMPLES = ("input_example.json", "serving_input_example.json")


def copy_without_pictures(folder: Path, target: Path) -> None:
    """Copy an MLflow model without its example picture and without paths of this machine."""
    ignored = shutil.ignore_patterns(*_EXAMPLES, "__pycache__")
    shutil.copytree(folder, target, ignore=ignored)
    written = target / MLMODEL_FILE_NAME
    content = yaml.safe_load(written.read_text(encoding="utf-8"))
    content.pop("saved_input_example_info", None)
    content["artifact_path"] = ""
    how = content["flavors"]["python_function"]
    how["model_code_path"] = Path(str(how.get("model_code_path", ""))).name
    for artifact in how["artifacts"].values():
        artifact["uri"] = artifact["path"]
    written.write_text(hide_places(yaml.safe_dump(content)), encoding="utf-8")


def array_facts(folder: Path) -> tuple[int, bool]:
    """Return the side of the pictures that an MLflow model takes, and whether channels come first.

    By its signature; 0 where that leaves the side open, or there is none.

    Raises:
        UsageError: If it takes no pictures.
    """
    signature = Model.load(str(folder)).signature
    if signature is None or signature.inputs is None:
        return 0, False
    inputs = signature.inputs.inputs
    if len(inputs) != 1 or not hasattr(inputs[0], "shape"):
        raise UsageError(
            f"it takes {signature.inputs}; a model is needed that takes pictures as one array, "
            "(images, side, side, 3) or (images, 3, side, side)"
        )
    return pictures_of([None if length < 0 else int(length) for length in inputs[0].shape])


def array_function(folder: Path) -> Callable[[Any], Any]:
    """Load an MLflow model of any flavour, as a function of arrays.

    Raises:
        ModelError: If a library that it needs is missing, or it cannot be loaded.
    """
    try:
        predict: Callable[[Any], Any] = mlflow.pyfunc.load_model(str(folder)).predict
    except Exception as error:  # whatever MLflow and the flavour's library raise
        raise ModelError(f"MLflow cannot load {folder.name}: {shortened(error)}") from error
    return predict

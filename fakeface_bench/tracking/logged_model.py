"""A detector on its way to MLflow: what `tracking.model` wrote, logged as a model, once."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import mlflow
import pandas as pd
from mlflow.entities import LoggedModelStatus
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

import fakeface_bench
from fakeface_bench.support.disk import is_full
from fakeface_bench.tracking.entries import Entry, Recipient, drop_model
from fakeface_bench.tracking.model_files import DETECTOR, MODEL_NAME

#: What one call may do, unless who loads the model says otherwise; a request cannot.
SETTINGS = {"allow_paths": False, "max_images": 1000, "max_megabytes": 100, "max_megapixels": 1000}
#: Beside the detector in the folder that goes with the entry: the package, and a picture.
CODE = "code"
EXAMPLE = "example.png"
_SERVED = Path(__file__).with_name("served_model.py")
_REQUIREMENTS = ("mlflow", "keras", "tensorflow", "numpy", "pandas", "pillow")
_INPUT = Schema([ColSpec(AnyType(), "image")])
_OUTPUT = Schema(
    [
        ColSpec("string", "label", required=False),
        ColSpec("double", "probability_fake", required=False),
        ColSpec("double", "threshold"),
        ColSpec("boolean", "unsure", required=False),
        ColSpec("string", "model_version"),
        ColSpec("string", "error", required=False),
    ]
)


@dataclass(frozen=True, slots=True)
class LogModel(Entry):
    """A detector, with signature, pinned requirements and a real picture."""

    has_files: ClassVar[bool] = True
    run: str
    metadata: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What other entries call it, until MLflow has given it an id."""
        return f"{MODEL_NAME} of {self.run}"

    @property
    def _required(self) -> tuple[str, ...]:
        """Distributions that the model needs."""
        library = self.metadata.get("library")
        return (*_REQUIREMENTS, library) if library else _REQUIREMENTS

    def deliver(self, to: Recipient, files: Path | None, again: bool) -> None:
        """Log it once; a model that was cut off, or for which there is no room, is deleted."""
        assert files is not None
        run_id = to.id_of(self.run)
        if again:
            for model in models_of(to.client, run_id):
                if model.status == LoggedModelStatus.READY:
                    to.ids[self.name] = model.model_id
                    return
                to.client.delete_logged_model(model.model_id)
        try:
            logged = self._logged(run_id, files)
        except OSError as error:
            if is_full(error):
                for model in models_of(to.client, run_id):
                    drop_model(to.client, model)
            raise
        to.ids[self.name] = str(logged.model_id)

    def _logged(self, run_id: str, files: Path) -> Any:
        return _Untried.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            name=MODEL_NAME,
            run_id=run_id,
            python_model=str(_SERVED),
            artifacts={DETECTOR: str(files / DETECTOR)},
            code_paths=[str(files / CODE / fakeface_bench.__name__)],
            model_config=SETTINGS,
            signature=ModelSignature(_INPUT, _OUTPUT),
            input_example=_table((files / EXAMPLE).read_bytes()),
            pip_requirements=[f"{name}=={version(name)}" for name in self._required],
            metadata=dict(self.metadata),
        )


class _Untried(Model):  # type: ignore[misc]
    """A model that MLflow does not load again, for 3 s, to try its example while it is logged.

    A failure there were only a warning; the registry's gate loads a model, and refuses it.
    """

    def get_serving_input(self, path: str) -> str | None:
        """Return none, so that there is nothing to try; the example itself is kept."""
        return None


def models_of(client: mlflow.MlflowClient, run_id: str) -> list[Any]:
    """Return the models that a run logged, whole or not."""
    experiment = client.get_run(run_id).info.experiment_id
    return list(
        client.search_logged_models([experiment], filter_string=f"source_run_id = '{run_id}'")
    )


def _table(png: bytes) -> pd.DataFrame:
    """Return a picture as a request holds it."""
    picture = base64.b64encode(png).decode()
    # Column names are objects: MLflow compares them as pandas 4 will not.
    return pd.DataFrame([[picture]], columns=pd.Index(["image"], dtype=object))

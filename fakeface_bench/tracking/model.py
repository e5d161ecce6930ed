"""The winner as an MLflow model that anyone can load: raw pictures in, verdicts out.

It holds the network in Keras's own format, what else a detector is as JSON, and the few modules of
this package that read pictures. None of it is a pickle.
"""

import base64
import shutil
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
from PIL import Image

import fakeface_bench
from fakeface_bench.data.images import load_image
from fakeface_bench.data.seen import SEEN_FILE, SeenImages
from fakeface_bench.serving.classifier import DetectorFacts, write_detector
from fakeface_bench.tracking.entries import Entry, Recipient
from fakeface_bench.tracking.model_files import DETECTOR, MODEL_NAME

#: What one call may do, unless who loads the model says otherwise; a request cannot.
SETTINGS = {"allow_paths": False, "max_images": 1000, "max_megabytes": 100, "max_megapixels": 1000}
#: Modules and packages that `served_model` imports of this package, with all that they import.
BUNDLED = (
    "__init__.py",
    "errors.py",
    "config",
    "data/__init__.py",
    "data/images.py",
    "features/__init__.py",
    "features/extractor.py",
    "serving",
    "tracking/__init__.py",
    "tracking/model_files.py",
)
_CODE = "code"
_EXAMPLE = "example.png"
_SERVED = Path(__file__).with_name("served_model.py")
_REQUIREMENTS = ("mlflow", "keras", "tensorflow", "numpy", "pandas", "pillow")
_INPUT = Schema([ColSpec(AnyType(), "image")])
_OUTPUT = Schema(
    [
        ColSpec("string", "label", required=False),
        ColSpec("double", "probability_fake", required=False),
        ColSpec("double", "threshold"),
        ColSpec("string", "model_version"),
        ColSpec("string", "error", required=False),
    ]
)


@dataclass(frozen=True, slots=True)
class LogModel(Entry):
    """A detector, with signature, pinned requirements and a real picture.

    Attributes:
        run: Name or id of the run that trained it.
        metadata: Facts to keep with the model.
    """

    has_files: ClassVar[bool] = True
    run: str
    metadata: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What other entries call it, until MLflow has given it an id."""
        return f"{MODEL_NAME} of {self.run}"

    def deliver(self, to: Recipient, files: Path | None, again: bool) -> None:
        """Log it, unless it is there; one that was cut off half-way is deleted."""
        assert files is not None
        run_id = to.id_of(self.run)
        if again:
            for model in models_of(to.client, run_id):
                if model.status == LoggedModelStatus.READY:
                    to.ids[self.name] = model.model_id
                    return
                to.client.delete_logged_model(model.model_id)
        logged = Model.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            name=MODEL_NAME,
            run_id=run_id,
            python_model=str(_SERVED),
            artifacts={DETECTOR: str(files / DETECTOR)},
            code_paths=[str(files / _CODE / fakeface_bench.__name__)],
            model_config=SETTINGS,
            signature=ModelSignature(_INPUT, _OUTPUT),
            input_example=_table((files / _EXAMPLE).read_bytes()),
            pip_requirements=[f"{name}=={version(name)}" for name in _REQUIREMENTS],
            metadata=dict(self.metadata),
        )
        to.ids[self.name] = str(logged.model_id)


def models_of(client: mlflow.MlflowClient, run_id: str) -> list[Any]:
    """Return the models that a run logged, whole or not."""
    experiment = client.get_run(run_id).info.experiment_id
    return list(
        client.search_logged_models([experiment], filter_string=f"source_run_id = '{run_id}'")
    )


def write_model(
    folder: Path, network: Any, facts: DetectorFacts, example: Path, seen: SeenImages
) -> None:
    """Write all that `LogModel` sends into a folder.

    Args:
        folder: Empty.
        network: A Keras model from pixels 0 to 255, shape (n, size, size, 3), to the probability
            of fake (n, 1).
        facts: The rest of the detector.
        example: An image file; its pixels as they meet the input are logged with the model, and
            none of its metadata.
        seen: The images that it was trained and chosen on.
    """
    detector = folder / DETECTOR
    detector.mkdir()
    _copy_package(folder / _CODE)
    write_detector(network, facts, detector)
    seen.write(detector / SEEN_FILE)
    pixels = load_image(example, facts.image_size_px, facts.fit)
    Image.fromarray(pixels).save(folder / _EXAMPLE)


def _table(png: bytes) -> pd.DataFrame:
    """Return a picture as a request holds it.

    Column names are objects: MLflow compares them as pandas 4 will not.
    """
    picture = base64.b64encode(png).decode()
    return pd.DataFrame([[picture]], columns=pd.Index(["image"], dtype=object))


def _copy_package(folder: Path) -> None:
    """Copy the modules that a served model needs."""
    package = Path(fakeface_bench.__file__).parent
    for name in BUNDLED:
        source, target = package / name, folder / package.name / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)

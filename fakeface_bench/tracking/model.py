"""The winner as an MLflow model that anyone can load: raw pictures in, verdicts out.

It holds the network in Keras's own format, what else a detector is as JSON, and the few modules of
this package that read pictures. None of it is a pickle.
"""

import base64
import io
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType
from PIL import Image

import fakeface_bench
from fakeface_bench.data.images import load_image
from fakeface_bench.data.seen import SEEN_FILE, SeenImages
from fakeface_bench.folders import draft_folder
from fakeface_bench.serving.classifier import DetectorFacts, write_detector
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


def log_model(
    network: Any,
    facts: DetectorFacts,
    example: Path,
    seen: SeenImages,
    metadata: dict[str, Any],
) -> str:
    """Log a detector with signature, pinned requirements and a real picture; return its id.

    Args:
        network: A Keras model from pixels 0 to 255, shape (n, size, size, 3), to the probability
            of fake (n, 1).
        facts: The rest of the detector.
        example: An image file; its pixels as they meet the input are logged with the model, and
            none of its metadata.
        seen: The images that it was trained and chosen on.
        metadata: Facts to keep with the model.
    """
    with draft_folder() as draft:
        code, detector = draft / "code", draft / "detector"
        detector.mkdir()
        _copy_package(code)
        write_detector(network, facts, detector)
        seen.write(detector / SEEN_FILE)
        logged = mlflow.pyfunc.log_model(
            name=MODEL_NAME,
            python_model=str(_SERVED),
            artifacts={DETECTOR: str(detector)},
            code_paths=[str(code / fakeface_bench.__name__)],
            model_config=SETTINGS,
            signature=ModelSignature(_INPUT, _OUTPUT),
            input_example=_example_table(example, facts),
            pip_requirements=[f"{name}=={version(name)}" for name in _REQUIREMENTS],
            metadata=metadata,
        )
    return str(logged.model_id)


def _example_table(example: Path, facts: DetectorFacts) -> pd.DataFrame:
    """Return a picture as a request holds it.

    Column names are objects: MLflow compares them as pandas 4 will not.
    """
    png = io.BytesIO()
    Image.fromarray(load_image(example, facts.image_size_px, facts.fit)).save(png, "PNG")
    picture = base64.b64encode(png.getvalue()).decode()
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

"""The winner as an MLflow model that anyone can load: raw pictures in, verdicts out.

It holds the network in Keras's own format, what else a detector is as JSON, and the few modules of
this package that read pictures. None of it is a pickle.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import fakeface_bench
from fakeface_bench.data.seen import SEEN_FILE, SeenImages
from fakeface_bench.serving.classifier import DetectorFacts, write_detector
from fakeface_bench.tracking.logged_model import CODE, EXAMPLE
from fakeface_bench.tracking.model_files import DETECTOR

#: Modules and packages that `served_model` imports of this package, with all that they import.
BUNDLED = (
    "__init__.py",
    "backbones/__init__.py",
    "backbones/hub_layers.py",
    "backbones/onnx_network.py",
    "config.py",
    "data/__init__.py",
    "data/decode.py",
    "features/__init__.py",
    "features/engine.py",
    "features/residual_statistics.py",
    "features/residuals.py",
    "serving",
    "support/__init__.py",
    "support/backend.py",
    "support/errors.py",
    "support/executor.py",
    "support/request.py",
    "support/text.py",
    "tracking/__init__.py",
    "tracking/model_files.py",
)


def write_model(
    folder: Path,
    network: Any,
    facts: DetectorFacts,
    example: npt.NDArray[np.uint8],
    seen: SeenImages,
) -> None:
    """Write all that `LogModel` sends into a folder.

    Args:
        network: A Keras model from pixels 0 to 255, shape (n, size, size, 3), to the probability
            of fake (n, 1).
        example: Pixels of a picture as they meet the input, shape (size, size, 3).
    """
    detector = folder / DETECTOR
    detector.mkdir()
    _copy_package(folder / CODE)
    write_detector(network, facts, detector)
    seen.write(detector / SEEN_FILE)
    Image.fromarray(example).save(folder / EXAMPLE)


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

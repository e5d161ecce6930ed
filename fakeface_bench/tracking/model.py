"""The winner as an MLflow model: pixels in, probability of fake out."""

from importlib.metadata import version
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

#: Name of the model among the run's artifacts.
MODEL_NAME = "model"
_REQUIREMENTS = ("keras", "tensorflow", "numpy")


def log_model(model: Any, example: npt.NDArray[np.uint8], metadata: dict[str, Any]) -> None:
    """Log a Keras model with its signature, pinned requirements and a real picture as example.

    Args:
        model: From pixels 0 to 255, shape (n, size, size, 3), to the probability of fake (n, 1).
        example: A few pictures as that input.
        metadata: Facts to keep with the model.
    """
    pixels = TensorSpec(np.dtype(np.uint8), (-1, *example.shape[1:]))
    fake = TensorSpec(np.dtype(np.float32), (-1, 1))
    mlflow.tensorflow.log_model(
        model,
        name=MODEL_NAME,
        signature=ModelSignature(Schema([pixels]), Schema([fake])),
        input_example=example,
        pip_requirements=[f"{name}=={version(name)}" for name in ("mlflow", *_REQUIREMENTS)],
        metadata=metadata,
    )

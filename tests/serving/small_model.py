"""A small detector of random values, and how it is logged and registered."""

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import keras
import mlflow
import numpy as np
import numpy.typing as npt
import pytest

from fakeface_bench.backbones.building import build_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.config import HeadConfig
from fakeface_bench.data.decode import seen_pixels
from fakeface_bench.data.seen import SeenImages
from fakeface_bench.features.pooling import feature_model
from fakeface_bench.features.samples import Samples
from fakeface_bench.serving.classifier import DetectorFacts
from fakeface_bench.support.disk import draft_folder
from fakeface_bench.tracking.entries import Recipient
from fakeface_bench.tracking.logged_model import LogModel
from fakeface_bench.tracking.model import write_model
from fakeface_bench.training.head import Calibration
from fakeface_bench.training.head_fit import HeadRows
from fakeface_bench.training.networks import FrozenNetwork
from tests.serving.drawn import drawn

SIZE = 96
THRESHOLD = 0.5
NAME = "fakeface"
NOTHING_SEEN = SeenImages(*[np.zeros((0, 32), np.uint8)] * 3)
_LOGGED: list["LoggedModel"] = []


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """Where the model is.

    Attributes:
        store: Address of the MLflow store.
        folder: Of the model, as MLflow keeps it.
        model_id: MLflow's id of it.
        run_id: Of the run that it was logged in.
    """

    store: str
    folder: Path
    model_id: str
    run_id: str

    @property
    def address(self) -> str:
        return f"models:/{NAME}@champion"


@cache
def small_network() -> keras.Model:
    """Return a detector whose scores spread widely over drawn pictures."""
    keras.utils.set_random_seed(0)
    backbone = build_backbone(architecture_named("mobilenetv3_small"), SIZE, Weights("random"))
    frozen = FrozenNetwork(backbone)
    pictures = np.stack([np.asarray(drawn(seed, SIZE, SIZE)) for seed in range(24)])
    outputs = feature_model(backbone)(pictures.astype(np.float32))
    labels = (np.arange(len(pictures)) % 2).astype(np.uint8)
    samples = Samples({name: array.numpy() for name, array in outputs.items()}, labels)
    head = HeadConfig()
    classifier = frozen.classifier(HeadRows(samples), head, 1)
    logits = classifier.get_layer("logits")
    kernel, equalisation = logits.get_weights()
    rng = np.random.default_rng(0)
    logits.set_weights([rng.normal(0, 2 / np.sqrt(len(kernel)), kernel.shape), equalisation])
    return frozen.complete(classifier, head, Calibration())


def log_model(
    network: keras.Model,
    facts: DetectorFacts,
    example: npt.NDArray[np.uint8],
    seen: SeenImages,
    metadata: dict[str, object],
) -> str:
    """Log a detector in the active run as a study does; return MLflow's id of it."""
    entry = LogModel(mlflow.active_run().info.run_id, metadata)
    recipient = Recipient({})
    with draft_folder() as folder:
        write_model(folder, network, facts, example, seen)
        entry.deliver(recipient, folder, again=False)
    return recipient.id_of(entry.name)


def small_facts() -> DetectorFacts:
    return DetectorFacts(SIZE, "crop", THRESHOLD)


def logged_model(folders: pytest.TempPathFactory) -> LoggedModel:
    """Return the detector as it is logged, in a store of its own, once a session."""
    if not _LOGGED:
        _LOGGED.append(_logged(folders.mktemp("registry")))
    return _LOGGED[0]


def _logged(folder: Path) -> LoggedModel:
    """Log the detector and register it as the champion."""
    store = f"sqlite:///{folder / 'mlflow.db'}"
    example = seen_pixels(drawn(0), SIZE, "crop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        client = mlflow.MlflowClient()
        experiment = client.create_experiment("serving", (folder / "artifacts").as_uri())
        with mlflow.start_run(experiment_id=experiment) as run:
            metadata = {"architecture": "mobilenetv3_small"}
            model_id = log_model(small_network(), small_facts(), example, NOTHING_SEEN, metadata)
        version = mlflow.register_model(f"models:/{model_id}", NAME)
        client.set_registered_model_alias(NAME, "champion", version.version)
        place = mlflow.get_logged_model(model_id).artifact_location
    # MLflow notes a version beside what it loads from a registry; this copy stays as it was logged.
    copy = folder / "model"
    shutil.copytree(place.removeprefix("file://"), copy)
    return LoggedModel(store, copy, model_id, run.info.run_id)

"""What names things on disk, of fixed inputs: were it another, all would be made again.

Also what a study's storage and MLflow's unsent records are read back by.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from fakeface_bench.backbones.building import ApplicationBackbone, build_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.cut import cut_backbone
from fakeface_bench.backbones.fine_tuning import unfrozen_part
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.config import HeadConfig, StudyConfig, TrialConfig, TuningConfig
from fakeface_bench.data.catalogue import DATASETS
from fakeface_bench.data.decode import Equalisation
from fakeface_bench.data.duplicates import cached_pairs
from fakeface_bench.data.facts import SIGNATURE_BYTES, inspect_files
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.pictures import Pictures, pixels_folder, side_with_room
from fakeface_bench.data.synthetic.dataset import prepare_synthetic
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.features import source as speed
from fakeface_bench.features.samples import Samples
from fakeface_bench.features.source import BackboneSource, LoggedSource, decoding_speed
from fakeface_bench.resolve import Plan, make_plan
from fakeface_bench.study.preparation import prepare_dataset
from fakeface_bench.tracking.entries import Artifacts, Batch, End, Input, OpenTrial
from fakeface_bench.tracking.logged_model import LogModel
from fakeface_bench.tracking.outbox import studies_file, unsent_folder
from fakeface_bench.tracking.succession import Succession
from fakeface_bench.training.checkpoint import checkpoint_file
from fakeface_bench.training.networks import FitTask, FrozenNetwork, TunedNetwork
from tests.conftest import RecordedProgress

#: What some names hold the version of.
LIBRARIES = {name: version(name) for name in ("keras", "pillow", "scikit-learn", "tensorflow")}
DIGESTS = tuple(hashlib.sha256(str(number).encode()).hexdigest() for number in range(6))
SIZE = 64
ENTRIES = (OpenTrial, Batch, Input, Artifacts, LogModel, Succession, End)


def plans(data: str) -> Mapping[str, Plan]:
    """Return studies that differ in all that may enter a definition, by what is special."""
    usual = StudyConfig(model="mobilenetv3_small", data=data, weights="random")

    def plan(**changes: Any) -> Plan:
        return make_plan(replace(usual, **changes))

    return {
        "usual": plan(),
        "another size and batch": plan(image_size=96, batch_size=16, epochs=3, trials=50),
        "balanced": plan(balance="sources", fit="resize", seed=4),
        "last block": plan(fine_tune="last_block"),
        "last two blocks": plan(fine_tune="last_2_blocks", augment="light", precision="float32"),
        "all layers": plan(fine_tune="all"),
        "from scratch": make_plan(StudyConfig(model="simple_cnn", data=data, weights="auto")),
        "equalised": replace(plan(equalise="jpeg75"), equalisation=Equalisation(0, 75)),
        "one size": replace(plan(canvas=96, equalise="jpeg75"), equalisation=Equalisation(96, 75)),
        "limited": plan(limit=10),
        "named": plan(study="mine"),
    }


def study_names(index: ImageIndex, data: str) -> dict[str, Any]:
    """Return the names of studies, their definitions, and what names their runs."""
    return {
        special: {
            "study": plan.study_name(index),
            "run": plan.title.replace(plan.data_name, "(data)"),
            "definition": plan.definition(index),
        }
        for special, plan in plans(data).items()
    }


def tree(folder: Path) -> list[str]:
    """Return what lies in a cache: its folders by their names, without what is in them."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.glob("*/*")
        if path.suffix not in (".lock", ".draft")
    )


def prepared(faces: Path, cache: Path) -> tuple[ImageIndex, dict[str, Any], dict[str, Any]]:
    """Prepare a dataset in an empty cache; return its index, its digests, and what was kept."""
    progress = RecordedProgress()
    index = prepare_dataset(str(faces), 0, progress).index(0, progress)
    digests = {
        "dataset": index.digest,
        "sources": index.source_digests,
        **{split: index.split_digest(split) for split in ("train", "valid", "test")},
    }
    kept = [name for name in tree(cache) if not name.startswith("files/")]
    (shortcut,) = (name for name in kept if name.startswith("shortcut/"))
    kept.remove(shortcut)
    return index, {"digests": digests, "kept of a dataset": kept}, {"shortcut floor": shortcut}


def small_caches(cache: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Make what is cached of a few pictures in an empty cache; return what it is called."""
    progress = RecordedProgress()
    signatures = np.arange(len(DIGESTS) * SIGNATURE_BYTES, dtype=np.uint64).astype(np.uint8)
    cached_pairs(
        list(DIGESTS),
        signatures.reshape(-1, SIGNATURE_BYTES),
        lambda first, second, mirrored: 1.0,
        progress,
    )
    drawn = next(row for row in DATASETS if row.key == "synthetic")
    prepare_synthetic(
        replace(drawn, counts={("train", "real"): 10, ("train", "fake"): 10}), progress
    )
    patch.setattr(speed, "machine_facts", lambda: {"hardware_cpu": "a CPU"})
    Image.new("RGB", (SIZE, SIZE)).save("face.png")
    decoding_speed(Pictures([Path("face.png")], 8, "crop", 8), DIGESTS[0])
    return {"kept of a few pictures": tree(cache), "room around 224 pixels": side_with_room(224)}


def facts_file(cache: Path) -> str:
    """Remember the facts of one file in an empty cache; return what that memory is called."""
    Path("faces").mkdir()
    Image.new("RGB", (SIZE, SIZE)).save("faces/one.png")
    inspect_files(Path("faces"), [Path("faces/one.png")], RecordedProgress())
    (name,) = tree(cache)
    return name


def places(cache: Path, patch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return where studies and unsent records lie, by the store in use."""
    patch.setenv("FAKEFACE_STUDIES", str(cache))
    found = {}
    for uri in ("http://user:word@server:5000/mlflow", "https://server", "sqlite:///a/mlflow.db"):
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        for what, path in (("studies", studies_file("7")), ("unsent", unsent_folder())):
            root = Path.cwd() if path.is_relative_to(Path.cwd()) else Path()
            root = cache if path.is_relative_to(cache) else root
            found[f"{what} of {uri}"] = path.relative_to(root).as_posix()
    patch.delenv("MLFLOW_TRACKING_URI")  # there is no such store
    return found


def entries() -> dict[str, list[str]]:
    """Return the records that are kept for MLflow: their names, and those of their fields."""
    return {kind.__name__: [field.name for field in fields(kind)] for kind in ENTRIES}


class Network:
    """A small backbone of random values, which enter no name that is asked of it."""

    def __init__(self) -> None:
        self.row = architecture_named("mobilenetv3_small")
        self.backbone = build_backbone(self.row, SIZE, Weights("random"))
        self.cut = cut_backbone(self.backbone, self.row, unfrozen_part("last_block", self.row))

    def features(self) -> dict[str, str]:
        """Return what the features of a backbone are known by, whatever its weights."""
        backbone = ApplicationBackbone(self.row, self.backbone)
        source = BackboneSource(title="a", backbone=backbone, fit="crop", batch_size=4)
        sources = {
            "frozen": source,
            "resized": replace(source, fit="resize"),
            "equalised": replace(source, equalisation=Equalisation(0, 75)),
            "one size": replace(source, equalisation=Equalisation(96)),
            "cut": replace(source, cut=self.cut),
            "cut and mirrored": replace(source, cut=self.cut, mirrored=True),
        }
        return {f"features, {special}": of.identity for special, of in sources.items()}

    def checkpoints(self) -> dict[str, str]:
        """Return what the files of unfinished fits are called."""
        head, tuning = HeadConfig(units=64), TuningConfig(1e-3, 1e-2, 8)
        asked = {
            "head alone": (FrozenNetwork(self.backbone), TrialConfig(head), "float32"),
            "layers": (
                TunedNetwork(self.cut, everything=False),
                TrialConfig(head, "light", tuning),
                "mixed_bfloat16",
            ),
        }
        return {f"checkpoint, {special}": _checkpoint(*of) for special, of in asked.items()}


def _checkpoint(network: Any, config: TrialConfig, precision: str) -> str:
    nothing = Samples({}, np.zeros(0, np.uint8))
    task = FitTask(network, nothing, nothing, 3, 0, roc_auc, precision, Path("fits"))
    file = checkpoint_file(task, config)
    assert file is not None
    return file.as_posix()


def cached_of_pictures(cache: Path) -> Iterator[tuple[str, str]]:
    """Yield what the features and pixels of six pictures are called."""
    inputs = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(inputs))
    model = keras.Model(inputs, {"pooled": pooled})
    model.set_weights([np.full((3, 3, 3, 2), 0.25, np.float32), np.zeros(2, np.float32)])
    source = LoggedSource(
        title="a", fit="crop", batch_size=4, logged_model=model, logged_identity="an identity"
    )
    yield "features", source.folder(DIGESTS).relative_to(cache).as_posix()
    usual = Pictures([Path(f"{n}.png") for n in range(6)], 224, "crop", 224, digests=DIGESTS)
    for special, pictures in {
        "pixels": usual,
        "pixels with room": replace(usual, side=256),
        "pixels, equalised": replace(usual, equalisation=Equalisation(0, 75)),
        "pixels, one size": replace(usual, equalisation=Equalisation(96)),
        "pixels, resized": replace(usual, fit="resize"),
    }.items():
        yield special, pixels_folder(pictures).relative_to(cache).as_posix()

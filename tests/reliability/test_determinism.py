"""The same seed on the same machine gives the same study, bit for bit, however it came about."""

import json
import shutil
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakeface_bench.backbones.building import open_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.data import array_store
from fakeface_bench.data import pictures as pipeline
from fakeface_bench.data.index import ImageIndex, build_index
from fakeface_bench.data.pictures import Pictures, cached_pixels, side_with_room
from fakeface_bench.data.selection import select_files
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.features import epochs
from fakeface_bench.features.samples import EVERYTHING, Samples
from fakeface_bench.features.source import BackboneSource
from fakeface_bench.features.store import cached_features
from fakeface_bench.search.space import Space
from fakeface_bench.training.fit import fit
from fakeface_bench.training.networks import FitTask, FrozenNetwork, Network, ScratchNetwork
from tests.conftest import RecordedProgress
from tests.reliability.commands import Launcher, Place

SIZE = 32
DATA = "--batch-size 8 --trials 3 --epochs 2 --seed 5"
#: `auto` measures which precision is faster, and a machine at work may find another.
FLOAT32 = "--precision float32"
FROM_SCRATCH = f"run --model simple_cnn --image-size 32 {DATA} {FLOAT32}"
FROZEN_HEAD = f"run --model mobilenetv3_small --weights random --image-size 64 {DATA}"
TRAINED_LAYERS = f"{FROZEN_HEAD} --fine-tune last_block {FLOAT32}"
#: Metrics that tell how long something took, or how much.
COSTS = ("cost/", "system/")
#: Artifacts that tell it too.
WITH_TIMES = {
    "cost_ledger.json",
    "model_card.md",
    "results.md",
    "search/trials.csv",
    "study.json",
}


def run(launcher: Launcher, place: Place, study: list[str], threads: int) -> Place:
    running = launcher.start(place, *study, threads=threads)
    assert running.finish() == 0, running.printed
    return place


def run_in_pieces(launcher: Launcher, place: Place, study: list[str], threads: int) -> Place:
    """Kill a study while data are prepared, while trials run and while results are logged."""
    for moment in ("BEGINS", "ADVANCES searching", "recording"):
        running = launcher.start(place, *study, threads=threads)
        running.wait_for(moment)
        running.kill()
    return run(launcher, place, study, threads)


def warm(place: Place, folder: Path) -> Place:
    """Return a new place with a copy of another's cache."""
    new = Place(folder)
    shutil.copytree(place.folder / "cache", folder / "cache")
    return new


def figures(metrics: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in metrics.items() if not key.startswith(COSTS)}


def artifacts(place: Place) -> dict[str, bytes]:
    folder = place.folder / "downloaded"
    folder.mkdir()
    place.client.download_artifacts(place.parent().info.run_id, "", str(folder))
    return {name: (folder / name).read_bytes() for name in place.artifacts()}


def without_times(value: Any) -> Any:
    """Return what JSON held, without how long anything took."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if not k.endswith("seconds")}
    return [without_times(entry) for entry in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Results:
    """All that a study left, but for times."""

    figures: dict[str, float]
    trials: list[tuple[dict[str, str], dict[str, float]]]
    artifacts: dict[str, bytes]
    study: Any


def results(place: Place) -> Results:
    left = artifacts(place)
    trials = [(run.data.params, figures(run.data.metrics)) for run in place.finished_trials()]
    study = without_times(json.loads(left["study.json"]))
    return Results(figures(place.parent().data.metrics), trials, left, study)


def assert_same_bits(one: Results, other: Results, but: Set[str] = frozenset()) -> None:
    assert len(one.figures) > 50
    assert one.figures == other.figures
    assert one.trials == other.trials
    assert one.artifacts.keys() == other.artifacts.keys()
    assert "test/predictions.parquet" in one.artifacts
    differ = {name for name, content in one.artifacts.items() if content != other.artifacts[name]}
    assert differ <= WITH_TIMES | but
    assert one.study == other.study


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [FROM_SCRATCH, FROZEN_HEAD, TRAINED_LAYERS], ids=["scratch", "head", "layers"]
)
def test_a_study_is_the_same_with_any_threads_any_cache_in_one_go_or_in_pieces(
    launcher: Launcher, tiny_faces: Path, tmp_path: Path, command: str
) -> None:
    study = [*command.split(), "--data", str(tiny_faces)]
    cold = run(launcher, Place(tmp_path / "cold"), study, threads=2)
    found = results(cold)
    again = run(launcher, warm(cold, tmp_path / "warm"), study, threads=1)
    assert_same_bits(results(again), found)
    pieces = run_in_pieces(launcher, Place(tmp_path / "pieces"), study, threads=1)
    # A trial that was killed half-way stands in the history of the search.
    assert_same_bits(results(pieces), found, but={"search/history.png"})


def load_in(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pipeline, epochs):
        monkeypatch.setattr(module, "PARALLEL_CALLS", threads)


def scores_from_scratch(faces: ImageIndex, progress: RecordedProgress) -> bytes:
    """Decode, train a small network on crops, and return its logits of the test split."""
    network = ScratchNetwork(architecture_named("simple_cnn"), SIZE)

    def samples(split: str) -> Samples:
        rows = faces.split(split)
        side = side_with_room(SIZE) if split == "train" else SIZE
        pictures = Pictures(faces.files(rows), SIZE, "crop", side, digests=list(rows["digest"]))
        arrays = cached_pixels(pictures, progress).arrays
        return Samples(arrays, rows["label"].to_numpy(np.uint8))

    return scores_of(network, samples("train"), samples("valid"), samples("test"), "images")


def scores_of_head(faces: ImageIndex, progress: RecordedProgress) -> bytes:
    """Extract features, train a head on them, and return its logits of the test split."""
    row = architecture_named("mobilenetv3_small")
    backbone = open_backbone(row, 2 * SIZE, Weights("random"))
    source = BackboneSource(row.key, "crop", 8, backbone=backbone)

    def samples(split: str) -> Samples:
        rows = faces.split(split)
        cached = cached_features(source, list(rows["digest"]), faces.files(rows), progress)
        return Samples(cached.arrays, rows["label"].to_numpy(np.uint8))

    return scores_of(
        FrozenNetwork(backbone.model), samples("train"), samples("valid"), samples("test")
    )


def scores_of(
    network: Network, train: Samples, valid: Samples, test: Samples, array: str = ""
) -> bytes:
    task = FitTask(network, train, valid, epochs=2, seed=5, objective=roc_auc)
    config = Space(network, 8, "light").plain()
    model, _ = fit(task, config)
    parts = [(array, EVERYTHING)] if array else network.parts(config.head)
    rows = test.rows(np.arange(len(test)), parts)
    return bytes(model(rows.astype(np.float32), training=False).numpy().tobytes())


@pytest.mark.slow
@pytest.mark.parametrize("scores", [scores_from_scratch, scores_of_head])
def test_threads_and_caches_change_no_bit_of_a_prediction(
    scores: Callable[[ImageIndex, RecordedProgress], bytes],
    tiny_faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    progress: RecordedProgress,
) -> None:
    monkeypatch.setattr(array_store, "SHARD_ROWS", 8)
    survey = survey_sources([Source("faces", tiny_faces)], progress)
    faces = build_index(survey, select_files(survey, seed=0), 0, progress)
    found: list[bytes] = []
    for threads, cache, is_cold in ((1, "one", True), (2, "one", False), (2, "another", True)):
        load_in(threads, monkeypatch)
        monkeypatch.setenv("FAKEFACE_CACHE", str(tmp_path / cache))
        progress.stages.clear()
        found.append(scores(faces, progress))
        assert bool(progress.stages) == is_cold
    assert len(found[0]) == 4 * len(faces.split("test"))
    assert set(found) == {found[0]}

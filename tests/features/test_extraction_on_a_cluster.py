"""Features that a cluster makes are those of one process, whatever becomes of its workers."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import ray

from fakeface_bench.backbones.building import open_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.data import array_store
from fakeface_bench.data.array_store import CachedArrays, RowArrays
from fakeface_bench.data.deadly import DEADLY
from fakeface_bench.data.facts import inspect_files
from fakeface_bench.features import extraction, store
from fakeface_bench.features.source import BackboneSource
from fakeface_bench.features.store import cached_features
from fakeface_bench.support import cluster as cluster_module
from fakeface_bench.support.cluster import Cluster, connected
from fakeface_bench.support.errors import ClusterError, DataError
from fakeface_bench.support.executor import THIS_PROCESS, ClusterConfig, Executor
from fakeface_bench.support.machine import start_worker
from tests.conftest import RecordedProgress
from tests.support.clusters import Nodes, started_nodes

SIZE, BATCH = 64, 4
#: In every process of the cluster: a decoder of C that a picture can break.
BREAKABLE = """
import os
from pathlib import Path
from PIL import ImageFile

decode = ImageFile.ImageFile.load

def load(image):
    if image.fp and b"breaks the decoder" in image.fp.getvalue()[-32:]:
        os.abort()
    return decode(image)

ImageFile.ImageFile.load = load
"""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    hooks = tmp_path_factory.mktemp("hooks")
    (hooks / "sitecustomize.py").write_text(BREAKABLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(hooks), os.environ.get("PYTHONPATH", "")]))
        with started_nodes(1, 1) as nodes:
            ray.init(address=nodes.address, log_to_driver=False)  # one session, whose workers stay
            yield nodes


@pytest.fixture(autouse=True)
def short_units(monkeypatch: pytest.MonkeyPatch, fresh_cache: Path) -> None:
    monkeypatch.setattr(extraction, "UNIT_ROWS", BATCH)
    monkeypatch.setattr(extraction, "UNIT_BATCHES", 1)


def cluster_of(
    nodes: Nodes, folder: Path, share: str = "auto", progress: RecordedProgress | None = None
) -> AbstractContextManager[Cluster]:
    config = ClusterConfig(cluster=nodes.address, trial_cores=1, share=share)
    return connected(config, folder, partial(start_worker, 1), progress or RecordedProgress())


@pytest.fixture(scope="module")
def source() -> BackboneSource:
    row = architecture_named("mobilenetv3_small")
    backbone = open_backbone(row, SIZE, Weights("random"))
    return BackboneSource(row.key, "crop", BATCH, backbone=backbone, residuals=True)


@pytest.fixture
def pictures(tiny_faces: Path, tmp_path: Path) -> list[Path]:
    """Forty files of their own, which tests may change."""
    copies = []
    for number, file in enumerate(sorted(tiny_faces.rglob("*.jpg"))[:40]):
        copies.append(tmp_path / f"{number:02}.jpg")
        copies[-1].write_bytes(file.read_bytes())
    return copies


def digests_of(pictures: list[Path]) -> list[str]:
    frame = inspect_files(pictures[0].parent, pictures, RecordedProgress())
    return list(frame["digest"])


def features(
    source: BackboneSource, pictures: list[Path], executor: Executor = THIS_PROCESS
) -> CachedArrays:
    progress = RecordedProgress()
    return cached_features(source, digests_of(pictures), pictures, progress, executor)


DoneHere = Callable[[BackboneSource, list[Path]], CachedArrays]


def assert_equal(made: CachedArrays, expected: CachedArrays) -> None:
    assert made.arrays.keys() == expected.arrays.keys()
    for name, rows in expected.arrays.items():
        np.testing.assert_array_equal(made.arrays[name], rows)


@pytest.fixture
def done_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DoneHere:
    """Extract in this process, and leave an empty cache."""

    def done(source: BackboneSource, pictures: list[Path]) -> CachedArrays:
        made = features(source, pictures)
        monkeypatch.setenv("FAKEFACE_CACHE", str(tmp_path / "another"))
        return made

    return done


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        ("maps and statistics", "paths"),
        ("mirrored", "bytes"),
        ("onnxruntime", "bytes"),
        ("statistics", "auto"),
    ],
)
def test_features_are_those_of_one_process(
    nodes: Nodes,
    source: BackboneSource,
    pictures: list[Path],
    tmp_path: Path,
    kind: str,
    share: str,
    done_here: DoneHere,
) -> None:
    if kind == "mirrored":
        source = replace(source, mirrored=True)
    elif kind == "onnxruntime":
        source = replace(source, engine_name=kind)
    elif kind == "statistics":
        source = replace(source, maps=False)
    here = done_here(source, pictures)
    with cluster_of(nodes, tmp_path, share) as cluster:
        there = features(source, pictures, cluster)
    assert_equal(there, here)
    assert there.facts["images_extracted"] == len(pictures)
    assert there.facts["seconds"] > there.facts["elsewhere_seconds"] >= 0
    assert there.facts["timed_images"] == len(pictures)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_no_row(
    nodes: Nodes,
    source: BackboneSource,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    done_here: DoneHere,
) -> None:
    here = done_here(source, pictures)
    told = RecordedProgress()
    killed: list[int] = []

    class KillsAWorker(RowArrays):
        def add(self, *arguments: Any, **named: Any) -> None:
            super().add(*arguments, **named)
            if not killed:
                killed.append(max(workers()))
                os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(store, "RowArrays", KillsAWorker)
    with cluster_of(nodes, tmp_path, progress=told) as cluster:
        there = features(source, pictures, cluster)
    assert killed
    assert any("has died (killed, or crashed)" in line for line in told.warnings), told.warnings
    assert_equal(there, here)


def workers() -> list[int]:
    """Return the processes of the cluster that have a unit now."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] and process.info["cmdline"][0].startswith("ray::work")
    ]


@pytest.mark.slow
def test_an_extraction_that_is_cut_off_goes_on_by_shard(
    nodes: Nodes,
    source: BackboneSource,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    done_here: DoneHere,
) -> None:
    here = done_here(source, pictures)
    monkeypatch.setattr(array_store, "SHARD_ROWS", BATCH)
    added: list[int] = []

    class Interrupted(RowArrays):
        def add(self, rows: Any, *others: Any) -> None:
            if len(added) == 5:
                raise KeyboardInterrupt
            super().add(rows, *others)
            added.extend([len(rows)])

    with cluster_of(nodes, tmp_path) as cluster:
        with monkeypatch.context() as patch:
            patch.setattr(store, "RowArrays", Interrupted)
            with pytest.raises(KeyboardInterrupt):
                features(source, pictures, cluster)
        there = features(source, pictures, cluster)
    assert there.facts["images_extracted"] == len(pictures) - sum(added)
    assert there.facts["known_seconds"] > 0
    assert_equal(there, here)


@pytest.mark.slow
def test_a_picture_that_kills_its_decoder_is_named_and_left_out_from_then_on(
    nodes: Nodes,
    source: BackboneSource,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open(pictures[17], "ab") as file:
        file.write(b"breaks the decoder")
    monkeypatch.setattr(cluster_module, "MOST_DEATHS", 1)
    with cluster_of(nodes, tmp_path) as cluster:
        with pytest.raises(DataError) as raised:
            features(source, pictures, cluster)
        assert str(raised.value) == (
            f"{pictures[17]} killed every process that decoded it, and is left out of the dataset "
            "from now on: run the same command again."
        )
        frame = inspect_files(tmp_path, pictures, RecordedProgress())
        assert list(frame.index[frame["error"] == DEADLY]) == [17]
        features(source, [path for path in pictures if path != pictures[17]], cluster)
    copy = tmp_path / "a_copy.jpg"
    copy.write_bytes(pictures[17].read_bytes())
    (read,) = inspect_files(tmp_path, [copy], RecordedProgress())["error"]
    assert read == DEADLY


@pytest.mark.slow
def test_a_worker_that_dies_of_something_else_is_no_fault_of_a_picture(
    nodes: Nodes,
    source: BackboneSource,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster_module, "MOST_DEATHS", 1)

    class KillsAll(RowArrays):
        def add(self, *arguments: Any, **named: Any) -> None:
            super().add(*arguments, **named)
            for pid in workers():
                os.kill(pid, signal.SIGKILL)

    monkeypatch.setattr(store, "RowArrays", KillsAll)
    with (
        cluster_of(nodes, tmp_path) as cluster,
        pytest.raises(ClusterError, match=f"None of the {BATCH} pictures that they read kills"),
    ):
        features(source, pictures, cluster)


def test_a_picture_that_changed_is_named_with_the_worker(
    nodes: Nodes, source: BackboneSource, pictures: list[Path], tmp_path: Path
) -> None:
    digests = digests_of(pictures)
    pictures[9].write_bytes(pictures[8].read_bytes())
    with (
        cluster_of(nodes, tmp_path) as cluster,
        pytest.raises(DataError, match=rf"^{pictures[9]} has changed since .* \(on .*\)$"),
    ):
        cached_features(source, digests, pictures, RecordedProgress(), cluster)

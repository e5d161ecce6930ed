"""What a cluster costs and brings: its overhead, how busy it keeps workers, what its driver holds.

    python benchmarks/cluster.py busy memory study --output RESULT.json

`busy`: 64 workers that wait as long as real units work, on one machine: shards, and the trials of a
search, which keeps as many busy as are drawn together. `memory`: the driver's while a million
pictures travel as bytes and their features come back. `study`: the same study in one process, on a
cluster of one node, and on two workers of one thread, by turns, each with an empty cache.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import as_new, keep, machine  # noqa: E402

LIBRARIES = ("ray", "tensorflow", "keras", "optuna", "mlflow", "numpy")
WORKERS = 64
#: Units that wait, and for how long: 256 pictures at 100 a second; a head's trial.
SHARDS, SHARD_SECONDS = 1_000, 2.5
TRIALS, TOGETHER, TRIAL_SECONDS = 200, 16, 10.0
#: Pictures that travel, their rows' width, and the size of each file.
PICTURES, WIDTH, PICTURE_BYTES = 1_000_000, 1_152, 20_000


@contextmanager
def simulated(folder: Path) -> Iterator[Any]:
    """Start a cluster of many workers on this machine, which all wait."""
    import ray

    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.support.cluster import connected
    from fakeface_bench.support.executor import ClusterConfig

    os.environ["PYTHONPATH"] = str(ROOT)
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    config = ClusterConfig(cluster="local", trial_cores=1, share="bytes")
    try:
        with connected(config, folder, None, ConsoleProgress()) as cluster:
            yield cluster
    finally:
        ray.shutdown()


def busy(folder: Path) -> dict[str, float]:
    """Measure how much of the time workers have something to do."""
    from benchmarks.cluster_units import Waiting

    with simulated(folder) as cluster:
        _wait_for_workers(cluster)
        began = time.perf_counter()
        worked = sum(end.result for end in cluster.results([Waiting(SHARD_SECONDS)] * SHARDS))
        shards = worked / (WORKERS * (time.perf_counter() - began))
        began = time.perf_counter()
        empty = sum(1 for _ in cluster.results([Waiting(0.0)] * SHARDS))
        handed_out = empty / (time.perf_counter() - began)
        alike = _searched(cluster, (TRIAL_SECONDS,), folder / "alike.db")
        spread = tuple(np.random.default_rng(0).uniform(0.5, 1.5, TRIALS) * TRIAL_SECONDS)
        unlike = _searched(cluster, spread, folder / "unlike.db")
    return {
        "workers": WORKERS,
        "shards_busy_share": shards,
        "empty_units_per_second": handed_out,
        "trials_alike_busy_share": alike,
        "trials_unlike_busy_share": unlike,
    }


def _wait_for_workers(cluster: Any) -> None:
    """Wait until all processes are there, which start one after another."""
    from benchmarks.cluster_units import Waiting

    passed = 10.0
    while passed > 2.5:
        began = time.perf_counter()
        for _ in cluster.results([Waiting(2.0)] * WORKERS):
            passed = time.perf_counter() - began


def _searched(cluster: Any, seconds: tuple[float, ...], database: Path) -> float:
    """Search with trials that wait; return the share of the time that those drawn together ran."""
    from benchmarks.cluster_units import StandIn
    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.backbones.building import build_backbone
    from fakeface_bench.backbones.catalogue import architecture_named
    from fakeface_bench.backbones.weights import Weights
    from fakeface_bench.evaluation.metrics import roc_auc
    from fakeface_bench.features.samples import Samples
    from fakeface_bench.search.optimise import SearchTask, optimise
    from fakeface_bench.search.space import Space
    from fakeface_bench.search.storage import open_study
    from fakeface_bench.search.trial import TrialListener
    from fakeface_bench.training.networks import FitTask, FrozenNetwork

    backbone = build_backbone(architecture_named("mobilenetv3_small"), 64, Weights("random"))
    network, nothing = FrozenNetwork(backbone), Samples({}, np.zeros(0, np.uint8))
    task = SearchTask(
        fit=FitTask(network, nothing, nothing, 10, 0, roc_auc),
        trials=TRIALS,
        seed=0,
        space=Space(network, 0, "search"),
        timeout_seconds=0.0,
        pruner="none",
        parallel=TOGETHER,
    )
    study = open_study(f"sqlite:///{database}", "waiting", {"model": "none"})
    began = time.perf_counter()
    executor = StandIn(cluster, seconds)
    record = optimise(study, task, TrialListener(), ConsoleProgress(), executor)
    passed = time.perf_counter() - began
    waited = sum(seconds[number % len(seconds)] for number in range(len(record.trials)))
    return waited / (TOGETHER * passed)


def memory(folder: Path) -> dict[str, float]:
    """Measure the driver while pictures travel as bytes, by hundreds, and rows come back."""
    from benchmarks.cluster_units import StandIn
    from fakeface_bench.data.array_store import RowArrays
    from fakeface_bench.data.pictures import Pictures
    from fakeface_bench.features.extraction import Extractor, extracted_by

    file = folder / "picture.jpg"
    file.write_bytes(os.urandom(PICTURE_BYTES))
    digests = [f"{number:064x}" for number in range(PICTURES)]
    pictures = Pictures([file] * PICTURES, 224, "crop", 224, digests=digests)
    extractor = Extractor(None, "", 32)
    layout = {"pooled": np.dtype((np.float16, (WIDTH,)))}
    most, ended = [0.0], threading.Event()

    def watch() -> None:
        # What is mapped from files, the object store's among them, is no process's own.
        process = psutil.Process()
        while not ended.wait(0.5):
            found = process.memory_info()
            most[0] = max(most[0], (found.rss - found.shared) / 1e9)

    with simulated(folder) as cluster:
        before = psutil.Process().memory_info()
        threading.Thread(target=watch, daemon=True).start()
        began = time.perf_counter()
        (folder / "draft").mkdir()
        with RowArrays(folder / "draft", PICTURES, layout, 32) as arrays:
            executor = StandIn(cluster, width=WIDTH)
            for rows, values, took in extracted_by(executor, extractor, pictures, arrays.missing):
                arrays.add(rows, values, took)
        seconds = time.perf_counter() - began
        ended.set()
    return {
        "pictures": PICTURES,
        "picture_bytes": PICTURE_BYTES,
        "driver_gb_before": (before.rss - before.shared) / 1e9,
        "driver_gb_most": most[0],
        "pictures_per_second": PICTURES / seconds,
    }


#: By name, what each study of a round is asked for, beside the rest.
STUDIES = {
    "one process": ("--cluster", "none"),
    "a cluster of one node": ("--cluster", "local"),
    "one process, 4 drawn together": ("--cluster", "none", "--parallel", "4"),
    "two workers of one thread": (
        *("--cluster", "local", "--parallel", "4"),
        *("--trial-cores", "1"),
    ),
}


def study(folder: Path, rounds: int, options: tuple[str, ...]) -> dict[str, Any]:
    """Run the same study in each of these ways, by turns; return the seconds of each."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in STUDIES}
    for number in range(rounds):
        for name, how in STUDIES.items():
            work = folder / f"{number} {name}"
            work.mkdir()
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "fakeface_bench", "run", *options, *how],
                env=as_new(work, ROOT),
                cwd=work,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            found[name].append({"command_seconds": time.perf_counter() - began} | _costs(work))
            click.echo(f"{name}: {json.dumps(found[name][-1])}", err=True)
    middle = {
        name: {key: median(run[key] for run in runs) for key in runs[0]}
        for name, runs in found.items()
    }

    def beyond_start(name: str) -> float:
        return middle[name]["seconds"] - middle[name]["cluster_start_seconds"]

    one, cluster, together, workers = STUDIES
    return {
        "options": options,
        "runs": found,
        "median": middle,
        "overhead": beyond_start(cluster) / beyond_start(one),
        "two_workers_for_one_process": beyond_start(workers) / beyond_start(together),
    }


def _costs(work: Path) -> dict[str, float]:
    """Return what the study in a folder cost, by its own ledger."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{work / 'mlflow.db'}")
    (run,) = client.search_runs(
        [each.experiment_id for each in client.search_experiments()],
        "tags.`fakeface.kind` = 'study'",
    )
    costs = run.data.metrics
    return {
        "seconds": costs["cost/total_warm_seconds"],
        "cold_seconds": costs["cost/total_cold_seconds"],
        "cluster_start_seconds": costs.get("cost/startup_cluster_seconds", 0.0),
        "extraction_seconds": costs["cost/extraction_seconds"],
        "test_roc_auc": costs["test/roc_auc"],
    }


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(("busy", "memory", "study")))
@click.option("--data", default="synthetic", show_default=True)
@click.option("--model", default="mobilenetv3_small", show_default=True)
@click.option("--trials", default=20, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--output", type=click.Path(path_type=Path))
def measure(
    parts: tuple[str, ...], data: str, model: str, trials: int, rounds: int, output: Path | None
) -> None:
    """Measure the parts that are named, and print what was measured."""
    found: dict[str, Any] = {}
    for part in parts:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            if part == "study":
                options = ("--model", model, "--data", data, "--trials", str(trials))
                found[part] = study(folder, rounds, options)
            else:
                found[part] = {"busy": busy, "memory": memory}[part](folder)
        click.echo(json.dumps({part: found[part]}, indent=1))
    if output and output.exists():
        found = json.loads(output.read_text()) | found
    keep({"machine": machine(*LIBRARIES), **found}, output)


if __name__ == "__main__":
    measure()

"""How long a search takes on the features of a large dataset, beside that of another checkout.

    python benchmarks/big_search.py --against CHECKOUT

The features are drawn: normal numbers in float16, of the width of MobileNetV3-Small's blocks, of
which a few tell the classes apart. Every round runs the whole search once by each, in turn, in a
process of its own, which reads them from a file as a study does; what is timed is the search alone.
Peak memory is the process's, with what it holds of that file.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
WORKER = "FAKEFACE_BIG_SEARCH"
WIDTH = 3432
_TOLD_BY, _AT_ONCE = 40, 5000
_TELLS = 0.1


def write_features(folder: Path, split: str, rows: int, seed: int) -> None:
    """Write the features of a split and their labels, half of each class."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(rows) % 2).astype(np.uint8)
    shape = (rows, WIDTH)
    file = np.lib.format.open_memmap(folder / f"{split}.npy", "w+", np.float16, shape)
    for start in range(0, rows, _AT_ONCE):
        block = rng.standard_normal((min(_AT_ONCE, rows - start), WIDTH), np.float32)
        block[:, :_TOLD_BY] += _TELLS * labels[start : start + _AT_ONCE, None]
        file[start : start + _AT_ONCE] = block
    file.flush()
    np.save(folder / f"{split}_labels.npy", labels)


def search(folder: Path, trials: int, epochs: int) -> dict[str, float]:
    """Search on what was written; this is run by whichever checkout `PYTHONPATH` names."""
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
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

    backbone = build_backbone(architecture_named("mobilenetv3_small"), 224, Weights("random"))
    network = FrozenNetwork(backbone)
    train, valid = (
        Samples(
            {"pooled": np.load(folder / f"{split}.npy", mmap_mode="r")},
            np.load(folder / f"{split}_labels.npy"),
        )
        for split in ("train", "valid")
    )
    task = FitTask(network, train, valid, epochs, 0, roc_auc)
    if any(field.name == "heads" for field in dataclasses.fields(FitTask)):
        from fakeface_bench.training.head_fit import HeadRows

        task = dataclasses.replace(task, heads=HeadRows(train))
    study = open_study(f"sqlite:///{folder / 'studies.db'}", "big", {"model": "head"})
    asked = SearchTask(task, trials, 0, Space(network, 0, "search"), 0.0)
    began = time.perf_counter()
    record = optimise(study, asked, TrialListener(), ConsoleProgress())
    return {
        "search_seconds": time.perf_counter() - began,
        "epochs_trained": sum(len(trial.epochs) for trial in record.trials),
        "best_validation_roc_auc": record.best.value or 0.0,
    }


def searched_by(source: Path, folder: Path, trials: int, epochs: int) -> dict[str, float]:
    """Search by one checkout in a process of its own; seconds, memory and the best ROC AUC."""
    for file in folder.glob("studies.db*"):
        file.unlink()
    environment = os.environ | {
        "PYTHONPATH": str(source),
        WORKER: json.dumps([str(folder), trials, epochs]),
    }
    process = subprocess.Popen([sys.executable, __file__], env=environment, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise click.ClickException(f"the search by {source} ended with status {status}")
    figures: dict[str, float] = json.loads((folder / "figures.json").read_text())
    return figures | {"peak_memory_gb": usage.ru_maxrss * 1024 / 1e9}


@click.command(help=__doc__)
@click.option("--train", default=100_000, show_default=True, help="Rows of the train split.")
@click.option("--valid", default=10_000, show_default=True, help="Rows of the validation split.")
@click.option("--trials", default=20, show_default=True)
@click.option("--epochs", default=5, show_default=True)
@click.option("--against", type=click.Path(exists=True, path_type=Path), help="Another checkout.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="JSON file to write.")
def main(
    train: int,
    valid: int,
    trials: int,
    epochs: int,
    against: Path | None,
    rounds: int,
    output: Path | None,
) -> None:
    sys.path.insert(0, str(ROOT))
    from benchmarks.figures import keep, machine
    from benchmarks.speed import LIBRARIES, in_turn

    with tempfile.TemporaryDirectory() as folder:
        write_features(Path(folder), "train", train, 0)
        write_features(Path(folder), "valid", valid, 1)
        results = in_turn(
            against, rounds, lambda source: searched_by(source, Path(folder), trials, epochs)
        )
    asked = {"train_rows": train, "valid_rows": valid, "columns": WIDTH, "trials": trials}
    keep({"machine": machine(*LIBRARIES), **asked, "epochs": epochs, "searches": results}, output)


if __name__ == "__main__":
    if WORKER in os.environ:
        place, *counts = json.loads(os.environ[WORKER])
        figures = search(Path(place), *counts)
        (Path(place) / "figures.json").write_text(json.dumps(figures))
    else:
        main()

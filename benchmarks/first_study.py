"""Time and memory of a first study, and what extraction gains: the metrics README quotes.

    python benchmarks/first_study.py                 # the default study of mobilenetv3, extraction
    python benchmarks/first_study.py --simple-cnn    # the default study of simple_cnn as well
    python benchmarks/first_study.py --faces FOLDER --weights FILE   # mobilenetv3_small on those

Each study runs as a process of its own in an empty folder with an empty cache, so it draws the
embedded faces, extracts and searches as on a new machine. Extraction is measured side by side in
one process, the variants in turn, and quoted as the median of the rounds.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import as_new, keep, machine  # noqa: E402

IMAGES = 256
SIZE = 224
BATCH = 32


def run_study(model: str, folder: Path, *more: str) -> dict[str, float]:
    """Run a study in a process of its own, with defaults but for `more`; seconds and memory."""
    environment = as_new(folder, ROOT)
    command = [sys.executable, "-m", "fakeface_bench", "run", "--model", model, *more]
    started = time.perf_counter()
    with open(folder / "printed.txt", "w") as printed:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=printed, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    text = (folder / "printed.txt").read_text()
    drawing = re.search(r"drawing faces: \d+ images in ([\d.]+) s", text)
    search = re.search(r"searching: \d+ trials in ([\d.]+) s", text)
    auc = re.search(r"roc_auc\D+[\d.]+\D+([\d.]+) \(([\d.]+) to ([\d.]+)\)", text)
    if status or auc is None or search is None:
        raise RuntimeError(f"the study failed (status {status}):\n{text}")
    return {
        "seconds": seconds,
        "drawing_seconds": float(drawing[1]) if drawing else 0.0,
        "search_seconds": float(search[1]),
        "peak_memory_gb": usage.ru_maxrss / 2**20,
        "test_roc_auc": float(auc[1]),
        "test_roc_auc_low_95": float(auc[2]),
        "test_roc_auc_high_95": float(auc[3]),
    }


def help_seconds(rounds: int) -> float:
    """Return the median time of `fakeface-bench --help`."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        command = [sys.executable, "-m", "fakeface_bench", "--help"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def extraction_rates(model: str, rounds: int) -> dict[str, float]:
    """Return images/s of Keras' `predict` and of extraction, last block only and all blocks.

    All three get the same decoded pictures and pool to the same statistics of the last block; the
    last one adds those of every other block.
    """
    import keras
    import numpy as np

    from fakeface_bench.backbones.building import build_backbone
    from fakeface_bench.backbones.catalogue import architecture_named
    from fakeface_bench.backbones.weights import Weights
    from fakeface_bench.features.engine import FrozenGraph
    from fakeface_bench.features.pooling import feature_model

    backbone = build_backbone(architecture_named(model), SIZE, Weights("random"))
    last = keras.Model(backbone.inputs[0], [backbone.outputs[-1]])
    plain = keras.Model(backbone.inputs[0], feature_model(last).output["pooled"])
    pictures = np.random.default_rng(0).integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
    batches = [pictures[i : i + BATCH] for i in range(0, IMAGES, BATCH)]

    def over(extract: Callable[[Any], Any]) -> Callable[[], None]:
        return lambda: [extract(batch) for batch in batches] and None

    variants: dict[str, Callable[[], Any]] = {
        "keras predict": lambda: plain.predict(pictures, batch_size=BATCH, verbose=0),
        "extraction, last block": over(FrozenGraph(feature_model(last), BATCH)),
        "extraction, all blocks": over(FrozenGraph(feature_model(backbone), BATCH)),
    }
    times: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, variant in variants.items():
            started = time.perf_counter()
            variant()
            if number:  # the first round traces and warms up
                times[name].append(time.perf_counter() - started)
    return {name: IMAGES / statistics.median(rounds) for name, rounds in times.items()}


def report_extraction(model: str, rounds: int) -> dict[str, float]:
    """Print and return the rates of one backbone and their ratios."""
    rates = extraction_rates(model, rounds)
    keras_rate, last, every = rates.values()
    for name, rate in rates.items():
        click.echo(f"{model}, {name}: {rate:.0f} images/s")
    click.echo(f"{model}, last block / keras predict: {last / keras_rate:.2f} (at least 1.25)")
    click.echo(f"{model}, last / all blocks: {last / every:.2f} (at most 1.10)")
    return rates


@click.command()
@click.option("--simple-cnn", is_flag=True, help="Run the default study of simple_cnn too.")
@click.option("--faces", type=click.Path(path_type=Path), help="Folder of faces to study too.")
@click.option("--weights", default="auto", help="Of mobilenetv3_small on those faces.")
@click.option("--rounds", default=7, show_default=True, help="Rounds of each measurement.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(
    simple_cnn: bool, faces: Path | None, weights: str, rounds: int, output: Path | None
) -> None:
    """Measure a first study on this machine."""
    figures: dict[str, Any] = {"seed": 0, "images": 2000}
    studies: dict[str, tuple[str, ...]] = {"mobilenetv3": ("mobilenetv3",)}
    if simple_cnn:
        studies["simple_cnn"] = ("simple_cnn",)
    if faces:
        own = ("--data", str(faces.resolve()), "--weights", weights)
        studies[f"mobilenetv3_small on {faces.name}"] = ("mobilenetv3_small", *own)
    for name, (model, *more) in studies.items():
        with tempfile.TemporaryDirectory() as folder:
            figures[name] = run_study(model, Path(folder), *more)
        click.echo(f"default study of {name}: {json.dumps(figures[name])}")
    figures["help_seconds"] = help_seconds(rounds)
    click.echo(f"fakeface-bench --help: {figures['help_seconds']:.2f} s (under 0.7)")
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    for model in ("mobilenetv3_small", "mobilenetv3_large"):
        figures[f"extraction {model}"] = report_extraction(model, rounds)
    description = machine("tensorflow", "keras", "mlflow", "optuna", "numpy")
    click.echo(json.dumps(description))
    keep({"machine": description, **figures}, output)


if __name__ == "__main__":
    main()

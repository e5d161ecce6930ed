"""Foundation models on this machine: what a small study of each costs, and how fast they extract.

    python benchmarks/foundation.py --faces FOLDER --output RESULT.json [--rows KEY,KEY]
        [--parts studies,memory,engines]

FOLDER holds train/, valid/ and test/ with real/ and fake/ in each. Each row is studied in a process
of its own: two trials on ten pictures of each split and class, random weights. Then come, in one
process and in turn, the rates of four rows by engine: the frozen graph of TensorFlow in float32 and
with matrix products in bfloat16, and ONNX Runtime; beside them what the cores do in float32 matrix
products of the sizes of a transformer's block, which is what extraction can come near. Parts that
are not asked for stay as the file has them.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.extraction import in_turn  # noqa: E402
from benchmarks.figures import as_new, keep, machine  # noqa: E402

TRIALS, LIMIT = 2, 10
#: Rows whose engines are measured, and images of each.
MEASURED = {"dinov2_small": 32, "dinov3_small": 32, "vit_base": 8, "siglip2_base": 8}


def studied(model: str, faces: Path, folder: Path) -> dict[str, Any]:
    """Run a small study of a row in a process of its own; return its metrics, or why it failed."""
    command = [
        *(sys.executable, "-m", "fakeface_bench", "run", "--model", model, "--data", str(faces)),
        *("--weights", "random", "--trials", str(TRIALS), "--limit", str(LIMIT)),
        *("--engine", "tensorflow"),
    ]
    environment = as_new(folder, ROOT)
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1], "command_seconds": seconds}
    import mlflow

    client = mlflow.MlflowClient(environment["MLFLOW_TRACKING_URI"])
    (run,) = client.search_runs(["0"], "tags.`fakeface.kind` = 'study'")
    metrics = run.data.metrics
    wanted = {
        "roc_auc": "test/roc_auc",
        "extraction_seconds": "cost/extraction_seconds",
        "peak_memory_gb": "cost/peak_memory_gb",
        "parameters": "cost/parameters",
        "mmacs_per_image": "cost/mmacs_per_image",
    }
    return {"command_seconds": seconds, **{key: metrics.get(of) for key, of in wanted.items()}}


_HELD = """
import resource, sys
import numpy as np
from fakeface_bench.backbones.building import open_backbone
from fakeface_bench.backbones.catalogue import architecture_named
from fakeface_bench.backbones.weights import Weights
from fakeface_bench.features import engine
from fakeface_bench.features.pooling import feature_model
if sys.argv[2] == "frozen":
    engine.LARGEST_FROZEN_BYTES = 10**12
row = architecture_named(sys.argv[1])
network = feature_model(open_backbone(row, row.image_size, Weights("random")).model)
graph = engine.FrozenGraph(network, 8)
for _ in range(2):
    graph(np.zeros((8, row.image_size, row.image_size, 3), np.uint8))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def memory_of(model: str) -> dict[str, float]:
    """Return the peak of a process that extracts, in GiB, with weights frozen and as usual."""
    found = {}
    for how in ("frozen", "as usual"):
        command = [sys.executable, "-c", _HELD, model, how]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found[how] = float(done.stdout)
    return found


def matrix_rate(tokens: int = 257, width: int = 384, batch: int = 8) -> float:
    """Return 10⁹ multiply-accumulates a second in float32 products as a block's network has."""
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(batch * tokens, width)).astype(np.float32)
    weights = draw.normal(size=(width, 4 * width)).astype(np.float32)
    rates = []
    for _ in range(30):
        began = time.perf_counter()
        _ = rows @ weights
        rates.append(rows.shape[0] * width * 4 * width / (time.perf_counter() - began) / 1e9)
    return statistics.median(rates)


def engines_of(model: str, images: int, rounds: int) -> dict[str, Any]:
    """Return images a second of a row by engine, and how far features are from float32's."""
    import keras

    from fakeface_bench.backbones.building import open_backbone
    from fakeface_bench.backbones.catalogue import architecture_named
    from fakeface_bench.backbones.weights import Weights
    from fakeface_bench.config import ENGINES
    from fakeface_bench.features.engine import graph_macs
    from fakeface_bench.features.engines import open_engine
    from fakeface_bench.features.pooling import feature_model
    from fakeface_bench.support.errors import UsageError

    row = architecture_named(model)
    backbone = open_backbone(row, row.image_size, Weights("random")).model
    network = feature_model(backbone)
    shape = (images, row.image_size, row.image_size, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    opened: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for name in ENGINES:
        try:
            opened[name] = open_engine(name, network, row.cpu_batch)
        except UsageError as error:
            refused[name] = str(error)
    rates = in_turn(
        {name: lambda engine=engine: engine(pixels) for name, engine in opened.items()},
        images,
        rounds,
    )
    exact = opened["tensorflow"](pixels)["pooled"].astype(np.float64)
    apart = {}
    for name, engine in opened.items():
        found = engine(pixels)["pooled"].astype(np.float64)
        apart[name] = float(np.abs(found - exact).max() / np.abs(exact).max())
    macs = graph_macs(network)
    keras.backend.clear_session()
    return {
        "gmacs_per_image": macs / 1e9,
        "images_per_second": rates,
        "gmacs_per_second": macs / 1e9 * rates["tensorflow"]["median"],
        "largest_difference": apart,
        "refused": refused,
    }


@click.command(help="Measure foundation models on this machine.")
@click.option("--faces", type=Path, required=True, help="Folder with train/, valid/ and test/.")
@click.option("--rows", default="", help="Rows to study, joined by commas; empty for all.")
@click.option("--rounds", default=5, help="Rounds of each engine.")
@click.option("--parts", default="studies,memory,engines", help="What is measured.")
@click.option("--output", type=Path, help="Also write the metrics as JSON.")
def main(faces: Path, rows: str, rounds: int, parts: str, output: Path | None) -> None:
    from fakeface_bench.backbones.catalogue import ARCHITECTURES

    found: dict[str, Any] = {"studies": {}, "engines": {}}
    if output and output.exists():
        found |= json.loads(output.read_text())
    known = [row.key for row in ARCHITECTURES if row.preset]
    for model in (rows.split(",") if rows else known) if "studies" in parts else ():
        with tempfile.TemporaryDirectory() as folder:
            found["studies"][model] = studied(model, faces.resolve(), Path(folder))
        click.echo(f"{model}: {json.dumps(found['studies'][model])}")
    if "memory" in parts:
        found["extraction_peak_memory_gib"] = {"vit_base": memory_of("vit_base")}
        click.echo(json.dumps(found["extraction_peak_memory_gib"]))
    for model, images in MEASURED.items() if "engines" in parts else ():
        before = matrix_rate()
        measured = engines_of(model, images, rounds)
        of_matrices = statistics.mean((before, matrix_rate()))
        measured |= {"matrix_gmacs_per_second": of_matrices}
        measured |= {"share_of_matrix_rate": measured["gmacs_per_second"] / of_matrices}
        found["engines"][model] = measured
        click.echo(f"{model}: {json.dumps(measured)}")
    # After the studies, whose peak of memory would begin at that of a process with TensorFlow.
    keep({**found, "machine": machine("keras-hub", "onnxruntime")}, output)


if __name__ == "__main__":
    main()

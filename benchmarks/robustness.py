"""How a model holds up on corrupted pictures, and what asking costs: figures README quotes.

    python benchmarks/robustness.py --faces FOLDER --weights FILE --output RESULT.json

The commands as a user gives them, each in a process of its own: one study of mobilenetv3_small,
frozen, in a store of its own; then `fakeface-bench robustness` on its test split, once with all
images and once with a few, to see whether memory stays where it is.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402

MODEL = "mobilenetv3_small"
LIBRARIES = ("tensorflow", "keras", "pillow", "scipy", "numpy")
#: Images per class of the small run, and seconds that 400 images may take.
FEW, MOST_SECONDS, IMAGES = 25, 120.0, 400


def called(*arguments: str) -> dict[str, float]:
    """Run a command of the project; return its seconds and the most memory that it held.

    A process that is started counts what its parent held when it was; so nothing large is imported
    here before the last one has ended.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "fakeface_bench", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{arguments[0]} failed with {os.waitstatus_to_exitcode(status)}")
    return {"seconds": time.perf_counter() - started, "peak_memory_gb": _gigabytes(used)}


def asked(folder: Path, limit: int, seed: int) -> dict[str, Any]:
    """Test the store's best study for robustness; return its costs and what was found."""
    options = ["--limit", str(limit), "--seed", str(seed), "--output", str(folder)]
    return called("robustness", *options) | found(folder)


def _gigabytes(used: resource.struct_rusage) -> float:
    """Return the most that a process held, in 2³⁰ bytes; macOS tells bytes, Linux kilobytes."""
    return used.ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def found(folder: Path) -> dict[str, Any]:
    """Return the curves and means of a report, each metric with the ends of its interval."""
    points = pd.read_csv(folder / "robustness.csv", keep_default_na=False)
    means = pd.read_csv(folder / "corruptions.csv")
    curves: dict[str, dict[str, Any]] = {}
    for row in points.to_dict("records"):
        curves.setdefault(row["corruption"], {})[str(row["severity"])] = {
            key: [row[f"{key}{end}"] for end in ("", "_low_95", "_high_95")]
            for key in ("roc_auc", "accuracy")
        }
    columns = [f"roc_auc{end}" for end in ("", "_low_95", "_high_95")]
    return {
        "images": int(points["images"].iloc[0]),
        "mean_roc_auc": dict(zip(means["corruption"], means[columns].values.tolist(), strict=True)),
        "curves": curves,
    }


@click.command()
@click.option("--faces", required=True, help="Folder of real and generated faces.")
@click.option("--weights", required=True, help="Keras weights file of mobilenetv3_small.")
@click.option("--trials", default=20, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(faces: str, weights: str, trials: int, seed: int, output: Path | None) -> None:
    """Train one model on this machine and see what corruption leaves of it."""
    target = output.resolve() if output else None
    data, file = (str(Path(name).resolve()) for name in (faces, weights))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.setdefault("FAKEFACE_CACHE", str(folder / "cache"))
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
        os.chdir(folder)
        asked_of = ["--trials", str(trials), "--seed", str(seed)]
        study = called("run", "--model", MODEL, "--data", data, "--weights", file, *asked_of)
        few = asked(folder / "few", FEW, seed)
        whole = asked(folder / "all", 0, seed)
        os.chdir(ROOT)
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    figures = {
        "machine": machine(*LIBRARIES),
        "model": f"{MODEL}, frozen, {trials} trials",
        "faces": Path(faces).name,
        "seed": seed,
        "study": study,
        "few": {key: few[key] for key in ("images", "seconds", "peak_memory_gb")},
        "whole": whole,
    }
    rate = (whole["seconds"] - few["seconds"]) / max(whole["images"] - few["images"], 1)
    figures["seconds_an_image"] = rate
    figures["targets"] = {
        f"{IMAGES} images under {MOST_SECONDS:g} s": few["seconds"]
        + rate * (IMAGES - few["images"])
        < MOST_SECONDS,
        "memory grows by less than a tenth": whole["peak_memory_gb"] < 1.1 * few["peak_memory_gb"],
    }
    click.echo(json.dumps(figures, indent=1))
    keep(figures, target)


if __name__ == "__main__":
    main()

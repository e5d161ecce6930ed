"""Generators left out of training, and the order of time: what README tells of them.

    python benchmarks/unseen_generators.py --faces FOLDER --weights FILE --output RESULT.json \\
        --report FOLDER [--models residual,mobilenetv3_small,simple_cnn]

FOLDER of faces has a folder for each generator below that of fakes, or a `generators.csv`. The
command runs as a user's does, in a process of its own, from an empty store and cache; what is kept
are its tables in full precision, how long it took, and how many pictures each study passed through
its network.
"""

import shutil
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

from benchmarks.figures import as_new, keep, machine  # noqa: E402

TABLES = ("unseen_generators", "unseen_front", "in_time", "matrix")


def told(table: Path) -> list[dict[str, Any]]:
    """Return the rows of a table, four digits a number; what is missing is left out."""
    rows = pd.read_csv(table).round(4).to_dict("records")
    return [{str(key): value for key, value in row.items() if pd.notna(value)} for row in rows]


def extracted(store: str) -> dict[str, float]:
    """Return how many pictures each study passed through its network, by its name."""
    import mlflow

    runs = mlflow.MlflowClient(store).search_runs(["0"], "tags.`fakeface.kind` = 'study'")
    return {
        f"{run.data.tags['fakeface.model']}, {run.data.tags['fakeface.dataset']}": images
        for run in runs
        if (images := run.data.metrics.get("cost/extracted_images")) is not None
    }


@click.command(help="Measure how detectors do on generators that they never saw.")
@click.option("--faces", type=Path, required=True, help="Folder of faces by generator.")
@click.option("--weights", type=Path, required=True, help="ImageNet weights of MobileNetV3-Small.")
@click.option("--models", default="residual,mobilenetv3_small,simple_cnn", help="Networks.")
@click.option("--trials", default=5, help="Of each study.")
@click.option("--order/--no-order", default=True, help="Also in the order of time.")
@click.option("--report", type=Path, help="Also keep the page and its pictures here.")
@click.option("--output", type=Path, help="Also write the metrics as JSON.")
def main(
    faces: Path,
    weights: Path,
    models: str,
    trials: int,
    order: bool,
    report: Path | None,
    output: Path | None,
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        command = [
            *(sys.executable, "-m", "fakeface_bench", "generalise", "--models", models),
            *("--train", str(faces.resolve()), "--hold-out", "generator"),
            *(("--order", "released") if order else ()),
            *("--trials", str(trials), "--output", str(folder / "report")),
            *("--weights", f"mobilenetv3_small={weights.resolve()}"),
        ]
        environment = as_new(folder, ROOT)
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        files = {name: folder / "report" / f"{name}.csv" for name in TABLES}
        found = {
            "command_seconds": seconds,
            "trials": trials,
            "seed": 0,
            "extracted_images": extracted(environment["MLFLOW_TRACKING_URI"]),
            **{name: told(file) for name, file in files.items() if file.exists()},
        }
        if report:
            shutil.copytree(folder / "report", report, dirs_exist_ok=True)
    keep({"machine": machine("tensorflow", "scikit-learn"), **found}, output)
    click.echo(f"{seconds:.0f} s")
    for row in found.get("unseen_generators", ()):
        click.echo(f"{row['model']}, {row['generator']}: {row['roc_auc']}")


if __name__ == "__main__":
    main()

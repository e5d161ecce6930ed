"""Accuracy and cost of every way of training, seed by seed: the front that README's table shows.

    python benchmarks/front.py --faces FOLDER --weights FILE --seeds 3 --output RESULT.json
    python benchmarks/front.py --faces FOLDER --weights FILE --kinds \
        --only residual --only frozen --option=--folds=5 --option=--equalise=jpeg

Each study is the command that users run, in a process, store and cache of its own, so its seconds
are those from a cold start. Calibration is told as what logistic regression of the labels on the
log-odds says: a slope of 1 means that the probabilities are neither too bold nor too timid.
With `--store` all write to one store, which is there from the second on, for
`fakeface-bench compare`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402

MODEL = "mobilenetv3_small"
_FROZEN = ("--trials", "20", "--epochs", "5")
_TUNED = ("--trials", "3", "--epochs", "10")
_SCRATCH = ("--trials", "6", "--epochs", "20")
#: Options of each study.
STUDIES: Mapping[str, Sequence[str]] = {
    "residual": ("--model", "residual", *_FROZEN),
    "frozen, maps alone": ("--model", MODEL, "--features", "last,all_blocks", *_FROZEN),
    "frozen": ("--model", MODEL, *_FROZEN),
    "norms": ("--model", MODEL, "--fine-tune", "norms", *_TUNED),
    "last_2_blocks": ("--model", MODEL, "--fine-tune", "last_2_blocks", *_TUNED),
    "all": ("--model", MODEL, "--fine-tune", "all", *_TUNED),
    **{
        f"{model}, {read}": ("--model", model, "--input", read, *_SCRATCH)
        for model in ("simple_cnn", "simple_cnn_pool")
        for read in ("rgb", "residual", "npr")
    },
}
#: MLflow's metrics that are kept of each study.
METRICS = (
    *("test/roc_auc", "val/roc_auc", "test/accuracy", "test/log_loss", "test/ece"),
    *("baseline/roc_auc", "baseline/val_roc_auc", "calibration/scale", "calibration/offset"),
    *("val/roc_auc_low", "val/roc_auc_high", "bias/delta_auc"),
    *("bias/delta_auc_low", "bias/delta_auc_high"),
    *("search/gain_roc_auc", "search/gain_roc_auc_low", "search/gain_roc_auc_high"),
    *("cost/total_cold_seconds", "cost/search_seconds", "cost/peak_memory_gb"),
    *("test/unsure_share", "test/sure_error", "test/sure_error_high"),
)


@dataclass(frozen=True)
class Asked:
    """What all studies share; `fakes` is the folder under `fake` that alone is used, if any."""

    faces: Path
    fakes: str
    weights: Path
    store: Path | None  # folder of MLflow's store that all share
    more: tuple[str, ...]  # further options


def study(name: str, seed: int, asked: Asked) -> dict[str, Any]:
    """Run one study by the command of users; return what it scored and cost."""
    options = [*STUDIES[name], "--seed", str(seed), *asked.more]
    if MODEL in options:
        options += ["--weights", str(asked.weights)]
    with tempfile.TemporaryDirectory() as folder:
        options += ["--data", str(_faces_of(asked, Path(folder)))]
        store = asked.store or Path(folder)
        variables = {
            "MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlflow.db",
            "FAKEFACE_CACHE": f"{folder}/cache",
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "fakeface_bench", "run", *options]
        started = time.perf_counter()
        subprocess.run(
            command, cwd=store, env={**os.environ, **variables}, check=True, capture_output=True
        )
        seconds = time.perf_counter() - started
        return {"seed": seed, "wall_seconds": seconds, **_left(store, time.time() - seconds)}


def _faces_of(asked: Asked, folder: Path) -> Path:
    """Return the dataset; where one kind of fakes is asked for, a copy that holds no other."""
    if not asked.fakes:
        return asked.faces
    copy = folder / asked.fakes
    shutil.copytree(asked.faces / "real", copy / "real")
    shutil.copytree(asked.faces / "fake" / asked.fakes, copy / "fake" / asked.fakes)
    return copy


def _left(folder: Path, began: float) -> dict[str, Any]:
    """Return what the study that began at a Unix time left in MLflow.

    An equalised one had the same run on untouched pictures.
    """
    import mlflow
    import pandas as pd

    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    found: dict[str, Any] = {}
    newer = f"attributes.start_time >= {1000 * began:.0f}"
    for run in client.search_runs(["0"], f"tags.`fakeface.kind` = 'study' and {newer}"):
        place = Path(run.info.artifact_uri.removeprefix("file://"))
        scored = pd.read_parquet(place / "test" / "predictions.parquet")
        metrics = {key: run.data.metrics[key] for key in METRICS if key in run.data.metrics}
        metrics |= _calibration(scored, metrics)
        prefix = "" if run.data.params["equalise"] == "none" else "equalised/"
        found |= {f"{prefix}{key}": value for key, value in metrics.items()}
    if not found:
        raise click.ClickException(f"the store in {folder} holds this study already")
    return found


def _calibration(scored: Any, metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the slope of the test scores, and the log loss that they had uncalibrated."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    fake = scored["y_true"].to_numpy() == 1
    score = np.clip(scored["y_score"].to_numpy(np.float64), 1e-7, 1 - 1e-7)
    odds = np.log(score) - np.log1p(-score)
    slope = LogisticRegression(C=np.inf).fit(odds[:, None], fake).coef_[0, 0]
    margins = (odds - metrics["calibration/offset"]) / metrics["calibration/scale"]
    uncalibrated = log_loss(fake, 1 / (1 + np.exp(-margins)))
    return {"test/calibration_slope": float(slope), "test/log_loss_uncalibrated": uncalibrated}


def table(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Lay results out for README: medians over seeds, the least and the most in brackets."""
    lines = [
        "| study | validation ROC AUC | test ROC AUC | test, equalised | seconds, cold | seeds |",
        "|---|---|---|---|---:|---:|",
    ]
    keys = ("val/roc_auc", "test/roc_auc", "equalised/test/roc_auc")
    for name, runs in results.items():
        scores = " | ".join(_spread([run[key] for run in runs if key in run]) for key in keys)
        seconds = median(run["wall_seconds"] for run in runs)
        lines.append(f"| {name} | {scores} | {seconds:.0f} | {len(runs)} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


@click.command()
@click.option("--faces", required=True, help="Folder of real and generated faces.")
@click.option("--weights", required=True, help="Keras weights file of mobilenetv3_small.")
@click.option("--seeds", default=3, show_default=True, help="How many seeds.")
@click.option("--first", default=0, show_default=True, help="The first of them.")
@click.option("--only", multiple=True, type=click.Choice(list(STUDIES)), help="These studies only.")
@click.option("--option", "more", multiple=True, help="A further option, as --equalise=jpeg.")
@click.option("--kinds", is_flag=True, help="Each folder under FACES/fake alone, beside all real.")
@click.option("--store", type=click.Path(path_type=Path), help="Folder for one store of all.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(
    faces: str,
    weights: str,
    seeds: int,
    first: int,
    only: tuple[str, ...],
    more: tuple[str, ...],
    kinds: bool,
    store: Path | None,
    output: Path | None,
) -> None:
    """Run the studies on this machine, all of a seed before the next."""
    folder = Path(faces).resolve()
    fakes = sorted(path.name for path in (folder / "fake").iterdir()) if kinds else [""]
    if store:
        store.mkdir(parents=True, exist_ok=True)
        store = store.resolve()
    asked = [Asked(folder, kind, Path(weights).resolve(), store, more) for kind in fakes]
    results: dict[str, list[dict[str, Any]]] = {}
    for seed in range(first, first + seeds):
        for name, of in product(only or STUDIES, asked):
            title = f"{name}, {of.fakes}" if of.fakes else name
            results.setdefault(title, []).append(study(name, seed, of))
            click.echo(json.dumps({title: results[title][-1]}))
            if output:
                keep({"machine": machine(), "options": more, "studies": results}, output)
    click.echo(table(results))


if __name__ == "__main__":
    main()

"""The student's report that this project grew from, run again: its networks, epochs and plots.

    python benchmarks/seed_study.py --data DATA --output FOLDER

Four networks, each trained as many epochs as there, on any dataset: two small CNNs, MobileNetV3
and VGG19, both frozen. Options are not searched: each is trained by the suite's plain recipe, its
first trial, with several seeds. The report read validation accuracy and chose by it; here each
validation figure stands beside the test metric with its interval, and beside the time of an epoch
as measured on cached features and as it is through the backbone. FOLDER gets the table
(seed_study.md, seed_study.json) and the plots. `--also` adds networks, for instance one of which
the weights are at hand: mobilenetv3_small:5:FILE.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402
from fakeface_bench.analysis.comparison import LeaderboardEntry  # noqa: E402
from fakeface_bench.api.progress import ConsoleProgress  # noqa: E402
from fakeface_bench.config import CompareConfig  # noqa: E402
from fakeface_bench.jobs.compare import run_comparison  # noqa: E402
from fakeface_bench.records.study import ComparedStudy  # noqa: E402
from fakeface_bench.report.table import Table  # noqa: E402

#: The report's networks and epochs, and the validation accuracy it gives (of 140k, whole).
NETWORKS = (
    ("simple_cnn", 3, "0.747"),
    ("simple_cnn_pool", 3, "0.666"),
    ("mobilenetv3", 5, "0.92 after one epoch, 0.965 after five"),
    ("vgg19", 3, "0.988"),
)
#: What holds nothing of the pictures themselves.
PLOTS = ("validation_accuracy.png", "confusion_matrices.png", "front.png", "leaderboard.csv")
HEADER = (
    *("network", "weights", "epochs", "report's validation accuracy", "validation accuracy"),
    *("test accuracy (95 %)", "F1 fake", "F1 real", "test ROC AUC (95 %)"),
    *("epoch, cached", "epoch, from files", "cold total"),
)


@dataclass(frozen=True)
class Network:
    """One network to train: its epochs, weights, and what the report says of it."""

    model: str
    epochs: int
    weights: str = "auto"
    reported: str = "not in it"


def train(network: Network, shared: list[str], folder: Path) -> str:
    """Train a network as a study of one trial, in a process of its own; return its run."""
    own = ["--model", network.model, "--epochs", str(network.epochs), "--weights", network.weights]
    command = [sys.executable, "-m", "fakeface_bench", "run", "--trials", "1", *own, *shared]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{network.model} failed")
    click.echo(done.stdout)
    return done.stdout.rpartition("/runs/")[2].partition("?")[0]


def row(entry: LeaderboardEntry, network: Network) -> dict[str, Any]:
    """Return what the table says of a network, and what it does not have room for."""
    study: ComparedStudy = entry.study
    figures = study.ledger.other
    description = {key: figure_told(figure) for key, figure in entry.estimates.items()}
    return {
        "network": entry.label,
        "weights": study.identity.weights,
        "epochs": network.epochs,
        "reported_val_accuracy": network.reported,
        "val_accuracy_by_epoch": [epoch.val_accuracy for epoch in study.epochs],
        "test": description,
        "seeds": [scores.seed for scores in study.seeds],
        "epoch_cached_seconds": figures["steady_epoch_seconds"],
        "epoch_end_to_end_seconds": figures["epoch_end_to_end_seconds"],
        "total_cold_seconds": study.ledger.total_cold_seconds,
        "ledger": study.ledger.as_json(),
    }


def figure_told(figure: Any) -> dict[str, float]:
    """Return a figure with its interval."""
    return {
        "value": figure.value,
        "low_95": figure.low,
        "high_95": figure.high,
        "std_over_seeds": figure.std,
    }


def cells(result: dict[str, Any]) -> tuple[str, ...]:
    """Write a row of the table."""

    def interval(key: str) -> str:
        of = result["test"][key]
        return f"{of['value']:.3f} ({of['low_95']:.3f} to {of['high_95']:.3f})"

    return (
        result["network"],
        result["weights"],
        str(result["epochs"]),
        result["reported_val_accuracy"],
        ", ".join(f"{value:.3f}" for value in result["val_accuracy_by_epoch"]),
        interval("accuracy"),
        f"{result['test']['f1_fake']['value']:.3f}",
        f"{result['test']['f1_real']['value']:.3f}",
        interval("roc_auc"),
        f"{result['epoch_cached_seconds']:.2f} s",
        f"{result['epoch_end_to_end_seconds']:.1f} s",
        f"{result['total_cold_seconds']:.0f} s",
    )


@click.command()
@click.option("--data", default="synthetic", show_default=True, help="As in a study.")
@click.option("--limit", default=0, show_default=True, help="Most images per split and class.")
@click.option("--seeds", default=3, show_default=True, help="Fits of each network.")
@click.option("--also", multiple=True, help="MODEL:EPOCHS:WEIGHTS, a network besides the four.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder to fill.")
def main(data: str, limit: int, seeds: int, also: tuple[str, ...], output: Path) -> None:
    """Train the report's networks on this machine and write its table and plots."""
    networks = [
        Network(model, epochs, reported=description) for model, epochs, description in NETWORKS
    ]
    for words in also:
        model, epochs, weights = words.split(":", 2)
        path = Path(weights)
        networks.append(Network(model, int(epochs), str(path.resolve() if path.exists() else path)))
    data = str(Path(data).resolve()) if Path(data).exists() else data
    shared = ["--data", data, "--limit", str(limit), "--seeds", str(seeds)]
    output = output.resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        os.environ.setdefault("FAKEFACE_CACHE", f"{folder}/cache")
        runs = {train(network, shared, Path(folder)): network for network in networks}
        os.chdir(folder)
        compared = run_comparison(CompareConfig(runs=",".join(runs)), ConsoleProgress())
        output.mkdir(parents=True, exist_ok=True)
        for name in PLOTS:
            shutil.copy(Path("comparison", name), output / name)
        os.chdir(ROOT)
    standings = {s.study.identity.run_id: s for s in compared.result.entries}
    results = [row(standings[run], network) for run, network in runs.items()]
    n = {"test": compared.result.images, "seeds": seeds}
    description = machine("tensorflow", "keras", "mlflow", "optuna", "numpy", "pillow")
    content = {"machine": description, "data": Path(data).name, "n": n, "networks": results}
    keep(content, output / "seed_study.json")
    shown = Table.of(HEADER, [cells(result) for result in results]).markdown()
    facts = ", ".join(f"{key} {value}" for key, value in description.items())
    about = f"{Path(data).name}: n = {n['test']} test images, {seeds} seeds from 0. {facts}."
    (output / "seed_study.md").write_text(f"{about}\n\n{shown}\n")
    click.echo(shown)


if __name__ == "__main__":
    main()

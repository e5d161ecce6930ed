"""How long a default study takes, stage by stage, beside that of another checkout of the project.

    python benchmarks/speed.py --faces FOLDER --weights FILE --against CHECKOUT
    python benchmarks/speed.py --model mobilenetv3 --against CHECKOUT    # on the embedded faces

Every round runs the whole command once by each, in turn, from an empty folder with an empty cache
and a new MLflow database; the embedded faces are drawn. Medians and the range over the rounds are
kept.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import as_new, keep, machine  # noqa: E402

Figures = dict[str, float]
LIBRARIES = ("tensorflow", "keras", "onnxruntime", "mlflow", "optuna", "scikit-learn", "numpy")


def run_study(source: Path, arguments: Sequence[str], folder: Path) -> Figures:
    """Run a study by one checkout in a process of its own; seconds, memory and its ROC AUC."""
    environment = as_new(folder, source)
    started = time.perf_counter()
    with open(folder / "printed.txt", "w") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "fakeface_bench", "run", *arguments],
            cwd=folder,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise click.ClickException((folder / "printed.txt").read_text())
    text = (folder / "printed.txt").read_text()
    (ledger,) = folder.glob("mlruns/*/*/artifacts/cost_ledger.json")
    costs = json.loads(ledger.read_text())
    stages = {stage["stage"]: stage["spent_seconds"] for stage in costs["stages"]}
    drawing = re.search(r"drawing faces: \d+ images in ([\d.]+) s", text)
    auc = re.search(r"roc_auc\D+[\d.]+\D+([\d.]+) \(([\d.]+) to ([\d.]+)\)", text)
    assert auc is not None
    return {
        "seconds": seconds,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak_memory_gb": usage.ru_maxrss / 2**20,
        "search_seconds": sum(s for name, s in stages.items() if name.startswith("search_")),
        "extraction_seconds": stages["extraction"],
        "preparation_seconds": stages["preparation"],
        # Start-up is a stage of its own since; a checkout that knows none has it in overhead.
        "overhead_seconds": stages["overhead"] + stages.get("startup", 0.0),
        **{
            name: value
            for name, value in costs["figures"].items()
            if name.startswith(("startup_", "overhead_"))
        },
        **({"drawing_seconds": float(drawing[1])} if drawing else {}),
        "test_roc_auc": float(auc[1]),
        "test_roc_auc_low_95": float(auc[2]),
        "test_roc_auc_high_95": float(auc[3]),
    }


def spread(rounds: Sequence[Figures]) -> dict[str, dict[str, float]]:
    """Return median, least and most of each figure."""
    values = {name: [figures[name] for figures in rounds] for name in rounds[0]}
    return {
        name: {"median": statistics.median(each), "least": min(each), "most": max(each)}
        for name, each in values.items()
    }


def in_turn(
    against: Path | None, rounds: int, measure: Callable[[Path], Figures]
) -> dict[str, dict[str, dict[str, float]]]:
    """Measure this checkout, and another where one is given, in turn; return their figures' spread.

    Args:
        measure: From the folder of a checkout to what one round by it takes.
    """
    sources = {"this": ROOT} | ({"other": against.resolve()} if against else {})
    measured: dict[str, list[Figures]] = {name: [] for name in sources}
    for number in range(rounds):
        for name, source in sources.items():
            measured[name].append(measure(source))
            told = ", ".join(f"{key} {value:.3g}" for key, value in measured[name][-1].items())
            click.echo(f"round {number + 1}, {name}: {told}")
    return {name: spread(each) for name, each in measured.items()}


@click.command(help=__doc__)
@click.option("--faces", type=click.Path(exists=True, path_type=Path), help="Else the embedded.")
@click.option("--weights", default="auto", show_default=True)
@click.option("--model", default="mobilenetv3_small", show_default=True)
@click.option("--trials", default=20, show_default=True)
@click.option("--epochs", default=5, show_default=True)
@click.option("--against", type=click.Path(exists=True, path_type=Path), help="Another checkout.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="JSON file to write.")
def main(
    faces: Path | None,
    weights: str,
    model: str,
    trials: int,
    epochs: int,
    against: Path | None,
    rounds: int,
    output: Path | None,
) -> None:
    file = Path(weights)
    asked = ["--model", model, "--weights", str(file.resolve()) if file.exists() else weights]
    asked += ["--data", str(faces.resolve())] if faces else []
    asked += ["--trials", str(trials), "--epochs", str(epochs)]

    def of_study(source: Path) -> Figures:
        with tempfile.TemporaryDirectory() as folder:
            return run_study(source, asked, Path(folder))

    results = in_turn(against, rounds, of_study)
    keep(
        {
            "machine": machine(*LIBRARIES),
            "model": model,
            "faces": faces.name if faces else "embedded",
            "trials": trials,
            "epochs": epochs,
            "rounds": rounds,
            "studies": results,
        },
        output,
    )


if __name__ == "__main__":
    main()

"""How long the same search takes with KerasTuner and with this suite, and how well each ends.

    python benchmarks/versus_keras_tuner.py --faces FOLDER --weights FILE --output RESULT.json

KerasTuner's side is `keras_tuner_search.py`, what its users write: pictures decoded once and
cached, a frozen backbone, the same options of the head, Bayesian optimisation. It runs in an
environment of its own, made anew, with this one's TensorFlow, Keras and NumPy. Ours is the whole
command, with a new database, an empty cache, report and pictures. Of MobileNetV3-Small both search
whole. VGG16, with random weights, which change no time, searches whole by ours alone: KerasTuner's
time is its trial's, `--vgg-trials` of them measured, times the number of trials, and what is around
them once.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402
from benchmarks.speed import Figures, run_study, spread  # noqa: E402

KERAS_TUNER = "1.4.8"
PROGRAM = Path(__file__).with_name("keras_tuner_search.py")


@contextmanager
def environment_of_keras_tuner() -> Iterator[Path]:
    """Make a virtual environment with KerasTuner; yield its Python."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        pinned = [f"{name}=={version(name)}" for name in ("tensorflow", "keras", "numpy", "pillow")]
        theirs = [f"keras-tuner[bayesian]=={KERAS_TUNER}", "tensorboard"]  # it imports both
        install = [str(python), "-m", "pip", "install", "-q", *theirs, *pinned]
        subprocess.run(install, check=True)
        yield python


def run_keras_tuner(python: Path, *asked: str) -> Figures:
    """Search by KerasTuner in a process of its own; seconds, memory and test ROC AUC."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with open(Path(folder) / "printed.txt", "w+") as printed:
            process = subprocess.Popen(
                [python, PROGRAM, *asked, folder],
                env=environment,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            printed.seek(0)
            text = printed.read()
    if status:
        raise click.ClickException(text)
    told: Figures = json.loads(text.strip().splitlines()[-1])
    processor = usage.ru_utime + usage.ru_stime
    memory = usage.ru_maxrss * 1024 / 1e9
    return {"seconds": seconds, "processor_seconds": processor, "peak_memory_gb": memory, **told}


def run_ours(faces: Path, model: str, weights: str, trials: int, epochs: int) -> Figures:
    """Run the whole study by this suite."""
    asked = ["--model", model, "--data", str(faces), "--weights", weights]
    asked += ["--trials", str(trials), "--epochs", str(epochs)]
    with tempfile.TemporaryDirectory() as folder:
        return run_study(ROOT, asked, Path(folder))


def of_all(measured: Figures, measured_trials: int, trials: int) -> Figures:
    """Return what a whole search takes by the trials that were run."""
    around = measured["seconds"] - measured["search_seconds"]
    a_trial = measured["search_seconds"] / measured_trials
    return {"seconds_of_a_trial": a_trial, "seconds": around + trials * a_trial}


@click.command(help=__doc__)
@click.option("--faces", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--weights", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--trials", default=20, show_default=True)
@click.option("--epochs", default=5, show_default=True)
@click.option("--rounds", default=5, show_default=True, help="Of ours; KerasTuner's is run once.")
@click.option("--vgg-trials", default=1, show_default=True, help="0: leave VGG16 out.")
@click.option("--output", type=click.Path(path_type=Path), help="JSON file to write.")
def main(
    faces: Path,
    weights: Path,
    trials: int,
    epochs: int,
    rounds: int,
    vgg_trials: int,
    output: Path | None,
) -> None:
    faces, weights = faces.resolve(), weights.resolve()
    splits = next(folder.parent for folder in sorted(faces.rglob("valid")))
    results: dict[str, Any] = {}
    with environment_of_keras_tuner() as python:
        small = "mobilenetv3_small"
        of_search = (str(trials), str(epochs))
        theirs = run_keras_tuner(python, str(splits), small, str(weights), *of_search)
        click.echo(f"{small}, KerasTuner: {theirs}")
        ours = [run_ours(faces, small, str(weights), trials, epochs) for _ in range(rounds)]
        summary = spread(ours)
        ratio = theirs["seconds"] / summary["seconds"]["median"]
        click.echo(f"{small}, ours: {summary['seconds']}; KerasTuner takes {ratio:.1f} times that")
        results[small] = {"keras_tuner": theirs, "ours": summary, "ratio": ratio}
        if vgg_trials:
            of_search = (str(vgg_trials), str(epochs))
            theirs = run_keras_tuner(python, str(splits), "vgg16", "none", *of_search)
            whole = of_all(theirs, vgg_trials, trials)
            one = run_ours(faces, "vgg16", "random", trials, epochs)
            ratio = whole["seconds"] / one["seconds"]
            click.echo(f"vgg16, KerasTuner: {theirs}, of {trials} trials {whole}")
            click.echo(f"vgg16, ours: {one}; KerasTuner would take {ratio:.1f} times that")
            results["vgg16"] = {
                "keras_tuner_measured": {"trials": vgg_trials, **theirs},
                "keras_tuner_by_that": whole,
                "ours": one,
                "ratio": ratio,
            }
    asked = {"faces": faces.name, "trials": trials, "epochs": epochs, "rounds_of_ours": rounds}
    libraries = ("tensorflow", "keras", "optuna", "mlflow", "onnxruntime")
    facts = {**machine(*libraries), "keras_tuner": KERAS_TUNER}
    keep({"machine": facts, **asked, "studies": results}, output)


if __name__ == "__main__":
    main()

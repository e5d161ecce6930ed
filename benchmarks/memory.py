"""What one process holds while a study's trials pass: figures docs/reliability.md quotes.

    python benchmarks/memory.py --faces FOLDER --output RESULT.json

A study each of a frozen backbone's head, of its last block trained, and of a network from scratch,
each in a process of its own, of small pictures and few epochs: what a trial leaves behind depends
on neither. Resident memory is read at the end of every trial; that at the end of the last is to be
within a tenth of that after ten.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import psutil

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402
from fakeface_bench.config import StudyConfig  # noqa: E402
from fakeface_bench.support.progress import Advance  # noqa: E402

TRIALS, EPOCHS, SIZE, IMAGES, SEED = 50, 2, 64, 80, 0
#: Trials that warm a process up, and how much it may grow after them.
WARM_UP, MOST_GROWTH = 10, 0.10
#: What each study asks for besides.
STUDIES: dict[str, dict[str, Any]] = {
    "frozen": {"model": "mobilenetv3_small", "weights": "random"},
    "last_block": {
        "model": "mobilenetv3_small",
        "weights": "random",
        "fine_tune": "last_block",
        "precision": "float32",
    },
    "scratch": {"model": "simple_cnn"},
}


@dataclass
class Watch:
    """A progress that reads this process's memory, in 10⁶ bytes, at the end of each trial."""

    held_mb: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @contextmanager
    def stage(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        """Watch the stage whose units are trials."""
        began = time.perf_counter()

        def advance(units: int) -> None:
            nonlocal began
            if unit == "trials" and units:
                self.held_mb.append(memory_mb())
                now = time.perf_counter()
                self.seconds.append(now - began)
                began = now

        yield advance

    def say(self, line: str) -> None:
        """Nobody reads it."""

    def warn(self, line: str) -> None:
        """Tell it at once."""
        click.echo(line, err=True)


def memory_mb() -> float:
    """Return what this process holds, in 10⁶ bytes."""
    return float(psutil.Process().memory_info().rss) / 1e6


def growth(held_mb: Sequence[float]) -> float:
    """Return how much more is held at the end than after the warm-up, as a share of that."""
    return held_mb[-1] / held_mb[WARM_UP - 1] - 1


def watched_study(name: str, faces: Path, trials: int) -> dict[str, Any]:
    """Run a study in a process of its own; return what that held at the end of each trial."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **{k: v for k, v in os.environ.items() if k != "MLFLOW_RUN_ID"},
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            "FAKEFACE_CACHE": f"{folder}/cache",
        }
        options = ["--child", name, "--faces", str(faces.resolve()), "--trials", str(trials)]
        process = subprocess.run(
            [sys.executable, __file__, *options],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    figures: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return figures


def run_here(name: str, faces: str, trials: int) -> dict[str, Any]:
    """Run a study in this process; return what it held at the end of each trial."""
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    from fakeface_bench.study.run import run_study

    watch = Watch()
    options = {"data": faces, "image_size": SIZE, "epochs": EPOCHS, "seed": SEED}
    record = run_study(StudyConfig(trials=trials, **options, **STUDIES[name]), watch).record
    return {
        "trials": dict(Counter(trial.state for trial in record.search.trials)),
        "growth_after_10": growth(watch.held_mb),
        "median_trial_seconds": sorted(watch.seconds)[len(watch.seconds) // 2],
        "study_end_mb": memory_mb(),
        "held_mb": [round(mb, 1) for mb in watch.held_mb],
    }


@click.command()
@click.option("--faces", type=click.Path(path_type=Path, exists=True), help="Folder of faces.")
@click.option("--trials", default=TRIALS, show_default=True, help="Of each study.")
@click.option(
    "--only", multiple=True, type=click.Choice(list(STUDIES)), help="Some of the studies."
)
@click.option("--child", type=click.Choice(list(STUDIES)), hidden=True)
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(
    faces: Path | None, trials: int, only: tuple[str, ...], child: str | None, output: Path | None
) -> None:
    """Watch what studies hold on this machine."""
    if child:
        click.echo(json.dumps(run_here(child, str(faces), trials)))
        return
    from fakeface_bench.data.synthetic.dataset import write_synthetic

    with tempfile.TemporaryDirectory() as folder:
        if faces is None:
            faces = Path(folder) / "synthetic"
            write_synthetic(faces, images=IMAGES, seed=SEED)
        studies = {name: watched_study(name, faces, trials) for name in only or STUDIES}
    figures = {
        "machine": machine("tensorflow", "keras", "mlflow", "optuna", "numpy"),
        "faces": faces.name,
        "trials": trials,
        "epochs": EPOCHS,
        "image_size_px": SIZE,
        "studies": studies,
        "targets": {
            f"{name}: at most {MOST_GROWTH} more than after {WARM_UP} trials": study[
                "growth_after_10"
            ]
            <= MOST_GROWTH
            for name, study in studies.items()
        },
    }
    click.echo(json.dumps(figures, indent=1))
    keep(figures, output)


if __name__ == "__main__":
    main()

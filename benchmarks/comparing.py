"""What comparing costs, and what a study spends on ledger and logging: figures README quotes.

    python benchmarks/comparing.py --output RESULT.json

A comparison of 20 made-up studies with 20,000 test predictions each, in a process of its own, with
its peak memory; with `--seeds`, each study has several. And the default study, in an empty cache:
the share of its wall clock that goes into the ledger (speeds measured, energy, the ledger itself)
and into logging (every call of MLflow; saving the model, and MLflow's check that it loads and
serves, stand apart).
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402

STUDIES, IMAGES = 20, 20_000


def write_study(folder: Path, number: int, seeds: int) -> None:
    """Write the files of a made-up study, as accurate as its number is high."""
    import pandas as pd

    from fakeface_bench.records.ledger import STAGES, Ledger, StageCost

    rng = np.random.default_rng(number)
    y_true = (np.arange(IMAGES) % 2).astype(np.uint8)
    columns: dict[str, Any] = {
        "source": ["faces"] * IMAGES,
        "path": [f"test/{n:06}.jpg" for n in range(IMAGES)],
        "tier": [""] * IMAGES,
        "y_true": y_true,
    }
    for seed in range(seeds):
        margins = rng.normal(size=IMAGES) + (1 + number / 10) * (y_true - 0.5)
        name = "y_score" if seed == 0 else f"y_score_seed_{seed}"
        columns[name] = 1 / (1 + np.exp(-margins))
    (folder / "test").mkdir(parents=True)
    pd.DataFrame(columns).to_parquet(folder / "test" / "predictions.parquet", index=False)
    ledger = Ledger(tuple(StageCost(stage, 10.0 * 1.5**number) for stage in STAGES))
    (folder / "cost_ledger.json").write_text(json.dumps(ledger.as_json()))
    epoch = {"train_loss": 0.5, "train_accuracy": 0.8, "val_loss": 0.5, "val_roc_auc": 0.8}
    epoch |= {"val_accuracy": 0.8, "seconds": 2.0, "val_seconds": 0.5}
    content = {
        **{"model": f"network_{number}", "fine_tune": "frozen", "weights": "imagenet"},
        **{"weights_warning": "", "trained": "", "study": f"study-{number}", "data": "faces"},
        **{"data_folders": {"faces": "/nowhere"}, "epochs_began_seconds": 20.0},
        **{"machine": "this one", "trials": 20},
        "thresholds": {str(seed): 0.5 for seed in range(seeds)},
        "epochs": [{"epoch": n, **epoch} for n in range(10)],
    }
    (folder / "study.json").write_text(json.dumps(content))


def fill_store(folder: Path, seeds: int) -> str:
    """Log the studies to a new store; return its address."""
    import mlflow

    store = f"sqlite:///{folder}/mlflow.db"
    client = mlflow.MlflowClient(store)
    artifacts = (folder / "artifacts").as_uri()
    experiment = client.create_experiment("comparing", artifact_location=artifacts)
    for number in range(STUDIES):
        tags = {
            **{"fakeface.kind": "study", "fakeface.model": f"network_{number}"},
            **{"fakeface.fine_tune": "frozen", "fakeface.weights": "imagenet"},
            **{"fakeface.dataset": "faces", "fakeface.dataset_digest": "a" * 64},
            "fakeface.test_digest": "a" * 64,
        }
        run = client.create_run(experiment, tags=tags).info.run_id
        write_study(folder / run, number, seeds)
        client.log_artifacts(run, str(folder / run))
        client.set_terminated(run)
    return store


def measure_comparison(seeds: int) -> dict[str, Any]:
    """Compare the studies with the command; return its seconds and peak memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = os.environ | {
            "MLFLOW_TRACKING_URI": fill_store(folder, seeds),
            "MLFLOW_EXPERIMENT_NAME": "comparing",
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "fakeface_bench", "compare"]
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        if status:
            raise SystemExit(f"the comparison failed, status {status}")
        page = (folder / "comparison" / "report.html").stat().st_size
    peak = usage.ru_maxrss / 2**20
    return {"seconds": seconds, "peak_memory_gb": peak, "page_mb": page / 1e6}


class Account:
    """Seconds spent in calls that are watched; one within another is not counted twice."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside = False

    def watch(self, owner: Any, name: str, purpose: str) -> None:
        """Time every call of a function or method under a purpose."""
        function: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(function)
        def watched(*arguments: Any, **options: Any) -> Any:
            if self._inside:
                return function(*arguments, **options)
            self._inside = True
            started = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent = time.perf_counter() - started
                self.seconds[purpose] = self.seconds.get(purpose, 0.0) + spent
                self._inside = False

        setattr(owner, name, watched)


def watch_study(account: Account) -> None:
    """Watch all that a study calls for its ledger, its logging and its report."""
    from fakeface_bench.study import record
    from fakeface_bench.study import run as study

    account.watch(study, "close_ledger", "ledger")
    for owner, name in ((record, "write_model"), (study.TrackedRun, "log_model")):
        account.watch(owner, name, "model")
    for name in ("explain_study", "write_explanation"):
        account.watch(record, name, "explanation")
    account.watch(record, "write_study_report", "report")
    for name in ("open_store", "log_costs"):
        account.watch(study, name, "logging")
    for owner in (study.TrackedRun, study.TrialRuns):
        for name in vars(owner):
            if not name.startswith("_"):
                account.watch(owner, name, "logging")


def measure_default_study() -> dict[str, float]:
    """Run the default study in this process, in an empty cache; return its shares."""
    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.config import StudyConfig
    from fakeface_bench.support.machine import Clock, start_tensorflow

    clock = Clock()
    start_tensorflow()
    from fakeface_bench.study.run import run_study

    account = Account()
    watch_study(account)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        os.environ["FAKEFACE_CACHE"] = f"{folder}/cache"
        os.chdir(folder)
        outcome = run_study(StudyConfig(), ConsoleProgress(), clock)
        os.chdir(ROOT)
    wall = clock.seconds()
    description = {f"{purpose}_seconds": spent for purpose, spent in account.seconds.items()}
    ours = account.seconds["ledger"] + account.seconds["logging"]
    ledger = outcome.ledger.total_warm_seconds
    shares = {"share": ours / wall, "share_with_model": (ours + account.seconds["model"]) / wall}
    return {"wall_seconds": wall, "ledger_total_seconds": ledger, **description, **shares}


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Of the second comparison.")
@click.option("--study/--no-study", default=True, help="Run the default study too.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(seeds: int, study: bool, output: Path | None) -> None:
    """Measure comparison, ledger and logging on this machine."""
    figures: dict[str, Any] = {}
    target = output.resolve() if output else None
    for count in (1, seeds):  # first: a child's peak memory begins at that of its parent
        name = f"{STUDIES} studies, {IMAGES} predictions, seeds: {count}"
        figures[name] = measure_comparison(count)
    if study:
        figures["default study"] = measure_default_study()
    figures = {"machine": machine("mlflow", "numpy", "pandas", "plotly"), **figures}
    click.echo(json.dumps(figures, indent=1))
    keep(figures, target)


if __name__ == "__main__":
    main()

"""What training layers under the head gains, and costs: the accuracy figures README quotes.

    python benchmarks/fine_tuned_studies.py --faces FOLDER --weights FILE --output RESULT.json

One study of mobilenetv3_small each: frozen, its last block, its last two blocks, all of it; and the
two small networks from scratch. The frozen study counts twice: its best trial whose head reads the
last map alone, and its best that reads all blocks, each chosen on validation. All are scored on the
same test pictures, and each difference to the frozen ones carries a paired bootstrap interval.
Every study starts with an empty store; features that an earlier one extracted are charged again.
"""

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402
from fakeface_bench.config import StudyConfig  # noqa: E402
from fakeface_bench.support.machine import start_tensorflow  # noqa: E402

MODEL = "mobilenetv3_small"
#: Of each study: its model, `fine_tune`, trials and epochs.
STUDIES = {
    "frozen": (MODEL, "frozen", 20, 10),
    "last_block": (MODEL, "last_block", 8, 10),
    "last_2_blocks": (MODEL, "last_2_blocks", 8, 10),
    "all": (MODEL, "all", 3, 10),
    "simple_cnn": ("simple_cnn", "frozen", 6, 20),
    "simple_cnn_pool": ("simple_cnn_pool", "frozen", 6, 20),
}
FROZEN = {"frozen, last map": "last", "frozen, all blocks": "all_blocks"}


@dataclass(frozen=True)
class Result:
    """What a study leaves to compare: scores of test, and the metrics told of it."""

    y_true: Any
    y_score: Any
    figures: dict[str, Any]


def description(record: Any, config: Any, fit: Any, test: Any) -> dict[str, Any]:
    """Return the metrics of one way of training."""
    from fakeface_bench.evaluation.bootstrap import roc_auc_estimate, wilson

    auc = roc_auc_estimate(test.y_true, test.y_score)
    right = int(sum((test.y_score >= test.threshold) == test.y_true))
    accuracy = wilson(right, len(test.y_true))
    states = [trial.state for trial in record.search.trials]
    return {
        "test_roc_auc": test.metrics["roc_auc"],
        "test_roc_auc_95": [auc.low, auc.high],
        "test_accuracy": test.metrics["accuracy"],
        "test_accuracy_95": [accuracy.low, accuracy.high],
        "test_images": len(test.y_true),
        "validation_roc_auc": fit.best.val_roc_auc,
        "trials": {state: states.count(state) for state in sorted(set(states))},
        "options": config.as_params(),
        "epochs": len(fit.last_stage),
        "epoch_seconds": sorted(e.seconds for e in fit.last_stage)[len(fit.last_stage) // 2],
    }


def study(name: str, base: dict[str, Any]) -> dict[str, Result]:
    """Run one study in a store of its own; return its results by the name they are told under."""
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.study.run import run_study

    model, fine_tune, trials, epochs = STUDIES[name]
    weights = base["weights"] if model == MODEL else "auto"
    config = StudyConfig(
        **{**base, "weights": weights},
        model=model,
        fine_tune=fine_tune,
        trials=trials,
        epochs=epochs,
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        os.chdir(folder)
        started = time.perf_counter()
        record = run_study(config, ConsoleProgress()).record
        seconds = time.perf_counter() - started
        os.chdir(ROOT)
    if fine_tune == "frozen" and model == MODEL:
        return frozen_ends(config, record, seconds)
    figures = description(record, record.config, record.final_fit, record.test)
    figures["study_seconds"] = seconds
    return {name: Result(record.test.y_true, record.test.y_score, figures)}


def frozen_ends(config: StudyConfig, record: Any, seconds: float) -> dict[str, Result]:
    """Refit the best trial of each reading of a frozen backbone, and score it on test."""
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.evaluation.detector import train_detector
    from fakeface_bench.evaluation.metrics import roc_auc
    from fakeface_bench.resolve import make_plan
    from fakeface_bench.study.setup import prepare_setup
    from fakeface_bench.training.networks import FitTask

    subject = prepare_setup(make_plan(config), ConsoleProgress())
    train, valid = subject.reader.read("train"), subject.reader.read("valid")
    task = FitTask(subject.network, train, valid, config.epochs, config.seed, roc_auc)
    results = {}
    for name, features in FROZEN.items():
        complete = [t for t in record.search.trials if t.state == "complete"]
        fitting = [t for t in complete if t.config.head.features == features]
        best = max(fitting, key=lambda trial: trial.value or 0.0)
        detector, fit, _ = train_detector(task, best.config)
        test = detector.score(subject.reader.read("test"), subject.index.split("test"))
        figures = description(record, best.config, fit, test) | {"study_seconds": seconds}
        results[name] = Result(test.y_true, test.y_score, figures)
    return results


def compare(results: dict[str, Result]) -> dict[str, Any]:
    """Return each difference of test ROC AUC to a frozen backbone, with its interval."""
    from fakeface_bench.evaluation.paired import paired_effect
    from fakeface_bench.records.study import SeedScores

    differences = {}
    for name in ("last_block", "last_2_blocks", "all"):
        for frozen in FROZEN:
            if name in results and frozen in results:
                one, other = results[name], results[frozen]
                fits = (SeedScores(0, scores, 0.5) for scores in (one.y_score, other.y_score))
                gain = paired_effect(one.y_true, *fits)["roc_auc"]
                differences[f"{name} - {frozen}"] = [gain.value, gain.low, gain.high]
    return differences


@click.command()
@click.option("--faces", required=True, help="Folder of real and generated faces.")
@click.option("--weights", required=True, help="Keras weights file of mobilenetv3_small.")
@click.option("--seed", default=0, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(STUDIES)), help="These studies only.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(faces: str, weights: str, seed: int, only: tuple[str, ...], output: Path | None) -> None:
    """Run the studies on this machine and compare them."""
    target = output.resolve() if output else None
    start_tensorflow()
    base = {"data": str(Path(faces).resolve()), "weights": str(Path(weights).resolve())}
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory() as cache:
        os.environ.setdefault("FAKEFACE_CACHE", cache)
        for name in only or STUDIES:
            results |= study(name, {**base, "seed": seed})
            for key, result in results.items():
                click.echo(f"{key}: {json.dumps(result.figures)}")
    figures = {
        "machine": machine("tensorflow", "keras", "optuna", "numpy"),
        "faces": Path(faces).name,
        "seed": seed,
        "studies": {name: result.figures for name, result in results.items()},
        "differences of test ROC AUC (low, high: 95 %)": compare(results),
    }
    click.echo(json.dumps(figures["differences of test ROC AUC (low, high: 95 %)"], indent=1))
    keep(figures, target)


if __name__ == "__main__":
    main()

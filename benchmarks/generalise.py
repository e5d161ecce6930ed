"""What a matrix finds and costs: the metrics on other datasets that README quotes.

    python benchmarks/generalise.py --first FOLDER --second FOLDER --weights FILE \\
        --output RESULT.json --report FOLDER

mobilenetv3_small, frozen: trained on the first set, on the second, on both; each tested on the
held-out splits of both and on the embedded faces. Then the model of the first on every picture of
the second, the second's tiers held out in turn where it has some, and the first set equalised.
Everything starts from an empty store and cache.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402
from fakeface_bench.config import EvaluateConfig, GeneraliseConfig, StudyConfig  # noqa: E402
from fakeface_bench.support.machine import peak_memory_gb, start_tensorflow  # noqa: E402

MODEL = "mobilenetv3_small"
_SHOWN = ("roc_auc", "accuracy", "recall_fake", "false_alarm_rate", "recall_at_5pct_fpr", "ece")


def cell_told(cell: Any) -> dict[str, Any]:
    """Return the metrics of a model on a set."""
    return {
        "trained on": cell.model.data,
        "tested on": cell.data,
        "images": [int(np.sum(cell.scored.y_true == label)) for label in (0, 1)],
        "left out": asdict(cell.overlap),
        "shortcut floor": [round(cell.floor.roc_auc, 4)] if cell.floor else None,
        **{key: rounded(cell.estimates[key]) for key in _SHOWN if key in cell.estimates},
    }


def rounded(estimate: Any) -> list[float]:
    """Return value, low and high."""
    return [round(number, 4) for number in (estimate.value, estimate.low, estimate.high)]


def extracted_images() -> dict[str, float]:
    """Return how many pictures each study passed through the backbone."""
    import mlflow

    runs = mlflow.MlflowClient().search_runs(["0"], "tags.`fakeface.kind` = 'study'")
    return {
        run.data.tags["fakeface.dataset"]: run.data.metrics["cost/extracted_images"]
        for run in runs
        if "cost/extracted_images" in run.data.metrics
    }


def cached_images() -> int:
    """Return how many different pictures the cache holds features of."""
    contents = Path(os.environ["FAKEFACE_CACHE"], "features").glob("*/*/contents.txt")
    return len({digest for file in contents for digest in file.read_text().split()})


def nearest(folders: Iterable[str]) -> dict[str, Any]:
    """Return how near the hashes of different pictures come to one another."""
    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.data.facts import HASH_BYTES
    from fakeface_bench.data.seen import SIMILAR_BITS
    from fakeface_bench.data.sources import prepare_sources
    from fakeface_bench.data.survey import survey_sources

    progress = ConsoleProgress()
    survey = survey_sources(prepare_sources("+".join(folders), progress), progress)
    shown = survey.files[survey.files["signature"].str.len() > 0].drop_duplicates("digest")
    packed = np.frombuffer(b"".join(shown["signature"]), np.uint8).reshape(len(shown), -1)
    hashes, mirrors = (
        np.ascontiguousarray(packed[:, start : start + HASH_BYTES]).view(np.uint64)
        for start in (0, HASH_BYTES)
    )
    distances = []
    for number in range(len(hashes) - 1):
        for others in (hashes, mirrors):
            differ = np.bitwise_count(hashes[number] ^ others[number + 1 :])
            distances.append(differ.sum(axis=1).min())
    near = np.sort(np.array(distances))
    return {
        "images": len(hashes),
        "pairs": len(hashes) * (len(hashes) - 1) // 2,
        "nearest": near[:20].tolist(),
        "taken for copies, up to": SIMILAR_BITS,
    }


def matrix(base: Mapping[str, Any], first: str, second: str, report: str) -> dict[str, Any]:
    """Fill the matrix; return its cells, what it cost, and how many pictures were extracted."""
    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.jobs.transfer import run_generalisation

    sets = f"{first},{second},{first}+{second}"
    config = GeneraliseConfig(
        MODEL, sets, f"{first},{second},synthetic", output=report, study=StudyConfig(**base)
    )
    started = time.perf_counter()
    record = run_generalisation(config, ConsoleProgress()).result
    seconds = time.perf_counter() - started
    again = time.perf_counter()
    run_generalisation(config, ConsoleProgress())
    return {
        "seconds, faces drawn and all": round(seconds, 1),
        "seconds when all is there": round(time.perf_counter() - again, 1),
        "peak_memory_gb, without its studies": round(peak_memory_gb(), 2),
        "extracted by studies": extracted_images(),
        "different pictures with features": cached_images(),
        "cells": [cell_told(cell) for cell in record.cells],
        "mixtures": [
            {**asdict(effect), **{k: rounded(getattr(effect, k)) for k in ("roc_auc", "accuracy")}}
            for effect in record.mixtures
        ],
    }


def tiers(base: Mapping[str, Any], second: str) -> list[dict[str, Any]]:
    """Hold out each tier of a dataset in turn."""
    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.jobs.transfer import run_generalisation

    study = StudyConfig(**base)
    config = GeneraliseConfig(MODEL, second, "", "tier", "", study)
    record = run_generalisation(config, ConsoleProgress()).result
    return [
        {
            "left out": held.value,
            "images": held.without.images,
            "without": rounded(held.without.estimates["roc_auc"]),
            "seen": rounded(held.seen.estimates["roc_auc"]),
        }
        for held in record.hold_outs
    ]


def elsewhere(first: str, second: str) -> dict[str, Any]:
    """Score the model of the first set on every picture of the second."""
    import mlflow

    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.jobs.evaluate import run_evaluation

    runs = mlflow.MlflowClient().search_runs(["0"], "tags.`fakeface.kind` = 'study'")
    name = Path(first).name
    (run,) = [run for run in runs if run.data.tags["fakeface.dataset"] == name]
    config = EvaluateConfig(run.info.run_id, second, output="")
    (cell,) = run_evaluation(config, ConsoleProgress()).result
    return cell_told(cell)


def equalised(base: Mapping[str, Any], first: str) -> dict[str, Any]:
    """Run the equalised study beside the untouched one."""
    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.study.run import run_study

    config = StudyConfig(**{**base, "model": MODEL, "data": first, "equalise": "jpeg"})
    bias = run_study(config, ConsoleProgress()).equalisation
    assert bias is not None
    return {**asdict(bias), "delta_auc": rounded(bias.delta_auc)}


def all_figures(first: str, second: str, base: Mapping[str, Any], report: str) -> dict[str, Any]:
    """Measure everything in the store and cache of this process."""
    measured = {"matrix": matrix(base, first, second, report)}
    measured["first set's model on all of the second"] = elsewhere(first, second)
    measured["hold-outs by tier"] = tiers(base, second)
    measured["equalise=jpeg on the first set"] = equalised(base, first)
    measured["hash distances of different pictures"] = nearest([first, second])
    return measured


@click.command()
@click.option("--first", required=True, help="Folder of faces, with official splits or without.")
@click.option("--second", required=True, help="Another, whose fakes were made otherwise.")
@click.option("--weights", required=True, help="Keras weights file of mobilenetv3_small.")
@click.option("--trials", default=20, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--report", default="", help="Keep the matrix's report in this folder.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(
    first: str, second: str, weights: str, trials: int, seed: int, report: str, output: Path | None
) -> None:
    """Measure on this machine."""
    start_tensorflow()
    target = output.resolve() if output else None
    folders: Sequence[str] = [str(Path(folder).resolve()) for folder in (first, second)]
    base = {"weights": str(Path(weights).resolve()), "trials": trials, "seed": seed}
    kept = str(Path(report).resolve()) if report else ""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FAKEFACE_CACHE"] = str(Path(folder, "cache"))
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        os.environ["PYTHONPATH"] = str(ROOT)
        os.chdir(folder)
        measured = {
            "machine": machine("tensorflow", "keras", "optuna", "mlflow", "pillow", "numpy"),
            "seed": seed,
            "trials": trials,
            **all_figures(*folders, base, kept),
        }
        os.chdir(ROOT)
    click.echo(json.dumps(measured, indent=1))
    keep(measured, target)


if __name__ == "__main__":
    main()

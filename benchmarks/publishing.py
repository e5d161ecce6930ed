"""What publishing and checking results takes, and how large what is published gets.

    python benchmarks/publishing.py --output RESULT.json

First the commands as a user gives them: a study of residual statistics on the embedded faces,
published and checked. Then a comparison of many made-up studies, whose scores are drawn, each of
as many test and validation images as the 140k dataset has; the same code writes and checks them.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402
from fakeface_bench.analysis.results import Results, results_of, twin_metrics  # noqa: E402
from fakeface_bench.config import HeadConfig, StudyConfig, TrialConfig  # noqa: E402
from fakeface_bench.evaluation.decisions import (  # noqa: E402
    choose_threshold,
    choose_unsure,
)
from fakeface_bench.evaluation.metrics import with_metrics  # noqa: E402
from fakeface_bench.jobs.publish import comparison_of  # noqa: E402
from fakeface_bench.records.ledger import STAGES, Ledger, StageCost  # noqa: E402
from fakeface_bench.records.publication import PublishedFacts  # noqa: E402
from fakeface_bench.records.study import (  # noqa: E402
    SIMPLE_BASELINE,
    BaselineRecord,
    EpochRecord,
    FitRecord,
    ScoredSplit,
    SearchRecord,
    StudyRecord,
    TrialRecord,
    WeightsRecord,
)
from fakeface_bench.report import publication  # noqa: E402
from fakeface_bench.report.comparison_page import write_comparison_report  # noqa: E402
from fakeface_bench.report.publication_page import write_publication_page  # noqa: E402
from fakeface_bench.report.saved_study import (  # noqa: E402
    write_json,
    write_predictions,
    write_results_csv,
    write_study_json,
)
from fakeface_bench.report.study_report import trials_table  # noqa: E402

LIBRARIES = ("mlflow", "pandas", "pyarrow", "scikit-learn", "numpy")
#: Test and validation images of the 140k dataset, and how many studies are compared.
IMAGES, STUDIES = 20_000, 20


def timed(*words: str) -> float:
    """Run a command of the project; return its seconds."""
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "fakeface_bench", *words]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def imported(name: str) -> float:
    """Return the seconds that a process takes to import a library, which is most of a command."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
    return time.perf_counter() - started


def size_of(folder: Path) -> int:
    """Return the bytes of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def drawn(images: int, seed: int, apart: float) -> ScoredSplit:
    """Score images that are nowhere."""
    rng = np.random.default_rng(seed)
    y_true = (np.arange(images) % 2).astype(np.uint8)
    margins = rng.normal(apart * (2.0 * y_true - 1)).astype(np.float32).astype(np.float64)
    digests = tuple(sorted(hashlib.sha256(str(n).encode()).hexdigest() for n in range(images)))
    nothing = ("",) * images
    return with_metrics(
        ScoredSplit(
            y_true=y_true,
            y_score=1 / (1 + np.exp(-margins)),
            paths=tuple(f"{n:06}.jpg" for n in range(images)),
            sources=("140k",) * images,
            tiers=nothing,
            generators=tuple("stylegan" if fake else "" for fake in y_true),
            digests=digests,
            threshold=0.5,
            metrics={},
        )
    )


def decided(valid: ScoredSplit, test: ScoredSplit) -> tuple[ScoredSplit, ScoredSplit]:
    """Return both splits at the threshold and band that a study would choose on the first."""
    threshold = choose_threshold(valid.y_true, valid.y_score)
    band = choose_unsure(valid.y_true, valid.y_score, threshold, StudyConfig().unsure_error)
    first, second = (
        with_metrics(replace(split, threshold=threshold, unsure=band)) for split in (valid, test)
    )
    return first, second


def made_up(number: int, images: int) -> StudyRecord:
    """Return a study of drawn scores, the better the higher its number."""
    epoch = EpochRecord(0, 0.5, 0.8, 0.5, 0.8, 0.9, 2.0, 0.5)
    config = TrialConfig(HeadConfig())
    trials = [
        TrialRecord(f"{number}:{n}", n, "complete", config, 0.9, (epoch,), 5.0 + n, 1.0)
        for n in range(20)
    ]
    valid, test = decided(*(drawn(images, 2 * number + n, 1 + number / 50) for n in range(2)))
    baseline = decided(*(drawn(images, 1_000 + 2 * number + n, 1.0) for n in range(2)))
    return StudyRecord(
        model=f"network_{number}",
        study=f"network_{number}-1",
        data="140k",
        data_folders={"140k": "/nowhere/140k"},
        weights=WeightsRecord("imagenet"),
        search=SearchRecord(tuple(trials), trials[0], {}),
        final_fit=FitRecord((epoch,), 0),
        valid=valid,
        test=test,
        baseline=BaselineRecord(SIMPLE_BASELINE, *baseline),
        split_digests=dict.fromkeys(("train", "valid", "test"), "a" * 64),
    )


def publish(
    record: StudyRecord, results: Results, number: int, folder: Path
) -> publication.PublishedStudy:
    """Publish a made-up study as the command does."""
    ledger = Ledger(tuple(StageCost(stage, 10.0 + number) for stage in STAGES))
    with tempfile.TemporaryDirectory() as place:
        saved = Path(place)
        (saved / "search").mkdir()
        write_study_json(record, results, saved)
        write_predictions(record, saved)
        write_results_csv(results, saved / "results.csv")
        trials_table(record.search.trials).to_csv(saved / "search/trials.csv", index=False)
        write_json(ledger.as_json(), saved / "cost_ledger.json")
        for name in ("environment.txt", "model_card.md"):
            (saved / name).write_text("made up\n" * 100, encoding="utf-8")
        band = record.valid.unsure
        metrics = {
            **record.final_fit.epochs[-1].as_metrics(),
            **record.metrics(),
            **twin_metrics(record.test),
            **(band.as_metrics() if band else {}),
            **results.metrics(),
            **ledger.as_metrics(),
        }
        facts = PublishedFacts(
            run_id=f"{number:032x}",
            model=record.model,
            fine_tune="frozen",
            weights="imagenet",
            dataset="140k",
            digest="a" * 64,
            test_digest="b" * 64,
            began=number,
            params={"model": record.model, "data": "140k", "trials": "20"},
        )
        publication.write_published_study(facts, metrics, saved, folder)
    study = publication.read_published_study(folder)
    write_publication_page(study, results, folder)
    publication.write_sums(folder)
    return study


@click.command()
@click.option("--studies", default=STUDIES, show_default=True)
@click.option("--images", default=IMAGES, show_default=True, help="Of each of test and valid.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def measure(studies: int, images: int, output: Path) -> None:
    """Measure, and print what was measured."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{work / 'mlflow.db'}"
        timed("run", "--model", "residual", "--trials", "3")
        found["publish_seconds"] = min(
            timed("publish", "newest", str(work / f"real-{n}")) for n in range(3)
        )
        real = work / "real-0"
        found["verify_seconds"] = min(timed("verify", str(real)) for _ in range(3))
        found["importing_mlflow_seconds"] = min(imported("mlflow") for _ in range(3))
        found["bytes"] = size_of(real)
        folder = work / "comparison"
        made, spent = [], 0.0
        for n in range(studies):
            record = made_up(n, images)
            results = results_of(record)
            started = time.perf_counter()
            at = folder / publication.STUDIES_FOLDER / f"{n:032x}"
            made.append(publish(record, results, n, at))
            spent += time.perf_counter() - started
        found["large_publish_seconds_a_study"] = spent / studies
        manifest = {
            "format": publication.FORMAT,
            "kind": publication.COMPARISON,
            "margin": 0.01,
            "studies": [study.facts.run_id for study in made],
        }
        write_json(manifest, folder / publication.MANIFEST_FILE)
        write_comparison_report(comparison_of(made, 0.01), folder)
        publication.write_sums(folder)
        found["large_bytes_a_study"] = size_of(folder / publication.STUDIES_FOLDER) / studies
        found["large_verify_seconds"] = timed("verify", str(folder))
    told = {"studies": studies, "images": images, **found}
    keep({"machine": machine(*LIBRARIES), **told}, output)
    for name, value in told.items():
        click.echo(f"{name}: {value:,.2f}")


if __name__ == "__main__":
    measure()

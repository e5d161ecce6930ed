"""A small made-up study, with real little images on disk, and variants of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakeface_bench.analysis.results import results_of
from fakeface_bench.config import HeadConfig, TrialConfig
from fakeface_bench.evaluation.metrics import score_metrics
from fakeface_bench.records.ledger import Ledger, StageCost
from fakeface_bench.records.study import (
    SIMPLE_BASELINE,
    BaselineRecord,
    EpochRecord,
    FitRecord,
    ModelOrigin,
    ScoredSplit,
    SearchRecord,
    StudyRecord,
    TrialRecord,
    WeightsRecord,
)
from fakeface_bench.report.study_report import write_costs, write_study_report

ORIGIN = ModelOrigin(
    run_id="0123456789abcdef0123456789abcdef",
    digest="a" * 64,
    test_digest="b" * 64,
    kinds={"140k": "GAN (StyleGAN)"},
    generators={"stylegan": 1_200},
    image_size_px=224,
    fit="crop",
    calibrated=False,
    command="fakeface-bench run --model mobilenetv3_small --data path/to/faces",
    versions={"python": "3.11.7", "keras": "3.15.1", "numpy": "2.4.6"},
)


def scored_split(images: int, seed: int, distance: float, threshold: float = 0.47) -> ScoredSplit:
    """Score images of both classes, the fakes `distance` higher on the logit scale."""
    rng = np.random.default_rng(seed)
    y_true = (np.arange(images) % 5 < 2).astype(np.uint8)
    y_score = 1 / (1 + np.exp(-(rng.normal(size=images) + distance * (y_true - 0.5))))
    paths = tuple(f"{'fake' if fake else 'real'}/{n:03}.jpg" for n, fake in enumerate(y_true))
    return with_metrics(
        ScoredSplit(
            y_true=y_true,
            y_score=y_score,
            paths=paths,
            sources=("140k_subset",) * images,
            tiers=("",) * images,
            threshold=threshold,
            metrics={},
        )
    )


def with_metrics(split: ScoredSplit) -> ScoredSplit:
    return replace(split, metrics=score_metrics(split.y_true, split.y_score, split.threshold))


def epochs(count: int) -> tuple[EpochRecord, ...]:
    return tuple(
        EpochRecord(
            epoch=n,
            train_loss=0.7 * 0.8**n,
            train_accuracy=1 - 0.45 * 0.85**n,
            val_loss=0.72 * 0.85**n + 0.01 * n,
            val_accuracy=0.85 - 0.3 * 0.8**n,
            val_roc_auc=0.92 - 0.3 * 0.7**n - 0.02 * max(0, n - 6),
            seconds=2.0,
            val_seconds=0.5,
        )
        for n in range(count)
    )


def trial(number: int, state: str, value: float | None, reason: str = "") -> TrialRecord:
    head = HeadConfig(dropout=0.05 * (number % 10), units=64 * (number % 3))
    ran = {"complete": 10, "pruned": 3, "failed": 0}[state]
    return TrialRecord(
        uid=f"study:{number}",
        number=number,
        state=state,
        config=TrialConfig(head),
        value=value,
        epochs=epochs(ran),
        seconds=12.5,
        finished_at=1_700_000_000.0,
        reason=reason,
    )


def search_record(trials: tuple[TrialRecord, ...], importances: dict[str, float]) -> SearchRecord:
    complete = [t for t in trials if t.state == "complete" and t.value is not None]
    return SearchRecord(trials, max(complete, key=lambda t: t.value or 0.0), importances)


def study_record(model: str, distance: float = 2.0) -> StudyRecord:
    """A finished study of one trial, 200 test images that are nowhere."""
    test = replace(scored_split(200, seed=3, distance=distance), sources=("faces",) * 200)
    best = TrialRecord("x", 0, "complete", TrialConfig(HeadConfig()), 0.9, epochs(3), 5.0, 1.0)
    return StudyRecord(
        model=model,
        study=f"{model}-1",
        data="faces",
        data_folders={"faces": "/nowhere"},
        weights=WeightsRecord("imagenet"),
        search=search_record((best,), {}),
        final_fit=FitRecord(epochs(3), 2),
        valid=test,
        test=test,
    )


def baseline_record(test: ScoredSplit, distance: float) -> BaselineRecord:
    """A baseline on the images of a test split, with noise of its own."""
    other = scored_split(len(test.y_true), seed=11, distance=distance)
    valid = scored_split(80, seed=12, distance=distance)
    return BaselineRecord(SIMPLE_BASELINE, valid, test=other)


def middling_study(folder: Path) -> StudyRecord:
    """A middling study of 60 test images, which are written to a folder, and nine trials."""
    test = scored_split(60, seed=1, distance=2.2)
    _write_images(folder, test)
    trials = (
        trial(0, "complete", 0.861),
        trial(1, "complete", 0.842),
        trial(2, "pruned", 0.713),
        trial(3, "complete", 0.884),
        trial(4, "failed", None, "ResourceExhaustedError: out of memory,\nwhen allocating"),
        trial(5, "pruned", 0.802),
        trial(6, "complete", 0.907),
        trial(7, "complete", 0.899),
        trial(8, "pruned", None),
    )
    importances = {"learning_rate": 0.46, "pooling": 0.27, "features": 0.19, "dropout": 0.08}
    return StudyRecord(
        model="mobilenetv3_small",
        study="mobilenetv3_small-140k",
        data="140k_subset",
        data_folders={"140k_subset": str(folder)},
        weights=WeightsRecord("file:0123456789ab"),
        search=search_record(trials, importances),
        final_fit=FitRecord(epochs(10), best_epoch=6),
        valid=scored_split(80, seed=2, distance=2.4),
        test=test,
        epochs_began_seconds=40.5,
        machine="a machine",
        baseline=baseline_record(test, 2.0),
    )


def middling_ledger() -> Ledger:
    """What that study cost: its features were found in the cache."""
    stages = (
        StageCost("preparation", 9.3, 0.0, 340),
        StageCost("extraction", 0.2, 31.0, 340),
        StageCost("search_complete", 1000.5, 200.0, 14_000),
        StageCost("search_pruned", 34.0, 0.0, 2_000),
        StageCost("search_failed", 0.0, 0.0, 0),
        StageCost("final_fit", 12.0, 0.0, 2_800),
        StageCost("repeats", 0.0, 0.0, 0),
        StageCost("evaluation", 3.25, 0.0, 140),
        StageCost("overhead", 20.75, 0.0, 0),
    )
    return Ledger(stages, {"mmacs_per_image": 54.97}, {"0.75": 55.5, "0.8": 180.25}, 1.5)


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    """A middling study of 60 test images and nine trials."""
    return middling_study(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def ledger() -> Ledger:
    """What that study cost: its features were found in the cache."""
    return middling_ledger()


@pytest.fixture(scope="session")
def written(record: StudyRecord, ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the middling study's report."""
    folder = tmp_path_factory.mktemp("report")
    write_study_report(record, results_of(record), folder)
    write_costs(record, results_of(record), ledger, ORIGIN, folder)
    return folder


@pytest.fixture
def perfect(record: StudyRecord) -> StudyRecord:
    """Every test image right, at scores of exactly 0 and 1."""
    score = record.test.y_true.astype(np.float64)
    return replace(record, test=with_metrics(replace(record.test, y_score=score)))


@pytest.fixture
def short(record: StudyRecord) -> StudyRecord:
    """Two trials, no importances, one epoch."""
    trials = (trial(0, "complete", 0.861), trial(1, "complete", 0.842))
    return replace(
        record, search=search_record(trials, {}), final_fit=FitRecord(epochs(1), best_epoch=0)
    )


@pytest.fixture
def single(short: StudyRecord) -> StudyRecord:
    """One trial of one epoch."""
    return replace(short, search=search_record(short.search.trials[:1], {}))


@pytest.fixture
def random_weights(record: StudyRecord) -> StudyRecord:
    """A frozen backbone that never learned anything."""
    weights = WeightsRecord("random", "Random weights: these results say nothing of the model.")
    return replace(record, weights=weights)


def _write_images(folder: Path, split: ScoredSplit) -> None:
    rng = np.random.default_rng(0)
    for path, fake in zip(split.paths, split.y_true, strict=True):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        rough = rng.integers(40, 215, (6, 8, 3), dtype=np.uint8)
        rough[..., 0 if fake else 2] = 220
        Image.fromarray(rough).resize((128, 96), Image.Resampling.BICUBIC).save(target)

"""A finished study as files, read back by a comparison, and its results side by side."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fakeface_bench.analysis.results import Results
from fakeface_bench.analysis.time_to_target import course_of
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.ledger import Ledger, SearchCourse
from fakeface_bench.records.study import (
    ComparedStudy,
    EpochRecord,
    ScoredSplit,
    SeedScores,
    StudyIdentity,
    StudyRecord,
)
from fakeface_bench.records.transfer import SetScores
from fakeface_bench.report.format import (
    OPTIMISTIC,
    held_out,
    optimistic,
    threshold_reason,
    with_interval,
)
from fakeface_bench.report.table import Table

SET_PREDICTIONS_FILE = "predictions.parquet"


def write_set_predictions(scores: Sequence[SetScores], folder: Path) -> None:
    """Write a row for every model, test set and image."""
    tables = [
        pd.DataFrame(
            {
                "model": cell.model.label,
                "trained_on": cell.model.data,
                "run_id": cell.model.run_id,
                "data": cell.data,
                **cell.scored.described,
                "y_true": cell.scored.y_true,
                "y_score": cell.scored.y_score,
                "threshold": cell.scored.threshold,
            }
        )
        for cell in scores
    ]
    pd.concat(tables).to_parquet(folder / SET_PREDICTIONS_FILE, index=False)


STUDY_FILE = "study.json"
PREDICTIONS_FILE = "test/predictions.parquet"
VALID_PREDICTIONS_FILE = "valid/predictions.parquet"
LEDGER_FILE = "cost_ledger.json"
#: All that `read_saved_study` needs.
SAVED_FILES = (STUDY_FILE, PREDICTIONS_FILE, LEDGER_FILE)
#: Names, as `pip` reads them, every package that was installed where a study ran.
ENVIRONMENT_FILE = "environment.txt"
TRIALS_FILE = "search/trials.csv"
#: Columns of both tables of predictions: the kept model's scores, the baseline's.
SCORES = "y_score"
BASELINE_SCORES = f"{SCORES}_baseline"
HAS_TWIN = "has_twin"
#: What a study's file tells of its identity, in the order of `StudyIdentity`.
IDENTITY = tuple(StudyIdentity.__slots__)[1:]


def identity_of(run_id: str, record: StudyRecord) -> StudyIdentity:
    """Return what tells a study from another."""
    return StudyIdentity(
        run_id=run_id,
        model=record.model,
        fine_tune=record.fine_tune,
        weights=record.weights.label,
        trained=record.trained,
        study=record.study,
        data=record.data,
        equalise=record.equalise,
    )


def write_study_json(record: StudyRecord, results: Results, folder: Path) -> None:
    """Write what a study is, its final fit epoch by epoch, its thresholds, and its baseline."""
    baseline = None
    if record.baseline and (gain := results.search_gain):
        roc_auc = record.baseline.test.metrics["roc_auc"]
        baseline = {
            "title": record.baseline.title,
            "threshold": record.baseline.test.threshold,
            "roc_auc": roc_auc,
            "search_gain": [gain.value, gain.low, gain.high],
        }
    unsure = record.test.unsure
    content = {
        **{name: getattr(identity_of("", record), name) for name in IDENTITY},
        "weights_warning": record.weights.warning,
        "data_folders": dict(record.data_folders),
        "options": record.config.as_params(),
        "thresholds": {str(seed): split.threshold for seed, split in _fits(record).items()},
        "unsure": [unsure.low, unsure.high] if unsure else None,
        "split_digests": dict(record.split_digests),
        "repeats_study": record.repeats_study,
        "trial_seconds": [trial.seconds for search in record.searches for trial in search.trials],
        "searches": [course.as_json() for course in _courses(record)],
        "refit_seconds": [repeat.fit_seconds for repeat in record.repeats if repeat.fit_seconds],
        "best_epoch": record.final_fit.best_epoch,
        "machine": record.machine,
        "trials": len(record.search.trials),
        "baseline": baseline,
        "epochs_began_seconds": record.epochs_began_seconds,
        "epochs": [asdict(epoch) for epoch in record.final_fit.epochs],
    }
    write_json(content, folder / STUDY_FILE)


def write_json(content: Any, path: Path) -> None:
    """Write what JSON can hold, readable; no number is missing."""
    path.write_text(f"{json.dumps(content, indent=2, allow_nan=False)}\n", encoding="utf-8")


def write_predictions(record: StudyRecord, folder: Path) -> None:
    """Write every image of test and of validation with its label and scores.

    A further seed's and the baseline's are in columns of their own.
    """
    for file, split, fits in (
        (PREDICTIONS_FILE, "test", _fits(record)),
        (VALID_PREDICTIONS_FILE, "valid", {record.seed: record.valid}),
    ):
        scored: ScoredSplit = getattr(record, split)
        columns: dict[str, Any] = {**scored.described, "y_true": scored.y_true}
        columns |= {score_column(seed, record.seed): one.y_score for seed, one in fits.items()}
        if record.baseline:
            columns[BASELINE_SCORES] = getattr(record.baseline, split).y_score
        if scored.has_twin:
            columns[HAS_TWIN] = scored.has_twin
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        pd.DataFrame(columns).to_parquet(path, index=False)


def read_saved_study(run_id: str, folder: Path) -> ComparedStudy:
    """Read a study back.

    Args:
        folder: Holds `SAVED_FILES`.
    """
    content = json.loads((folder / STUDY_FILE).read_text(encoding="utf-8"))
    rows = pd.read_parquet(folder / PREDICTIONS_FILE)
    ledger = json.loads((folder / LEDGER_FILE).read_text(encoding="utf-8"))
    return saved_study(run_id, content, rows, Ledger.from_json(ledger))


def saved_study(
    run_id: str, content: Mapping[str, Any], rows: pd.DataFrame, ledger: Ledger
) -> ComparedStudy:
    """Return a study from what its files hold.

    Args:
        content: Of `STUDY_FILE`.
        rows: Of `PREDICTIONS_FILE`.
    """
    return ComparedStudy(
        identity=StudyIdentity(run_id, *(content[name] for name in IDENTITY)),
        warning=content["weights_warning"],
        y_true=rows["y_true"].to_numpy(np.uint8),
        paths=tuple(rows["path"]),
        sources=tuple(rows["source"]),
        digests=tuple(rows["digest"]) if "digest" in rows else (),
        data_folders=content["data_folders"],
        seeds=tuple(_seed_scores(rows, content["thresholds"])),
        epochs=tuple(EpochRecord(**epoch) for epoch in content["epochs"]),
        epochs_began_seconds=content["epochs_began_seconds"],
        ledger=ledger,
        machine=content["machine"],
        trials=content["trials"],
        repeats_study=content.get("repeats_study", False),
        trial_seconds=tuple(content.get("trial_seconds", ())),
        refit_seconds=tuple(content.get("refit_seconds", ())),
        courses=tuple(map(SearchCourse.from_json, content.get("searches", ()))),
        **_baseline_of(content),
    )


def _courses(record: StudyRecord) -> list[SearchCourse]:
    """Return how the search of each seed came to its best, the kept model's first."""
    began, folds = record.epochs_began_seconds, record.folds or 1
    searches = [(record.seed, record.search)]
    searches += [(repeat.seed, repeat.search) for repeat in record.repeats if repeat.search]
    return [
        course_of(seed, search.trials, began, folds, record.choices.get(seed, {}))
        for seed, search in searches
    ]


def _baseline_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the baseline as fields of `ComparedStudy`; none of studies before it was measured."""
    baseline = content.get("baseline")
    if not baseline:
        return {}
    return {
        "baseline_roc_auc": baseline["roc_auc"],
        "search_gain": Estimate(*baseline["search_gain"]),
    }


def _fits(record: StudyRecord) -> dict[int, Any]:
    """Return the scored test split of each seed, the kept model's first."""
    return {record.seed: record.test, **{r.seed: r.test for r in record.repeats}}


def score_column(seed: int, kept: int) -> str:
    """Return the column of predictions that holds a seed's scores."""
    return SCORES if seed == kept else f"{SCORES}_seed_{seed}"


def _seed_scores(rows: pd.DataFrame, thresholds: Mapping[str, float]) -> list[SeedScores]:
    seeds = [int(seed) for seed in thresholds]
    return [
        SeedScores(
            seed, rows[score_column(seed, seeds[0])].to_numpy(np.float64), thresholds[str(seed)]
        )
        for seed in seeds
    ]


#: Fewer test images than this tell little.
FEWEST_IMAGES = 100
RESULTS_FILE = "results.csv"


def results_header(valid_images: int, test_images: int, folds: int) -> tuple[str, str, str]:
    """Return the heading of a table of metrics, with the number of images."""
    return (
        "metric",
        f"{optimistic(folds)} (n = {valid_images:,})",
        f"test (n = {test_images:,}; 95 % interval)",
    )


def format_threshold(threshold: float, folds: int) -> str:
    """Say at which threshold the table's calls are, and what of it is not to be relied on."""
    chosen_on = held_out(folds)
    return (
        f"Accuracy and F1 are at threshold {threshold:.3f}, {threshold_reason(threshold, folds)}; "
        "epoch by epoch (learning curves, val/accuracy by step) accuracy is at 0.5. Metrics on "
        f"{chosen_on} are {OPTIMISTIC}: trial, epoch, calibration and threshold were chosen there."
    )


def few_images_warning(test_images: int) -> str:
    """Warn of a test split that is too small to tell much; empty where it is not."""
    if test_images >= FEWEST_IMAGES:
        return ""
    return (
        f"{test_images:,} test images are few (under {FEWEST_IMAGES}): mind how wide the intervals "
        "are."
    )


def results_table(results: Results) -> pd.DataFrame:
    """Return one row per metric: validation, test, and the 95 % intervals of both.

    What is not known is missing.
    """
    return pd.DataFrame(results.columns(), index=results.keys, dtype=float).rename_axis("metric")


def write_results_csv(results: Results, path: Path) -> None:
    """Write the table in full precision."""
    results_table(results).to_csv(path)


def read_results(path: Path) -> Results:
    """Return the figures of a table that `write_results_csv` wrote."""
    table = pd.read_csv(path, index_col="metric")

    def estimates(split: str) -> dict[str, Estimate]:
        columns = [split, f"{split}_low_95", f"{split}_high_95"]
        if not set(columns) <= set(table):  # of a study before they were measured
            return {}
        known = table[columns].dropna()
        return {
            str(key): Estimate(float(value), float(low), float(high))
            for key, (value, low, high) in zip(known.index, known.to_numpy(), strict=True)
        }

    return Results(
        valid={str(key): float(value) for key, value in table["validation"].dropna().items()},
        test={str(key): float(value) for key, value in table["test"].dropna().items()},
        estimates=estimates("test"),
        valid_estimates=estimates("validation"),
    )


_NONE = "-"


def parts_table(record: StudyRecord, results: Results) -> Table:
    """Return a row a part of the test split; none where it has no parts.

    The last column is the ROC AUC of a classifier that sees the source's files but no picture.
    """
    rows = []
    for name, part in results.parts.items():
        floor = record.source_floors.get(name)
        alone = floor.estimate if floor else None
        estimates = (part.roc_auc, part.accuracy, part.recall_fake, alone)
        cells = (_NONE if found is None else with_interval(found) for found in estimates)
        rows.append((name, f"{part.images:,}", *cells))
    header = ("part", "images", "ROC AUC", "accuracy", "recall of fakes", "metadata alone")
    return Table.of(header, rows)

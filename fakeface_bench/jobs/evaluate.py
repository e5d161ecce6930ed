"""One evaluation: a finished model on datasets that nothing of it was selected on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from fakeface_bench.config import EvaluateConfig, listed
from fakeface_bench.evaluation.metrics import estimates as estimates_of
from fakeface_bench.evaluation.metrics import part_estimates
from fakeface_bench.jobs import JobOutcome
from fakeface_bench.jobs.test_sets import TestSet, whole_set
from fakeface_bench.jobs.trained_model import Trained, open_trained
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import ScoredSplit, described_images
from fakeface_bench.records.transfer import SetScores
from fakeface_bench.report.model_card import with_elsewhere
from fakeface_bench.report.saved_study import write_set_predictions
from fakeface_bench.report.transfer_page import (
    elsewhere_lines,
    evaluation_markdown,
    write_evaluation_report,
)
from fakeface_bench.resolve import RequestLike, checked
from fakeface_bench.support.errors import DataError, ModelError
from fakeface_bench.support.executor import THIS_PROCESS, Executor
from fakeface_bench.support.progress import Progress
from fakeface_bench.support.workers import executor_for
from fakeface_bench.tracking import names
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.registry import MAX_DESCRIPTION, describe_version, descriptions_of
from fakeface_bench.tracking.runs import log_report
from fakeface_bench.tracking.store import open_store


def score_set(
    trained: Trained, test_set: TestSet, progress: Progress, executor: Executor = THIS_PROCESS
) -> SetScores:
    """Score a model on a test set, without the images that it saw or copies of them."""
    rows, overlap = trained.unseen(test_set, progress)
    overlap = replace(overlap, related=test_set.related)
    if rows.empty:
        raise DataError(
            f"{trained.model.label}, trained on {trained.model.data}, saw every image of "
            f"{test_set.name} that it was to be tested on, or copies of them: nothing is left."
        )
    began = perf_counter()
    scores = trained.scores(test_set, progress, executor)[rows.index.to_numpy()]
    seconds = perf_counter() - began
    labels = rows["label"].to_numpy(np.uint8)
    threshold = trained.model.threshold
    is_own, is_part = trained.seen.share_tested(rows["digest"])
    estimates = estimates_of(labels, scores, threshold)
    return SetScores(
        model=trained.model,
        data=test_set.name,
        chosen=test_set.chosen,
        is_own=is_own,
        is_part=is_part,
        kinds=test_set.kinds,
        scored=ScoredSplit(
            y_true=labels,
            y_score=scores,
            **described_images(rows),
            threshold=threshold,
            metrics={key: estimate.value for key, estimate in estimates.items()},
            unsure=trained.unsure,
        ),
        estimates=estimates,
        parts=part_estimates(labels, scores, threshold, rows),
        overlap=overlap,
        floor=test_set.floor,
        source_floors=test_set.source_floors,
        residual=test_set.residual,
        seconds=seconds if trained.model.external else None,
    )


def estimate_metrics(place: str, estimates: Mapping[str, Estimate]) -> Iterator[tuple[str, float]]:
    """Yield metrics and the ends of their intervals under MLflow's names."""
    for key, estimate in estimates.items():
        yield f"{place}/{key}", estimate.value
        yield f"{place}/{key}_low", estimate.low
        yield f"{place}/{key}_high", estimate.high


def run_evaluation(
    asked: RequestLike[EvaluateConfig], progress: Progress
) -> JobOutcome[tuple[SetScores, ...]]:
    """Score a finished model on other datasets and record it in MLflow."""
    config = checked(asked).request
    open_store()
    with tracked_run("evaluation", "evaluation", config.as_params()) as run:
        trained = open_trained(
            config.model,
            run.experiment_id,
            progress,
            config.allow_unsafe_model,
            config.description,
        )
        model = trained.model
        run.tag({names.MODEL: model.label, names.EVALUATED: model.run_id})
        sets = [
            whole_set(data, config.limit, progress, config.classes) for data in listed(config.data)
        ]
        tested = ", ".join(test_set.name for test_set in sets)
        trained_on = f"{model.label}, trained on {model.data}"
        run.tag({names.RUN_NAME: names.run_name("evaluate", tested, trained_on)})
        with executor_for(config.workers, progress) as executor:
            scores = tuple(score_set(trained, test_set, progress, executor) for test_set in sets)
        elsewhere = elsewhere_lines(scores)
        for test_set in sets:
            index = test_set.index
            run.log_dataset(index.name, index.digest, index.frame, index.folders, "test")
        run.tag(
            {
                names.DATASET: ", ".join(cell.data for cell in scores),
                names.ELSEWHERE: "\n".join(elsewhere),
                names.NOTE: evaluation_markdown(scores),
            }
        )
        run.log_metrics(dict(_set_metrics(scores)))
        if model.run_id:
            _describe_in_registry(model.run_id, elsewhere, progress)
        folder = log_report(run, config.output, lambda draft: _write(scores, draft), progress)
    return JobOutcome(scores, run.run_id, run.experiment_id, folder)


def _describe_in_registry(run_id: str, lines: Sequence[str], progress: Progress) -> None:
    """Add the results on other datasets to the registered versions of a model."""
    try:
        for version, described in descriptions_of(run_id).items():
            description = with_elsewhere(described, lines)[:MAX_DESCRIPTION]
            describe_version(version, description, {})
    except ModelError as error:
        progress.warn(f"the metrics stand in MLflow, but not with the registered model: {error}")


def _set_metrics(scores: Sequence[SetScores]) -> Iterator[tuple[str, float]]:
    for cell in scores:
        place = f"evaluate/{names.metric_part(cell.data)}"
        yield f"{place}/images", float(cell.images)
        yield f"{place}/left_out", float(cell.overlap.images)
        if cell.floor:
            yield f"{place}/shortcut_auc", cell.floor.roc_auc
        if cell.seconds_per_1000 is not None:
            yield f"{place}/seconds_per_1000", cell.seconds_per_1000
        yield from estimate_metrics(place, cell.estimates)
        for part, estimates in cell.parts.items():
            yield from estimate_metrics(f"{place}/{names.metric_part(part)}", estimates)


def _write(scores: Sequence[SetScores], folder: Path) -> None:
    write_evaluation_report(scores, folder)
    write_set_predictions(scores, folder)

"""One test of robustness: finished models on test pictures that are made worse by degrees."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fakeface_bench.config import CLASS_NAMES, FAKE, REAL, RobustnessConfig, listed
from fakeface_bench.data.corruptions import (
    CONDITIONS,
    CORRUPTIONS,
    CORRUPTIONS_VERSION,
)
from fakeface_bench.data.index import content_digest
from fakeface_bench.evaluation.intervals import percentile
from fakeface_bench.evaluation.paired import metrics_of, resampled_metrics
from fakeface_bench.jobs import JobOutcome
from fakeface_bench.jobs.evaluate import estimate_metrics
from fakeface_bench.jobs.scoring import Corrupted, scores_by
from fakeface_bench.jobs.test_sets import TestSet, study_test_set, whole_set
from fakeface_bench.jobs.trained_model import Trained, open_trained
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import FloatArray, LabelArray, SeedScores
from fakeface_bench.records.transfer import (
    CurvePoint,
    ModelRobustness,
    Overlap,
    Robustness,
    SeverityCurve,
    TrainedModel,
)
from fakeface_bench.report.robustness_page import robustness_markdown, write_robustness_report
from fakeface_bench.resolve import RequestLike, checked
from fakeface_bench.support.errors import DataError, UsageError
from fakeface_bench.support.executor import Executor
from fakeface_bench.support.progress import Progress
from fakeface_bench.support.workers import executor_for
from fakeface_bench.tracking import names
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.runs import TrackedRun, log_report
from fakeface_bench.tracking.store import open_store


@dataclass(frozen=True, slots=True)
class CorruptedScores:
    """One model's probabilities of fake for the same images under every condition.

    `y_score` has the shape (n, 1 + conditions): untouched, then in the order of `CONDITIONS`.
    """

    model: TrainedModel
    overlap: Overlap
    y_score: FloatArray


def robustness_of(
    y_true: LabelArray, scored: Sequence[CorruptedScores], seed: int = 0
) -> tuple[ModelRobustness, ...]:
    """Return each model's curves, with 95 % intervals over images.

    A resample draws the same images for every model, corruption and severity, so the intervals of
    means and differences count what those share. Below, a metric is an array of shape (1 + 1000,):
    on the images as they are, then in each resample. `scored` is in the order of `y_true`.
    """
    columns = [
        SeedScores(0, np.ascontiguousarray(column), scores.model.threshold)
        for scores in scored
        for column in scores.y_score.T
    ]
    resampled = resampled_metrics(y_true, [[column] for column in columns], seed)
    conditions = [
        {key: np.append(value, resamples[key]) for key, value in metrics_of(y_true, column).items()}
        for column, resamples in zip(columns, resampled, strict=True)
    ]
    models, means = [], []
    for place, scores in enumerate(scored):
        width = 1 + len(CONDITIONS)
        model, mean = _model_robustness(scores, conditions[place * width : (place + 1) * width])
        models.append(model)
        means.append(mean)
    best = max(range(len(models)), key=lambda place: means[place][0])
    return tuple(
        model if place == best else replace(model, behind=_estimate(means[best] - mean))
        for place, (model, mean) in enumerate(zip(models, means, strict=True))
    )


def _model_robustness(
    scores: CorruptedScores, conditions: Sequence[Mapping[str, FloatArray]]
) -> tuple[ModelRobustness, FloatArray]:
    """Return one model's curves, and its mean ROC AUC over all corruptions."""
    untouched, corrupted = conditions[0], iter(conditions[1:])
    curves, means = [], []
    for corruption in CORRUPTIONS:
        points = [_point(corruption.untouched, "untouched", 0, untouched)]
        severities = []
        for severity in corruption.severities:
            metrics = next(corrupted)
            description = corruption.description.format(severity.label)
            points.append(_point(severity.label, description, severity.step, metrics))
            severities.append(metrics["roc_auc"])
        mean = np.mean(severities, axis=0)
        means.append(mean)
        curves.append(
            SeverityCurve(
                key=corruption.key,
                title=corruption.title,
                axis=corruption.axis,
                points=tuple(sorted(points, key=lambda point: point.step)),
                roc_auc=_estimate(mean),
                cost=_estimate(untouched["roc_auc"] - mean),
            )
        )
    overall = np.mean(means, axis=0)
    model = ModelRobustness(
        model=scores.model,
        overlap=scores.overlap,
        roc_auc=_estimate(untouched["roc_auc"]),
        accuracy=_estimate(untouched["accuracy"]),
        curves=tuple(curves),
        mean_roc_auc=_estimate(overall),
    )
    return model, overall


def _point(
    label: str, description: str, step: int, metrics: Mapping[str, FloatArray]
) -> CurvePoint:
    roc_auc, accuracy = _estimate(metrics["roc_auc"]), _estimate(metrics["accuracy"])
    return CurvePoint(label, description, step, roc_auc, accuracy)


def _estimate(metric: FloatArray) -> Estimate:
    return percentile(float(metric[0]), metric[1:])


def run_robustness(
    asked: RequestLike[RobustnessConfig], progress: Progress
) -> JobOutcome[Robustness]:
    """Score finished models on corrupted test pictures and record the curves in MLflow."""
    config = checked(asked).request
    open_store()
    params = config.as_params() | {"corruptions_version": CORRUPTIONS_VERSION}
    with tracked_run("robustness", "robustness", params) as run:
        models = _with_distinct_labels(
            [
                open_trained(
                    name,
                    run.experiment_id,
                    progress,
                    config.allow_unsafe_model,
                    config.description,
                )
                for name in listed(config.models)
            ]
        )
        test_set = _test_set(config, models[0].model, progress)
        rows, overlaps = _unseen_by_all(models, test_set, config.limit, progress)
        index = test_set.index
        run.log_dataset(index.name, content_digest(rows), rows, index.folders)
        with executor_for(config.workers, progress) as executor:
            robustness = _robustness(
                models, overlaps, test_set, rows, config.seed, progress, executor
            )
        _record(run, robustness)
        folder = log_report(
            run, config.output, lambda draft: write_robustness_report(robustness, draft), progress
        )
    return JobOutcome(robustness, run.run_id, run.experiment_id, folder)


def _with_distinct_labels(models: Sequence[Trained]) -> list[Trained]:
    """Number the models whose labels are alike, so that tables and metrics tell them apart."""
    labels = [trained.model.label for trained in models]
    return [
        replace(trained, model=replace(trained.model, label=f"{label}, {place + 1}"))
        if labels.count(label) > 1
        else trained
        for place, (trained, label) in enumerate(zip(models, labels, strict=True))
    ]


def _test_set(config: RobustnessConfig, first: TrainedModel, progress: Progress) -> TestSet:
    if config.data:
        return whole_set(config.data, 0, progress, config.classes)  # the limit counts the unseen
    if not first.run_id:
        raise UsageError(
            f"the model {first.address!r} does not tell which study it is of, so the test split of "
            "that is not known; name a test set with data=."
        )
    return study_test_set(first.run_id, progress)


def _unseen_by_all(
    models: Sequence[Trained], test_set: TestSet, limit: int, progress: Progress
) -> tuple[pd.DataFrame, list[Overlap]]:
    """Return the rows that no model saw, and what each model leaves out.

    At most `limit` rows of each class; 0 for all.
    """
    rows, overlaps = test_set.rows, []
    for trained in models:
        unseen, overlap = trained.unseen(test_set, progress)
        rows = rows[rows.index.isin(unseen.index)]
        overlaps.append(overlap)
    if rows.empty:
        raise DataError(
            f"every image of {test_set.name} was seen in training by one model or another: nothing "
            "is left to test on; name another test set with data=."
        )
    for label in (REAL, FAKE):
        if not (rows["label"] == label).any():
            raise UsageError(
                f"robustness needs both classes, and {test_set.name} holds no "
                f"{CLASS_NAMES[label]} image that the models have not seen; name another test set "
                "with data=, or join one that holds them: data=a+b."
            )
    return (rows.groupby("label").head(limit) if limit else rows), overlaps


def _robustness(
    models: Sequence[Trained],
    overlaps: Sequence[Overlap],
    test_set: TestSet,
    rows: pd.DataFrame,
    seed: int,
    progress: Progress,
    executor: Executor,
) -> Robustness:
    files, digests = test_set.index.files(rows), list(rows["digest"])
    scored = [
        CorruptedScores(
            trained.model,
            overlap,
            scores_by(executor, Corrupted(trained.classifier, seed), files, digests, progress),
        )
        for trained, overlap in zip(models, overlaps, strict=True)
    ]
    labels = rows["label"].to_numpy(np.uint8)
    return Robustness(
        data=test_set.name,
        chosen=test_set.chosen,
        digest=content_digest(rows),
        real=int((labels == REAL).sum()),
        fake=int((labels == FAKE).sum()),
        seed=seed,
        models=robustness_of(labels, scored),
    )


def _record(run: TrackedRun, robustness: Robustness) -> None:
    """Log the curves, and tags with their summary."""
    curves: defaultdict[int, dict[str, float]] = defaultdict(dict)
    for model in robustness.models:
        place = "robustness"
        if len(robustness.models) > 1:
            place += f"/{names.metric_part(model.model.label)}"
        single = {
            "mean_roc_auc": model.mean_roc_auc,
            "clean_roc_auc": model.roc_auc,
            "clean_accuracy": model.accuracy,
        }
        curves[0].update(estimate_metrics(place, single))
        for curve in model.curves:  # whose step 0 is the untouched pictures
            for point in curve.points:
                curves[point.step][f"{place}/{curve.key}/roc_auc"] = point.roc_auc.value
                curves[point.step][f"{place}/{curve.key}/accuracy"] = point.accuracy.value
    run.log_curves(curves)
    studies = [model.model.run_id for model in robustness.models if model.model.run_id]
    labels = [model.model.label for model in robustness.models]
    run.tag(
        {
            names.RUN_NAME: names.run_name("robust", robustness.data, ", ".join(labels)),
            names.DATASET: robustness.data,
            names.DATASET_DIGEST: robustness.digest,
            names.TEST_DIGEST: robustness.digest,
            names.COMPARED: ",".join(studies),
            names.BEST: robustness.best.model.run_id,
            names.NOTE: robustness_markdown(robustness),
        }
    )

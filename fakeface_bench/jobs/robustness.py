"""One test of robustness: finished models on test pictures that are made worse by degrees."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from fakeface_bench.config import CLASS_NAMES, FAKE, REAL, RobustnessConfig
from fakeface_bench.data.corruptions import (
    CONDITIONS,
    CORRUPTIONS,
    CORRUPTIONS_VERSION,
    Corruption,
    pictures_of,
)
from fakeface_bench.data.index import content_digest
from fakeface_bench.data.pictures import ChangedError, indexed_bytes
from fakeface_bench.evaluation.bootstrap import percentile
from fakeface_bench.evaluation.paired import metrics_of, resampled_metrics
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
from fakeface_bench.serving.classifier import FaceClassifier
from fakeface_bench.serving.pictures import read_picture
from fakeface_bench.support.errors import DataError, ModelError, UsageError
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking import names
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.runs import TrackedRun, publish
from fakeface_bench.tracking.store import open_store

_UNTOUCHED = "untouched"


@dataclass(frozen=True, slots=True)
class CorruptedScores:
    """One model's scores of the same images under every condition.

    Attributes:
        overlap: What was left out because of it.
        y_score: Probability of fake, shape (n, 1 + conditions): untouched, then in the order of
            `CONDITIONS`.
    """

    model: TrainedModel
    overlap: Overlap
    y_score: FloatArray


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure of the images as they are, and of each resample, shape (1000,)."""

    value: float
    resamples: FloatArray

    @property
    def estimate(self) -> Estimate:
        return percentile(self.value, self.resamples)

    def less(self, other: Self) -> "_Figure":
        return _Figure(self.value - other.value, self.resamples - other.resamples)


#: The figures of one condition by their key in `METRICS`.
_Condition = dict[str, _Figure]


def robustness_of(
    y_true: LabelArray, scored: Sequence[CorruptedScores], seed: int = 0
) -> tuple[ModelRobustness, ...]:
    """Return each model's curves, with 95 % intervals over images.

    A resample draws the same images for every model, corruption and severity, so the intervals of
    means and differences count what those share.

    Args:
        y_true: 1 for fake, both classes present, shape (n,).
        scored: Of each model, in the order of `y_true`.
    """
    columns = [
        SeedScores(0, np.ascontiguousarray(column), scores.model.threshold)
        for scores in scored
        for column in scores.y_score.T
    ]
    drawn = resampled_metrics(y_true, [[column] for column in columns], seed)
    conditions = [
        {key: _Figure(value, resamples[key]) for key, value in metrics_of(y_true, column).items()}
        for column, resamples in zip(columns, drawn, strict=True)
    ]
    width = 1 + len(CONDITIONS)
    of_models = [conditions[start : start + width] for start in range(0, len(columns), width)]
    found = [_of_model(scores, own) for scores, own in zip(scored, of_models, strict=True)]
    return _beside_the_best([model for model, _ in found], [mean for _, mean in found])


def _of_model(
    scores: CorruptedScores, conditions: Sequence[_Condition]
) -> tuple[ModelRobustness, _Figure]:
    untouched, corrupted = conditions[0], iter(conditions[1:])
    curves, means = [], []
    for corruption in CORRUPTIONS:
        own = [next(corrupted) for _ in corruption.severities]
        mean = _mean(condition["roc_auc"] for condition in own)
        means.append(mean)
        curves.append(_curve(corruption, untouched, own, mean))
    overall = _mean(means)
    model = ModelRobustness(
        model=scores.model,
        overlap=scores.overlap,
        roc_auc=untouched["roc_auc"].estimate,
        accuracy=untouched["accuracy"].estimate,
        curves=tuple(curves),
        mean_roc_auc=overall.estimate,
    )
    return model, overall


def _curve(
    corruption: Corruption, untouched: _Condition, own: Sequence[_Condition], mean: _Figure
) -> SeverityCurve:
    points = [_point(corruption.untouched, _UNTOUCHED, 0, untouched)]
    for severity, estimates in zip(corruption.severities, own, strict=True):
        description = corruption.description.format(severity.label)
        points.append(_point(severity.label, description, severity.step, estimates))
    return SeverityCurve(
        key=corruption.key,
        title=corruption.title,
        axis=corruption.axis,
        points=tuple(sorted(points, key=lambda point: point.step)),
        roc_auc=mean.estimate,
        cost=untouched["roc_auc"].less(mean).estimate,
    )


def _point(label: str, description: str, step: int, estimates: _Condition) -> CurvePoint:
    return CurvePoint(
        label, description, step, estimates["roc_auc"].estimate, estimates["accuracy"].estimate
    )


def _mean(estimates: Iterable[_Figure]) -> _Figure:
    listed = list(estimates)
    return _Figure(
        float(np.mean([figure.value for figure in listed])),
        np.mean([figure.resamples for figure in listed], axis=0),
    )


def _beside_the_best(
    models: Sequence[ModelRobustness], means: Sequence[_Figure]
) -> tuple[ModelRobustness, ...]:
    best = max(range(len(models)), key=lambda place: means[place].value)
    return tuple(
        model if place == best else replace(model, behind=means[best].less(mean).estimate)
        for place, (model, mean) in enumerate(zip(models, means, strict=True))
    )


#: Files under way in each thread: one being corrupted, one waiting for the network.
_FILES_A_THREAD = 2


def corrupted_scores(
    classifier: FaceClassifier,
    files: Sequence[Path],
    digests: Sequence[str],
    seed: int,
    progress: Progress,
) -> FloatArray:
    """Return the probability of fake of each file untouched and under each of `CONDITIONS`.

    A file's variants are one batch of the network. A few files are corrupted ahead in threads while
    another's is in the network, so memory stays flat however many there are.

    Args:
        classifier: What a study has trained; it fits the corrupted pictures as any other.
        files: In any order.
        digests: SHA-256 of each as hexadecimal text; with the seed they decide its noise.

    Returns:
        Shape (n, 1 + conditions), in the order of the files.

    Raises:
        DataError: If a file cannot be read, or is not the one that was indexed; it names it.
        ModelError: If the network gives no number for one.
    """
    scores = np.empty((len(files), 1 + len(CONDITIONS)))
    threads = os.cpu_count() or 1
    ahead: deque[Future[npt.NDArray[np.uint8]]] = deque()
    title = f"scoring corrupted pictures ({len(CONDITIONS)} kinds)"
    with (
        ThreadPoolExecutor(threads) as pool,
        progress.stage(title, len(files), "images") as advance,
    ):
        try:
            waiting = iter(zip(files, digests, strict=True))
            for row, file in enumerate(files):
                while len(ahead) < _FILES_A_THREAD * threads and (following := next(waiting, None)):
                    ahead.append(pool.submit(_corrupted, classifier, *following, seed))
                scores[row] = _probabilities(classifier, ahead.popleft().result(), file)
                advance(1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return scores


def _corrupted(
    classifier: FaceClassifier, file: Path, digest: str, seed: int
) -> npt.NDArray[np.uint8]:
    """Return a file's pictures as the network sees them, shape (1 + conditions, side, side, 3)."""
    try:
        picture = read_picture(indexed_bytes(file, digest))
    except ChangedError:
        raise
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    return np.stack([classifier.pixels(variant) for variant in pictures_of(picture, digest, seed)])


def _probabilities(
    classifier: FaceClassifier, pixels: npt.NDArray[np.uint8], file: Path
) -> FloatArray:
    scores = classifier.probabilities(pixels)
    if not np.isfinite(scores).all():
        raise ModelError(f"the network gives no number for {file} or for a corrupted copy of it.")
    return scores


@dataclass(frozen=True, slots=True)
class RobustnessOutcome:
    """What a test of robustness leaves: its findings, and where they are."""

    robustness: Robustness
    run_id: str
    experiment_id: str
    folder: Path | None


def run_robustness(asked: RequestLike[RobustnessConfig], progress: Progress) -> RobustnessOutcome:
    """Score finished models on corrupted test pictures and record the curves in MLflow."""
    config = checked(asked).request
    open_store()
    params = config.as_params() | {"corruptions_version": CORRUPTIONS_VERSION}
    with tracked_run("robustness", "robustness", params) as run:
        opened = [
            open_trained(name, run.experiment_id, progress, config.allow_unsafe_model)
            for name in config.model_names
        ]
        models = _distinct(opened)
        test_set = _test_set(config, models[0].model, progress)
        rows, overlaps = _unseen_by_all(models, test_set, progress)
        rows = _limited(rows, config.limit, test_set.name)
        index = test_set.index
        run.log_dataset(index.name, content_digest(rows), rows, index.folders)
        robustness = _robustness(models, overlaps, test_set, rows, config.seed, progress)
        _record(run, robustness)
        folder = publish(
            run, config.output, lambda draft: write_robustness_report(robustness, draft), progress
        )
    return RobustnessOutcome(robustness, run.run_id, run.experiment_id, folder)


def _distinct(models: Sequence[Trained]) -> list[Trained]:
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
    models: Sequence[Trained], test_set: TestSet, progress: Progress
) -> tuple[pd.DataFrame, list[Overlap]]:
    """Return the rows that no model saw, and what each alone leaves out."""
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
    return rows, overlaps


def _limited(rows: pd.DataFrame, limit: int, name: str) -> pd.DataFrame:
    """Return at most so many rows a class; 0 for all."""
    for label in (REAL, FAKE):
        if not (rows["label"] == label).any():
            raise UsageError(
                f"robustness needs both classes, and {name} holds no {CLASS_NAMES[label]} image "
                "that the models have not seen; name another test set with data=, or join one "
                "that holds them: data=a+b."
            )
    return rows.groupby("label").head(limit) if limit else rows


def _robustness(
    models: Sequence[Trained],
    overlaps: Sequence[Overlap],
    test_set: TestSet,
    rows: pd.DataFrame,
    seed: int,
    progress: Progress,
) -> Robustness:
    files, digests = test_set.index.files(rows), list(rows["digest"])
    scored = [
        CorruptedScores(
            trained.model,
            overlap,
            corrupted_scores(trained.classifier, files, digests, seed, progress),
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
    """Log the curves, and say in tags what they come to."""
    curves: dict[int, dict[str, float]] = {}
    for model in robustness.models:
        of = names.metric_part(model.model.label)
        place = "robustness" if len(robustness.models) == 1 else f"robustness/{of}"
        for step, key, value in _figures(model):
            curves.setdefault(step, {})[f"{place}/{key}"] = value
    run.log_curves(curves)
    studies = [model.model.run_id for model in robustness.models if model.model.run_id]
    run.tag(
        {
            names.RUN_NAME: f"robustness on {robustness.data}",
            names.DATASET: robustness.data,
            names.DATASET_DIGEST: robustness.digest,
            names.TEST_DIGEST: robustness.digest,
            names.COMPARED: ",".join(studies),
            names.BEST: robustness.best.model.run_id,
            names.NOTE: robustness_markdown(robustness),
        }
    )


def _figures(model: ModelRobustness) -> Iterator[tuple[int, str, float]]:
    """Yield metrics with their steps; the untouched pictures are step 0 of every curve."""
    single = {
        "mean_roc_auc": model.mean_roc_auc,
        "clean_roc_auc": model.roc_auc,
        "clean_accuracy": model.accuracy,
    }
    for key, figure in single.items():
        yield 0, key, figure.value
        yield 0, f"{key}_low", figure.low
        yield 0, f"{key}_high", figure.high
    for curve in model.curves:
        for point in curve.points:
            yield point.step, f"{curve.key}/roc_auc", point.roc_auc.value
            yield point.step, f"{curve.key}/accuracy", point.accuracy.value

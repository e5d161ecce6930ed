"""A fitted classifier with what was chosen for it on validation: ready to score any split."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import inf, sqrt

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from fakeface_bench.config import FAKE, REAL, USUAL_THRESHOLD, HeadConfig, TrialConfig
from fakeface_bench.evaluation.bootstrap import drawn_counts
from fakeface_bench.evaluation.cross_validation import validated_by
from fakeface_bench.evaluation.intervals import Z_95
from fakeface_bench.evaluation.metrics import part_metrics, score_metrics
from fakeface_bench.features.engine import Forward, models_let_go
from fakeface_bench.features.samples import Samples
from fakeface_bench.records.study import (
    FitRecord,
    FloatArray,
    LabelArray,
    ScoredSplit,
    UnsureBand,
    described_images,
)
from fakeface_bench.training.batches import Batches, forward_of, predict_batch, predict_logits
from fakeface_bench.training.fit import as_served, fit
from fakeface_bench.training.head import Calibration, margin
from fakeface_bench.training.losses import LOSSES
from fakeface_bench.training.networks import FitTask, Network, OnEpoch

#: Parts of validation that a choice is tried on in turn.
CHOICE_FOLDS = 5
_THRESHOLD_RESAMPLES = 100


def choose_threshold(y_true: LabelArray, y_score: FloatArray) -> float:
    """Return the probability from which to call an image fake.

    0.5, unless `smoothed_threshold` is shown to reach a higher balanced accuracy: chosen on four
    fifths of validation and compared on the fifth, each in turn, it gains more than 0 with 95 %
    confidence. The best of so few images is largely chance: of refits of one network it lay between
    0.33 and 0.92.

    Args:
        y_true: 1 for fake, shape (n,); of validation.
        y_score: Calibrated probability of fake, shape (n,).
    """
    fake, folds = y_true == FAKE, _folds_of(y_true)
    if folds < 2:
        return USUAL_THRESHOLD
    gained = np.empty(len(y_true))
    for kept, left in StratifiedKFold(folds).split(y_score, y_true):
        threshold = smoothed_threshold(y_true[kept], y_score[kept])
        right, usually = (y_score[left] >= t for t in (threshold, USUAL_THRESHOLD))
        gained[left] = (right == fake[left]).astype(float) - (usually == fake[left])
    of_classes = [gained[fake], gained[~fake]]
    gain = sum(float(values.mean()) for values in of_classes) / 2
    variance = sum(float(values.var(ddof=1)) / len(values) for values in of_classes) / 4
    if gain <= Z_95 * sqrt(variance):
        return USUAL_THRESHOLD
    return smoothed_threshold(y_true, y_score)


def smoothed_threshold(y_true: LabelArray, y_score: FloatArray) -> float:
    """Return the median of the thresholds that are best in bootstrap resamples of the images.

    Each has the highest balanced accuracy of its resample and lies half-way between two scores, all
    on the logit's scale. Source: Breiman (1996), "Bagging predictors".

    Args:
        y_true: 1 for fake, both classes present, shape (n,).
    """
    order = np.argsort(y_score, kind="stable")
    labels, tiny = y_true[order], np.finfo(np.float32).eps
    logits = logit(np.clip(y_score[order], tiny, 1 - tiny))
    share = np.where(labels == FAKE, 1 / np.sum(labels == FAKE), -1 / np.sum(labels == REAL))
    drawn = drawn_counts(np.random.default_rng(0), labels, _THRESHOLD_RESAMPLES)
    # Share of fakes less share of reals from each score on; equal scores are not taken apart.
    ahead = np.cumsum((drawn * share[:, None])[::-1], axis=0)[::-1]
    first_of_equals = np.flatnonzero(np.append(True, logits[1:] > logits[:-1]))
    best = first_of_equals[np.argmax(ahead[first_of_equals], axis=0)]
    below = logits[np.maximum(best - 1, 0)]
    return float(expit(np.median((below + logits[best]) / 2)))


def _folds_of(y_true: LabelArray) -> int:
    return int(min(CHOICE_FOLDS, *np.bincount(y_true, minlength=2)))


def choose_unsure(
    y_true: LabelArray, y_score: FloatArray, threshold: float, error: float
) -> UnsureBand | None:
    """Return the band around the threshold that holds the fewest images, few of the others wrong.

    Ends lie half-way between two scores, as the threshold does.

    Args:
        y_true: 1 for fake, shape (n,); of validation.
        error: The largest share of wrong among the images outside; at 0 there is no band.
    """
    if not error:
        return None
    fake, is_real = y_true == FAKE, y_score < threshold
    reals, of_reals = _surest(y_score[is_real], fake[is_real], error)
    fakes, of_fakes = _surest(-y_score[~is_real], ~fake[~is_real], error)
    # Errors that one side does not use up are left to the other: for each end of the one, the
    # furthest of the other with which both together keep to the share.
    furthest = np.maximum.accumulate(of_fakes[::-1])[::-1]
    other = len(furthest) - 1 - np.searchsorted(furthest[::-1], -of_reals - 1e-9)
    counts = np.where(other >= 0, reals + fakes[np.maximum(other, 0)], -1)
    best = int(np.argmax(counts))
    low = _end(np.sort(y_score[is_real]), int(reals[best]), threshold, 0.0)
    none_sure = -float(np.nextafter(1.0, 2.0))
    high = -_end(np.sort(-y_score[~is_real]), int(fakes[other[best]]), -threshold, none_sure)
    return UnsureBand(low, high)


def _surest(
    scores: FloatArray, wrong: npt.NDArray[np.bool_], error: float
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Return how many of the lowest scores may be taken, and how many more may then be wrong.

    Equal scores are taken together, and none is taken first.
    """
    order = np.argsort(scores, kind="stable")
    rising = scores[order]
    counts = np.append(0, np.flatnonzero(np.append(rising[1:] > rising[:-1], True)) + 1)
    if not len(rising):
        counts = counts[:1]
    errors = np.append(0, np.cumsum(wrong[order]))
    return counts, error * counts - errors[counts]


def _end(rising: FloatArray, count: int, at_all: float, at_none: float) -> float:
    """Return where the first scores end: half-way to the next."""
    if count == 0:
        return at_all if not len(rising) else at_none
    return at_all if count == len(rising) else float(rising[count - 1] + rising[count]) / 2


def choose_calibration(y_true: LabelArray, margins: FloatArray, own: bool) -> Calibration:
    """Choose how margins become probabilities: by cross-validated log loss on validation.

    Of the network's own probability, a temperature and Platt's map, in this order: a later one is
    taken only where it is better. A map that would turn the ranking round is none.

    Sources: Guo et al. (2017), "On calibration of modern neural networks"; Platt (1999),
    "Probabilistic outputs for support vector machines".

    Args:
        y_true: 1 for fake, shape (n,); of validation.
        own: Whether sigmoid of a margin estimates a probability as it is, and may stay.
    """
    fits = [
        *([lambda labels, values: Calibration()] if own else []),
        temperature,
        platt,
    ]
    losses = [_held_out_loss(fit, y_true, margins, _folds_of(y_true)) for fit in fits]
    found = [fit(y_true, margins) for fit in fits]
    usable = [place for place, how in enumerate(found) if how.scale > 0]
    if not usable:
        return Calibration()
    return found[min(usable, key=lambda place: losses[place])]


def _held_out_loss(
    fit: Callable[[LabelArray, FloatArray], Calibration],
    y_true: LabelArray,
    margins: FloatArray,
    folds: int,
) -> float:
    """Return the log loss of maps on what they were not fitted to; infinite for too few images."""
    if folds < 2:
        return inf
    probability = np.empty(len(y_true))
    for kept, left in StratifiedKFold(folds).split(margins, y_true):
        probability[left] = to_probability(margins[left], fit(y_true[kept], margins[kept]))
    return float(log_loss(y_true, probability))


def temperature(y_true: LabelArray, margins: FloatArray) -> Calibration:
    """Fit a probability to margins by a scale alone, with Platt's targets."""
    return _fitted_map(y_true, margins, offset=False)


def platt(y_true: LabelArray, margins: FloatArray) -> Calibration:
    """Fit a probability to margins by logistic regression (Platt 1999).

    Targets are Platt's: (n₊+1)/(n₊+2) and 1/(n₋+2) in place of 1 and 0, which keeps the slope
    finite where the classes separate.
    """
    return _fitted_map(y_true, margins, offset=True)


def _fitted_map(y_true: LabelArray, margins: FloatArray, offset: bool) -> Calibration:
    positives, negatives = int(np.sum(y_true == 1)), int(np.sum(y_true == 0))
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    target = np.where(y_true == 1, high, low)
    doubled = np.concatenate([margins, margins])[:, None]
    labels = np.repeat([1, 0], len(margins))
    model = LogisticRegression(C=np.inf, max_iter=1000, fit_intercept=offset)
    model.fit(doubled, labels, sample_weight=np.concatenate([target, 1 - target]))
    intercept = float(model.intercept_[0]) if offset else 0.0
    return Calibration(scale=float(model.coef_[0, 0]), offset=intercept)


@dataclass(frozen=True, slots=True)
class Margins:
    """What a classifier says of some rows, with their labels, from one pass in their order.

    Attributes:
        y_true: 1 for fake, shape (n,).
        values: Above 0 where it leans to fake, shape (n,).
        seconds: That predicting them took.
    """

    y_true: LabelArray
    values: FloatArray
    seconds: float


@dataclass(frozen=True)
class Detector:
    """A network, its trained classifier, and how its margins become decisions.

    Attributes:
        forward: The classifier's prediction, compiled once where that is worth it.
        unsure: Scores at which it is unsure; None where it never is.
    """

    network: Network
    classifier: keras.Model
    forward: Forward
    head: HeadConfig
    calibration: Calibration
    threshold: float
    unsure: UnsureBand | None = None

    def score(self, samples: Samples, rows: pd.DataFrame) -> ScoredSplit:
        """Score a split, in the order of its rows of the index."""
        return self.judged(predict_margins(self.network, self.forward, self.head, samples), rows)

    def judged(self, found: Margins, rows: pd.DataFrame) -> ScoredSplit:
        """Return a split with its decisions, from the margins of its rows of the index."""
        y_true, y_score = found.y_true, to_probability(found.values, self.calibration)
        metrics = score_metrics(y_true, y_score, self.threshold)
        return ScoredSplit(
            y_true=y_true,
            y_score=y_score,
            **described_images(rows),
            threshold=self.threshold,
            metrics=metrics,
            parts=part_metrics(y_true, y_score, self.threshold, rows),
            seconds=found.seconds,
            unsure=self.unsure,
        )

    @cached_property
    def complete(self) -> keras.Model:
        """The model from pixels 0 to 255 to the probability of fake."""
        return self.network.complete(self.classifier, self.head, self.calibration)


def train_detector(
    task: FitTask,
    config: TrialConfig,
    on_epoch: OnEpoch | None = None,
    unsure_error: float = 0.0,
) -> tuple[Detector, FitRecord, Margins]:
    """Fit a trial's options, then choose calibration, threshold and band on what was held out.

    With folds that is every row, by the fit that left it out, and the detector is fitted on all
    rows, as scikit-learn's `CalibratedClassifierCV(ensemble=False)` does.

    Args:
        on_epoch: Called after each epoch that is run, and not loaded.
        unsure_error: As in `choose_unsure`.

    Returns:
        The detector, its fit, and the margins of the rows that were held out.
    """
    if task.folds:
        classifier, record, found = _fit_on_all(task, config, on_epoch)
    else:
        classifier, record = _fit(task, config, on_epoch)
        found = _held_out_margins(task, config, classifier)
    head, y_true = config.head, found.y_true
    calibration = choose_calibration(y_true, found.values, LOSSES[head.loss].calibrated)
    y_score = to_probability(found.values, calibration)
    threshold = choose_threshold(y_true, y_score)
    unsure = choose_unsure(y_true, y_score, threshold, unsure_error)
    forward = forward_of(task.network, classifier)
    chosen = (head, calibration, threshold, unsure)
    return Detector(task.network, classifier, forward, *chosen), record, found


def _fit(
    task: FitTask, config: TrialConfig, on_epoch: OnEpoch | None
) -> tuple[keras.Model, FitRecord]:
    fitted, record = fit(task, config, on_epoch)
    return as_served(task, config, fitted), record


def _held_out_margins(task: FitTask, config: TrialConfig, classifier: keras.Model) -> Margins:
    forward = forward_of(task.network, classifier)
    return predict_margins(task.network, forward, config.head, task.held_out)


def _fit_on_all(
    task: FitTask, config: TrialConfig, on_epoch: OnEpoch | None
) -> tuple[keras.Model, FitRecord, Margins]:
    """Fit each fold for what it leaves out, then all rows together."""
    y_true, values = np.empty(len(task.train), np.uint8), np.empty(len(task.train))
    seconds, fits = 0.0, []
    for fold in task.folds:
        with models_let_go():
            classifier, record = _fit(fold, config, on_epoch)
            found = _held_out_margins(fold, config, classifier)
        y_true[fold.places], values[fold.places] = found.y_true, found.values
        seconds += found.seconds
        fits.append(record)
    classifier, record = _fit(task, config, on_epoch)
    return classifier, validated_by(record, fits), Margins(y_true, values, seconds)


def predict_margins(
    network: Network, forward: Forward, head: HeadConfig, samples: Samples
) -> Margins:
    """Return the margins of samples, in their order."""
    started = time.perf_counter()
    batches = Batches(samples, network.parts(head), predict_batch(network))
    y_true, logits = predict_logits(forward, batches)
    values = np.asarray(margin(logits), dtype=np.float64)[:, 0]
    return Margins(y_true, values, time.perf_counter() - started)


def to_probability(margins: FloatArray, how: Calibration) -> FloatArray:
    """Return the probability of fake within 0 and 1, as the complete model computes it."""
    logit = how.scale * margins + how.offset
    return np.asarray(np.exp(-np.logaddexp(0.0, -logit)))

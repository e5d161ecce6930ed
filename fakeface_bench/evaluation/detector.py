"""A fitted classifier with what was chosen for it on validation: ready to score any split."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import inf

import keras
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from fakeface_bench.config import HeadConfig, TrialConfig
from fakeface_bench.evaluation.cross_validation import validated_by
from fakeface_bench.evaluation.decisions import choose_threshold, choose_unsure, folds_of
from fakeface_bench.evaluation.metrics import with_metrics
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
    losses = [_held_out_loss(fit, y_true, margins, folds_of(y_true)) for fit in fits]
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
        return with_metrics(
            ScoredSplit(
                y_true=found.y_true,
                y_score=to_probability(found.values, self.calibration),
                **described_images(rows),
                threshold=self.threshold,
                metrics={},
                seconds=found.seconds,
                unsure=self.unsure,
            )
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

"""A fitted classifier with what was chosen for it on validation: ready to score any split."""

import time
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import pandas as pd

from fakeface_bench.config import HeadConfig, TrialConfig
from fakeface_bench.evaluation.calibration import choose_threshold, platt
from fakeface_bench.evaluation.metrics import score_metrics
from fakeface_bench.evaluation.parts import part_metrics
from fakeface_bench.features.extractor import Forward
from fakeface_bench.features.samples import Samples
from fakeface_bench.models.head import Calibration, margin
from fakeface_bench.models.networks import Network
from fakeface_bench.records import FitRecord, FloatArray, LabelArray, ScoredSplit
from fakeface_bench.training.batches import Batches, forward_of, predict_batch, predict_logits
from fakeface_bench.training.fit import as_served, fit
from fakeface_bench.training.losses import LOSSES
from fakeface_bench.training.task import FitTask, OnEpoch


@dataclass(frozen=True)
class Detector:
    """A network, its trained classifier, and how its margins become decisions.

    `forward` is the classifier's prediction, compiled once where that is worth it.
    """

    network: Network
    classifier: keras.Model
    forward: Forward
    head: HeadConfig
    calibration: Calibration
    threshold: float

    def score(self, samples: Samples, rows: pd.DataFrame) -> ScoredSplit:
        """Score a split, in the order of its rows of the index.

        Labels come from the same pass as the scores.
        """
        started = time.perf_counter()
        y_true, margins = predict_margins(self.network, self.forward, self.head, samples)
        seconds = time.perf_counter() - started
        y_score = to_probability(margins, self.calibration)
        figures = score_metrics(y_true, y_score, self.threshold)
        return ScoredSplit(
            y_true=y_true,
            y_score=y_score,
            paths=tuple(rows["path"]),
            sources=tuple(rows["source"]),
            tiers=tuple(rows["tier"]),
            categories=tuple(rows["category"]),
            threshold=self.threshold,
            metrics=figures,
            parts=part_metrics(y_true, y_score, self.threshold, rows),
            seconds=seconds,
        )

    @cached_property
    def complete(self) -> keras.Model:
        """The model from pixels 0 to 255 to the probability of fake."""
        return self.network.complete(self.classifier, self.head, self.calibration)


def train_detector(
    task: FitTask, config: TrialConfig, on_epoch: OnEpoch | None = None
) -> tuple[Detector, FitRecord]:
    """Fit a trial's options, then choose calibration and threshold on validation.

    Args:
        task: Data and rules.
        config: Options of the trial.
        on_epoch: Called after each epoch that is run, and not loaded.
    """
    fitted, record = fit(task, config, on_epoch)
    classifier = as_served(task, config, fitted)
    head = config.head
    forward = forward_of(task.network, classifier)
    y_true, margins = predict_margins(task.network, forward, head, task.valid)
    calibration = Calibration() if LOSSES[head.loss].calibrated else platt(y_true, margins)
    threshold = choose_threshold(y_true, to_probability(margins, calibration))
    return Detector(task.network, classifier, forward, head, calibration, threshold), record


def predict_margins(
    network: Network, forward: Forward, head: HeadConfig, samples: Samples
) -> tuple[LabelArray, FloatArray]:
    """Return labels and margins, each of shape (n,), from one pass in the order of the rows."""
    batches = Batches(samples, network.parts(head), predict_batch(network))
    y_true, logits = predict_logits(forward, batches)
    return y_true, np.asarray(margin(logits), dtype=np.float64)[:, 0]


def to_probability(margins: FloatArray, how: Calibration) -> FloatArray:
    """Return the probability of fake within 0 and 1, as the complete model computes it."""
    logit = how.scale * margins + how.offset
    return np.asarray(np.exp(-np.logaddexp(0.0, -logit)))

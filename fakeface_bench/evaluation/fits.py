"""Fits of detectors as units: the winner's, the baseline's, and those of further seeds."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import pandas as pd

from fakeface_bench.config import HeadConfig, TrialConfig
from fakeface_bench.evaluation.detector import Detector, Margins, train_detector
from fakeface_bench.features.engine import models_let_go
from fakeface_bench.features.samples import Samples
from fakeface_bench.records.study import FitRecord, ScoredSplit, UnsureBand
from fakeface_bench.support.executor import Shared, Tell
from fakeface_bench.training.batches import forward_of
from fakeface_bench.training.checkpoint import told_checkpoints
from fakeface_bench.training.head import Calibration
from fakeface_bench.training.networks import FitTask, Network


@dataclass(frozen=True, slots=True)
class FittedDetector:
    """A detector as it travels, without the network that it is of.

    Attributes:
        found: The margins of the rows that were held out.
    """

    classifier: keras.Model
    head: HeadConfig
    calibration: Calibration
    threshold: float
    unsure: UnsureBand | None
    record: FitRecord
    found: Margins

    def on(self, network: Network) -> Detector:
        """Return the detector, ready to score."""
        forward = forward_of(network, self.classifier)
        chosen = (self.head, self.calibration, self.threshold, self.unsure)
        return Detector(network, self.classifier, forward, *chosen)


@dataclass(frozen=True, slots=True)
class DetectorUnit:
    """The fit of a detector, as `train_detector` does it; a `Unit`.

    It tells each epoch that is run, a line wherever a user is to be warned, and what it has kept,
    where the driver does not see that.
    """

    task: Shared[FitTask]
    config: TrialConfig
    unsure_error: float = 0.0
    fresh: bool = False
    kept: Sequence[Any] = ()  # by `kept_files`, as they have travelled

    def run(self, tell: Tell) -> FittedDetector:
        """Fit it."""
        task = self.task.get().changed(warn=tell)
        with told_checkpoints(task, self.kept, tell) as (kept, tell_all):
            trained = train_detector(kept, self.config, tell_all, self.unsure_error)
        fitted, record, found = trained
        chosen = (fitted.head, fitted.calibration, fitted.threshold, fitted.unsure)
        return FittedDetector(fitted.classifier, *chosen, record, found)


@dataclass(frozen=True, slots=True)
class RepeatEnd:
    """What a fit with another seed came to.

    Attributes:
        test: What it says of test.
        epochs: That it went through.
        seconds: That fitting took, where it was done.
    """

    test: ScoredSplit
    epochs: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RepeatUnit:
    """A fit with another seed, of which nothing is kept but what it says of test; a `Unit`.

    Attributes:
        test: The split, and its rows of the index.
        changes: Of the task, for this fit.
    """

    task: Shared[FitTask]
    test: Shared[tuple[Samples, pd.DataFrame]]
    config: TrialConfig
    changes: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False
    kept: Sequence[Any] = ()  # by `kept_files`, as they have travelled

    def run(self, tell: Tell) -> RepeatEnd:
        """Fit and score it."""
        task = self.task.get().changed(warn=tell, **self.changes)
        began = time.perf_counter()
        with models_let_go(), told_checkpoints(task, self.kept, tell) as (kept, _):
            detector, fit, _ = train_detector(kept, self.config)
            seconds = time.perf_counter() - began
            return RepeatEnd(detector.score(*self.test.get()), len(fit.epochs), seconds)

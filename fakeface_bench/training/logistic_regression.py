"""Logistic regression on cached features: the classifier that any searched head has to beat.

The same estimate as scikit-learn's `LogisticRegression(C=C)`, which a test holds it to, by the same
solver: L-BFGS of scipy. It is written out for two things that scikit-learn's does not do: rows that
do not fit into memory are read in blocks, in each iteration all of them, and validation is scored
as the fit goes on.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from fakeface_bench.config import EPOCH_ITERATIONS, LOGISTIC_REGRESSION, HeadConfig
from fakeface_bench.features.samples import Part
from fakeface_bench.records.study import EpochRecord, FitRecord
from fakeface_bench.training.batches import NOT_VALIDATED, Batches, validation_batches
from fakeface_bench.training.head_fit import HeadRows, Values
from fakeface_bench.training.networks import FitTask, OnEpoch

#: Each reads all rows. What has not converged after these is taken as it is, which acts like a
#: stronger penalty.
MAX_ITERATIONS = 100
#: Largest component of the mean loss's gradient at which a fit has converged. At 1e-4, which is
#: scikit-learn's, features that differ in their last digit, as those of two engines do, move scores
#: by 0.0012; here by 0.0007 (an exported SqueezeNet, 400 test images).
TOLERANCE = 1e-5
#: Standardised rows of at most this size are kept in memory; larger ones are read in blocks.
RESIDENT_BYTES = 500_000_000
_ROWS_AT_ONCE = 4096
#: Relative progress of an iteration at which a fit ends, as in scikit-learn.
_LEAST_PROGRESS = 64 * np.finfo(np.float64).eps

Rows = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float64]


class _Objective:
    """Mean log loss of the train split and the penalty, as a function of weights and intercept.

    Args:
        rows: Of the train split.
        parts: What of each row is read.
        C: Inverse strength of the penalty on the sum of losses.
    """

    def __init__(self, rows: HeadRows, parts: Sequence[Part], C: float) -> None:
        self._samples, self._parts = rows.samples, parts
        self._mean, self._inverse = rows.standard(parts)
        weights = rows.samples.weights
        n = len(rows.samples)
        self._weights = np.ones(n) if weights is None else weights.astype(np.float64)
        self._weights /= self._weights.sum()
        self._penalty = 1 / (C * (n if weights is None else float(weights.sum())))
        self.width = len(self._mean)
        size = 4 * n * self.width
        self._kept = list(self._read()) if size <= RESIDENT_BYTES else None
        self.loss, self.accuracy = 0.0, 0.0

    def __call__(self, values: Vector) -> tuple[float, Vector]:
        """Return the objective and its gradient at weights (width,) followed by the intercept."""
        slope, intercept = values[:-1], values[-1]
        gradient = np.zeros_like(values)
        loss = right = 0.0
        for place, x in self._kept or self._read():
            sign = 2.0 * self._samples.labels[place] - 1
            weights = self._weights[place]
            margins = sign * (x @ slope.astype(np.float32) + intercept)
            loss += float(weights @ np.logaddexp(0, -margins))
            right += float(np.sum(margins > 0))
            of_margins = -weights * sign / (1 + np.exp(np.minimum(margins, 500)))
            gradient[:-1] += of_margins.astype(np.float32) @ x
            gradient[-1] += of_margins.sum()
        self.loss, self.accuracy = loss, right / len(self._samples)
        gradient[:-1] += self._penalty * slope
        return loss + self._penalty / 2 * float(slope @ slope), gradient

    def margins(self, x: npt.NDArray[Any], values: Vector) -> Vector:
        """Return the logits of fake of some rows as they are kept, shape (n,)."""
        logits = self._standardised(x) @ values[:-1].astype(np.float32)
        margins: Vector = logits.astype(np.float64) + values[-1]
        return margins

    def _standardised(self, x: npt.NDArray[Any]) -> Rows:
        rows: Rows = x.astype(np.float32)
        rows -= self._mean
        rows *= self._inverse
        return rows

    def _read(self) -> Iterator[tuple[slice, Rows]]:
        numbers = np.arange(len(self._samples))
        for start in range(0, len(numbers), _ROWS_AT_ONCE):
            place = slice(start, start + _ROWS_AT_ONCE)
            yield place, self._standardised(self._samples.raw(numbers[place], self._parts))


class _Course:
    """What a fit has come through, written down every few iterations."""

    def __init__(
        self, task: FitTask, objective: _Objective, valid: Batches | None, on_epoch: OnEpoch | None
    ) -> None:
        self.records: list[EpochRecord] = []
        self._task, self._objective, self._valid = task, objective, valid
        self._on_epoch = on_epoch
        self._iterations = 0
        self._began = time.perf_counter()

    def iterate(self, values: Vector) -> None:
        """Note that an iteration ended at these values."""
        self._iterations += 1
        if self._iterations % EPOCH_ITERATIONS == 0:
            self._write_down(values)

    def end(self, values: Vector) -> FitRecord:
        """Return all epochs, the last of which ended at these values."""
        if not self.records or self._iterations % EPOCH_ITERATIONS:
            self._write_down(values)
        return FitRecord(tuple(self.records), len(self.records) - 1)

    def _write_down(self, values: Vector) -> None:
        trained = time.perf_counter()
        validated = self._validated(values)
        ended = time.perf_counter()
        record = EpochRecord(
            epoch=len(self.records),
            train_loss=self._objective.loss,
            train_accuracy=self._objective.accuracy,
            **validated,
            seconds=trained - self._began,
            val_seconds=ended - trained,
            stage=LOGISTIC_REGRESSION,
            batch_size=len(self._task.train),
        )
        self.records.append(record)
        if self._on_epoch is not None:
            self._on_epoch(record)
        self._began = time.perf_counter()

    def _validated(self, values: Vector) -> dict[str, float]:
        if self._valid is None:
            return NOT_VALIDATED
        batches = (self._valid[number][0] for number in range(len(self._valid)))
        margins = np.concatenate([self._objective.margins(x, values) for x in batches])
        y_true = self._task.held_out.labels
        return {
            "val_loss": float(np.mean(np.logaddexp(0, np.where(y_true == 1, -margins, margins)))),
            "val_accuracy": float(np.mean((margins > 0) == (y_true == 1))),
            "val_roc_auc": self._task.objective(y_true, margins),
        }


def fit_logistic_regression(
    task: FitTask,
    rows: HeadRows,
    parts: Sequence[Part],
    head: HeadConfig,
    on_epoch: OnEpoch | None,
    batch_size: int,
) -> tuple[Values, FitRecord]:
    """Fit weights and intercept from zero until they have converged, and keep the last.

    Args:
        on_epoch: Called after each epoch of ten iterations; what it raises ends the fit.
        batch_size: Rows of validation that are scored at once.

    Returns:
        Kernel (width, 1) and bias (1,) of the layer `logits` on standardised features, and the
        epochs.
    """
    # One thread: two wait for one another longer than they compute, and their sums differ.
    with threadpool_limits(1):
        objective = _Objective(rows, parts, head.C)
        valid = validation_batches(task, parts, batch_size)
        course = _Course(task, objective, valid, on_epoch)
        found = minimize(
            objective,
            np.zeros(objective.width + 1),
            jac=True,
            method="L-BFGS-B",
            callback=course.iterate,
            options={"maxiter": MAX_ITERATIONS, "gtol": TOLERANCE, "ftol": _LEAST_PROGRESS},
        )
        record = course.end(found.x)
    values = found.x.astype(np.float32)
    return [values[:-1, None], values[-1:]], record

"""Validation accuracy of every study's final fit against epochs and against time."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeface_bench.records import ComparedStudy, FloatArray


@dataclass(frozen=True, slots=True)
class AccuracyCurve:
    """One study's validation accuracy, epoch by epoch.

    Attributes:
        epochs: Counted from 1, shape (k,).
        elapsed: Cold seconds from the start to each epoch's end, without the search, shape (k,).
        accuracy: On validation, shape (k,).
        is_head_alone: Which epochs trained the head alone, before layers were, shape (k,).
    """

    epochs: FloatArray
    elapsed: FloatArray
    accuracy: FloatArray
    is_head_alone: npt.NDArray[np.bool_]


def accuracy_curve(study: ComparedStudy) -> AccuracyCurve:
    """Return the curve of a study's final fit."""
    took = [epoch.seconds + epoch.val_seconds for epoch in study.epochs]
    stages = [epoch.stage for epoch in study.epochs]
    return AccuracyCurve(
        epochs=np.arange(1, len(stages) + 1, dtype=np.float64),
        elapsed=study.epochs_began_seconds + np.cumsum(took, dtype=np.float64),
        accuracy=np.array([epoch.val_accuracy for epoch in study.epochs], dtype=np.float64),
        is_head_alone=np.array([s == "head" != stages[-1] for s in stages], dtype=np.bool_),
    )

"""Cross-validation: options are judged on parts of the data that are left out in turn.

Pictures of one group stay in one part. A fit counts by the mean over the parts, epoch by epoch, so
that one number of epochs is chosen for all, with which the winner can be fitted on everything.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from statistics import mean

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from fakeface_bench.config import CLASS_NAMES, LOGISTIC_REGRESSION, TrialConfig
from fakeface_bench.features.engine import models_let_go
from fakeface_bench.features.samples import Samples, sample_weights
from fakeface_bench.records.study import EpochRecord, FitRecord, last_stage
from fakeface_bench.support.errors import DataError
from fakeface_bench.training.fit import fit_record
from fakeface_bench.training.head_fit import HeadRows
from fakeface_bench.training.networks import FitTask

#: The numbers of the rows that a fold trains on, and of those that it leaves out.
Fold = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
#: Called after each fold with the mean over those that were fitted.
OnFold = Callable[[FitRecord], None]


def draw_folds(rows: pd.DataFrame, folds: int, seed: int) -> list[Fold]:
    """Divide rows into parts of about the same size and share of fakes, twins kept together.

    Args:
        rows: Columns `label` and `kin`.
        folds: At least 2.

    Raises:
        DataError: If a class has too few groups for a part of its own in each fold.
    """
    labels = rows["label"].to_numpy()
    for label, name in enumerate(CLASS_NAMES):
        groups = rows.loc[labels == label, "kin"].nunique()
        if groups < folds:
            raise DataError(
                f"folds {folds} needs as many different {name} pictures in train and validation "
                f"(copies count once), and there are {groups}: give fewer folds."
            )
    by_group = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    drawn = list(by_group.split(rows, labels, rows["kin"]))
    for part in [part for fold in drawn for part in fold]:
        if len(set(labels[part])) < len(CLASS_NAMES):
            raise DataError(
                f"folds {folds} leaves a part of train and validation without real or without "
                "fake pictures, since groups of copies stay together: give fewer folds."
            )
    return drawn


def with_folds(
    task: FitTask, left_out: Samples, rows: pd.DataFrame, drawn: Sequence[Fold], balance: str
) -> FitTask:
    """Return a fit of all rows, with its folds.

    Args:
        task: Its `train` holds all rows as training reads them.
        left_out: The same rows as validation reads them.
        rows: Of the index, in their order.
        drawn: What `draw_folds` made of them.
        balance: As in `sample_weights`.
    """
    sharers = len(drawn) + 1

    def fold(number: int, kept: npt.NDArray[np.int64], left: npt.NDArray[np.int64]) -> FitTask:
        train = task.train.subset(kept, sample_weights(rows.iloc[kept], balance))
        return replace(
            task,
            train=train,
            valid=left_out.subset(left, None),
            heads=HeadRows(train, sharers=sharers),
            part=f"fold {number}",
            places=left,
        )

    return replace(
        task,
        valid=None,
        heads=HeadRows(task.train, sharers=sharers),
        part="all folds",
        folds=tuple(fold(number, *parts) for number, parts in enumerate(drawn)),
    )


def cross_validate(task: FitTask, config: TrialConfig, on_fold: OnFold) -> FitRecord:
    """Fit options on each fold in turn and return the mean over them.

    Early stopping goes by the first fold: the others are trained for as many epochs. A head that is
    fitted before the layers under it is first cross-validated alone, so that no fold chooses its
    length by what that fold leaves out.

    Args:
        on_fold: What it raises ends the fits.
    """
    fits: list[FitRecord] = []
    of_head = _head_lengths(task, config)
    for fold in task.folds:
        lengths = {name: len(epochs) for name, epochs in _stages(fits[0])} if fits else of_head
        with models_let_go():
            fits.append(fit_record(replace(fold, lengths=lengths), config))
        on_fold(mean_over_folds(fits))
    return mean_over_folds(fits)


def _head_lengths(task: FitTask, config: TrialConfig) -> dict[str, int]:
    """Return how long a head is fitted before the layers under it; nothing where none is."""
    if task.network.head_network is None:
        return {}
    alone = task.changed(network=task.network.head_network)
    return best_lengths(cross_validate(alone, TrialConfig(config.head), lambda mean: None).epochs)


def mean_over_folds(fits: Sequence[FitRecord]) -> FitRecord:
    """Return the mean of some fits, epoch by epoch; its seconds are those of all together.

    A solver that had converged before others stays where it was.
    """
    epochs: list[EpochRecord] = []
    for of_stage in zip(*(_stages(fit) for fit in fits), strict=True):
        courses = [course for _, course in of_stage]
        for number in range(max(map(len, courses))):
            epochs.append(_mean([_held(course, number) for course in courses], len(epochs)))
    stage = last_stage(epochs)
    return FitRecord(tuple(epochs), len(epochs) - len(stage) + _best(stage))


def best_lengths(fit: Sequence[EpochRecord]) -> dict[str, int]:
    """Return the number of epochs of each stage at which validation was best.

    Args:
        fit: The mean over folds.
    """
    return {name: 1 + _best(epochs) for name, epochs in _stages(FitRecord(tuple(fit), 0))}


def validated_by(fit: FitRecord, folds: Sequence[FitRecord]) -> FitRecord:
    """Return a fit on all rows, which left none to validate on, with the mean over its folds."""
    of_stage = dict(_stages(mean_over_folds(folds)))
    epochs = [
        replace(
            epoch,
            val_loss=held.val_loss,
            val_accuracy=held.val_accuracy,
            val_roc_auc=held.val_roc_auc,
        )
        for name, course in _stages(fit)
        for number, epoch in enumerate(course)
        for held in [_held(of_stage[name], number)]
    ]
    return FitRecord(tuple(epochs), fit.best_epoch)


def _stages(fit: FitRecord) -> Iterator[tuple[str, list[EpochRecord]]]:
    for name, epochs in groupby(fit.epochs, key=lambda epoch: epoch.stage):
        yield name, list(epochs)


def _best(epochs: Sequence[EpochRecord]) -> int:
    """Return the place of the epoch that is kept; a solver's last, which is its solution."""
    if epochs[-1].stage == LOGISTIC_REGRESSION:
        return len(epochs) - 1
    return int(np.argmax([epoch.val_roc_auc for epoch in epochs]))


def _held(course: Sequence[EpochRecord], number: int) -> EpochRecord:
    """Return an epoch; after the end of its course the last, which then takes no time."""
    if number < len(course):
        return course[number]
    return replace(course[-1], seconds=0.0, val_seconds=0.0)


def _mean(epochs: Sequence[EpochRecord], number: int) -> EpochRecord:
    return EpochRecord(
        epoch=number,
        train_loss=mean(epoch.train_loss for epoch in epochs),
        train_accuracy=mean(epoch.train_accuracy for epoch in epochs),
        val_loss=mean(epoch.val_loss for epoch in epochs),
        val_accuracy=mean(epoch.val_accuracy for epoch in epochs),
        val_roc_auc=mean(epoch.val_roc_auc for epoch in epochs),
        seconds=sum(epoch.seconds for epoch in epochs),
        val_seconds=sum(epoch.val_seconds for epoch in epochs),
        stage=epochs[0].stage,
        batch_size=min(epoch.batch_size for epoch in epochs),
    )

"""Metrics in bootstrap resamples of the images, all resamples at once.

Intervals cover the draw of images alone: neither another training run nor another dataset. A
resample is a column of counts, shape (n, columns), so that no resample is scored by itself: calls
and errors are matrix products, ranks are cumulated counts over scores sorted once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.records.study import ECE_BINS, FloatArray, LabelArray

RESAMPLES = 1000
#: Array elements held at once while resampling, some 100 MB in all.
ELEMENTS_AT_ONCE = 2_000_000


Resampled = Mapping[str, FloatArray]
#: Of the metrics of recall, per cent of the real images that may be predicted fake.
_FALSE_ALARM_PERCENTS = (1, 5)


@dataclass(frozen=True, slots=True)
class Resamples:
    """A portion of the resamples: which of all, and how often each drew each image."""

    rows: slice
    counts: FloatArray


def stratified_resamples(y_true: LabelArray, seed: int) -> Iterator[Resamples]:
    """Yield 1000 bootstrap resamples by portions, each class drawn again at its size.

    Args:
        y_true: 1 for fake, shape (n,); one class will do.
    """
    rng = np.random.default_rng(seed)
    at_once = max(1, ELEMENTS_AT_ONCE // len(y_true))
    for start in range(0, RESAMPLES, at_once):
        counts = drawn_counts(rng, y_true, min(at_once, RESAMPLES - start))
        yield Resamples(slice(start, start + counts.shape[1]), counts)


def joined(portions: Sequence[Mapping[str, FloatArray]]) -> dict[str, FloatArray]:
    """Join what was computed portion by portion: each metric in every resample, shape (1000,)."""
    return {key: np.concatenate([p[key] for p in portions]) for key in portions[0]}


def drawn_counts(rng: np.random.Generator, y_true: LabelArray, columns: int) -> FloatArray:
    """Count how often each image is drawn, each class at its size, shape (n, columns)."""
    counts = np.empty((len(y_true), columns))
    for label in (REAL, FAKE):
        members = np.flatnonzero(y_true == label)
        if len(members):
            evenly = np.full(len(members), 1 / len(members))
            counts[members] = rng.multinomial(len(members), evenly, columns).T
    return counts


class Calls:
    """What is predicted fake and real at a threshold; one class will do."""

    def __init__(self, y_true: LabelArray, y_score: FloatArray, threshold: float) -> None:
        called, fake = y_score >= threshold, y_true == FAKE
        rows = (fake, ~fake, fake & called, ~fake & called)
        self._rows = np.array(rows, dtype=np.float64)

    def metrics(self, counts: FloatArray) -> dict[str, FloatArray]:
        """Return accuracy, recalls, precision and F1 in each column of counts.

        As in `METRICS`, and `false_alarm_rate`, the share of real images predicted fake. A share of
        nothing is 0.
        """
        fakes, reals, true_fake, false_fake = self._rows @ counts
        true_real, wrong = reals - false_fake, false_fake + fakes - true_fake
        recall, false_alarms = _share(true_fake, fakes), _share(false_fake, reals)
        f1_fake, f1_real = (
            _share(2 * found, 2 * found + wrong) for found in (true_fake, true_real)
        )
        return {
            "accuracy": (true_fake + true_real) / (fakes + reals),
            "balanced_accuracy": (recall + 1 - false_alarms) / 2,
            "precision_fake": _share(true_fake, true_fake + false_fake),
            "recall_fake": recall,
            "f1_fake": f1_fake,
            "f1_real": f1_real,
            "f1_macro": (f1_fake + f1_real) / 2,
            "false_alarm_rate": false_alarms,
        }


class Ranks:
    """How real and fake images rank against each other; both classes must be there."""

    def __init__(self, y_true: LabelArray, y_score: FloatArray) -> None:
        self._real, self._fake = (np.flatnonzero(y_true == label) for label in (REAL, FAKE))
        order = np.argsort(y_score[self._real], kind="stable")
        real, fake = y_score[self._real][order], y_score[self._fake]
        self._ranked = self._real[order]
        self._below = np.searchsorted(real, fake, side="left")
        self._up_to = np.searchsorted(real, fake, side="right")

    def roc_auc(self, counts: FloatArray) -> FloatArray:
        """Return the share of (fake, real) pairs in order, ties half, in each column of counts."""
        of_fakes = counts[self._fake]
        up_to = np.zeros((len(self._ranked) + 1, counts.shape[1]))
        np.cumsum(counts[self._ranked], axis=0, out=up_to[1:])
        pairs = of_fakes.sum(axis=0) * up_to[-1]
        won = np.einsum("ij,ij->j", of_fakes, up_to[self._up_to])
        if not np.array_equal(self._below, self._up_to):
            won = (won + np.einsum("ij,ij->j", of_fakes, up_to[self._below])) / 2
        return np.asarray(won / pairs)


class _Curves:
    """What is found as the threshold sinks; both classes must be there."""

    def __init__(self, y_true: LabelArray, y_score: FloatArray) -> None:
        self._order = np.argsort(-y_score, kind="stable")
        self._is_fake = (y_true[self._order] == FAKE)[:, None]
        differs = np.diff(y_score[self._order]) != 0
        #: Where a threshold may lie: after the last of equal scores.
        self._ends = np.flatnonzero(np.append(differs, True))

    def metrics(self, counts: FloatArray) -> dict[str, FloatArray]:
        """Return average precision, and recall at each rate of false alarms.

        Average precision sums precision over the steps of recall, without interpolation, as
        scikit-learn does.
        """
        drawn = counts[self._order]
        called = np.cumsum(drawn, axis=0)[self._ends]
        found = np.cumsum(drawn * self._is_fake, axis=0)[self._ends]
        fakes, false_alarms = found[-1], called - found
        steps = np.diff(found, axis=0, prepend=0)
        precision = found / np.maximum(called, 1)
        metrics = {"average_precision": np.einsum("ij,ij->j", steps, precision) / fakes}
        for percent in _FALSE_ALARM_PERCENTS:
            allowed = 100 * false_alarms <= percent * false_alarms[-1]
            most = np.where(allowed, found, 0).max(axis=0)
            metrics[f"recall_at_{percent}pct_fpr"] = most / fakes
        return metrics


class _Errors:
    """How far the probabilities are from the labels."""

    def __init__(self, y_true: LabelArray, y_score: FloatArray) -> None:
        smallest = np.finfo(y_score.dtype).eps
        of_label = np.clip(np.where(y_true == FAKE, y_score, 1 - y_score), smallest, 1 - smallest)
        bins = np.minimum((y_score * ECE_BINS).astype(int), ECE_BINS - 1)
        gaps = (bins == np.arange(ECE_BINS)[:, None]) * (y_score - y_true)
        self._rows = np.vstack([-np.log(of_label), (y_score - y_true) ** 2, gaps])

    def metrics(self, counts: FloatArray) -> dict[str, FloatArray]:
        """Return log loss, Brier score and expected calibration error in each column of counts."""
        log_loss, brier, *gaps = self._rows @ counts / counts.sum(axis=0)
        return {"log_loss": log_loss, "brier": brier, "ece": np.abs(gaps).sum(axis=0)}


class WeightedMetrics:
    """Every row of `METRICS`, and `false_alarm_rate`, of one model's scores."""

    def __init__(self, y_true: LabelArray, y_score: FloatArray, threshold: float) -> None:
        """Sort once; both classes must be there.

        Args:
            y_true: 1 for fake, shape (n,).
            y_score: Probability of fake, within 0 and 1, shape (n,).
        """
        self._calls = Calls(y_true, y_score, threshold)
        self._ranks = Ranks(y_true, y_score)
        self._curves = _Curves(y_true, y_score)
        self._errors = _Errors(y_true, y_score)

    def metrics(self, counts: FloatArray) -> dict[str, FloatArray]:
        """Return each metric, by key, in each column of counts, shape (n, columns)."""
        return {
            **self._calls.metrics(counts),
            "roc_auc": self._ranks.roc_auc(counts),
            **self._curves.metrics(counts),
            **self._errors.metrics(counts),
        }


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide counts; 0 where there is nothing."""
    return np.asarray(part / np.maximum(whole, 1))

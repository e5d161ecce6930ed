"""What is decided on validation: the threshold, and the band of scores that are unsure."""

from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from sklearn.model_selection import StratifiedKFold

from fakeface_bench.config import FAKE, REAL, USUAL_THRESHOLD
from fakeface_bench.evaluation.bootstrap import drawn_counts
from fakeface_bench.evaluation.intervals import Z_95
from fakeface_bench.records.study import FloatArray, LabelArray, UnsureBand

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
    fake, folds = y_true == FAKE, folds_of(y_true)
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


def folds_of(y_true: LabelArray) -> int:
    """Return in how many parts a choice on these images is tried; fewer than 2 for too few."""
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

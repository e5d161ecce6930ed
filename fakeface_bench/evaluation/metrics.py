"""Every metric, as a literal table over whole-split predictions.

Intervals cover the draw of images alone: neither another training run nor another dataset.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sk

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.evaluation.bootstrap import (
    RESAMPLES,
    WeightedMetrics,
    joined,
    stratified_resamples,
)
from fakeface_bench.evaluation.intervals import (
    percentile,
    recall_at_estimate,
    roc_auc_estimate,
    share_estimate,
)
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import (
    ECE_BINS,
    Columns,
    FloatArray,
    LabelArray,
    ScoredSplit,
    is_of_fakes,
    part_members,
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of `METRICS`: all that a further metric takes.

    Its interval comes from resamples, one after another, unless it has an `estimate` of its own;
    `evaluation.bootstrap.WeightedMetrics` computes those that are known there in all resamples at
    once.

    Attributes:
        title: One line for `fakeface-bench list`.
        of_labels: From y_true and y_pred, both 0 or 1; or None.
        of_scores: From y_true and the probability of fake; or None.
        estimate: From the same to its value and interval; or None.
        formula: For the reference: *s* is the probability of fake, TP a fake predicted fake.
        least_real: Of fewer real images it is not told: its interval would hold too little.
    """

    title: str
    greater_is_better: bool
    of_labels: Callable[[LabelArray, LabelArray], float] | None = None
    of_scores: Callable[[LabelArray, FloatArray], float] | None = None
    least_real: int = 1
    estimate: Callable[[LabelArray, FloatArray], Estimate] | None = None
    formula: str = ""

    def of(self, y_true: LabelArray, y_score: FloatArray, threshold: float) -> float:
        """Return its value; see `score_metrics`."""
        if self.of_labels is not None:
            return float(self.of_labels(y_true, (y_score >= threshold).astype(np.uint8)))
        assert self.of_scores is not None
        return float(self.of_scores(y_true, y_score))


def expected_calibration_error(y_true: LabelArray, y_score: FloatArray) -> float:
    """Return the mean gap between predicted probability of fake and share of fakes.

    Over 15 bins of equal width, weighted by the images in each (arXiv:1706.04599, section 2,
    for the positive class).
    """
    bins = np.minimum((y_score * ECE_BINS).astype(int), ECE_BINS - 1)
    images = np.bincount(bins, minlength=ECE_BINS)
    gaps = np.bincount(bins, weights=y_score - y_true, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / images.sum())


def recall_at_false_alarms(y_true: LabelArray, y_score: FloatArray, most: float) -> float:
    """Return the share of fakes found at the lowest threshold with so few false alarms.

    The field's TPR at FPR, whatever threshold a model has. Of few real images, fewer than
    1 / `most`, none at all may be predicted fake.

    Args:
        y_true: 1 for fake, both classes present, shape (n,).
        y_score: Any monotone score, shape (n,).
        most: Share of the real images that may be predicted fake.
    """
    false_alarms, found, _ = sk.roc_curve(y_true, y_score, drop_intermediate=False)
    return float(found[false_alarms <= most].max())


METRICS: Mapping[str, Metric] = {
    "accuracy": Metric(
        "share of images predicted correctly",
        True,
        of_labels=sk.accuracy_score,
        formula="(TP + TN) / n",
    ),
    "balanced_accuracy": Metric(
        "mean of the two classes' recalls",
        True,
        of_labels=sk.balanced_accuracy_score,
        formula="(TP / (TP + FN) + TN / (TN + FP)) / 2",
    ),
    "precision_fake": Metric(
        "share of fakes among images predicted fake",
        True,
        of_labels=lambda y, p: sk.precision_score(y, p, pos_label=FAKE, zero_division=0.0),
        formula="TP / (TP + FP); 0 where nothing is predicted fake",
    ),
    "recall_fake": Metric(
        "share of fakes predicted fake",
        True,
        of_labels=lambda y, p: sk.recall_score(y, p, pos_label=FAKE, zero_division=0.0),
        formula="TP / (TP + FN)",
    ),
    "f1_fake": Metric(
        "F1 of fake",
        True,
        of_labels=lambda y, p: sk.f1_score(y, p, pos_label=FAKE, zero_division=0.0),
        formula="2 TP / (2 TP + FP + FN)",
    ),
    "f1_real": Metric(
        "F1 of real",
        True,
        of_labels=lambda y, p: sk.f1_score(y, p, pos_label=REAL, zero_division=0.0),
        formula="2 TN / (2 TN + FN + FP)",
    ),
    "f1_macro": Metric(
        "mean of both F1",
        True,
        of_labels=lambda y, p: sk.f1_score(y, p, average="macro", zero_division=0.0),
        formula="(f1_fake + f1_real) / 2",
    ),
    "roc_auc": Metric(
        "area under the ROC curve",
        True,
        of_scores=sk.roc_auc_score,
        estimate=roc_auc_estimate,
        formula="share of pairs of a fake and a real image in which the fake "
        "scores higher, ties half",
    ),
    "average_precision": Metric(
        "area under the precision-recall curve of fake",
        True,
        of_scores=sk.average_precision_score,
        formula="sum over thresholds of (recall gained × precision), without interpolation",
    ),
    "recall_at_1pct_fpr": Metric(
        "share of fakes found with at most 1 % of real images predicted fake",
        True,
        of_scores=lambda y, s: recall_at_false_alarms(y, s, 0.01),
        least_real=200,  # two of which are 1 %
        estimate=lambda y, s: recall_at_estimate(y, s, 0.01),
        formula="highest TP / (TP + FN) of the thresholds with FP / (FP + TN) ≤ 0.01",
    ),
    "recall_at_5pct_fpr": Metric(
        "share of fakes found with at most 5 % of real images predicted fake",
        True,
        of_scores=lambda y, s: recall_at_false_alarms(y, s, 0.05),
        least_real=40,
        estimate=lambda y, s: recall_at_estimate(y, s, 0.05),
        formula="highest TP / (TP + FN) of the thresholds with FP / (FP + TN) ≤ 0.05",
    ),
    "log_loss": Metric(
        "mean negative log-likelihood, in nats",
        False,
        of_scores=lambda y, s: sk.log_loss(y, s, labels=[REAL, FAKE]),
        formula="mean of −ln(s) of fakes and −ln(1 − s) of real images",
    ),
    "brier": Metric(
        "mean squared error of the probability",
        False,
        of_scores=sk.brier_score_loss,
        formula="mean of (s − y)², y 1 for fake",
    ),
    "ece": Metric(
        f"expected calibration error, {ECE_BINS} bins",
        False,
        of_scores=expected_calibration_error,
        formula="sum over 15 bins of s of (images in the bin / n) × |mean of s − share of fakes|",
    ),
}


#: What `estimates` returns of a set with both classes.
ESTIMATED = (*METRICS, "false_alarm_rate")


def score_metrics(y_true: LabelArray, y_score: FloatArray, threshold: float) -> dict[str, float]:
    """Return every row of `METRICS` for one split, less those that need more real images.

    Args:
        y_true: 1 for fake, shape (n,), both classes present.
        y_score: Probability of fake, within 0 and 1, shape (n,).
        threshold: Score from which an image is predicted fake.
    """
    reals = int(np.sum(y_true == REAL))
    return {
        key: row.of(y_true, y_score, threshold)
        for key, row in METRICS.items()
        if reals >= row.least_real
    }


def roc_auc(y_true: LabelArray, y_score: FloatArray) -> float:
    """Return the area under the ROC curve; any monotone score will do."""
    return float(sk.roc_auc_score(y_true, y_score))


def part_metrics(
    y_true: LabelArray, y_score: FloatArray, threshold: float, rows: Columns
) -> dict[str, Mapping[str, float]]:
    """Return figures by part, the parts named as in MLflow's metrics.

    A source (where there are several) gets `images` and every row of `METRICS`, or, where the
    split holds one class of it only, its accuracy. A generator or tier, which is fakes alone, gets
    `images`, `recall_fake` and, against all real images, `roc_auc`.

    Args:
        y_true: 1 for fake, shape (n,).
        y_score: Probability of fake, shape (n,).
        threshold: Score from which an image is predicted fake.
        rows: Columns `source`, `generator` and `tier`, n rows.
    """
    right = (y_score >= threshold) == y_true
    parts: dict[str, Mapping[str, float]] = {}
    for part, of in part_members(y_true, rows).items():
        found = {"images": float(of.sum())}
        share = float(right[of].mean())
        if is_of_fakes(part):
            against = of | (y_true == REAL)
            found["recall_fake"] = share
            if against.sum() > of.sum():
                found["roc_auc"] = roc_auc(y_true[against], y_score[against])
        else:
            found["accuracy"] = share
            if len(set(y_true[of])) > 1:
                found |= score_metrics(y_true[of], y_score[of], threshold)
        parts[part] = found
    return parts


def with_metrics(split: ScoredSplit) -> ScoredSplit:
    """Return a split with every metric of its scores at its threshold, its parts' too."""
    y_true, y_score, threshold = split.y_true, split.y_score, split.threshold
    return replace(
        split,
        metrics=score_metrics(y_true, y_score, threshold),
        parts=part_metrics(y_true, y_score, threshold, split.described),
    )


def estimates(
    y_true: LabelArray, y_score: FloatArray, threshold: float, seed: int = 0
) -> dict[str, Estimate]:
    """Return what `score_metrics` does, and `false_alarm_rate`, each with its 95 % interval.

    Shares of a fixed number of images (accuracy, recall, false alarms) have the Wilson interval,
    ROC AUC, recall at a rate of false alarms and the calibration error ones of their own, the rest
    the percentile interval of 1000 stratified bootstrap resamples. Of one class only,
    `recall_fake` (fakes) or `false_alarm_rate` (reals) is all that is defined.

    Args:
        y_true: 1 for fake, shape (n,), at least one image.
        y_score: Probability of fake, within 0 and 1, shape (n,).
        threshold: Score from which an image is predicted fake.
    """
    shares = _shares(y_true, y_score >= threshold)
    if len(np.unique(y_true)) == 1:
        return {key: share for key, share in shares.items() if key != "accuracy"}
    resampled = _resampled(y_true, y_score, threshold, seed)
    found = {}
    for key, value in score_metrics(y_true, y_score, threshold).items():
        own = METRICS[key].estimate
        spread = own(y_true, y_score) if own else percentile(value, resampled[key])
        found[key] = _around(spread)
    error = found["ece"].value
    chance = _calibration_error_by_chance(y_score, seed)
    found["ece"] = _mirrored(error, resampled["ece"], chance)
    return found | shares


def part_estimates(
    y_true: LabelArray,
    y_score: FloatArray,
    threshold: float,
    rows: Columns,
) -> dict[str, dict[str, Estimate]]:
    """Return `estimates` of each source and generator (where there are several) and each tier.

    A generator or tier is its fakes against all real images.

    Args:
        y_true: 1 for fake, shape (n,).
        y_score: Probability of fake, within 0 and 1, shape (n,).
        threshold: Score from which an image is predicted fake.
        rows: Columns `source`, `generator` and `tier`, n rows.
    """
    found = {}
    for part, members in part_members(y_true, rows).items():
        of = members | (y_true == REAL) if is_of_fakes(part) else members
        found[part] = estimates(y_true[of], y_score[of], threshold)
    return found


def _shares(y_true: LabelArray, predicted_fake: npt.NDArray[np.bool_]) -> dict[str, Estimate]:
    """Return the shares of a fixed number of images, of those classes that are there."""
    rows = {
        "accuracy": predicted_fake == (y_true == FAKE),
        "recall_fake": predicted_fake[y_true == FAKE],
        "false_alarm_rate": predicted_fake[y_true == REAL],
    }
    return {key: share_estimate(hits) for key, hits in rows.items() if len(hits)}


def _resampled(
    y_true: LabelArray, y_score: FloatArray, threshold: float, seed: int
) -> Mapping[str, FloatArray]:
    """Return every metric in each resample, by key, shape (1000,)."""
    weighted = WeightedMetrics(y_true, y_score, threshold)
    portions = []
    for resamples in stratified_resamples(y_true, seed):
        known = weighted.metrics(resamples.counts)
        for key in METRICS.keys() - known.keys():
            row = METRICS[key]
            drawn = (np.repeat(np.arange(len(y_true)), n.astype(int)) for n in resamples.counts.T)
            values = [row.of(y_true[rows], y_score[rows], threshold) for rows in drawn]
            known[key] = np.array(values)
        portions.append(known)
    return joined(portions)


def _mirrored(error: float, resampled: FloatArray, chance: float) -> Estimate:
    """Return the interval of a calibration error, which chance raises, and resampling again.

    Resamples lie above the error as it lies above the truth, so their quantiles are mirrored at
    it (the basic bootstrap interval: Davison & Hinkley (1997), "Bootstrap methods and their
    application", section 5.2). Where the error is no larger than a perfectly calibrated model
    would show, the interval begins at 0.
    """
    spread = percentile(error, resampled)
    low = 0.0 if error <= chance else max(0.0, 2 * error - spread.high)
    return Estimate(error, min(low, error), max(error, 2 * error - spread.low))


def _calibration_error_by_chance(y_score: FloatArray, seed: int) -> float:
    """Return the calibration error that a calibrated model exceeds once in forty sets like this.

    Labels are drawn as the scores say. Source: Bröcker & Smith (2007), "Increasing the
    reliability of reliability diagrams".
    """
    rng = np.random.default_rng((seed, len(y_score)))
    return float(
        np.quantile(
            [
                expected_calibration_error(_labels_drawn(rng, y_score), y_score)
                for _ in range(RESAMPLES)
            ],
            0.975,
        )
    )


def _labels_drawn(rng: np.random.Generator, y_score: FloatArray) -> LabelArray:
    return (rng.random(len(y_score)) < y_score).astype(np.uint8)


def _around(found: Estimate) -> Estimate:
    """Widen an interval to its value, which rounding, or few resamples, may put outside."""
    return replace(found, low=min(found.value, found.low), high=max(found.value, found.high))

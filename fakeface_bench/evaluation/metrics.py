"""Every figure of merit, as a literal table over whole-split predictions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn import metrics as sk

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.records import ECE_BINS, FloatArray, LabelArray


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of `METRICS`.

    Attributes:
        title: One line for `fakeface-bench list`.
        greater_is_better: As in scikit-learn's scorers.
        of_labels: From y_true and y_pred, both 0 or 1; or None.
        of_scores: From y_true and the probability of fake; or None.
    """

    title: str
    greater_is_better: bool
    of_labels: Callable[[LabelArray, LabelArray], float] | None = None
    of_scores: Callable[[LabelArray, FloatArray], float] | None = None


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
    1 / `most`, none at all may be called fake.

    Args:
        y_true: 1 for fake, both classes present, shape (n,).
        y_score: Any monotone score, shape (n,).
        most: Share of the real images that may be called fake.
    """
    false_alarms, found, _ = sk.roc_curve(y_true, y_score, drop_intermediate=False)
    return float(found[false_alarms <= most].max())


METRICS: Mapping[str, Metric] = {
    "accuracy": Metric("share of images called rightly", True, of_labels=sk.accuracy_score),
    "balanced_accuracy": Metric(
        "mean of the two classes' recalls", True, of_labels=sk.balanced_accuracy_score
    ),
    "precision_fake": Metric(
        "share of fakes among images called fake",
        True,
        of_labels=lambda y, p: sk.precision_score(y, p, pos_label=FAKE, zero_division=0.0),
    ),
    "recall_fake": Metric(
        "share of fakes called fake",
        True,
        of_labels=lambda y, p: sk.recall_score(y, p, pos_label=FAKE, zero_division=0.0),
    ),
    "f1_fake": Metric(
        "F1 of fake",
        True,
        of_labels=lambda y, p: sk.f1_score(y, p, pos_label=FAKE, zero_division=0.0),
    ),
    "f1_real": Metric(
        "F1 of real",
        True,
        of_labels=lambda y, p: sk.f1_score(y, p, pos_label=REAL, zero_division=0.0),
    ),
    "f1_macro": Metric(
        "mean of both F1",
        True,
        of_labels=lambda y, p: sk.f1_score(y, p, average="macro", zero_division=0.0),
    ),
    "roc_auc": Metric("area under the ROC curve", True, of_scores=sk.roc_auc_score),
    "average_precision": Metric(
        "area under the precision-recall curve of fake",
        True,
        of_scores=sk.average_precision_score,
    ),
    "recall_at_1pct_fpr": Metric(
        "share of fakes found with at most 1 % of real images called fake",
        True,
        of_scores=lambda y, s: recall_at_false_alarms(y, s, 0.01),
    ),
    "recall_at_5pct_fpr": Metric(
        "share of fakes found with at most 5 % of real images called fake",
        True,
        of_scores=lambda y, s: recall_at_false_alarms(y, s, 0.05),
    ),
    "log_loss": Metric(
        "mean negative log-likelihood, in nats",
        False,
        of_scores=lambda y, s: sk.log_loss(y, s, labels=[REAL, FAKE]),
    ),
    "brier": Metric("mean squared error of the probability", False, of_scores=sk.brier_score_loss),
    "ece": Metric(
        f"expected calibration error, {ECE_BINS} bins", False, of_scores=expected_calibration_error
    ),
}


def score_metrics(y_true: LabelArray, y_score: FloatArray, threshold: float) -> dict[str, float]:
    """Return every row of `METRICS` for one split.

    Args:
        y_true: 1 for fake, shape (n,), both classes present.
        y_score: Probability of fake, within 0 and 1, shape (n,).
        threshold: Score from which an image is called fake.
    """
    y_pred = (y_score >= threshold).astype(np.uint8)
    figures = {}
    for key, row in METRICS.items():
        if row.of_labels is not None:
            figures[key] = float(row.of_labels(y_true, y_pred))
        elif row.of_scores is not None:
            figures[key] = float(row.of_scores(y_true, y_score))
    return figures


def roc_auc(y_true: LabelArray, y_score: FloatArray) -> float:
    """Return the area under the ROC curve; any monotone score will do."""
    return float(sk.roc_auc_score(y_true, y_score))

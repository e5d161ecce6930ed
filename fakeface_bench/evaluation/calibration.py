"""What is chosen on validation after the last fit: a decision threshold and Platt's map."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve

from fakeface_bench.models.head import Calibration
from fakeface_bench.records import FloatArray, LabelArray


def choose_threshold(y_true: LabelArray, y_score: FloatArray) -> float:
    """Return the score from which to call an image fake: the best balanced accuracy.

    Of equally good thresholds the one nearest to 0.5 is taken, and it is placed half-way between
    the two neighbouring scores, so that it does not hang on a single image's last digit.
    """
    false_alarms, recall, thresholds = roc_curve(y_true, y_score, drop_intermediate=False)
    balanced = recall - false_alarms
    scores = np.concatenate([[0.0], np.unique(y_score), [1.0]])
    best = thresholds[balanced >= balanced.max() - 1e-12]
    if scores[-2] == 1.0:  # then no threshold within 0 and 1 calls every image real
        best = best[np.isfinite(best)]
    candidates = []
    for threshold in np.minimum(best, 1.0):
        below = max(scores[scores < threshold], default=threshold)
        middle = (threshold + below) / 2
        candidates.append(middle if middle > below else threshold)  # neighbours have no middle
    return float(min(candidates, key=lambda candidate: abs(candidate - 0.5)))


def platt(y_true: LabelArray, margins: FloatArray) -> Calibration:
    """Fit a probability to margins by logistic regression (Platt 1999).

    Targets are Platt's: (n₊+1)/(n₊+2) and 1/(n₋+2) in place of 1 and 0, which keeps the slope
    finite where the classes separate.
    """
    positives, negatives = int(np.sum(y_true == 1)), int(np.sum(y_true == 0))
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    target = np.where(y_true == 1, high, low)
    doubled = np.concatenate([margins, margins])[:, None]
    labels = np.repeat([1, 0], len(margins))
    model = LogisticRegression(C=np.inf, max_iter=1000)
    model.fit(doubled, labels, sample_weight=np.concatenate([target, 1 - target]))
    return Calibration(scale=float(model.coef_[0, 0]), offset=float(model.intercept_[0]))

"""The figures of a split's parts: each dataset among several, each tier of difficulty."""

from collections.abc import Mapping

import pandas as pd

from fakeface_bench.evaluation.metrics import score_metrics
from fakeface_bench.records import TIER_PART, FloatArray, LabelArray, part_members


def part_metrics(
    y_true: LabelArray, y_score: FloatArray, threshold: float, rows: pd.DataFrame
) -> dict[str, Mapping[str, float]]:
    """Return figures by part, the parts named as in MLflow's metrics.

    A source (where there are several) gets `images` and every row of `METRICS`, or, where the
    split holds one class of it only, its accuracy. A tier, `tier/` and its name, holds fakes
    alone, and gets `images` and `recall_fake`.

    Args:
        y_true: 1 for fake, shape (n,).
        y_score: Probability of fake, shape (n,).
        threshold: Score from which an image is called fake.
        rows: Columns `source` and `tier`, n rows.
    """
    right = (y_score >= threshold) == y_true
    parts: dict[str, Mapping[str, float]] = {}
    for part, of in part_members(y_true, rows["source"], rows["tier"]).items():
        share = float(right[of].mean())
        whole = len(set(y_true[of])) > 1
        figures = score_metrics(y_true[of], y_score[of], threshold) if whole else {}
        name = "recall_fake" if part.startswith(TIER_PART) else "accuracy"
        parts[part] = {"images": float(of.sum()), name: share, **figures}
    return parts

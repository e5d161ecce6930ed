"""The figures of a split's parts: each dataset among several, each tier of difficulty."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fakeface_bench.config import FAKE
from fakeface_bench.evaluation.metrics import score_metrics
from fakeface_bench.records import FloatArray, LabelArray


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
    sources = rows["source"].to_numpy(object)
    for source in sorted(set(sources)) if len(set(sources)) > 1 else ():
        of = sources == source
        whole = len(set(y_true[of])) > 1
        figures = score_metrics(y_true[of], y_score[of], threshold) if whole else {}
        parts[source] = {"images": float(of.sum()), "accuracy": float(right[of].mean()), **figures}
    tiers = np.where(y_true == FAKE, rows["tier"].to_numpy(object), "")
    for tier in sorted(set(tiers) - {""}):
        of = tiers == tier
        parts[f"tier/{tier}"] = {"images": float(of.sum()), "recall_fake": float(right[of].mean())}
    return parts

"""The shortcut floor: how well the classes can be told apart without looking at a picture.

Datasets whose fakes were saved by another program, or at another size, than their reals let a
network score high for the wrong reason. A small classifier that is shown the files' metadata alone
measures how much there is to be had that way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from fakeface_bench.config import FAKE
from fakeface_bench.data.publish import cached_arrays, content_key
from fakeface_bench.evaluation.intervals import roc_auc_interval
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.folders import cache_folder
from fakeface_bench.records import FloatArray, LabelArray, ShortcutFloor

#: Facts by what a reader calls them.
FACT_GROUPS: Mapping[str, tuple[str, ...]] = {
    "file size": ("size",),
    "dimensions": ("width", "height"),
    "mode and format": ("mode", "format", "frames", "wrong_extension"),
    "JPEG quantisation": ("quantisation", "quality", "subsampling", "progressive"),
    "EXIF and ICC": ("exif", "icc"),
}
FOLDS = 5
#: Other folds each time; the scores are averaged.
REPEATS = 3
#: More images than this would narrow the interval by less than 0.01.
MOST_IMAGES = 20_000
#: Fewer than this of either class tell nothing.
LEAST_IMAGES = 20
#: Raise it with any change here that alters a figure.
FLOOR_VERSION = 1

_CATEGORIES = ("mode", "format", "quantisation", "subsampling")
#: The rarest categories beyond this many count as one.
_MOST_CATEGORIES = 50


def shortcut_floor(files: pd.DataFrame) -> ShortcutFloor | None:
    """Return what metadata alone score, cross-validated; None where a class has under 20 images.

    Three times five folds over the images that a study would use (at most 20,000 of them, by
    their digests), no group of copies divided. The result is kept for an unchanged dataset.

    Args:
        files: As `data.selection.select_files` returns them.
    """
    rows = files[files["left_out"] == ""].sort_values(["digest", "label", "source", "path"])
    rows = rows.iloc[np.linspace(0, len(rows) - 1, min(len(rows), MOST_IMAGES)).astype(int)]
    if min(int((rows["label"] == FAKE).sum()), int((rows["label"] != FAKE).sum())) < LEAST_IMAGES:
        return None

    def measure(_: Path) -> Mapping[str, Any]:
        return asdict(_measure(rows))

    return ShortcutFloor(**cached_arrays(cache_folder("shortcut") / _key(rows), measure).facts)


def _key(rows: pd.DataFrame) -> str:
    facts = [name for names in FACT_GROUPS.values() for name in names]
    seen = rows[["digest", "label", "group", *facts]]
    return content_key(
        {
            "images": seen.astype(str).to_numpy().tolist(),
            "version": FLOOR_VERSION,
            "sklearn": sklearn.__version__,
        }
    )


def _measure(rows: pd.DataFrame) -> ShortcutFloor:
    y_true = rows["label"].to_numpy(np.uint8)
    every = [name for names in FACT_GROUPS.values() for name in names]
    y_score = _cross_validated(rows, every, y_true)
    figure, interval = roc_auc(y_true, y_score), roc_auc_interval(y_true, y_score)
    return ShortcutFloor(
        roc_auc=figure,
        low_95=min(interval.low, figure),
        high_95=max(interval.high, figure),
        images=len(rows),
        alone={
            title: max(0.5, roc_auc(y_true, _cross_validated(rows, names, y_true)))
            for title, names in FACT_GROUPS.items()
        },
    )


def _cross_validated(rows: pd.DataFrame, names: Sequence[str], y_true: LabelArray) -> FloatArray:
    """Return each image's probability of fake, from classifiers that never saw its group.

    Classes weigh the same in each fold: a fold with few fakes would otherwise get lower scores
    than one with many, and a fact that tells nothing an AUC below one half.
    """
    facts = pd.DataFrame({name: _as_numbers(rows[name]) for name in names})
    varying = [name for name in names if facts[name].nunique() > 1]
    if not varying:
        return np.full(len(rows), 0.5)
    classifier = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=5,
        class_weight="balanced",
        categorical_features=[name for name in varying if name in _CATEGORIES],
        early_stopping=False,
        random_state=0,
    )
    groups = pd.factorize(rows["group"])[0]
    with threadpool_limits(1):  # threads cost such small trees more than they gain
        repeats = [
            cross_val_predict(
                classifier,
                facts[varying],
                y_true,
                groups=groups,
                cv=GroupKFold(FOLDS, shuffle=True, random_state=number),
                method="predict_proba",
            )[:, 1]
            for number in range(REPEATS)
        ]
    return np.asarray(np.mean(repeats, axis=0), dtype=np.float64)


def _as_numbers(values: pd.Series) -> FloatArray:
    """Number categories from the most frequent one on; other facts are numbers already."""
    if values.name not in _CATEGORIES:
        return values.to_numpy(np.float64)
    order = values.value_counts().reset_index().sort_values(["count", values.name])
    rank = {name: place for place, name in enumerate(order[values.name][::-1])}
    numbers: FloatArray = values.map(rank).to_numpy(np.float64)
    return np.minimum(numbers, _MOST_CATEGORIES)

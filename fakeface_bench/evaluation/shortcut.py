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
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from threadpoolctl import threadpool_limits

from fakeface_bench.data.array_store import cached_arrays, content_key
from fakeface_bench.evaluation.intervals import cross_validated, roc_auc_estimate
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import FloatArray, LabelArray, ShortcutFloor
from fakeface_bench.support.disk import cache_folder

#: Facts by what a reader calls them.
FACT_GROUPS: Mapping[str, tuple[str, ...]] = {
    "file size": ("size",),
    "dimensions": ("width", "height"),
    "mode and format": ("mode", "format", "frames", "wrong_extension"),
    "JPEG quantisation": ("quantisation", "quality", "subsampling", "progressive"),
    "EXIF and ICC": ("exif", "icc"),
}
_FACTS = [name for names in FACT_GROUPS.values() for name in names]
FOLDS = 5
#: Other folds each time.
REPEATS = 2
#: More images than this would narrow the interval by less than 0.01.
MOST_IMAGES = 20_000
#: Fewer than this of either class tell nothing.
LEAST_IMAGES = 20
#: Raise it with any change here that alters a figure.
FLOOR_VERSION = 2

_CATEGORIES = ("mode", "format", "quantisation", "subsampling")
#: The rarest categories beyond this many count as one.
_MOST_CATEGORIES = 50


def shortcut_floors(files: pd.DataFrame) -> dict[str, ShortcutFloor]:
    """Return the floor of all files, under the empty name, and of each of several sources.

    One that has too few images of a class to be measured is absent.

    Args:
        files: As `data.selection.select_files` returns them.
    """
    parts = {"": files}
    if files["source"].nunique() > 1:
        parts |= {str(source): rows for source, rows in files.groupby("source")}
    floors = {name: shortcut_floor(rows) for name, rows in parts.items()}
    return {name: floor for name, floor in floors.items() if floor is not None}


def shortcut_floor(files: pd.DataFrame) -> ShortcutFloor | None:
    """Return what metadata alone score, cross-validated; None where a class has under 20 pictures.

    Two times five folds over the pictures that a study would use, one file of all copies and
    twins (and label: a manipulation counts beside its original), at most 20,000. The result is kept
    for an unchanged dataset.

    Args:
        files: As `data.selection.select_files` returns them.
    """
    rows = one_of_each_group(files, MOST_IMAGES)
    if rows is None:
        return None

    def measure(_: Path) -> Mapping[str, Any]:
        return asdict(_measure(rows))

    return ShortcutFloor(**cached_arrays(cache_folder("shortcut") / _key(rows), measure).facts)


def one_of_each_group(files: pd.DataFrame, most: int) -> pd.DataFrame | None:
    """Return at most so many pictures that a study would use, one of all twins and label.

    None where either class has under 20 of them.

    Args:
        files: As `data.selection.select_files` returns them.
    """
    rows = files[files["left_out"] == ""].sort_values(["digest", "label", "source", "path"])
    rows = rows.drop_duplicates(["kin", "label"])
    rows = rows.iloc[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int)]
    enough = np.bincount(rows["label"], minlength=2).min() >= LEAST_IMAGES
    return rows if enough else None


def _key(rows: pd.DataFrame) -> str:
    seen = rows[["digest", "label", *_FACTS]]
    return content_key(
        {
            "images": seen.astype(str).to_numpy().tolist(),
            "version": FLOOR_VERSION,
            "sklearn": sklearn.__version__,
        }
    )


def _measure(rows: pd.DataFrame) -> ShortcutFloor:
    found = roc_auc_over_folds(_roc_auc_by_fold(rows, _FACTS))
    return ShortcutFloor(
        roc_auc=found.value,
        low_95=found.low,
        high_95=found.high,
        images=len(rows),
        alone={
            title: max(0.5, float(_roc_auc_by_fold(rows, names).mean()))
            for title, names in FACT_GROUPS.items()
        },
        one_fact_high=max(
            fact_high(rows["label"].to_numpy(), rows[name].to_numpy(np.float64))
            for name in _FACTS
            if name not in _CATEGORIES
        ),
    )


def fact_high(labels: LabelArray, fact: FloatArray) -> float:
    """Return the upper end of the 95 % interval of a fact's ROC AUC, whichever class has more.

    Args:
        labels: 1 for fake, both classes present, shape (n,).
        fact: NaN where a file has none, shape (n,).
    """
    known = np.nan_to_num(fact, nan=-1.0)
    if np.ptp(known) == 0:
        return 0.5
    found = roc_auc_estimate(labels, known)
    return max(found.high, 1 - found.low)


def _roc_auc_by_fold(rows: pd.DataFrame, names: Sequence[str]) -> FloatArray:
    """Return the ROC AUC of each fold of each repeat, of classifiers that never saw the fold."""
    facts = pd.DataFrame({name: _as_numbers(rows[name]) for name in names})
    varying = [name for name in names if facts[name].nunique() > 1]
    if not varying:
        return np.full(FOLDS * REPEATS, 0.5)
    classifier = HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=50,
        max_leaf_nodes=8,
        min_samples_leaf=5,
        class_weight="balanced",
        categorical_features=[name for name in varying if name in _CATEGORIES],
        early_stopping=False,
        random_state=0,
    )
    return roc_auc_by_fold(classifier, facts[varying], rows["label"])


def roc_auc_by_fold(classifier: Any, features: Any, labels: Any) -> FloatArray:
    """Return the ROC AUC of each fold of each repeat, of a classifier fitted on the others."""
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=0)
    with threadpool_limits(1):  # threads cost such small classifiers more than they gain
        scores = cross_val_score(classifier, features, labels, cv=folds, scoring="roc_auc")
    return np.asarray(scores, dtype=np.float64)


def roc_auc_over_folds(by_fold: FloatArray) -> Estimate:
    """Return the mean of `roc_auc_by_fold` with its interval, within 0 and 1."""
    found = cross_validated(by_fold, FOLDS)
    return Estimate(found.value, max(0.0, found.low), min(1.0, found.high))


def _as_numbers(values: pd.Series) -> FloatArray:
    """Number categories from the most frequent one on; other facts are numbers already."""
    if values.name not in _CATEGORIES:
        return values.to_numpy(np.float64)
    order = values.value_counts().reset_index().sort_values(["count", values.name])
    rank = {name: place for place, name in enumerate(order[values.name][::-1])}
    numbers: FloatArray = values.map(rank).to_numpy(np.float64)
    return np.minimum(numbers, _MOST_CATEGORIES)

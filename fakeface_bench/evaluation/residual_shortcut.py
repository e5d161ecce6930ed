"""What residual statistics alone score on a dataset, and what is left of that once it is equalised.

Without any network they tell generated faces from real ones, and as well pictures that were saved,
scaled or filtered in different ways: a detector and a reader of processing history alike. What one
JPEG of all pictures takes away was compression history, or as fine as it; so with one size.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fakeface_bench.config import logistic_regression
from fakeface_bench.data.array_store import cached_arrays, content_key
from fakeface_bench.data.decode import (
    AS_THEY_ARE,
    DECODER,
    Equalisation,
    decode_bytes,
    seen_pixels,
)
from fakeface_bench.data.equalising import common_quality
from fakeface_bench.evaluation.shortcut import (
    one_of_each_group,
    roc_auc_by_fold,
    roc_auc_over_folds,
)
from fakeface_bench.features.quick_residuals import statistics_of
from fakeface_bench.features.residual_statistics import (
    BLOCK,
    RESIDUALS_VERSION,
)
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import ResidualShortcut
from fakeface_bench.support.disk import cache_folder
from fakeface_bench.support.progress import Progress

#: Pictures that are read, twice each: enough for an interval of about ±0.03.
MOST_IMAGES = 600
#: Side of the centre that is read, in pixels; less where a picture in twenty is smaller.
SIDE, LEAST_SIDE = 224, 32
#: Raise it with any change here that alters a figure.
_VERSION = 1


def residual_shortcut(
    files: pd.DataFrame,
    folders: Mapping[str, Path],
    progress: Progress,
    equalisation: Equalisation = AS_THEY_ARE,
) -> ResidualShortcut | None:
    """Return what residual statistics alone score; None where a class has under 20 pictures.

    Logistic regression as studies fit it, cross-validated as the shortcut floor is, over at most
    600 pictures. The result is kept for an unchanged dataset.

    Args:
        files: As `data.selection.select_files` returns them.
        folders: Of each source.
        equalisation: What is tried; by default a JPEG of the files' common quality.

    Raises:
        DataError: If a picture cannot be decoded any more.
    """
    rows = one_of_each_group(files, MOST_IMAGES)
    if rows is None:
        return None
    if equalisation == AS_THEY_ARE:
        equalisation = Equalisation(0, common_quality(files[files["left_out"] == ""]))
    key = {
        "images": rows[["digest", "label"]].astype(str).to_numpy().tolist(),
        "quality": equalisation.jpeg_quality,
        **({"canvas": equalisation.side} if equalisation.side else {}),
        "statistics": RESIDUALS_VERSION,
        "decoder": DECODER,
        "sklearn": sklearn.__version__,
        "version": _VERSION,
    }

    def measure(_: Path) -> Mapping[str, Any]:
        paths = [
            folders[source] / path
            for source, path in zip(rows["source"], rows["path"], strict=True)
        ]
        scores = []
        with progress.stage("residual statistics", 2 * len(paths), "images") as advance:
            for passed in (AS_THEY_ARE, equalisation):
                statistics = _statistics(paths, _side(rows, passed), passed)
                scores.append(_score(statistics, rows["label"].to_numpy()))
                advance(len(paths))
        return {"scores": [asdict(score) for score in scores]}

    kept = cached_arrays(cache_folder("shortcut") / content_key(key), measure).facts["scores"]
    untouched, equalised = (Estimate(**score) for score in kept)
    return ResidualShortcut(
        untouched, equalised, equalisation.jpeg_quality, len(rows), equalisation.side
    )


def _side(rows: pd.DataFrame, passed: Equalisation) -> int:
    """Return what nineteen pictures of twenty have without being scaled up, in whole blocks."""
    smallest = passed.side or float(rows[["width", "height"]].min(axis=1).quantile(0.05))
    return int(np.clip(smallest, LEAST_SIDE, SIDE)) // BLOCK * BLOCK


def _statistics(paths: Sequence[Path], side: int, passed: Equalisation) -> npt.NDArray[np.float32]:
    def of_one(path: Path) -> npt.NDArray[np.float32]:
        pixels = seen_pixels(decode_bytes(path), side, "crop", passed)
        return statistics_of(pixels)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return np.stack(list(threads.map(of_one, paths)))


def _score(statistics: npt.NDArray[np.float32], labels: npt.NDArray[Any]) -> Estimate:
    """Return the ROC AUC of folds that the classifier never saw."""
    penalty = logistic_regression().C
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=penalty, class_weight="balanced", max_iter=100)
    )
    return roc_auc_over_folds(roc_auc_by_fold(classifier, statistics, labels))

"""What the kept models call alike, and the images that all of them got wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeface_bench.records import ComparedStudy, FloatArray

CountArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The kept models' calls on the n test images.

    Attributes:
        confusions: Images by true class (rows) and class called, of each model, shape (k, 2, 2).
        same_calls: Share of images that two models call alike, shape (k, k).
        both_wrong: Images that two models both got wrong, shape (k, k).
        wrong_by_all: Positions of the images that all got wrong, the most surely wrong first.
    """

    confusions: CountArray
    same_calls: FloatArray
    both_wrong: CountArray
    wrong_by_all: npt.NDArray[np.int64]


def agreement_of(studies: Sequence[ComparedStudy]) -> Agreement:
    """Count what some studies' kept models call alike and wrongly."""
    wrong = np.stack([~study.right for study in studies])
    called = np.stack([study.kept.called_fake for study in studies])
    n = wrong.shape[1]
    apart = wrong.astype(np.float64) @ (~wrong).T.astype(np.float64)
    y_true = studies[0].y_true
    return Agreement(
        confusions=np.stack([_confusion(y_true, calls) for calls in called]),
        same_calls=1 - (apart + apart.T) / n,
        both_wrong=(wrong.astype(np.float64) @ wrong.T.astype(np.float64)).astype(np.int64),
        wrong_by_all=_surest_first(studies, np.flatnonzero(wrong.all(axis=0))),
    )


def _confusion(y_true: npt.NDArray[np.uint8], called: npt.NDArray[np.bool_]) -> CountArray:
    cells = 2 * y_true.astype(np.int64) + called
    return np.bincount(cells, minlength=4).reshape(2, 2).astype(np.int64)


def _surest_first(
    studies: Sequence[ComparedStudy], positions: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Order images by the mean probability that the models gave to the wrong class."""
    scores = np.mean([study.kept.y_score[positions] for study in studies], axis=0)
    sureness = np.where(studies[0].y_true[positions] == 1, 1 - scores, scores)
    return positions[np.argsort(-sureness, kind="stable")]

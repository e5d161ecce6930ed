"""What a finished study found, with its intervals, resampled once for every table and text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import CLASS_NAMES, FAKE, REAL
from fakeface_bench.evaluation.intervals import roc_auc_estimate, share_estimate
from fakeface_bench.evaluation.metrics import score_metrics
from fakeface_bench.evaluation.paired import paired_roc_auc
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import (
    WITHOUT_TWINS,
    BaselineRecord,
    ScoredSplit,
    is_of_fakes,
    part_members,
)


@dataclass(frozen=True, slots=True)
class PartResults:
    """One source of the test split among several, or one generator or tier of its fakes.

    Attributes:
        images: Of a generator or tier its fakes alone.
        roc_auc: Of a generator or tier against all real images; None where one class is missing.
        accuracy: None for a generator or tier, which is of fakes alone.
        recall_fake: None where it holds no fake.
    """

    images: int
    roc_auc: Estimate | None
    accuracy: Estimate | None
    recall_fake: Estimate | None


@dataclass(frozen=True, slots=True)
class UnsureResults:
    """Of test images, the share that the model is unsure of, and how many others are wrong.

    `error` is None where it is unsure of all.
    """

    share: Estimate
    error: Estimate | None


@dataclass(frozen=True, slots=True)
class Results:
    """The metrics of both splits, and the threshold, by key.

    Attributes:
        valid: Of the validation split, on which threshold and options were chosen.
        estimates: Those of the test metrics that have a 95 % interval.
        valid_estimates: The same of the validation split, whose interval says nothing of how much
            the choice of options has gained by chance.
        parts: Of the test split; empty where it has none, or they are not known.
        search_gain: ROC AUC of the winner less the baseline's, on test, paired; None without one.
        unsure: What the band of unsure scores holds; None without one.
    """

    valid: Mapping[str, float]
    test: Mapping[str, float]
    estimates: Mapping[str, Estimate]
    parts: Mapping[str, PartResults] = field(default_factory=dict)
    search_gain: Estimate | None = None
    unsure: UnsureResults | None = None
    valid_estimates: Mapping[str, Estimate] = field(default_factory=dict)

    def metrics(self) -> dict[str, float]:
        """Return what is computed here alone, under its MLflow names."""
        found = {
            "val/roc_auc": self.valid_estimates.get("roc_auc"),
            "search/gain_roc_auc": self.search_gain,
            "test/unsure_share": self.unsure and self.unsure.share,
            "test/sure_error": self.unsure and self.unsure.error,
        }
        return {
            f"{name}{end}": value
            for name, estimate in found.items()
            if estimate
            for end, value in (
                ("", estimate.value),
                ("_low", estimate.low),
                ("_high", estimate.high),
            )
        }

    def columns(self) -> dict[str, Mapping[str, float]]:
        """Return the metrics of both splits, then the ends of their intervals, by column."""
        found: dict[str, Mapping[str, float]] = {"validation": self.valid, "test": self.test}
        for split, known in (("test", self.estimates), ("validation", self.valid_estimates)):
            for end in ("low", "high"):
                ends = {key: getattr(estimate, end) for key, estimate in known.items()}
                found[f"{split}_{end}_95"] = ends
        return found

    @property
    def keys(self) -> list[str]:
        """All metrics in the order of `METRICS`, then the threshold."""
        return list(dict(self.valid) | dict(self.test))


class Scored(Protocol):
    """A study, or its scores alone."""

    @property
    def valid(self) -> ScoredSplit:
        """Its validation split."""

    @property
    def test(self) -> ScoredSplit:
        """Its test split."""

    @property
    def baseline(self) -> BaselineRecord | None:
        """What its search is held against."""


def results_of(record: Scored) -> Results:
    """Return the metrics of a study with their intervals: seconds for tens of thousands."""
    test = record.test
    members = part_members(test.y_true, test.described)
    return Results(
        valid={**record.valid.metrics, "threshold": record.valid.threshold},
        test={**test.metrics, "threshold": test.threshold},
        estimates=_estimates(test),
        valid_estimates=_estimates(record.valid),
        parts={part: _part(test, part, members[part]) for part in test.parts},
        search_gain=_search_gain(record),
        unsure=_unsure(test),
    )


def _unsure(split: ScoredSplit) -> UnsureResults | None:
    if split.unsure is None:
        return None
    unsure = split.unsure.holds(split.y_score)
    wrong = ~_correct(split)[~unsure]
    return UnsureResults(share_estimate(unsure), share_estimate(wrong) if len(wrong) else None)


def twin_metrics(test: ScoredSplit) -> dict[str, float]:
    """Return the test metrics of images without a twin in training, and what they differ by.

    Nothing where no test image has one; the number of images alone where without them a class is
    missing. A difference is the metric of all less that without.
    """
    twins = np.array(test.has_twin, dtype=bool)
    if not twins.any():
        return {}
    found = {f"{WITHOUT_TWINS}/images": float((~twins).sum())}
    y_true, y_score = test.y_true[~twins], test.y_score[~twins]
    if len(set(y_true.tolist())) < len(CLASS_NAMES):
        return found
    for key, value in score_metrics(y_true, y_score, test.threshold).items():
        found[f"{WITHOUT_TWINS}/{key}"] = value
        if key in test.metrics:
            found[f"{WITHOUT_TWINS}/{key}_difference"] = test.metrics[key] - value
    return found


def _search_gain(record: Scored) -> Estimate | None:
    if record.baseline is None:
        return None
    test = record.test
    return paired_roc_auc(test.y_true, test.y_score, record.baseline.test.y_score)


def _estimates(split: ScoredSplit) -> dict[str, Estimate]:
    """Return those metrics of a whole split that have an interval."""
    return {
        "roc_auc": roc_auc_estimate(split.y_true, split.y_score),
        "accuracy": share_estimate(_correct(split)),
    }


def _correct(split: ScoredSplit) -> npt.NDArray[np.bool_]:
    """Return which images are predicted correctly, shape (n,)."""
    return np.equal(split.y_score >= split.threshold, split.y_true)


def _part(split: ScoredSplit, part: str, of: npt.NDArray[np.bool_]) -> PartResults:
    metrics, fake = split.parts[part], split.y_true[of] == FAKE
    correct = _correct(split)[of]
    against = of | (split.y_true == REAL) if is_of_fakes(part) else of
    whole = "roc_auc" in metrics
    return PartResults(
        images=len(correct),
        roc_auc=roc_auc_estimate(split.y_true[against], split.y_score[against]) if whole else None,
        accuracy=share_estimate(correct) if "accuracy" in metrics else None,
        recall_fake=share_estimate(correct[fake]) if fake.any() else None,
    )

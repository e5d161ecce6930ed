"""Every figure of a model on one set with its 95 % interval.

Intervals cover the draw of images alone: neither another training run nor another dataset.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.evaluation.intervals import (
    RESAMPLES,
    Interval,
    percentile_interval,
    wilson_interval,
)
from fakeface_bench.evaluation.metrics import expected_calibration_error, score_metrics
from fakeface_bench.evaluation.weighted import WeightedFigures, joined, stratified_resamples
from fakeface_bench.records import (
    TIER_PART,
    Estimate,
    FloatArray,
    LabelArray,
    part_members,
)


def estimates(
    y_true: LabelArray, y_score: FloatArray, threshold: float, seed: int = 0
) -> dict[str, Estimate]:
    """Return every row of `METRICS`, and `false_alarm_rate`, each with its 95 % interval.

    Shares of a fixed number of images (accuracy, recall, false alarms) have the Wilson interval,
    the calibration error one of its own, the rest the percentile interval of 1000 stratified
    bootstrap resamples. Of one class only, `recall_fake` (fakes) or `false_alarm_rate` (reals)
    is all that is defined.

    Args:
        y_true: 1 for fake, shape (n,), at least one image.
        y_score: Probability of fake, within 0 and 1, shape (n,).
        threshold: Score from which an image is called fake.
        seed: Of the resamples.
    """
    shares = _shares(y_true, y_score >= threshold)
    if len(np.unique(y_true)) == 1:
        return {key: share for key, share in shares.items() if key != "accuracy"}
    resampled = _resampled(y_true, y_score, threshold, seed)
    found = {
        key: _estimate(value, percentile_interval(resampled[key]))
        for key, value in score_metrics(y_true, y_score, threshold).items()
    }
    error = found["ece"].value
    chance = _calibration_error_by_chance(y_score, seed)
    found["ece"] = _estimate(error, _mirrored(error, resampled["ece"], chance))
    return found | shares


def part_estimates(
    y_true: LabelArray,
    y_score: FloatArray,
    threshold: float,
    sources: Iterable[str],
    tiers: Iterable[str],
) -> dict[str, dict[str, Estimate]]:
    """Return `estimates` of each source (where there are several) and of each tier of fakes.

    A tier, `tier/` and its name, is its fakes against all real images.

    Args:
        y_true: 1 for fake, shape (n,).
        y_score: Probability of fake, within 0 and 1, shape (n,).
        threshold: Score from which an image is called fake.
        sources: Name of the dataset that each image comes from, length n.
        tiers: Tier that each image's name states, else empty, length n.
    """
    found = {}
    for part, members in part_members(y_true, sources, tiers).items():
        of = members | (y_true == REAL) if part.startswith(TIER_PART) else members
        found[part] = estimates(y_true[of], y_score[of], threshold)
    return found


def _shares(y_true: LabelArray, called_fake: npt.NDArray[np.bool_]) -> dict[str, Estimate]:
    """Return the shares of a fixed number of images, of those classes that are there."""
    rows = {
        "accuracy": called_fake == (y_true == FAKE),
        "recall_fake": called_fake[y_true == FAKE],
        "false_alarm_rate": called_fake[y_true == REAL],
    }
    return {
        key: _estimate(float(hits.mean()), wilson_interval(int(hits.sum()), len(hits)))
        for key, hits in rows.items()
        if len(hits)
    }


def _resampled(
    y_true: LabelArray, y_score: FloatArray, threshold: float, seed: int
) -> Mapping[str, FloatArray]:
    """Return every figure in each resample, by key, shape (1000,)."""
    weighted = WeightedFigures(y_true, y_score, threshold)
    portions = [
        weighted.figures(resamples.counts) for resamples in stratified_resamples(y_true, seed)
    ]
    return joined(portions)


def _mirrored(error: float, resampled: FloatArray, chance: float) -> Interval:
    """Return the interval of a calibration error, which chance raises, and resampling again.

    Resamples lie above the error as it lies above the truth, so their quantiles are mirrored at
    it (the basic bootstrap interval: Davison & Hinkley (1997), "Bootstrap methods and their
    application", section 5.2). Where the error is no larger than a perfectly calibrated model
    would show, the interval begins at 0.
    """
    spread = percentile_interval(resampled)
    low = 0.0 if error <= chance else max(0.0, 2 * error - spread.high)
    return Interval(min(low, error), max(error, 2 * error - spread.low))


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


def _estimate(value: float, interval: Interval) -> Estimate:
    """Put a figure and its interval together; rounding, or few resamples, never put it outside."""
    return Estimate(value, min(value, interval.low), max(value, interval.high))

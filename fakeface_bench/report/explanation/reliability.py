"""Whether a probability of fake can be taken at its word: the reliability diagram."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from fakeface_bench.evaluation.intervals import wilson_interval
from fakeface_bench.records import ECE_BINS, FloatArray, ScoredSplit, StudyRecord
from fakeface_bench.report import style


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """Test images by their score, in the bins of the expected calibration error.

    Attributes:
        edges: Of the bins, all of one width, shape (bins + 1,).
        images: In each bin, shape (bins,).
        fakes: Of those.
        score: Mean of a bin's images, not a number where it has none.
    """

    edges: FloatArray
    images: npt.NDArray[np.int64]
    fakes: npt.NDArray[np.int64]
    score: FloatArray


def reliability_bins(split: ScoredSplit) -> ReliabilityBins:
    """Count images and fakes by score, as `evaluation.metrics` does for `ece`."""
    bins = np.minimum((split.y_score * ECE_BINS).astype(int), ECE_BINS - 1)
    images = np.bincount(bins, minlength=ECE_BINS)
    fakes = np.bincount(bins[split.y_true == 1], minlength=ECE_BINS)
    sums = np.bincount(bins, weights=split.y_score, minlength=ECE_BINS)
    score = np.divide(sums, images, out=np.full(ECE_BINS, np.nan), where=images > 0)
    return ReliabilityBins(np.linspace(0, 1, ECE_BINS + 1), images, fakes, score)


def write_reliability(record: StudyRecord, path: Path) -> None:
    """Draw the share of fakes at each score, with 95 % intervals, over a histogram of scores."""
    test = record.test
    ece, brier = test.metrics["ece"], test.metrics["brier"]
    figures = f"expected calibration error {ece:.3f} in {ECE_BINS} bins, Brier score {brier:.3f}"
    of_what = style.subtitle(record, f"n = {len(test.y_true):,} test images")
    figure = style.new_figure("Reliability diagram", f"{of_what}\n{figures}", height=6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4.2, 1))
    bins = reliability_bins(test)
    draw_shares(upper, bins)
    _draw_counts(lower, bins)
    for axes, label in ((upper, f"threshold {test.threshold:.3f}"), (lower, None)):
        axes.axvline(test.threshold, linestyle="--", color=style.INK, linewidth=1.5, label=label)
    style.legend(upper, "upper left")
    lower.set_xlim(-0.02, 1.02)
    style.save(figure, path)


def draw_shares(axes: Axes, bins: ReliabilityBins) -> None:
    """Draw the share of fakes in each bin with its Wilson interval, against the diagonal."""
    axes.plot([0, 1], [0, 1], color=style.PALE_INK, linewidth=1.2, label="perfectly calibrated")
    filled = np.flatnonzero(bins.images)
    shares = bins.fakes[filled] / bins.images[filled]
    spans = [wilson_interval(int(bins.fakes[b]), int(bins.images[b])) for b in filled]
    below = [max(0.0, s - i.low) for s, i in zip(shares, spans, strict=True)]
    above = [max(0.0, i.high - s) for s, i in zip(shares, spans, strict=True)]
    axes.errorbar(
        bins.score[filled],
        shares,
        yerr=(below, above),
        fmt="o",
        color=style.TEST_COLOUR,
        markersize=7,
        elinewidth=1.6,
        capsize=3,
        label="test, 95 % interval",
    )
    style.dress(axes, "", "Share of fakes")
    axes.set_ylim(-0.02, 1.02)


def _draw_counts(axes: Axes, bins: ReliabilityBins) -> None:
    axes.stairs(bins.images, bins.edges, fill=True, color=style.TEST_COLOUR, alpha=0.35)
    style.dress(axes, "Score (probability of fake)", "Images")
    for left, right, count in zip(bins.edges, bins.edges[1:], bins.images, strict=False):
        if count:
            text = axes.text((left + right) / 2, count, f"{count:,}", ha="center", va="bottom")
            text.set(fontsize=8.5, color=style.INK, family=style.FONT)
    axes.set_ylim(0, 1.35 * max(1, bins.images.max()))
    axes.locator_params(axis="y", nbins=3, integer=True)

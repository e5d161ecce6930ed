"""Where one study stands: its figures with their intervals, what it cost, and whether it leads."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fakeface_bench.evaluation.intervals import (
    Interval,
    percentile_interval,
    roc_auc_interval,
    wilson_interval,
)
from fakeface_bench.evaluation.paired import RESAMPLED
from fakeface_bench.records import ComparedStudy, FloatArray


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a study.

    Attributes:
        value: Mean over its seeds.
        interval: 95 %, over test images, and over seeds where there are several. Of one seed,
            accuracy and ROC AUC have the very intervals of the study's own table.
        of_seeds: Of each seed, the kept model's first.
    """

    value: float
    interval: Interval
    of_seeds: tuple[float, ...]

    @property
    def std(self) -> float | None:
        """Sample standard deviation over seeds; None where there is one."""
        return float(np.std(self.of_seeds, ddof=1)) if len(self.of_seeds) > 1 else None


@dataclass(frozen=True, slots=True)
class Standing:
    """One study among those compared.

    Attributes:
        study: As it was read.
        label: Its name here, unlike any other's.
        rank: From 1, the most accurate.
        figures: Each of `RESAMPLED` by key.
        on_front: Whether no other study is as cheap and as accurate, and better in one.
    """

    study: ComparedStudy
    label: str
    rank: int
    figures: Mapping[str, Figure]
    on_front: bool

    @property
    def accuracy(self) -> Figure:
        """Share of test images called rightly."""
        return self.figures["accuracy"]

    @property
    def roc_auc(self) -> Figure:
        """Area under the ROC curve on test."""
        return self.figures["roc_auc"]

    @property
    def cold_seconds(self) -> float:
        """What the study cost from a cold start."""
        return self.study.ledger.total_cold_seconds

    @property
    def is_near_chance(self) -> bool:
        """Whether its interval of ROC AUC does not lie above 0.5."""
        return self.roc_auc.interval.low <= 0.5


def figures_with_intervals(
    study: ComparedStudy,
    of_seeds: Mapping[str, tuple[float, ...]],
    resampled: Mapping[str, FloatArray],
) -> dict[str, Figure]:
    """Join each figure of a study's seeds with its interval."""
    figures = {
        key: Figure(
            float(np.mean(of_seeds[key])), percentile_interval(resampled[key]), of_seeds[key]
        )
        for key in RESAMPLED
    }
    if len(study.seeds) == 1:
        own = {
            "accuracy": wilson_interval(int(study.right.sum()), len(study.right)),
            "roc_auc": roc_auc_interval(study.y_true, study.kept.y_score),
        }
        figures |= {key: replace(figures[key], interval=own[key]) for key in own}
    return figures

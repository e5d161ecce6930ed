"""The steps along the front, from each study to the next dearer one: are they real, what for?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fakeface_bench.evaluation.intervals import Interval
from fakeface_bench.evaluation.paired import McNemar, difference_interval, holm, mcnemar
from fakeface_bench.records import FloatArray
from fakeface_bench.report.comparison.standing import Standing

#: Adjusted p values below it show a difference.
SIGNIFICANT = 0.05
SHOWN, NOT_SHOWN = "shown", "not shown"

Resampled = Mapping[str, Mapping[str, FloatArray]]


@dataclass(frozen=True, slots=True)
class Gain:
    """By how much one study is ahead of another.

    Attributes:
        value: Of the figure; negative where it is behind.
        interval: 95 %, paired.
    """

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Step:
    """One study against another on the same images.

    Attributes:
        lower: The cheaper or less accurate.
        upper: The other.
        accuracy: What the upper gains.
        roc_auc: Likewise.
        test: Of the kept models, the lower first.
        adjusted_p: After Holm's adjustment.
        tests: How many tests were adjusted for together.
    """

    lower: Standing
    upper: Standing
    accuracy: Gain
    roc_auc: Gain
    test: McNemar
    adjusted_p: float
    tests: int

    @property
    def is_shown(self) -> bool:
        """Whether the upper's kept model is shown to be the more accurate."""
        is_ahead = self.test.only_second > self.test.only_first
        return is_ahead and self.adjusted_p < SIGNIFICANT

    @property
    def verdict(self) -> str:
        """`SHOWN` or `NOT_SHOWN`."""
        return SHOWN if self.is_shown else NOT_SHOWN

    @property
    def extra_seconds(self) -> float:
        """What the upper costs more, cold."""
        return self.upper.cold_seconds - self.lower.cold_seconds

    @property
    def seconds_per_point(self) -> float | None:
        """What each further point of accuracy costs; None where there is none."""
        gain = 100 * self.accuracy.value
        return self.extra_seconds / gain if gain > 0 else None

    @property
    def dollars_per_point(self) -> float | None:
        """The same at the machines' prices; None where one has no price."""
        ledgers = self.lower.study.ledger, self.upper.study.ledger
        gain = 100 * self.accuracy.value
        if gain <= 0 or not all(ledger.dollars_per_hour for ledger in ledgers):
            return None
        lower, upper = (ledger.price(ledger.total_cold_seconds) for ledger in ledgers)
        return (upper - lower) / gain


def compare_pairs(
    pairs: Sequence[tuple[Standing, Standing]], resampled: Resampled
) -> tuple[Step, ...]:
    """Test each pair (lower, upper); their p values are adjusted as one family.

    Args:
        pairs: In the order of the result.
        resampled: Figures in shared resamples, by label.
    """
    tests = [mcnemar(lower.study.right, upper.study.right) for lower, upper in pairs]
    adjusted = holm([test.p for test in tests])
    return tuple(
        Step(
            lower,
            upper,
            _gain(lower, upper, "accuracy", resampled),
            _gain(lower, upper, "roc_auc", resampled),
            test,
            p,
            len(pairs),
        )
        for (lower, upper), test, p in zip(pairs, tests, adjusted, strict=True)
    )


def steps_along(standings: Sequence[Standing], resampled: Resampled) -> tuple[Step, ...]:
    """Compare the neighbours along the front, from cheap to dear."""
    front = sorted(
        (standing for standing in standings if standing.on_front),
        key=lambda standing: (standing.cold_seconds, standing.accuracy.value, standing.label),
    )
    return compare_pairs(list(pairwise(front)), resampled)


def rivals_of(
    best: Standing, standings: Sequence[Standing], resampled: Resampled
) -> tuple[Step, ...]:
    """Compare every study cheaper than the best with it, from cheap to dear."""
    cheaper = sorted(
        (standing for standing in standings if standing.cold_seconds < best.cold_seconds),
        key=lambda standing: (standing.cold_seconds, -standing.accuracy.value, standing.label),
    )
    return compare_pairs([(standing, best) for standing in cheaper], resampled)


def _gain(lower: Standing, upper: Standing, key: str, resampled: Resampled) -> Gain:
    interval = difference_interval(resampled[upper.label][key], resampled[lower.label][key])
    return Gain(upper.figures[key].value - lower.figures[key].value, interval)

"""Study against study: the steps along the front, and every cheaper study against the best."""

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
#: A lead of no more is rounding: means over seeds are not exact.
_ROUNDING = 1e-12

Resampled = Mapping[str, Mapping[str, FloatArray]]
#: The lower, then the upper.
Pair = tuple[Standing, Standing]


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
        tests: How many tests were adjusted for together: the pairs of both tables.
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
        """Whether the upper is shown to be the more accurate.

        The test is of the kept models; where either has several seeds, the interval of the means
        must leave 0 out as well.
        """
        several = len(self.lower.study.seeds) > 1 or len(self.upper.study.seeds) > 1
        return self.is_kept_shown and not (several and self.is_tie)

    @property
    def is_kept_shown(self) -> bool:
        """Whether the upper's kept model is shown to be the more accurate."""
        is_ahead = self.test.only_second > self.test.only_first
        return is_ahead and self.adjusted_p < SIGNIFICANT

    @property
    def is_tie(self) -> bool:
        """Whether the interval leaves it open that the upper is not ahead at all."""
        return self.accuracy.interval.low <= _ROUNDING

    @property
    def could_be_ahead(self) -> float:
        """By how much the upper may yet be the more accurate.

        Where the kept models are right on the same n images, the interval knows of no difference;
        then it is at least what n images without one leave open (95 %, one-sided).
        """
        if self.test.only_first + self.test.only_second:
            return self.accuracy.interval.high
        unseen: float = 1 - 0.05 ** (1 / len(self.upper.study.y_true))
        return max(unseen, self.accuracy.interval.high)

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


def compare_standings(
    standings: Sequence[Standing], resampled: Resampled
) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Compare neighbours along the front, and every study cheaper than the best with it.

    The p values of all pairs are adjusted as one family, so a pair in both has one answer.

    Args:
        standings: The best first.
        resampled: Figures in shared resamples, by label.

    Returns:
        The steps along the front and those to the best, both from cheap to dear.
    """
    tables = _along_the_front(standings), _cheaper_than_best(standings)
    family = {_ranks(pair): pair for pairs in tables for pair in pairs}
    tests = [mcnemar(lower.study.right, upper.study.right) for lower, upper in family.values()]
    adjusted = holm([test.p for test in tests])
    steps = {
        ranks: Step(
            *pair,
            _gain(pair, "accuracy", resampled),
            _gain(pair, "roc_auc", resampled),
            test,
            p,
            len(family),
        )
        for (ranks, pair), test, p in zip(family.items(), tests, adjusted, strict=True)
    }
    along, to_best = (tuple(steps[_ranks(pair)] for pair in pairs) for pairs in tables)
    return along, to_best


def _along_the_front(standings: Sequence[Standing]) -> list[Pair]:
    front = sorted(
        (standing for standing in standings if standing.on_front),
        key=lambda standing: (standing.cold_seconds, standing.accuracy.value, standing.label),
    )
    return list(pairwise(front))


def _cheaper_than_best(standings: Sequence[Standing]) -> list[Pair]:
    best = standings[0]
    cheaper = sorted(
        (standing for standing in standings if standing.cold_seconds < best.cold_seconds),
        key=lambda standing: (standing.cold_seconds, -standing.accuracy.value, standing.label),
    )
    return [(standing, best) for standing in cheaper]


def _ranks(pair: Pair) -> tuple[int, int]:
    return pair[0].rank, pair[1].rank


def _gain(pair: Pair, key: str, resampled: Resampled) -> Gain:
    lower, upper = pair
    interval = difference_interval(resampled[upper.label][key], resampled[lower.label][key])
    return Gain(upper.figures[key].value - lower.figures[key].value, interval)

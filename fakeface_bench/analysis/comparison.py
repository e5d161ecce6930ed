"""All numbers of a comparison, computed once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from math import ceil

import numpy as np
import numpy.typing as npt

from fakeface_bench.analysis.curves import confusions
from fakeface_bench.analysis.external import ComparedDetector
from fakeface_bench.config import MARGIN, NO_WEIGHTS
from fakeface_bench.evaluation.bootstrap import RESAMPLES
from fakeface_bench.evaluation.intervals import percentile, roc_auc_estimate, share_estimate
from fakeface_bench.evaluation.over_seeds import (
    SeedMetric,
    difference_over_seeds,
    mean_over_seeds,
    seed_metrics,
)
from fakeface_bench.evaluation.paired import (
    RESAMPLED,
    McNemar,
    holm,
    mcnemar,
    metrics_of,
    resampled_metrics,
)
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.settings import NAMED_OPTIONS
from fakeface_bench.records.study import FROM_SCRATCH, ComparedStudy, FloatArray, LeftOut
from fakeface_bench.support.text import elided

_LONGEST_LABEL = 44
#: The same with the options by which studies differ.
_LONGEST_WITH_OPTIONS = 72
#: Options that say how long was searched and trained: columns of their own tell them.
_EFFORT = ("trials", "epochs", "timeout_minutes", "seeds", "refits")


def unique_labels(studies: Sequence[ComparedStudy]) -> list[str]:
    """Name each study by its label and by each option that differs among the studies.

    How long was searched and trained is named where only that tells two apart. Labels that are
    still the same get the weights too, then a number.
    """
    differing = [
        key
        for key in NAMED_OPTIONS
        if len({study.settings[key] for study in studies if _has_choice(study, key)}) > 1
    ]
    labels = _labels(studies, [key for key in differing if key not in _EFFORT])
    if len(set(labels)) < len(labels):
        labels = _labels(studies, differing)
    most = _LONGEST_WITH_OPTIONS if differing else _LONGEST_LABEL
    count = Counter(labels)
    labels = [
        elided(f"{label}, {study.identity.weights}", most) if count[label] > 1 else label
        for label, study in zip(labels, studies, strict=True)
    ]
    return _numbered(labels)


def _labels(studies: Sequence[ComparedStudy], keys: Sequence[str]) -> list[str]:
    most = _LONGEST_WITH_OPTIONS if keys else _LONGEST_LABEL
    return [
        elided(", ".join([elided(study.label, _LONGEST_LABEL), *_options(study, keys)]), most)
        for study in studies
    ]


def _options(study: ComparedStudy, keys: Sequence[str]) -> list[str]:
    """Return options in words, less what goes without saying."""
    return [study.settings[key] for key in keys if _has_choice(study, key) and study.settings[key]]


def _has_choice(study: ComparedStudy, key: str) -> bool:
    """Whether an option is known of a study; only a pretrained network has a choice of weights."""
    pretrained = study.identity.trained != FROM_SCRATCH and study.identity.weights != NO_WEIGHTS
    return key in study.settings and (key != "weights" or pretrained)


def _numbered(labels: Sequence[str]) -> list[str]:
    count, taken, names = Counter(labels), set(labels), []
    for label in labels:
        name, number = label, 1
        while count[label] > 1 and name in taken:
            name, number = f"{label}, {number}", number + 1
        taken.add(name)
        names.append(name)
    return names


def on_front(costs: Sequence[float], values: Sequence[float]) -> list[bool]:
    """Return which points no other dominates: lower costs and higher values are better.

    Points that are equal in both do not dominate each other.
    """
    points = list(zip(costs, values, strict=True))
    return [
        not any(
            other != point and other[0] <= point[0] and other[1] >= point[1] for other in points
        )
        for point in points
    ]


@dataclass(frozen=True, slots=True)
class LeaderboardEntry:
    """One study among those compared.

    Attributes:
        study: As it was read.
        label: Unique in the comparison.
        rank: From 1, the most accurate.
        cost: Seconds of what sets networks apart: extraction, as many trials as every study had,
            and the last fit. Its interval is over the trials that might have been drawn.
        estimates: Each of `RESAMPLED` by key.
        on_front: Whether no other study is as cheap and as accurate, and better in one.
        resampled: Each of `RESAMPLED` in the resamples that all entries share, shape (1000,).
        over_seeds: Each of `RESAMPLED` by seed; empty where there is one.
    """

    study: ComparedStudy
    label: str
    rank: int
    cost: Estimate
    estimates: Mapping[str, Estimate]
    on_front: bool
    resampled: Mapping[str, FloatArray] = field(repr=False, compare=False)
    over_seeds: Mapping[str, SeedMetric] = field(repr=False, compare=False)

    @property
    def accuracy(self) -> Estimate:
        """Share of test images predicted correctly."""
        return self.estimates["accuracy"]

    @property
    def roc_auc(self) -> Estimate:
        """Area under the ROC curve on test."""
        return self.estimates["roc_auc"]

    @property
    def cold_seconds(self) -> float:
        """All that the study cost from a cold start, whatever it was asked for."""
        return self.study.ledger.total_cold_seconds

    @property
    def one_seed_seconds(self) -> float:
        """The same of one seed: without its further seeds, and further fits of the winner."""
        return self.cold_seconds - self.study.ledger.stage("repeats").seconds

    @property
    def dollars(self) -> float | None:
        """`cost` at the machine's price; None where it has none."""
        return self.price(self.cost.value)

    @property
    def cold_dollars(self) -> float | None:
        """The cold cost at the machine's price; None where it has none."""
        return self.price(self.cold_seconds)

    @property
    def warm_dollars(self) -> float | None:
        """The warm cost at the machine's price; None where it has none."""
        return self.price(self.study.ledger.total_warm_seconds)

    def price(self, seconds: float | None) -> float | None:
        """Return what some seconds cost at the machine's price; None where either is not known."""
        ledger = self.study.ledger
        if seconds is None or not ledger.dollars_per_hour:
            return None
        return ledger.price(seconds)

    @property
    def is_near_chance(self) -> bool:
        """Whether its interval of ROC AUC does not lie above 0.5."""
        return self.roc_auc.low <= 0.5


def _estimates(
    study: ComparedStudy,
    of_seeds: Mapping[str, tuple[float, ...]],
    resampled: Mapping[str, FloatArray],
    over_seeds: Mapping[str, SeedMetric],
) -> dict[str, Estimate]:
    """Average over seeds; what one seed shows has the intervals of the study's own table.

    So has what all seeds score alike at the end of the scale, where their spread tells nothing.
    """
    alone = {
        **{key: percentile(float(np.mean(of_seeds[key])), resampled[key]) for key in RESAMPLED},
        "accuracy": share_estimate(study.right),
        "roc_auc": roc_auc_estimate(study.y_true, study.kept.y_score),
    }
    over = {key: mean_over_seeds(metric) for key, metric in over_seeds.items()}
    inside = {key: estimate for key, estimate in over.items() if 0 < estimate.value < 1}
    return {key: replace((alone | inside)[key], of_seeds=of_seeds[key]) for key in RESAMPLED}


CountArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The kept models' predictions on the n test images.

    Attributes:
        confusions: Images by true class (rows) and predicted class, shape (k, 2, 2).
        same_predictions: Share of images that two models predict alike, shape (k, k).
        only_row_correct: Images that of two models the row's alone predicts correctly, (k, k).
        both_wrong: Images that two models both predict wrongly, shape (k, k).
        wrong_by_all: Positions of the images that all predict wrongly, the most surely first.
    """

    confusions: CountArray
    same_predictions: FloatArray
    only_row_correct: CountArray
    both_wrong: CountArray
    wrong_by_all: npt.NDArray[np.int64]

    @property
    def confusion_shares(self) -> FloatArray:
        """`confusions` as shares of the true class."""
        shares: FloatArray = self.confusions / self.confusions.sum(axis=2, keepdims=True)
        return shares

    @property
    def lowest_shade(self) -> float:
        """Share of same predictions at which the colours of a picture begin."""
        return min(0.95, float(self.same_predictions.min()))


def agreement_of(studies: Sequence[ComparedStudy]) -> Agreement:
    """Count what the studies' kept models predict alike and wrongly."""
    correct = np.stack([study.right for study in studies])
    wrong, n = (~correct).astype(np.float64), correct.shape[1]
    only_row = correct.astype(np.float64) @ wrong.T
    y_true = studies[0].y_true
    return Agreement(
        confusions=np.stack([confusions(y_true, study.kept.predicted_fake) for study in studies]),
        same_predictions=1 - (only_row + only_row.T) / n,
        only_row_correct=only_row.astype(np.int64),
        both_wrong=(wrong @ wrong.T).astype(np.int64),
        wrong_by_all=_surest_first(studies, np.flatnonzero(~correct.any(axis=0))),
    )


def _surest_first(
    studies: Sequence[ComparedStudy], positions: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Order images by the mean probability that the models gave to the wrong class."""
    scores = np.mean([study.kept.y_score[positions] for study in studies], axis=0)
    sureness = np.where(studies[0].y_true[positions] == 1, 1 - scores, scores)
    return positions[np.argsort(-sureness, kind="stable")]


@dataclass(frozen=True, slots=True)
class AccuracyCurve:
    """One study's validation accuracy, epoch by epoch; every array has shape (k,).

    `epochs` count from 1; `elapsed` are cold seconds to each epoch's end, without the search;
    `is_head_alone` marks epochs that trained the head alone, before layers were trained.
    """

    epochs: FloatArray
    elapsed: FloatArray
    accuracy: FloatArray
    is_head_alone: npt.NDArray[np.bool_]


def accuracy_curve(study: ComparedStudy) -> AccuracyCurve:
    """Return the curve of a study's final fit."""
    took = [epoch.seconds + epoch.val_seconds for epoch in study.epochs]
    stages = [epoch.stage for epoch in study.epochs]
    return AccuracyCurve(
        epochs=np.arange(1, len(stages) + 1, dtype=np.float64),
        elapsed=study.epochs_began_seconds + np.cumsum(took, dtype=np.float64),
        accuracy=np.array([epoch.val_accuracy for epoch in study.epochs], dtype=np.float64),
        is_head_alone=np.array([s == "head" != stages[-1] for s in stages], dtype=np.bool_),
    )


def effort_of(trials: int) -> str:
    """Return what a cost at equal trials is of, in words; 0 for trials that are not counted."""
    search = f"{trials} trial{'s' * (trials > 1)}" if trials else "search"
    return f"extraction, {search} and last fit"


#: Adjusted p values below it show a difference.
SIGNIFICANT = 0.05
#: A lead of no more is rounding: means over seeds are not exact.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class PairwiseComparison:
    """One study, `upper`, against a cheaper or less accurate one, `lower`, on the same images.

    Attributes:
        accuracy: What the upper gains: over other seeds and images where both have several seeds,
            else of these fits, over other images alone.
        roc_auc: Likewise.
        test: McNemar's, of the kept models, the lower first.
        p: Of networks, where both tell of them, from `accuracy` over seeds and images; else
            McNemar's.
        adjusted_p: After Holm's adjustment over all `tests` pairs of the studies compared.
    """

    lower: LeaderboardEntry
    upper: LeaderboardEntry
    accuracy: Estimate
    roc_auc: Estimate
    test: McNemar
    p: float
    adjusted_p: float
    tests: int

    @property
    def of_networks(self) -> bool:
        """Whether it compares networks; else it compares the fits that were made of them."""
        return _tell_of_networks(self.lower.study, self.upper.study)

    @property
    def is_one_network(self) -> bool:
        """Whether both are the same network, which no difference of their fits is one of."""
        return self.lower.study.is_same_network(self.upper.study)

    @property
    def is_shown(self) -> bool:
        """Whether the upper is shown to be the more accurate: the network, or else the fit.

        McNemar's test is of the kept models; where either has several seeds, the interval of the
        means must leave 0 out as well.
        """
        if self.is_one_network or self.adjusted_p >= SIGNIFICANT:
            return False
        if self.of_networks:
            return self.accuracy.value > 0
        several = len(self.lower.study.seeds) > 1 or len(self.upper.study.seeds) > 1
        is_tie = self.accuracy.low <= _ROUNDING
        return self.test.only_second > self.test.only_first and not (several and is_tie)

    @property
    def could_be_ahead(self) -> float:
        """By how much the upper may still be the more accurate.

        Where the kept models are correct on the same n images, the resamples show no difference;
        then it is at least what n images without one leave open (95 %, one-sided).
        """
        if self.test.only_first + self.test.only_second:
            return self.accuracy.high
        unseen: float = 1 - 0.05 ** (1 / len(self.upper.study.y_true))
        return max(unseen, self.accuracy.high)

    @property
    def spread(self) -> float:
        """What these images leave open beyond the gain itself: the closest margin they can show."""
        return self.could_be_ahead - self.accuracy.value

    def images_for(self, margin: float) -> int | None:
        """Return about how many test images would show a margin, were both equally accurate.

        None where seeds are part of what is open: images alone do not settle that.
        """
        if _have_seeds(self.lower, self.upper):
            return None
        return ceil(len(self.upper.study.y_true) * (self.spread / margin) ** 2)

    @property
    def verdict(self) -> str:
        """`shown` (of networks), `these fits` (of fits alone), `one network` or `not shown`."""
        if self.is_one_network:
            return "one network"
        if not self.is_shown:
            return "not shown"
        return "shown" if self.of_networks else "these fits"

    @property
    def extra_seconds(self) -> float:
        """Extra cost of the upper."""
        return self.upper.cost.value - self.lower.cost.value

    @property
    def seconds_per_point(self) -> float | None:
        """What each further point of accuracy costs; None where there is none."""
        gain = 100 * self.accuracy.value
        return self.extra_seconds / gain if gain > 0 else None

    @property
    def dollars_per_point(self) -> float | None:
        """The same at the machines' prices; None where one has no price."""
        gain = 100 * self.accuracy.value
        lower, upper = self.lower.dollars, self.upper.dollars
        return None if gain <= 0 or lower is None or upper is None else (upper - lower) / gain


def compare_entries(
    entries: Sequence[LeaderboardEntry],
) -> tuple[tuple[PairwiseComparison, ...], tuple[PairwiseComparison, ...]]:
    """Compare neighbours along the front, and every study shown to be cheaper with the best.

    Both tables run from cheap to expensive. The p values of all pairs of entries are adjusted as
    one family, also of those that neither table holds: which they hold, the data chose. Of pairs
    that tell of networks they are over seeds and images, of the others McNemar's.

    Args:
        entries: The best first.
    """
    best = entries[0]
    front = sorted(
        (entry for entry in entries if entry.on_front),
        key=lambda entry: (entry.cost.value, entry.accuracy.value, entry.label),
    )
    cheaper = sorted(
        (entry for entry in entries if best.cost.is_shown_above(entry.cost)),
        key=lambda entry: (entry.cost.value, -entry.accuracy.value, entry.label),
    )
    tables = list(pairwise(front)), [(entry, best) for entry in cheaper]
    p_values = _p_values(entries)
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    compared = {
        (lower.rank, upper.rank): PairwiseComparison(
            lower,
            upper,
            accuracy=_gain(lower, upper, "accuracy"),
            roc_auc=_gain(lower, upper, "roc_auc"),
            test=mcnemar(lower.study.right, upper.study.right),
            p=p_values[frozenset((lower.rank, upper.rank))],
            adjusted_p=adjusted[frozenset((lower.rank, upper.rank))],
            tests=len(adjusted),
        )
        for pairs in tables
        for lower, upper in pairs
    }
    along_front, to_best = (
        tuple(compared[lower.rank, upper.rank] for lower, upper in pairs) for pairs in tables
    )
    return along_front, to_best


def _p_values(entries: Sequence[LeaderboardEntry]) -> dict[frozenset[int], float]:
    """Return the p value of every pair of entries, by their ranks."""
    return {
        frozenset((one.rank, other.rank)): _p_value(one, other)
        for one, other in combinations(entries, 2)
    }


def _p_value(one: LeaderboardEntry, other: LeaderboardEntry) -> float:
    if _tell_of_networks(one.study, other.study):
        return difference_over_seeds(one.over_seeds["accuracy"], other.over_seeds["accuracy"]).p
    return mcnemar(one.study.right, other.study.right).p


def _tell_of_networks(*studies: ComparedStudy) -> bool:
    return all(study.tells_of_network for study in studies)


def _have_seeds(*entries: LeaderboardEntry) -> bool:
    return all(entry.over_seeds for entry in entries)


def _gain(lower: LeaderboardEntry, upper: LeaderboardEntry, key: str) -> Estimate:
    if _have_seeds(lower, upper):
        return difference_over_seeds(lower.over_seeds[key], upper.over_seeds[key]).estimate
    value = upper.estimates[key].value - lower.estimates[key].value
    return percentile(value, upper.resampled[key] - lower.resampled[key])


@dataclass(frozen=True, slots=True)
class Comparison:
    """Finished studies on the same test images, side by side.

    `entries`, at least one, begin with the most accurate, of equals the cheaper. Pairs are
    neighbours along the front, and every study shown to be cheaper than the best against it, the
    cheapest first. `margin` is the share of images that the one to take may be behind the best by.
    Costs are of so many `trials` each; 0 where some study does not tell its number. `detectors` are
    those of others, on the same images. `budget_minutes` is what a user has, `target` the
    validation ROC AUC that networks are timed to; 0 where none was told.
    """

    entries: tuple[LeaderboardEntry, ...]
    along_front: tuple[PairwiseComparison, ...]
    to_best: tuple[PairwiseComparison, ...]
    agreement: Agreement
    left_out: tuple[LeftOut, ...]
    margin: float = MARGIN
    trials: int = 0
    detectors: tuple[ComparedDetector, ...] = ()
    budget_minutes: float = 0.0
    target: float = 0.0

    @property
    def best(self) -> LeaderboardEntry:
        """The most accurate study; of equals the cheapest."""
        return self.entries[0]

    @property
    def recommended(self) -> LeaderboardEntry:
        """The cheapest study that is shown to be within the margin of the best; else the best.

        Non-inferiority: the 95 % interval of what the best is ahead by ends within the margin.
        Source: Piaggio et al. (2012), "Reporting of noninferiority and equivalence randomized
        trials".
        """
        within = (pair.lower for pair in self.to_best if pair.could_be_ahead <= self.margin)
        return next(within, self.best)

    @property
    def undecided(self) -> PairwiseComparison | None:
        """Where the best is taken, the cheaper study that is nearest to the margin.

        It is neither shown to be within the margin nor to be less accurate.
        """
        if self.recommended is not self.best:
            return None
        left = (pair for pair in self.to_best if not pair.is_shown)
        return min(left, key=lambda pair: pair.could_be_ahead, default=None)

    @property
    def effort(self) -> str:
        """What the costs are of, in words."""
        return effort_of(self.trials)

    @property
    def tells_of_networks(self) -> bool:
        """Whether every study has seeds enough, each a whole study, to compare networks."""
        return _tell_of_networks(*self.studies)

    @property
    def tells_searches(self) -> bool:
        """Whether any study tells how its search came to its best."""
        return any(study.courses for study in self.studies)

    @property
    def is_one_network(self) -> bool:
        """Whether all are studies of one network, which chance alone sets apart."""
        first, *others = self.studies
        return bool(others) and all(first.is_same_network(other) for other in others)

    @property
    def studies(self) -> tuple[ComparedStudy, ...]:
        """What is compared, in the order of `entries`."""
        return tuple(entry.study for entry in self.entries)

    @property
    def images(self) -> int:
        """Number of test images."""
        return len(self.studies[0].y_true)


def compare_studies(
    studies: Sequence[ComparedStudy], left_out: Sequence[LeftOut] = (), margin: float = MARGIN
) -> Comparison:
    """Compare finished studies; the order in which they come has no effect.

    Args:
        margin: Share of the test images that the one to take may be behind the best by.

    Raises:
        ValueError: If there is no study, or two differ in their test images or labels.
    """
    _check(studies)
    trials = min(study.trials for study in studies)
    entries = tuple(_ranked(studies, trials))
    along_front, to_best = compare_entries(entries)
    agreement = agreement_of([entry.study for entry in entries])
    left = tuple(left_out)
    return Comparison(entries, along_front, to_best, agreement, left, margin, trials)


def _check(studies: Sequence[ComparedStudy]) -> None:
    if not studies:
        raise ValueError("no study to compare; at least one is needed")
    first = studies[0]
    for other in studies[1:]:
        differ = [
            what for what in ("paths", "sources") if getattr(first, what) != getattr(other, what)
        ]
        if not np.array_equal(first.y_true, other.y_true):
            differ.append("labels")
        if differ:
            names = f"{first.label!r} and {other.label!r}"
            raise ValueError(f"{names} differ in the {differ[0]} of their test images")


def _ranked(studies: Sequence[ComparedStudy], trials: int) -> list[LeaderboardEntry]:
    """Return the entries, the most accurate first; of equals the cheaper."""
    found = [(study, _metrics_of_seeds(study), _cost(study, trials)) for study in studies]
    found.sort(
        key=lambda one: (
            -_rounded_accuracy(one[1]),
            one[2].value,
            one[0].label,
            one[0].identity.run_id,
        )
    )
    ordered = [study for study, _, _ in found]
    resampled = resampled_metrics(ordered[0].y_true, [study.seeds for study in ordered])
    over_seeds = [
        seed_metrics(study.y_true, study.seeds, metrics) if len(study.seeds) > 1 else {}
        for study, metrics, _ in found
    ]
    labels = unique_labels(ordered)
    leading = on_front(
        [cost.value for _, _, cost in found],
        [_rounded_accuracy(metrics) for _, metrics, _ in found],
    )
    return [
        LeaderboardEntry(
            *(study, label, rank, cost, _estimates(study, metrics, values, over)),
            *(leads, values, over),
        )
        for rank, ((study, metrics, cost), label, leads, values, over) in enumerate(
            zip(found, labels, leading, resampled, over_seeds, strict=True), start=1
        )
    ]


def _cost(study: ComparedStudy, trials: int) -> Estimate:
    """Return a study's cost as if of so many trials; of as many as it had for 0.

    Its interval is of the mean over trials drawn again; it has none where their times are not
    known.
    """
    ledger = study.ledger
    seconds = np.array(study.trial_seconds)
    if not len(seconds):
        value = ledger.seconds_of_trials(trials, study.trials)
        return Estimate(value, value, value)
    refits = (ledger.stage("final_fit").seconds, *study.refit_seconds)
    once = ledger.stage("extraction").seconds + float(np.mean(refits))
    count = trials or study.trials
    drawn = np.random.default_rng(0).choice(seconds, (RESAMPLES, len(seconds)))
    value = once + count * float(seconds.mean())
    return percentile(value, once + count * drawn.mean(axis=1))


def _metrics_of_seeds(study: ComparedStudy) -> dict[str, tuple[float, ...]]:
    of_seeds = [metrics_of(study.y_true, scores) for scores in study.seeds]
    return {key: tuple(metrics[key] for metrics in of_seeds) for key in RESAMPLED}


def _rounded_accuracy(of_seeds: Mapping[str, tuple[float, ...]]) -> float:
    """Round, since means over seeds are not exact and equals must be equal."""
    return round(float(np.mean(of_seeds["accuracy"])), 12)

"""The paragraph: the cheapest model whose accuracy is not shown to be worse than the best's.

Every sentence follows from the numbers by a rule.
"""

from dataclasses import dataclass

from fakeface_bench.report.comparison.cautions import cost_cautions, data_cautions
from fakeface_bench.report.comparison.comparison import Comparison
from fakeface_bench.report.comparison.nearest import beside_the_best, cost_told, not_shown
from fakeface_bench.report.comparison.units import (
    listed,
    p_told,
    percent_right,
    points,
    points_range,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison comes to.

    Attributes:
        headline: In a few words.
        paragraph: In sentences.
        weight: `good`, `note` or `care`: how a page colours it.
    """

    headline: str
    paragraph: str
    weight: str


def verdict_of(comparison: Comparison) -> Verdict:
    """Say which model to take, how sure that is, and what could still hide."""
    sentences = [
        *_choice(comparison),
        *_seeds(comparison),
        *_chance(comparison),
        *_weights(comparison),
        *data_cautions(comparison),
        *cost_cautions(comparison),
    ]
    return Verdict(_headline(comparison), " ".join(sentences), _weight(comparison))


def warnings_of(comparison: Comparison) -> dict[str, list[str]]:
    """Return the labels of the studies that each warning is of."""
    found: dict[str, list[str]] = {}
    for standing in comparison.standings:
        if standing.study.warning:
            found.setdefault(standing.study.warning, []).append(standing.label)
    return found


def _headline(comparison: Comparison) -> str:
    name = comparison.recommended.label
    if len(comparison.standings) == 1:
        return f"One study: {name}"
    if _none_beats_chance(comparison):
        return "No study is shown to beat chance"
    if comparison.nearest is not None:
        return f"Take {name}: {beside_the_best(comparison.nearest)}"
    if not comparison.rivals:
        return f"Take {name}: the most accurate, and none is cheaper"
    return f"Take {name}: every cheaper study is shown to be less accurate"


def _weight(comparison: Comparison) -> str:
    nearest = comparison.nearest
    is_unsure = nearest is not None and not nearest.is_tie
    if warnings_of(comparison) or comparison.recommended.is_near_chance or is_unsure:
        return "care"
    return "note" if len(comparison.standings) == 1 else "good"


def _choice(comparison: Comparison) -> list[str]:
    best, images = comparison.best, f"n = {comparison.images:,} test images"
    if len(comparison.standings) == 1:
        bounds = best.accuracy.interval
        return [
            f"There is one study and nothing to compare it with: {best.label} is right on "
            f"{percent_right(best.accuracy.value)} of {images} (95 % {100 * bounds.low:.1f} to "
            f"{100 * bounds.high:.1f}) and cost {cost_told(best)} from a cold start."
        ]
    if comparison.nearest is not None:
        return not_shown(comparison.nearest, images)
    told = (
        f"{best.label} is right on {percent_right(best.accuracy.value)} of {images}, the most of "
        f"the {len(comparison.standings)} studies, and cost {cost_told(best)} from a cold start."
    )
    return [told, *(_all_shown(comparison) if comparison.rivals else _cheapest(comparison))]


def _all_shown(comparison: Comparison) -> list[str]:
    """Tell that no cheaper study will do, and which comes nearest."""
    closest = min(
        comparison.rivals, key=lambda step: (step.accuracy.value, step.lower.cold_seconds)
    )
    count, lower = len(comparison.rivals), closest.lower
    which = (
        f"Each of the {count} cheaper studies is shown to be less accurate; the closest, "
        f"{lower.label}, is"
        if count > 1
        else f"The only cheaper study is shown to be less accurate: {lower.label} is"
    )
    adjusted = ", adjusted" if closest.tests > 1 else ""
    return [
        f"{which} right on {percent_right(lower.accuracy.value)} and cost "
        f"{cost_told(lower)}: {points(closest.accuracy.value)} points behind (95 % "
        f"{points_range(closest.accuracy.interval)}; McNemar's test "
        f"{p_told(closest.adjusted_p)}{adjusted})."
    ]


def _cheapest(comparison: Comparison) -> list[str]:
    """Tell that the choice is clear whether or not the lead is real."""
    second = comparison.standings[1]
    return [
        f"No study is cheaper, so the choice does not hang on whether its lead is real; the "
        f"next, {second.label}, is right on {percent_right(second.accuracy.value)} and cost "
        f"{cost_told(second)}."
    ]


def _seeds(comparison: Comparison) -> list[str]:
    named = {standing.label: standing for standing in (comparison.recommended, comparison.best)}
    several = [
        f"{standing.label} over {len(standing.study.seeds)} (the kept model: "
        f"{percent_right(standing.accuracy.of_seeds[0])})"
        for standing in named.values()
        if len(standing.study.seeds) > 1
    ]
    if not several:
        return []
    test = " McNemar's test compares the models that were kept." * bool(comparison.rivals)
    return [f"Accuracies are means over seeds: {listed(several)}.{test}"]


def _chance(comparison: Comparison) -> list[str]:
    if len(comparison.standings) > 1 and _none_beats_chance(comparison):
        return [
            "Beware: the 95 % interval of ROC AUC of every study reaches down to 0.5, so none is "
            "shown to tell fakes from real images better than chance."
        ]
    chosen = comparison.recommended
    if chosen.is_near_chance:
        bounds = chosen.roc_auc.interval
        return [
            f"Beware: {chosen.label} is not shown to beat chance: its ROC AUC lies between "
            f"{bounds.low:.3f} and {bounds.high:.3f} (95 %)."
        ]
    return []


def _weights(comparison: Comparison) -> list[str]:
    labels = [label for labels in warnings_of(comparison).values() for label in labels]
    if not labels:
        return []
    return [
        f"Mind the weights: {listed(labels)} began from random values in place of pretrained "
        "weights, which says nothing of how good the architecture is with them."
    ]


def _none_beats_chance(comparison: Comparison) -> bool:
    return all(standing.is_near_chance for standing in comparison.standings)

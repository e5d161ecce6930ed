"""A comparison in words: the verdict, what to mind, and markdown for its MLflow run.

Every sentence follows from the numbers by a rule; a tie is said only where the paired interval has
room for no difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from fakeface_bench.analysis.comparison import (
    SIGNIFICANT,
    Comparison,
    LeaderboardEntry,
    PairwiseComparison,
)
from fakeface_bench.config import StudyConfig, format_option
from fakeface_bench.records.study import LeftOut
from fakeface_bench.report.comparison_tables import (
    costs,
    format_unmeasured,
    leaderboard,
    pairs_table,
    quality,
)
from fakeface_bench.report.format import (
    cost,
    escaped,
    format_p,
    listed,
    percent_right,
    points,
    points_range,
    prose,
    sentence_end,
)
from fakeface_bench.report.results import few_images_warning
from fakeface_bench.report.table import fitting, more
from fakeface_bench.support.text import elided


def beside_the_best(pair: PairwiseComparison) -> str:
    """Tell in a few words how near it comes, and how much could hide."""
    if not pair.is_tie:
        return "not shown to be worse than the best, though it may well be"
    room = f" (it could be ahead by up to {points(pair.could_be_ahead)} points)"
    return f"a tie with the best{room * (pair.could_be_ahead > 0)}, and cheaper"


def not_shown(pair: PairwiseComparison, images: str) -> list[str]:
    """Tell of the cheapest study that is not shown to be worse than the best."""
    lower, upper = pair.lower, pair.upper
    adjusted = f", {format_p(pair.adjusted_p)} adjusted for {pair.tests} tests" * (pair.tests > 1)
    return [
        f"{lower.label} is the cheapest study whose accuracy is not shown to be worse than that of "
        f"the best, {upper.label}{_how_sure(pair)}.",
        f"Of {images} {lower.label} is right on {percent_right(lower.accuracy.value)} and cost "
        f"{format_cost(lower)} from a cold start; {upper.label} is right on "
        f"{percent_right(upper.accuracy.value)} and cost {format_cost(upper)}.",
        f"{upper.label} is ahead by {points(pair.accuracy.value)} points (95 % "
        f"{points_range(pair.accuracy)}; McNemar's test {format_p(pair.test.p)}{adjusted}).",
        *_hidden(pair, images),
        *_off_the_front(lower, upper),
    ]


def _how_sure(pair: PairwiseComparison) -> str:
    if pair.is_tie:
        return ": the two are a tie"
    beside = " once adjusted" if pair.test.p < SIGNIFICANT <= pair.adjusted_p else ""
    return (
        ", though it may well be: the interval leaves 0 out, and the test"
        f"{beside} does not confirm it"
    )


def _off_the_front(chosen: LeaderboardEntry, best: LeaderboardEntry) -> list[str]:
    """Tell of the odd case in which a study shown to be worse is as cheap and as accurate."""
    if chosen.on_front:
        return []
    return [
        f"{chosen.label} is not on the front: a study as cheap and as accurate, or better, is "
        f"itself shown to be less accurate than {best.label}."
    ]


def _hidden(pair: PairwiseComparison, images: str) -> list[str]:
    """Tell what difference there is still room for."""
    name, most = pair.upper.label, points(pair.could_be_ahead)
    if not pair.test.only_first + pair.test.only_second:
        return [
            f"The two kept models are right on exactly the same images; with {images}, a true "
            f"difference of up to {most} points is still not ruled out."
        ]
    room = (
        f"Not shown is not the same as equal: that {name} is ahead by up to {most} points is not "
        "ruled out."
        if pair.could_be_ahead > 0
        else f"The interval has no room for {name} being ahead."
    )
    luck = f"{name}'s kept model alone is shown to be ahead; its mean over seeds is not."
    return [room, luck] if pair.is_kept_shown else [room]


def format_cost(entry: LeaderboardEntry) -> str:
    """Write what a study cost from a cold start, in a sentence."""
    return cost(entry.study.ledger, entry.cold_seconds)


ALL_IMAGES = format_option("limit", StudyConfig().limit)


def cost_cautions(comparison: Comparison) -> list[str]:
    """Say in what the studies differ that moves costs; what is not known is no difference."""
    studies = comparison.studies
    trials = _span([study.trials for study in studies if study.trials])
    seeds = _span([len(study.seeds) for study in studies])
    found = []
    if len({study.machine for study in studies if study.machine}) > 1:
        found.append("the studies ran on different machines.")
    if trials:
        found.append(f"the searches hold different numbers of trials {trials}.")
    if seeds:
        found.append(
            f"the studies have different numbers of seeds {seeds}, and each is charged its own."
        )
    return [
        f"Mind the costs: {sentence}" if place == 0 else f"{sentence[0].upper()}{sentence[1:]}"
        for place, sentence in enumerate(found)
    ]


def data_cautions(comparison: Comparison) -> list[str]:
    """Say what part of the data was used, and at what sizes, where that is not as usual."""
    found = []
    if few := few_images_warning(comparison.images):
        found.append(f"Mind the test images: {few}")
    limits = {study.settings.get("limit", ALL_IMAGES) for study in comparison.studies}
    if limits != {ALL_IMAGES}:
        limit = " and ".join(sorted(limits)).replace("limit ", "")
        found.append(
            f"Mind the data: the studies used {limit} images of each split and class (limit), not "
            "the whole dataset."
        )
    asked = {study.settings.get("image_size", "") for study in comparison.studies}
    if len(asked) > 1:
        sizes = listed(
            [
                f"{study.label} at {study.settings.get('image_size_px') or '?'} px"
                for study in comparison.studies
            ]
        )
        found.append(f"Mind the sizes: the networks saw the pictures at different ones, {sizes}.")
    return found


def _span(counts: Sequence[int]) -> str:
    """Return the least and the most in brackets; nothing where all are the same."""
    return f"({min(counts)} to {max(counts)})" if len(set(counts)) > 1 else ""


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
    for entry in comparison.entries:
        if entry.study.warning:
            found.setdefault(entry.study.warning, []).append(entry.label)
    return found


def _headline(comparison: Comparison) -> str:
    name = comparison.recommended.label
    if len(comparison.entries) == 1:
        return f"One study: {name}"
    if _none_beats_chance(comparison):
        return "No study is shown to beat chance"
    if comparison.nearest is not None:
        return f"Take {name}: {beside_the_best(comparison.nearest)}"
    if not comparison.to_best:
        return f"Take {name}: the most accurate, and none is cheaper"
    return f"Take {name}: every cheaper study is shown to be less accurate"


def _weight(comparison: Comparison) -> str:
    nearest = comparison.nearest
    is_unsure = nearest is not None and not nearest.is_tie
    if warnings_of(comparison) or comparison.recommended.is_near_chance or is_unsure:
        return "care"
    return "note" if len(comparison.entries) == 1 else "good"


def _choice(comparison: Comparison) -> list[str]:
    best, images = comparison.best, f"n = {comparison.images:,} test images"
    if len(comparison.entries) == 1:
        bounds = best.accuracy
        return [
            f"There is one study and nothing to compare it with: {best.label} is right on "
            f"{percent_right(best.accuracy.value)} of {images} (95 % {100 * bounds.low:.1f} to "
            f"{100 * bounds.high:.1f}) and cost {format_cost(best)} from a cold start."
        ]
    if comparison.nearest is not None:
        return not_shown(comparison.nearest, images)
    description = (
        f"{best.label} is right on {percent_right(best.accuracy.value)} of {images}, the most of "
        f"the {len(comparison.entries)} studies, and cost {format_cost(best)} from a cold start."
    )
    return [description, *(_all_shown(comparison) if comparison.to_best else _cheapest(comparison))]


def _all_shown(comparison: Comparison) -> list[str]:
    """Tell that no cheaper study will do, and which comes nearest."""
    closest = min(
        comparison.to_best, key=lambda pair: (pair.accuracy.value, pair.lower.cold_seconds)
    )
    count, lower = len(comparison.to_best), closest.lower
    which = (
        f"Each of the {count} cheaper studies is shown to be less accurate; the closest, "
        f"{lower.label}, is"
        if count > 1
        else f"The only cheaper study is shown to be less accurate: {lower.label} is"
    )
    adjusted = ", adjusted" if closest.tests > 1 else ""
    return [
        f"{which} right on {percent_right(lower.accuracy.value)} and cost "
        f"{format_cost(lower)}: {points(closest.accuracy.value)} points behind (95 % "
        f"{points_range(closest.accuracy)}; McNemar's test "
        f"{format_p(closest.adjusted_p)}{adjusted})."
    ]


def _cheapest(comparison: Comparison) -> list[str]:
    """Tell that the choice is clear whether or not the lead is real."""
    second = comparison.entries[1]
    return [
        f"No study is cheaper, so the choice does not hang on whether its lead is real; the "
        f"next, {second.label}, is right on {percent_right(second.accuracy.value)} and cost "
        f"{format_cost(second)}."
    ]


def _seeds(comparison: Comparison) -> list[str]:
    named = {entry.label: entry for entry in (comparison.recommended, comparison.best)}
    several = [
        f"{entry.label} over {len(entry.study.seeds)} (the kept model: "
        f"{percent_right(entry.accuracy.of_seeds[0])})"
        for entry in named.values()
        if len(entry.study.seeds) > 1
    ]
    if not several:
        return []
    test = " McNemar's test compares the models that were kept." * bool(comparison.to_best)
    return [f"Accuracies are means over seeds: {listed(several)}.{test}"]


def _chance(comparison: Comparison) -> list[str]:
    if len(comparison.entries) > 1 and _none_beats_chance(comparison):
        return [
            "Beware: the 95 % interval of ROC AUC of every study reaches down to 0.5, so none is "
            "shown to tell fakes from real images better than chance."
        ]
    chosen = comparison.recommended
    if chosen.is_near_chance:
        bounds = chosen.roc_auc
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
    return all(entry.is_near_chance for entry in comparison.entries)


#: How many rows each list may have, tried in turn until the text is short enough.
_CUTS = (40, 20, 15, 10, 7, 5, 3, 2, 1)
_LONGEST_SENTENCE = 240
_STEP_COLUMNS = ("from", "to", "accuracy_gain", "adjusted_p", "more_accurate", "per_point")


def comparison_markdown(comparison: Comparison) -> str:
    """Return warnings, paragraph, leaderboard, steps and what was left out, names escaped.

    Lists are cut so that the whole stays under 5,000 characters; a line says where the rest is.
    """
    return fitting(partial(_cut, comparison), _CUTS, verdict_of(comparison).paragraph)


def leaderboard_markdown(comparison: Comparison) -> str:
    """Return the whole leaderboard: figures and costs, times to target, sizes and speeds."""
    verdict = verdict_of(comparison)
    parts = [
        f"# Leaderboard (n = {comparison.images:,} test images)",
        f"**{escaped(verdict.headline)}.**",
        escaped(verdict.paragraph),
        quality(comparison).markdown(),
        "## Time to validation ROC AUC, size and speed",
        costs(comparison).markdown(),
        *(f"- {escaped(line)}" for line in format_unmeasured(comparison)),
    ]
    return "\n\n".join(parts) + "\n"


def _cut(comparison: Comparison, most: int) -> str:
    verdict = verdict_of(comparison)
    parts = [
        *_warnings(comparison, most),
        f"**{escaped(verdict.headline)}.**",
        escaped(verdict.paragraph),
        f"### Leaderboard (n = {comparison.images:,} test images)",
        *leaderboard(comparison).cut(most, "leaderboard.csv"),
        *_steps(comparison, most),
        *_left_out(comparison.left_out, most),
    ]
    return "\n\n".join(parts) + "\n"


def _warnings(comparison: Comparison, most: int) -> list[str]:
    found = warnings_of(comparison)
    lines = [
        f"**{escaped(f'{listed(labels)}: {prose(warning, _LONGEST_SENTENCE)}')}**"
        for warning, labels in list(found.items())[:most]
    ]
    return [*lines, *more(len(found) - most, "report.html")]


def _steps(comparison: Comparison, most: int) -> list[str]:
    if not comparison.along_front:
        return []
    table = pairs_table(comparison.along_front).pick(*_STEP_COLUMNS)
    return ["### Steps along the front", *table.cut(most, "steps.csv")]


def _left_out(left_out: Sequence[LeftOut], most: int) -> list[str]:
    if not left_out:
        return []
    lines = [
        f"- {escaped(elided(study.name, 80))}: "
        f"{escaped(sentence_end(prose(study.reason, _LONGEST_SENTENCE)))}"
        for study in left_out[:most]
    ]
    return ["### Left out", "\n".join(lines), *more(len(left_out) - most, "report.html")]

"""A comparison in words: its verdict, its warnings, and Markdown for its MLflow run."""

from functools import partial

from fakeface_bench.analysis.comparison import Comparison, LeaderboardEntry
from fakeface_bench.config import StudyConfig, format_option
from fakeface_bench.report.comparison_tables import (
    costs,
    format_unmeasured,
    leaderboard,
    pairs_table,
    quality,
)
from fakeface_bench.report.format import cost, escaped, listed, percent_right, prose
from fakeface_bench.report.page import Verdict
from fakeface_bench.report.saved_study import few_images_warning
from fakeface_bench.report.table import fitting, left_out_table, more


def verdict_of(comparison: Comparison) -> Verdict:
    """Say which model to take, and how its accuracy and cost compare with the best one's."""
    nearest, chosen = comparison.nearest, comparison.recommended
    is_unsure = nearest is not None and not nearest.is_tie
    has_warning = any(study.warning for study in comparison.studies)
    weight = "note" if len(comparison.entries) == 1 else "good"
    if has_warning or chosen.is_near_chance or is_unsure:
        weight = "care"
    other = comparison.best if nearest else next(iter(comparison.entries[1:]), None)
    what = f"n = {comparison.images:,} test images"
    paragraph = f"On {what}, {_accuracy_and_cost(chosen)} from a cold start"
    if other is not None:
        paragraph += f"; {_accuracy_and_cost(other)}"
    return Verdict(_headline(comparison), f"{paragraph}.", weight)


def _headline(comparison: Comparison) -> str:
    name, nearest = comparison.recommended.label, comparison.nearest
    if len(comparison.entries) == 1:
        return f"One study, nothing to compare it with: {name}"
    if all(entry.is_near_chance for entry in comparison.entries):
        return "No study is shown to beat chance"
    if nearest is not None and nearest.is_tie:
        return f"Take {name}: a tie with the best, and cheaper"
    if nearest is not None:
        return f"Take {name}: not shown to be worse than the best, though it may well be"
    if not comparison.to_best:
        return f"Take {name}: the most accurate, and none is cheaper"
    return f"Take {name}: every cheaper study is shown to be less accurate"


def _accuracy_and_cost(entry: LeaderboardEntry) -> str:
    price = cost(entry.study.ledger, entry.cold_seconds)
    return f"{entry.label} is correct on {percent_right(entry.accuracy.value)} and cost {price}"


def warnings_of(comparison: Comparison) -> list[str]:
    """Return what a reader must not miss: weights, chance, the images, and unequal costs."""
    studies = comparison.studies
    of_warning: dict[str, list[str]] = {}
    for entry in comparison.entries:
        if entry.study.warning:
            of_warning.setdefault(entry.study.warning, []).append(entry.label)
    found = [f"{listed(names)}: {prose(text, 240)}" for text, names in of_warning.items()]
    if near := [entry.label for entry in comparison.entries if entry.is_near_chance]:
        interval = "95 % interval of ROC AUC not above 0.5"
        found.append(f"Not shown to beat chance ({interval}): {listed(near)}.")
    if few := few_images_warning(comparison.images):
        found.append(few)
    limits = {study.settings.get("limit", _ALL_IMAGES) for study in studies}
    if limits != {_ALL_IMAGES}:
        found.append(f"Not the whole dataset, per split and class: {' and '.join(sorted(limits))}.")
    if len({study.settings.get("image_size", "") for study in studies}) > 1:
        sizes = {study.settings.get("image_size_px") or "?" for study in studies}
        px = listed(sorted(sizes, key=lambda size: (len(size), size)))
        found.append(f"The networks saw the images at different sizes: {px} px.")
    if not comparison.recommended.on_front:
        found.append(f"{comparison.recommended.label} is not on the front.")
    if len({study.machine for study in studies if study.machine}) > 1:
        found.append("Costs: the studies ran on different machines.")
    trials = [study.trials for study in studies if study.trials]
    seeds = [len(study.seeds) for study in studies]
    for what, counts in (("trials", trials), ("seeds", seeds)):
        if len(set(counts)) > 1:
            found.append(f"Costs: different numbers of {what} ({min(counts)} to {max(counts)}).")
    return found


_ALL_IMAGES = format_option("limit", StudyConfig().limit)
#: How many rows each list may have, tried in turn until the text is short enough.
_CUTS = (40, 20, 15, 10, 7, 5, 3, 2, 1)
_PAIR_COLUMNS = ("from", "to", "points", "adjusted_p", "more_accurate", "per_point")


def comparison_markdown(comparison: Comparison) -> str:
    """Return warnings, verdict, leaderboard, front and what was left out, names escaped.

    Lists are cut so that the whole stays under 5,000 characters; a line says where the rest is.
    """
    return fitting(partial(_cut, comparison), _CUTS, verdict_of(comparison).paragraph)


def leaderboard_markdown(comparison: Comparison) -> str:
    """Return the whole leaderboard: metrics and costs, times to target, sizes and speeds."""
    parts = [
        f"# Leaderboard (n = {comparison.images:,} test images)",
        *_verdict(comparison),
        *(f"**{escaped(warning)}**" for warning in warnings_of(comparison)),
        quality(comparison).markdown(),
        "## Time to validation ROC AUC, size and speed",
        costs(comparison).markdown(),
        *(f"- {escaped(line)}" for line in format_unmeasured(comparison)),
    ]
    return "\n\n".join(parts) + "\n"


def _verdict(comparison: Comparison) -> list[str]:
    verdict = verdict_of(comparison)
    return [f"**{escaped(verdict.headline)}.**", escaped(verdict.paragraph)]


def _cut(comparison: Comparison, most: int) -> str:
    warnings = warnings_of(comparison)
    parts = [
        *(f"**{escaped(warning)}**" for warning in warnings[:most]),
        *more(len(warnings) - most, "report.html"),
        *_verdict(comparison),
        f"### Leaderboard (n = {comparison.images:,} test images)",
        *leaderboard(comparison).cut(most, "leaderboard.csv"),
    ]
    if comparison.along_front:
        table = pairs_table(comparison.along_front).pick(*_PAIR_COLUMNS)
        parts += ["### Pairwise comparisons along the front", *table.cut(most, "steps.csv")]
    if comparison.left_out:
        table = left_out_table(comparison.left_out, "Left out").pick("study", "why")
        lines = [f"- {escaped(name)}: {escaped(why)}" for name, why in table.rows[:most]]
        parts += ["### Left out", "\n".join(lines), *more(len(table.records) - most, "report.html")]
    return "\n\n".join(parts) + "\n"

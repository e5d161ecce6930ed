"""All files of a comparison: page, verdict and warnings, tables, pictures, Markdown for MLflow."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from fakeface_bench.analysis.comparison import (
    Comparison,
    LeaderboardEntry,
    PairwiseComparison,
    accuracy_curve,
)
from fakeface_bench.config import CLASS_NAMES, StudyConfig
from fakeface_bench.records.settings import format_option
from fakeface_bench.report import comparison_plots, comparison_tables
from fakeface_bench.report.comparison_tables import (
    costs,
    detectors_table,
    format_unmeasured,
    leaderboard,
    pairs_table,
    quality,
)
from fakeface_bench.report.format import (
    cost,
    counted,
    escaped,
    in_points,
    listed,
    percent_right,
    prose,
    with_interval,
)
from fakeface_bench.report.page import Verdict, page_environment
from fakeface_bench.report.saved_study import few_images_warning
from fakeface_bench.report.study_plots import MOST_IMAGES
from fakeface_bench.report.table import Table, fitting, left_out_table, more, write_csv
from fakeface_bench.report.tiles import Tile, thumbnail
from fakeface_bench.support.text import elided


def verdict_of(comparison: Comparison) -> Verdict:
    """Say which model to take, and how its accuracy and cost compare with the best one's."""
    chosen, undecided = comparison.recommended, comparison.undecided
    has_warning = any(study.warning for study in comparison.studies)
    weight = "note" if len(comparison.entries) == 1 else "good"
    if comparison.is_one_network:
        weight = "note"
    elif has_warning or chosen.is_near_chance or undecided:
        weight = "care"
    other: LeaderboardEntry | None = comparison.best
    if chosen is other:
        other = undecided.lower if undecided else next(iter(comparison.entries[1:]), None)
    what = f"n = {comparison.images:,} test images"
    paragraph = f"On {what}, {_accuracy_and_cost(chosen)} for {comparison.effort}"
    if other is not None:
        paragraph += f"; {_accuracy_and_cost(other)}"
        if not comparison.tells_of_networks:
            paragraph += ". Differences are between these fits: another seed may differ as much"
    return Verdict(_headline(comparison), f"{paragraph}.", weight)


def _headline(comparison: Comparison) -> str:
    chosen, undecided = comparison.recommended, comparison.undecided
    take = f"Take {chosen.label}"
    margin = in_points(comparison.margin)
    if len(comparison.entries) == 1:
        return f"One study, nothing to compare it with: {chosen.label}"
    if comparison.is_one_network:
        values = [entry.accuracy.value for entry in comparison.entries]
        apart = in_points(round(max(values) - min(values), 3))
        return f"{len(values)} fits of one network, {apart} apart: no difference between networks"
    if all(entry.is_near_chance for entry in comparison.entries):
        return "No study is shown to beat chance"
    if chosen is not comparison.best:
        return f"{take}: shown to be within {margin} of the best, and cheaper"
    if not comparison.to_best:
        return f"{take}: the most accurate, and none is shown to be cheaper"
    if undecided is not None:
        return f"{take}: no cheaper study is shown to be within {margin} of it"
    cheaper = "study" if comparison.tells_of_networks else "fit"
    return f"{take}: every cheaper {cheaper} is shown to be less accurate"


def _accuracy_and_cost(entry: LeaderboardEntry) -> str:
    price = cost(entry.study.ledger, entry.cost.value)
    return f"{entry.label} is correct on {percent_right(entry.accuracy.value)} and costs {price}"


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
    if len({bool(study.settings.get("folds")) for study in studies}) > 1:
        found.append(
            "Not all were fitted on the same images: those with folds on train and validation "
            "together, the others on train alone."
        )
    if comparison.undecided and not comparison.is_one_network:
        found.append(_what_would_decide(comparison.undecided, comparison.margin))
    if unknown := [each.label for each in comparison.detectors if not each.is_seen_known]:
        found.append(
            f"What images {listed(unknown)} saw in training is not known: the test images may be "
            "among them."
        )
    if not comparison.recommended.on_front:
        found.append(f"{comparison.recommended.label} is not on the front.")
    if len({study.machine for study in studies if study.machine}) > 1:
        found.append("Costs: the studies ran on different machines.")
    if shared := [entry for entry in comparison.entries if entry.study.ledger.was_shared]:
        most = max(entry.study.ledger.other["others_share"] for entry in shared)
        names = listed([entry.label for entry in shared])
        found.append(f"Costs: others took up to {most:.0%} of the machine beside {names}.")
    trials = [study.trials for study in studies if study.trials]
    if len(set(trials)) > 1:
        costs = f"; costs are of {comparison.trials} each" if comparison.trials else ""
        found.append(f"Different numbers of trials ({min(trials)} to {max(trials)}){costs}.")
    seeds = [len(study.seeds) for study in studies]
    if len(set(seeds)) > 1:
        found.append(f"Different numbers of seeds ({min(seeds)} to {max(seeds)}).")
    return found


def _what_would_decide(pair: PairwiseComparison, margin: float) -> str:
    """Return how close a study could be shown to be, and how many images would show the margin."""
    closest = in_points(max(0.001, round(pair.spread, 3)))
    needed = pair.images_for(margin) if margin else 0
    what = "These images" if needed is not None else "These seeds and images"
    told = f"{what} could show {pair.lower.label} to be within {closest} at best"
    if needed is not None and needed > len(pair.upper.study.y_true):
        about = round(needed, 2 - len(str(needed)))
        told += f"; were both equally accurate, about {about:,} would show {in_points(margin)}"
    return f"{told}."


_ALL_IMAGES = format_option("limit", StudyConfig().limit)
#: How many rows each list may have, tried in turn until the text is short enough.
_CUTS = (40, 20, 15, 10, 7, 5, 3, 2, 1)
_DETECTOR_COLUMNS = ("label", "accuracy", "roc_auc", "accuracy_ahead", "adjusted_p")
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
        f"## {costs(comparison).title}",
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
    if comparison.detectors:
        table = detectors_table(comparison).pick(*_DETECTOR_COLUMNS)
        parts += ["### Detectors of others", *table.cut(most, "detectors.csv")]
    if comparison.along_front:
        table = pairs_table(comparison.along_front).pick(*_PAIR_COLUMNS)
        parts += ["### Pairwise comparisons along the front", *table.cut(most, "steps.csv")]
    if comparison.left_out:
        table = left_out_table(comparison.left_out, "Left out").pick("study", "why")
        lines = [f"- {escaped(name)}: {escaped(why)}" for name, why in table.rows[:most]]
        parts += ["### Left out", "\n".join(lines), *more(len(table.records) - most, "report.html")]
    return "\n\n".join(parts) + "\n"


#: What each word means, on the page.
_TERMS = (
    ("Cost", "What sets networks apart: extraction, as many trials of the search as every study "
     "had, and the last fit; as if nothing had been cached. Its interval is over the trials that "
     "the search might have drawn. All comparisons use this one: a study counts as cheaper where "
     "the difference is more than both intervals leave open."),
    ("Cold cost", "All seconds of a study as if nothing had been cached and its search had run in "
     "one go, start-up and further seeds included: what earlier runs spent on it is charged too, "
     "and trials that failed or were killed are charged too."),
    ("Warm cost", "Wall clock of the run itself, which found some of its work done."),
    ("This run", "Energy and peak memory are of the last run alone, so they are no cold cost."),
    ("Amortised", "The part of the cold cost that earlier runs spent."),
    ("95 % interval", "Of several seeds, which count with their mean, over other seeds and other "
     "images (the mixed model of Obuchowski and Rockette). Of one seed over other images alone: "
     "accuracy and ROC AUC as in the study's own table, the Wilson interval and the wider of "
     "DeLong's and Newcombe's; the rest the middle 95 % of 1,000 stratified bootstrap resamples, "
     "which shrinks to a point where every resample agrees: the method's limit, not certainty. "
     "None covers another dataset."),
    ("Seeds", "With seeds=3 and more, search and fit were repeated with further seeds, and the "
     "page can speak of networks. With refits the last fit alone was repeated: that is how far "
     "fits of the same options lie apart. Else it speaks of the fits that were made."),
    ("Validation accuracy", "In the curves it is at threshold 0.5, epoch by epoch; in the tables "
     "every accuracy is at the study's own threshold, chosen on validation or folds. What trial, "
     "epoch and threshold were chosen on is optimistic: on test the same fits score less."),
    ("Difference", "Of the means over seeds, where both have several; else of these fits on the "
     "same resamples. One point is one per cent of the test images. Of models that are correct on "
     "the same images, not ruled out is what so many images leave open (one-sided 95 %)."),
    ("p", "Could both be equally accurate? Of two networks with three or more seeds each, from the "
     "difference over seeds and images. Else McNemar's exact test, on the images that only one of "
     "two kept models predicted correctly, which asks about these two fits."),
    ("Holm's adjustment", "Raises the p values of tests made together, here of all pairs of "
     "studies, so that chance alone shows one or more differences on at most 5 % of such "
     "pages."),
    ("Shown", "Adjusted p below 0.05, of two networks. Of two fits the column says these fits; "
     "one network where both are fits of the same, which no seed makes another."),
    ("Not shown", "These images do not tell the two apart well enough. It is not proof that they "
     "are equal; the interval says how far apart they may be."),
    ("The one to take", "The cheapest study that is shown to be within the margin of the best (one "
     "point, unless the option margin says otherwise): the interval of what the best is ahead by "
     "ends within it. The best itself where none is."),
    ("Front", "The studies that no other beats in cost and accuracy at once."),
    ("Area under the curve", "Of the best validation ROC AUC so far, over the time until the "
     "longest search of the page ended: its mean, with 0.5 before the first epoch."),
    ("Times as long as the fastest", "Paired over the seeds of two networks that all reached the "
     "target, three or more: geometric mean of the ratios, its interval and p by Student's t of "
     "their logarithms. Slower is shown where p is below 0.05 after Holm's adjustment over all "
     "pairs of such networks."),
    ("Time to ROC AUC", "Seconds from the begin of preparation until it was first reached on "
     "validation: median and quartiles over orders of the trials, for which of them comes first is "
     "chance; ∞ where it never was. Validation is optimistic: the trials were chosen by it."),
)  # fmt: skip


def key_metrics(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Return value, name and detail of the four numbers to look at first."""
    best, chosen = comparison.best, comparison.recommended
    reals, fakes = ((best.study.y_true == label).sum() for label in range(2))
    front = sum(entry.on_front for entry in comparison.entries)
    count = len(comparison.entries)
    return [
        (percent_right(best.accuracy.value), "best test accuracy", best.label),
        (
            cost(chosen.study.ledger, chosen.cost.value, short=True),
            "cost of the one to take" if count > 1 else "cost",
            f"{chosen.label}, ROC AUC {with_interval(chosen.roc_auc)}",
        ),
        (f"{front} of {count}", "studies on the front", f"{len(comparison.left_out)} left out"),
        (
            f"{comparison.images:,}",
            "test images",
            f"{reals:,} {CLASS_NAMES[0]}, {fakes:,} {CLASS_NAMES[1]}; "
            f"{len(comparison.agreement.wrong_by_all):,} wrong by all",
        ),
    ]


_FRONT = (
    "Each study's test metric against its cost; whiskers are 95 % intervals. The dotted line is "
    "the front; a study that another beats in both is pale."
)
_CURVES = (
    "Of the fit that was tested, at threshold 0.5; the tables' accuracy is at each study's own "
    "threshold. Epochs count from 1. Elapsed time counts from a cold start and holds preparation, "
    "extraction and epochs, not the search."
)
_ANYTIME = (
    "The best validation ROC AUC that a search had found by then, and the test ROC AUC of what "
    "would have been taken: computed after the end, never used. Time counts from a cold start, "
    "trials one after another."
)
_HOLLOW = " Hollow marks are epochs that trained the head alone, before layers were trained too."


def write_comparison_report(comparison: Comparison, folder: Path) -> None:
    """Write `report.html`, `front.html`, `leaderboard.md`, the CSV tables and the pictures.

    No page needs another file or a network. Files of an earlier report in the folder are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, table_of in _tables(comparison).items():
        write_csv(table_of(comparison), folder / name)
    for name, draw in _pictures(comparison).items():
        draw(comparison, folder / name)
    content = _content(comparison)
    texts = {
        "leaderboard.md": leaderboard_markdown(comparison),
        "front.html": _page(
            "front.html", {**content, "plots": {"front": content["plots"]["front"]}}
        ),
        "report.html": _page("comparison.html", content),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _page(template: str, content: Mapping[str, Any]) -> str:
    return page_environment().get_template(template).render(content)


def _content(comparison: Comparison) -> dict[str, Any]:
    entries, agreement = comparison.entries, comparison.agreement
    names = sorted({elided(study.identity.data, 60) for study in comparison.studies})
    hollow = any(accuracy_curve(study).is_head_alone.any() for study in comparison.studies)
    alone = "One study stands on the front: there is no step to take."
    lowest = agreement.lowest_shade
    return {
        "title": listed(names),
        "entries": entries,
        "marks": {entry.label: comparison_plots.mark(entry.rank) for entry in entries},
        "views": {**comparison_plots.VIEWS, "anytime": comparison_plots.anytime_views(comparison)},
        "plots": comparison_plots.all_plots(comparison),
        "plotly": comparison_plots.plotly_script(),
        "front_words": _FRONT,
        "curve_words": _CURVES + _HOLLOW * hollow,
        "verdict": verdict_of(comparison),
        "warnings": warnings_of(comparison),
        "key_metrics": key_metrics(comparison),
        "quality": comparison_tables.quality(comparison),
        "costs": comparison_tables.costs(comparison),
        "gains": comparison_tables.gains(comparison),
        "prices": comparison_tables.prices_table(comparison),
        "portfolio": comparison_tables.portfolio(comparison),
        "target_times": comparison_tables.target_times(comparison),
        "anytime": comparison_tables.anytime(comparison),
        "anytime_words": _ANYTIME,
        "detectors": detectors_table(comparison),
        "along_front": pairs_table(comparison.along_front, "Neighbours on the front", alone),
        "to_best": pairs_table(comparison.to_best, "Every cheaper study against the most accurate"),
        "stages": comparison_plots.stage_looks(comparison),
        "has_amortised": any(
            stage.amortised_seconds for study in comparison.studies for stage in study.ledger.stages
        ),
        "class_names": CLASS_NAMES,
        "confusions": agreement.confusions.tolist(),
        "confusion_shares": agreement.confusion_shares.tolist(),
        "agreement": agreement.same_predictions.tolist(),
        "depths": (0.1 + 0.9 * (agreement.same_predictions - lowest) / (1 - lowest)).tolist(),
        **_wrong(comparison),
        "left_out": left_out_table(comparison.left_out, "Left out", "No study was left out."),
        "terms": _TERMS,
        "runs": comparison_tables.runs(comparison),
        "files": sorted(
            [*_tables(comparison), *_pictures(comparison), "front.html", "leaderboard.md"]
        ),
    }


def _wrong(comparison: Comparison) -> dict[str, Any]:
    positions = comparison.agreement.wrong_by_all
    many = len(comparison.entries) > 1
    pictures = any(study.data_folders for study in comparison.studies)
    shown = f"The most surely wrong stand first, at most {MOST_IMAGES}; " if pictures else ""
    return {
        "wrong_title": "Images that all predict wrongly" if many else "Images predicted wrongly",
        "wrong_words": f"{counted(len(positions), 'image')} of {comparison.images:,}. {shown}"
        "wrong_by_all.csv has all.",
        "wrong": [
            _tile(comparison, int(position)) for position in positions[: MOST_IMAGES * pictures]
        ],
    }


def _tile(comparison: Comparison, position: int) -> Tile:
    study = comparison.studies[0]
    folder = study.data_folders.get(study.sources[position])
    scores = [float(s.kept.y_score[position]) for s in comparison.studies]
    low, high = f"{min(scores):.2f}", f"{max(scores):.2f}"
    path = study.paths[position]
    return Tile(
        picture=thumbnail(Path(folder) / path) if folder else None,
        label=int(study.y_true[position]),
        words=f"score {low}" if low == high else f"scores {low} to {high}",
        name=path.rpartition("/")[2],
    )


_TABLES: Mapping[str, Callable[[Comparison], Table | pd.DataFrame]] = {
    "leaderboard.csv": comparison_tables.leaderboard_table,
    "steps.csv": comparison_tables.all_pairs,
    "prices.csv": comparison_tables.prices_table,
    "portfolio.csv": comparison_tables.portfolio,
    "agreement.csv": comparison_tables.agreement_table,
    "wrong_by_all.csv": comparison_tables.wrong_by_all_table,
}
_PICTURES = {
    "front.png": comparison_plots.draw_front,
    "validation_accuracy.png": comparison_plots.draw_curves,
    "confusion_matrices.png": comparison_plots.draw_confusions,
    "agreement.png": comparison_plots.draw_agreement,
}


def _tables(comparison: Comparison) -> dict[str, Callable[[Comparison], Table | pd.DataFrame]]:
    """Return what makes each CSV table, by its file."""
    tables = dict(_TABLES)
    if comparison.detectors:
        tables["detectors.csv"] = detectors_table
    if comparison.tells_searches:
        tables["anytime.csv"] = comparison_tables.anytime_steps
    if comparison.target:
        tables["time_to_target.csv"] = comparison_tables.target_times
    return tables


def _pictures(comparison: Comparison) -> dict[str, Callable[[Comparison, Path], None]]:
    """Return what draws each picture, by its file."""
    anytime = {"anytime.png": comparison_plots.draw_anytime} if comparison.tells_searches else {}
    return {**_PICTURES, **anytime}

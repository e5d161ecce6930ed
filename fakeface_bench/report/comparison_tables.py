"""The tables of a comparison; each column is defined once for text and CSV."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from math import isfinite
from operator import attrgetter, itemgetter
from typing import Any

import pandas as pd

from fakeface_bench.analysis.comparison import Comparison, LeaderboardEntry, PairwiseComparison
from fakeface_bench.analysis.prices import Purchase, prices_of, purchases
from fakeface_bench.analysis.time_to_target import (
    AnytimeCurve,
    TimeToTarget,
    anytime_curves,
    times_to_target,
)
from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.evaluation.paired import RESAMPLED
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.ledger import STAGES, TARGETS, target_key
from fakeface_bench.report.format import (
    NEVER,
    OPTIMISTIC,
    UNKNOWN,
    dollars,
    duration,
    listed,
    p_value,
    points,
    points_range,
    prose,
    spread_in_time,
    with_interval,
)
from fakeface_bench.report.table import (
    COUNT,
    ESTIMATE,
    FIGURE,
    LONG,
    NAME,
    SCORE,
    TIME,
    WORDS,
    Column,
    Format,
    Table,
    at,
    only_csv,
    only_text,
)
from fakeface_bench.support.text import visible

_CSV = FIGURE.csv


def _number(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _if_known(part_of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else part_of(value)


_WHOLE = Format(lambda value: UNKNOWN if value is None else f"{value:,.0f}", _CSV)
_NUMBER = Format(_number, _CSV)
_TARGET = Format(
    lambda reached: NEVER if reached is None else spread_in_time(*reached),
    {end: _if_known(itemgetter(place)) for place, end in ((1, ""), (0, "_q25"), (2, "_q75"))},
)
_COST = Format(lambda cost: spread_in_time(cost.low, cost.value, cost.high), ESTIMATE.csv)
_PRICE = Format(lambda price: UNKNOWN if price is None else dollars(price), _CSV)
_SEEDS = Format(lambda seeds: ", ".join(str(scores.seed) for scores in seeds), {}, "")
_P = Format(lambda p: UNKNOWN if p is None else p_value(p), _CSV)
_OVER_SEEDS = Format(
    with_interval,
    {**ESTIMATE.csv, "_std": attrgetter("std"), "_kept": lambda estimate: estimate.of_seeds[0]},
)
#: What a ledger measures besides time, in the order of CSV: key, heading, format.
_SIZES = (
    ("parameters", "parameters", _WHOLE),
    ("parameters_trained", "trained", _WHOLE),
    ("mmacs_per_image", "MMACs per image", _NUMBER),
    ("predict_images_per_second", "images per second", _NUMBER),
    ("peak_memory_gb", "peak memory, this run, GB", _NUMBER),
    ("energy_kwh", "energy, this run, kWh", _NUMBER),
    ("processor_seconds", "processor time, this run", TIME),
    ("first_epoch_seconds", "first epoch", TIME),
    ("steady_epoch_seconds", "later epochs", TIME),
    ("epoch_end_to_end_seconds", "epoch, end to end", TIME),
)
#: In the order of the table of sizes and speeds.
_SHOWN_SIZES = (
    *("parameters", "parameters_trained", "mmacs_per_image", "predict_images_per_second"),
    *("first_epoch_seconds", "steady_epoch_seconds", "epoch_end_to_end_seconds"),
    *("processor_seconds", "peak_memory_gb", "energy_kwh"),
)
_METRICS = {
    "accuracy": "accuracy (95 %)",
    "roc_auc": "ROC AUC (95 %)",
    **{f"f1_{name}": f"F1 {name} (95 %)" for name in CLASS_NAMES},
}
_ESTIMATES = ("label", "accuracy", "roc_auc")
_TIMES_TO = {f"to_roc_auc_{target_key(t)}_seconds": target_key(t) for t in TARGETS}


_DETECTORS = (
    Column("label", "model"),
    only_csv("address", "scores.model.address", NAME),
    Column("images", "images", "scores.images", COUNT),
    Column("left_out", "left out", "scores.overlap.images", COUNT),
    Column("accuracy", "accuracy (95 %)", at("scores.estimates", "accuracy"), ESTIMATE),
    Column("roc_auc", "ROC AUC (95 %)", at("scores.estimates", "roc_auc"), ESTIMATE),
    Column("accuracy_ahead", "accuracy, ahead of the best", "accuracy_ahead", ESTIMATE),
    Column("roc_auc_ahead", "ROC AUC, ahead", "roc_auc_ahead", ESTIMATE),
    Column("adjusted_p", "p, adjusted", "adjusted_p", _P),
    Column(
        "trained_on",
        "trained on",
        lambda detector: detector.scores.model.data if detector.is_seen_known else "not known",
        NAME,
    ),
    only_text("training_cost", "training cost", lambda detector: "not known", WORDS),
    Column("seconds_per_1000", "1,000 predictions", "scores.seconds_per_1000", TIME),
)


def detectors_table(comparison: Comparison) -> Table:
    """Return one row per detector of others, the most accurate first."""
    note = (
        f"Tested as they are, on the images of the studies; ahead: of {comparison.best.label}, on "
        "the same images. McNemar's test, after Holm's adjustment over these rows."
    )
    return Table(_DETECTORS, comparison.detectors, "Detectors of others", note=note)


def leaderboard_table(comparison: Comparison) -> Table:
    """Return one row per study, the most accurate first, with all that is known of it."""
    known = {key for key, _, _ in _SIZES}
    others = {key for study in comparison.studies for key in study.ledger.other} - known
    sizes = (*_SIZES, *((key, "", WORDS) for key in sorted(others)))
    columns = (
        Column("label", "model"),
        Column("run_id", "MLflow run", "study.identity.run_id", LONG),
        *(only_csv(key, f"study.identity.{key}", NAME) for key in ("model", "fine_tune")),
        *(
            Column(key, key, f"study.identity.{key}", LONG)
            for key in ("weights", "trained", "study", "data")
        ),
        Column("machine", "machine", "study.machine", LONG),
        Column("trials", "trials", lambda s: s.study.trials or None, COUNT),
        only_csv("seeds", lambda s: len(s.study.seeds)),
        only_csv("repeats_study", "study.repeats_study"),
        only_text("seeds_shown", "seeds", _format_seeds),
        only_text("seeds_listed", "seeds", "study.seeds", _SEEDS),
        only_csv("test_images", lambda s: len(s.study.y_true)),
        *(Column(key, _METRICS[key], at("estimates", key), _OVER_SEEDS) for key in RESAMPLED),
        only_csv("on_front"),
        Column("cost_seconds", "cost (95 %)", "cost", _COST),
        only_csv("cost_dollars", "dollars"),
        Column("total_cold_seconds", "cold", "cold_seconds", TIME),
        Column(
            "total_warm_seconds", "wall clock, this run", "study.ledger.total_warm_seconds", TIME
        ),
        Column("total_cold_dollars", "price", "cold_dollars", _PRICE),
        only_csv("total_warm_dollars", "warm_dollars"),
        *(
            Column(key, f"to {target}", _reached(target), _TARGET)
            for key, target in _TIMES_TO.items()
        ),
        *(Column(key, head, at("study.ledger.other", key), how) for key, head, how in sizes),
        Column("baseline_roc_auc", "baseline", "study.baseline_roc_auc", SCORE),
        Column("search_gain", "gained by the search (95 %)", "study.search_gain", ESTIMATE),
        only_text("search_seconds", "search", _search_seconds, TIME),
        *(only_csv(f"{stage}_seconds", _stage_seconds(stage)) for stage in STAGES),
        only_csv("warning", "study.warning", NAME),
    )
    return Table(columns, comparison.entries)


def leaderboard(comparison: Comparison) -> Table:
    """Return the short leaderboard of a terminal."""
    return leaderboard_table(comparison).pick(*_ESTIMATES, "cost_seconds", "total_cold_seconds")


def quality(comparison: Comparison) -> Table:
    """Return accuracy, ROC AUC, F1 of each class and costs; the recommended study stands out."""
    priced = any(study.ledger.dollars_per_hour for study in comparison.studies)
    price = ("total_cold_dollars",) if priced else ()
    f1 = (f"f1_{name}" for name in CLASS_NAMES)
    place = comparison.entries.index(comparison.recommended)
    marked = frozenset({place}) if len(comparison.entries) > 1 else frozenset()
    note = f"The cost is of {comparison.effort}."
    if marked:
        note += " The study in colour is the one to take."
    costs = ("cost_seconds", "total_cold_seconds")
    table = leaderboard_table(comparison).pick(*_ESTIMATES, *f1, *costs, *price, "seeds_shown")
    return replace(table, title="Accuracy and cost", note=note, marked=marked)


def costs(comparison: Comparison) -> Table:
    """Return the time to each target, sizes and speeds."""
    title = f"Time to validation ROC AUC ({OPTIMISTIC}; quartiles), size and speed"
    keys = ("label", *_TIMES_TO, *_SHOWN_SIZES, "total_warm_seconds")
    table = leaderboard_table(comparison).pick(*keys)
    return replace(table, title=title, note=" ".join(format_unmeasured(comparison)))


def gains(comparison: Comparison) -> Table:
    """Return what each search gained over its baseline, of studies that have one."""
    told = [entry for entry in comparison.entries if entry.study.search_gain]
    keys = ("label", "baseline_roc_auc", "roc_auc", "search_gain", "trials", "search_seconds")
    table = replace(leaderboard_table(comparison), records=told).pick(*keys)
    note = (
        "The baseline is logistic regression on the same frozen features, with options as they "
        "come; where layers under the head are trained, the first trial."
    )
    return replace(table, title="ROC AUC of the baseline, and what the search gained", note=note)


_PRICES = (
    Column("label", "model", "entry.label"),
    Column("of", "price of"),
    Column("seconds", "time", "seconds", TIME),
    only_csv("seconds_are"),
    Column("kwh", "energy, kWh, estimated", "kwh", _NUMBER),
    only_csv("kwh_is"),
    Column("dollars", "dollars", "dollars", _PRICE),
)


def prices_table(comparison: Comparison) -> Table:
    """Return three rows a study: what searching, one training and 1,000 predictions take."""
    rows = [price for entry in comparison.entries for price in prices_of(entry)]
    note = (
        "Seconds are measured, from a cold start, extraction included. Energy is the run's by a "
        "part's share of its seconds. What was not measured is not known, and never 0."
    )
    return Table(_PRICES, rows, "Three prices", note=note)


def _bought(key: str, nothing: str | None = None) -> Callable[[Purchase], Any]:
    """Return what tells of the study that a budget buys; `nothing` where it buys none."""
    return lambda row: getattr(row.entry, key) if row.entry else nothing


_PURCHASES = (
    Column("minutes", "budget, minutes", "minutes", _NUMBER),
    Column("label", "take", _bought("label", "nothing fits")),
    Column("accuracy", _METRICS["accuracy"], _bought("accuracy"), ESTIMATE),
    Column("roc_auc", _METRICS["roc_auc"], _bought("roc_auc"), ESTIMATE),
    Column("seconds", "takes", _bought("one_seed_seconds"), TIME),
    Column("better", "better", lambda row: row.better.label if row.better else UNKNOWN),
    Column("more_minutes", "for more minutes", "more_minutes", _NUMBER),
    Column("points_a_minute", "points a minute", "points_a_minute", _NUMBER),
)


def portfolio(comparison: Comparison) -> Table:
    """Return a row a budget: what to take, what to expect, and what more would buy."""
    note = (
        "The most accurate study that fits, by its own seconds from a cold start, of one seed; "
        "better: the cheapest beyond the budget with a higher accuracy, which need not be shown to "
        "be higher."
    )
    return Table(_PURCHASES, purchases(comparison), note=note, name="What a budget buys")


def _time_if_any(spread: Estimate | None) -> str:
    return NEVER if spread is None else spread_in_time(spread.low, spread.value, spread.high)


def _ratio(behind: Estimate | None) -> str:
    if behind is None:
        return UNKNOWN
    return f"{behind.value:.3g} ({behind.low:.3g} to {behind.high:.3g})"


def _by_seed(row: TimeToTarget) -> str:
    """Write the seconds of each seed; empty of one that never reached the target."""
    return ";".join("" if one.seconds is None else f"{one.seconds:.3f}" for one in row.times)


_SLOWER = {True: "shown", False: "not shown", None: UNKNOWN}
_TIME_SPREAD = Format(
    _time_if_any,
    {
        end: _if_known(attrgetter(part))
        for end, part in (("", "value"), ("_least", "low"), ("_most", "high"))
    },
)
_BEHIND = Format(_ratio, ESTIMATE.csv)
_TIMES_TO_TARGET = (
    Column("label", "model", "entry.label"),
    only_text("reached", "seeds that reached it", lambda row: _reached_by(row)),
    only_csv("seeds", lambda row: len(row.times)),
    only_csv("missed"),
    Column("seconds", "time (least to most)", "seconds", _TIME_SPREAD),
    Column("times_as_long", "times as long as the fastest (95 %)", "behind", _BEHIND),
    Column("adjusted_p", "p, adjusted", "adjusted_p", _P),
    Column("slower", "slower?", lambda row: _SLOWER[row.is_shown_slower]),
    Column("test_roc_auc", "test ROC AUC, that trial", "test_roc_auc", SCORE),
    only_csv("seconds_by_seed", _by_seed),
)


def _reached_by(row: TimeToTarget) -> str:
    count = len(row.times)
    words = f"{count - row.missed} of {count}"
    return words if row.is_valid or row.missed == count else f"{words}: no time"


def target_times(comparison: Comparison) -> Table:
    """Return a row a network: how long it takes to the target, over its seeds."""
    rows = times_to_target(comparison, comparison.target) if comparison.target else []
    silent = [entry.label for entry in comparison.entries if not entry.study.courses]
    note = (
        f"Cold seconds to a validation ROC AUC of {comparison.target:g}, which is {OPTIMISTIC}, by "
        "a trial that was complete in the end: preparation, extraction, then the trials as they "
        "were drawn, without start-up. From three seeds on, each a search of its own, the fastest "
        "and the slowest are left out of the mean, and one may never get there. Networks are "
        "compared where three seeds or more all did. The test ROC AUC is of that trial at its end."
    )
    if silent:
        note += f" Not known, since they do not tell their search: {listed(silent)}."
    return Table(_TIMES_TO_TARGET, rows, f"Time to ROC AUC {comparison.target:g}", note=note)


_ANYTIME = (
    Column("label", "model", "entry.label"),
    Column("area", "area under the curve", "area", SCORE),
    Column("val_roc_auc", "validation ROC AUC in the end", lambda c: c.val_roc_auc[-1], SCORE),
    Column("test_roc_auc", "test ROC AUC in the end", lambda c: _finite(c.test_roc_auc[-1]), SCORE),
    Column("seconds", "ended after", lambda c: c.seconds[-1], TIME),
)


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def anytime(comparison: Comparison) -> Table:
    """Return a row a study whose search is known: how good it was over time."""
    note = (
        "Means over seeds. The area is the mean of the best validation ROC AUC so far until the "
        "longest search ended, 0.5 before there is any: who is good early has more of it."
    )
    return Table(_ANYTIME, anytime_curves(comparison), note=note, name="How good at any time")


def anytime_steps(comparison: Comparison) -> pd.DataFrame:
    """Return a row a moment at which the mean over a study's seeds changes."""
    columns = ("seconds", "val_roc_auc", "test_roc_auc")
    frames = [_steps_of(curve, columns) for curve in anytime_curves(comparison)]
    return pd.concat(frames, ignore_index=True)


def _steps_of(curve: AnytimeCurve, columns: Sequence[str]) -> pd.DataFrame:
    values = {"label": visible(curve.entry.label), **{key: getattr(curve, key) for key in columns}}
    return pd.DataFrame(values)


def runs(comparison: Comparison) -> Table:
    """Return which run each study is, and what it ran on."""
    keys = ("label", "run_id", "study", "data", "weights", "trained", "seeds_listed", "trials")
    return leaderboard_table(comparison).pick(*keys, "machine", name="Runs")


def _search_seconds(entry: LeaderboardEntry) -> float:
    return entry.study.ledger.search_seconds


def _reached(target: str) -> Callable[[LeaderboardEntry], tuple[float, float, float] | None]:
    return lambda entry: entry.study.ledger.reached(target)


def _stage_seconds(stage: str) -> Callable[[LeaderboardEntry], float]:
    return lambda entry: entry.study.ledger.stage(stage).seconds


def _format_seeds(entry: LeaderboardEntry) -> str:
    """Write the number of seeds, or of refits, and how far apart: `3 (std 0.004)`."""
    std = entry.accuracy.std
    if std is None:
        return "1"
    refits = "" if entry.study.repeats_study else " refits"
    return f"{len(entry.study.seeds)}{refits} (std {std:.3f})"


def format_unmeasured(comparison: Comparison) -> list[str]:
    """Say why costs are missing, once for each reason."""
    heads = {key: heading for key, heading, _ in _SIZES}
    reasons: dict[tuple[str, str], list[str]] = {}
    for entry in comparison.entries:
        for key, why in sorted(entry.study.ledger.unmeasured.items()):
            reasons.setdefault((heads.get(key, key), why), []).append(entry.label)
    everyone = len(comparison.entries)
    return [
        f"{what}: {prose(why, 300).rstrip('.')} "
        f"({'all studies' if len(labels) == everyone else ', '.join(labels)})."
        for (what, why), labels in reasons.items()
    ]


def format_metrics(entry: LeaderboardEntry) -> str:
    """Write ROC AUC and accuracy of a study on its test images with their intervals."""
    return ", ".join(
        f"{name} {estimate.value:.3f} (95 % {estimate.low:.3f} to {estimate.high:.3f})"
        for name, estimate in (("ROC AUC", entry.roc_auc), ("accuracy", entry.accuracy))
    )


def _format_points(pair: PairwiseComparison) -> str:
    """Write the gain in accuracy, and what the images leave open where that is more."""
    shown = f"{points(pair.accuracy.value)} ({points_range(pair.accuracy)})"
    if pair.could_be_ahead == pair.accuracy.high:
        return shown
    return f"{shown}, up to {points(pair.could_be_ahead)} not ruled out"


def _format_per_point(pair: PairwiseComparison) -> str:
    """Write what each point of accuracy costs."""
    seconds, price = pair.seconds_per_point, pair.dollars_per_point
    if seconds is None:
        return UNKNOWN
    time = duration(seconds, short=True)
    return time if price is None else f"{time} ({dollars(price)})"


_PAIR_COLUMNS = (
    Column("from", "from", "lower.label"),
    Column("to", "to", "upper.label"),
    only_csv("accuracy_gain", "accuracy", ESTIMATE),
    only_text("points", "accuracy, points (95 %)", _format_points),
    Column("roc_auc_gain", "ROC AUC (95 %)", attrgetter("roc_auc"), ESTIMATE),
    only_csv("only_from_right", "test.only_first"),
    only_csv("only_to_right", "test.only_second"),
    only_csv("mcnemar_p", "test.p"),
    Column("p", "p", "p", _P),
    only_csv("of_networks"),
    Column("adjusted_p", "p, adjusted", "adjusted_p", _P),
    Column("more_accurate", "more accurate?", "verdict"),
    Column("extra_cold_seconds", "extra cost", "extra_seconds", TIME),
    only_csv("seconds_per_point"),
    only_csv("dollars_per_point"),
    only_text("per_point", "per point", _format_per_point),
    only_csv("tests"),
)
_SHOWN_OF_PAIRS = (
    *("from", "to", "points", "p", "adjusted_p", "more_accurate"),
    *("roc_auc_gain", "extra_cold_seconds", "per_point"),
)


def pairs_table(pairs: Sequence[PairwiseComparison], title: str = "", empty: str = "") -> Table:
    """Return pairwise comparisons as text shows them; `empty` stands where there is none."""
    table = Table(_PAIR_COLUMNS, pairs, title, "" if pairs else empty)
    return table.pick(*_SHOWN_OF_PAIRS)


def all_pairs(comparison: Comparison) -> pd.DataFrame:
    """Return the neighbours along the front, then every cheaper study against the best."""
    families = {"front": comparison.along_front, "cheaper than best": comparison.to_best}
    family = [name for name, pairs in families.items() for _ in pairs]
    table = Table(_PAIR_COLUMNS, [*comparison.along_front, *comparison.to_best]).frame()
    table.insert(0, "family", pd.Series(family, dtype="str"))
    return table


def agreement_table(comparison: Comparison) -> pd.DataFrame:
    """Return one row per pair of studies: images that they predict alike or wrongly."""
    agreement = comparison.agreement
    only_row = agreement.only_row_correct
    keys = ("first", "second", "share_called_alike", "only_first_right", "only_second_right")
    rows = [
        (
            *(one.label, two.label, agreement.same_predictions[n, m]),
            *(only_row[n, m], only_row[m, n], agreement.both_wrong[n, m]),
        )
        for (n, one), (m, two) in combinations(enumerate(comparison.entries), 2)
    ]
    return pd.DataFrame(rows, columns=[*keys, "both_wrong"])


def wrong_by_all_table(comparison: Comparison) -> pd.DataFrame:
    """Return the images that every kept model got wrong, with each model's score."""
    study, positions = comparison.studies[0], comparison.agreement.wrong_by_all
    columns: dict[str, Any] = {
        "source": [visible(study.sources[n]) for n in positions],
        "path": [visible(study.paths[n]) for n in positions],
        "label": [CLASS_NAMES[study.y_true[n]] for n in positions],
    }
    for entry in comparison.entries:
        columns[f"score: {entry.label}"] = entry.study.kept.y_score[positions]
    return pd.DataFrame(columns)

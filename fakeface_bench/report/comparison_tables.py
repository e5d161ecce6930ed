"""The tables of a comparison: as text, and in full precision for CSV."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from fakeface_bench.analysis.comparison import Comparison, Standing, Step
from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.evaluation.paired import RESAMPLED
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.ledger import STAGES, TARGETS, Ledger, target_key
from fakeface_bench.report.format import (
    NEVER,
    UNKNOWN,
    dollars,
    duration,
    p_value,
    points,
    points_range,
    prose,
    signed,
    with_interval,
)
from fakeface_bench.support.text import visible

Rows = list[tuple[str, ...]]

_LONGEST_REASON = 300
SHORT_HEADER = ("model", "accuracy (95 %)", "ROC AUC (95 %)", "cold", "warm")
STEPS_HEADER = (
    *("from", "to", "accuracy, points (95 %)", "p", "p, adjusted", "more accurate?"),
    *("ROC AUC (95 %)", "extra cost", "per point"),
)
#: Figures of a ledger that a table shows: head, key, how it is written.
_SIZES = (
    ("parameters", "parameters", "count"),
    ("trained", "parameters_trained", "count"),
    ("MMACs per image", "mmacs_per_image", "number"),
    ("images per second", "predict_images_per_second", "number"),
    ("first epoch", "first_epoch_seconds", "time"),
    ("later epochs", "steady_epoch_seconds", "time"),
    ("epoch, end to end", "epoch_end_to_end_seconds", "time"),
    ("peak memory, this run, GB", "peak_memory_gb", "number"),
    ("energy, this run, kWh", "energy_kwh", "number"),
)


def leaderboard_rows(comparison: Comparison) -> tuple[tuple[str, ...], Rows]:
    """Return the header and the rows of a terminal's leaderboard, the most accurate first."""
    return SHORT_HEADER, [
        (
            standing.label,
            with_interval(standing.accuracy),
            with_interval(standing.roc_auc),
            *costs_told(standing.study.ledger),
        )
        for standing in comparison.standings
    ]


def quality_rows(comparison: Comparison) -> tuple[tuple[str, ...], Rows]:
    """Return header and rows of accuracy, ROC AUC, F1 of each class, and what each study cost."""
    priced = any(study.ledger.dollars_per_hour for study in comparison.studies)
    f1 = tuple(f"F1 {name} (95 %)" for name in CLASS_NAMES)
    header = (*SHORT_HEADER[:3], *f1, *SHORT_HEADER[3:], *(("price",) if priced else ()), "seeds")
    keys = ("accuracy", "roc_auc", *(f"f1_{name}" for name in CLASS_NAMES))
    rows = [
        (
            standing.label,
            *(with_interval(standing.figures[key]) for key in keys),
            *costs_told(standing.study.ledger),
            *((price_told(standing),) if priced else ()),
            seeds_told(standing),
        )
        for standing in comparison.standings
    ]
    return header, rows


def cost_rows(comparison: Comparison) -> tuple[tuple[str, ...], Rows]:
    """Return header and rows of the time to each target, of sizes and of speeds."""
    header = ("model", *(f"to {target_key(target)}" for target in TARGETS))
    rows = [
        (
            standing.label,
            *targets_told(standing.study.ledger),
            *(_written(standing.study.ledger.figures, key, how) for _, key, how in _SIZES),
        )
        for standing in comparison.standings
    ]
    return (*header, *(head for head, _, _ in _SIZES)), rows


def step_rows(steps: Iterable[Step]) -> Rows:
    """Return `STEPS_HEADER` of each step."""
    return [
        (
            step.lower.label,
            step.upper.label,
            f"{points(step.accuracy.value)} ({points_range(step.accuracy)})",
            p_value(step.test.p),
            p_value(step.adjusted_p),
            step.verdict,
            f"{signed(step.roc_auc.value, 3)} ({signed(step.roc_auc.low, 3)} to "
            f"{signed(step.roc_auc.high, 3)})",
            duration(step.extra_seconds, short=True),
            per_point_told(step),
        )
        for step in steps
    ]


def unmeasured_told(comparison: Comparison) -> list[str]:
    """Say why costs are missing, once for each reason."""
    heads = {key: head for head, key, _ in _SIZES}
    reasons: dict[tuple[str, str], list[str]] = {}
    for standing in comparison.standings:
        for key, why in sorted(standing.study.ledger.unmeasured.items()):
            reasons.setdefault((heads.get(key, key), why), []).append(standing.label)
    return [
        f"{what}: {prose(why, _LONGEST_REASON).rstrip('.')} ({_whose(comparison, labels)})."
        for (what, why), labels in reasons.items()
    ]


def figures_told(standing: Standing) -> str:
    """Write ROC AUC and accuracy of a study on its test images with their intervals."""
    figures = (("ROC AUC", standing.roc_auc), ("accuracy", standing.accuracy))
    return ", ".join(
        f"{name} {figure.value:.3f} (95 % {figure.low:.3f} to {figure.high:.3f})"
        for name, figure in figures
    )


def costs_told(ledger: Ledger) -> tuple[str, str]:
    """Write cold and warm seconds in units that suit them."""
    seconds = ledger.total_cold_seconds, ledger.total_warm_seconds
    return duration(seconds[0], short=True), duration(seconds[1], short=True)


def price_told(standing: Standing) -> str:
    """Write what the study cost in dollars, cold, where its machine has a price."""
    ledger = standing.study.ledger
    return dollars(ledger.price(standing.cold_seconds)) if ledger.dollars_per_hour else UNKNOWN


def seeds_told(standing: Standing) -> str:
    """Write the number of seeds, and how far apart their accuracies are: `3 (std 0.004)`."""
    std = standing.accuracy.std
    return f"{len(standing.study.seeds)} (std {std:.3f})" if std is not None else "1"


def targets_told(ledger: Ledger) -> list[str]:
    """Write the time to each target, ∞ where it was never reached."""
    times = [ledger.targets.get(target_key(target)) for target in TARGETS]
    return [NEVER if time is None else duration(time, short=True) for time in times]


def per_point_told(step: Step) -> str:
    """Write what each point of accuracy costs."""
    seconds, price = step.seconds_per_point, step.dollars_per_point
    if seconds is None:
        return UNKNOWN
    time = duration(seconds, short=True)
    return time if price is None else f"{time} ({dollars(price)})"


def _whose(comparison: Comparison, labels: Sequence[str]) -> str:
    return "all studies" if len(labels) == len(comparison.standings) else ", ".join(labels)


def _written(figures: Mapping[str, float], key: str, how: str) -> str:
    value = figures.get(key)
    if value is None:
        return UNKNOWN
    if how == "time":
        return duration(value, short=True)
    return f"{value:,.0f}" if how == "count" or abs(value) >= 1000 else f"{value:.3g}"


#: Figures of a ledger that always have a column; others follow them.
_FIGURES = (
    *("parameters", "parameters_trained", "mmacs_per_image", "predict_images_per_second"),
    *("peak_memory_gb", "energy_kwh", "first_epoch_seconds", "steady_epoch_seconds"),
    "epoch_end_to_end_seconds",
)


def leaderboard_table(comparison: Comparison) -> pd.DataFrame:
    """Return one row per study, the most accurate first; what is not known is missing."""
    others = {key for study in comparison.studies for key in study.ledger.figures}
    figures = [*_FIGURES, *sorted(others - set(_FIGURES))]
    return pd.DataFrame([_study_row(s, figures) for s in comparison.standings])


def steps_table(comparison: Comparison) -> pd.DataFrame:
    """Return the steps along the front, then every cheaper study against the best."""
    families = {"front": comparison.steps, "cheaper than best": comparison.rivals}
    rows = [_step_row(family, step) for family, steps in families.items() for step in steps]
    return pd.DataFrame(rows, columns=list(_STEP_COLUMNS))


def agreement_table(comparison: Comparison) -> pd.DataFrame:
    """Return one row per pair of studies: how many images they call alike and get wrong."""
    standings, agreement = comparison.standings, comparison.agreement
    rows = [
        {
            "first": first.label,
            "second": second.label,
            "share_called_alike": agreement.same_calls[n, n + 1 + m],
            "only_first_right": int((first.study.right & ~second.study.right).sum()),
            "only_second_right": int((second.study.right & ~first.study.right).sum()),
            "both_wrong": agreement.both_wrong[n, n + 1 + m],
        }
        for n, first in enumerate(standings)
        for m, second in enumerate(standings[n + 1 :])
    ]
    columns = ["first", "second", "share_called_alike", "only_first_right", "only_second_right"]
    return pd.DataFrame(rows, columns=[*columns, "both_wrong"])


def wrong_by_all_table(comparison: Comparison) -> pd.DataFrame:
    """Return the images that every kept model got wrong, with each model's score."""
    study, positions = comparison.studies[0], comparison.agreement.wrong_by_all
    columns: dict[str, Any] = {
        "source": [visible(study.sources[n]) for n in positions],
        "path": [visible(study.paths[n]) for n in positions],
        "label": [CLASS_NAMES[study.y_true[n]] for n in positions],
    }
    for standing in comparison.standings:
        columns[f"score: {standing.label}"] = standing.study.kept.y_score[positions]
    return pd.DataFrame(columns)


def _study_row(standing: Standing, figures: list[str]) -> dict[str, Any]:
    study, identity, ledger = standing.study, standing.study.identity, standing.study.ledger
    row: dict[str, Any] = {"label": standing.label, "run_id": visible(identity.run_id)}
    for key in ("model", "fine_tune", "weights", "trained", "study", "data"):
        row[key] = visible(getattr(identity, key))
    row |= {"machine": visible(study.machine) or None, "trials": study.trials or None}
    row |= {"seeds": len(study.seeds), "test_images": len(study.y_true)}
    for key in RESAMPLED:
        figure = standing.figures[key]
        row |= {key: figure.value, f"{key}_low_95": figure.low}
        row |= {f"{key}_high_95": figure.high, f"{key}_std": figure.std}
        row[f"{key}_kept"] = figure.of_seeds[0]
    row["on_front"] = standing.on_front
    row["total_cold_seconds"] = ledger.total_cold_seconds
    row["total_warm_seconds"] = ledger.total_warm_seconds
    row["total_cold_dollars"] = _price(standing, ledger.total_cold_seconds)
    row["total_warm_dollars"] = _price(standing, ledger.total_warm_seconds)
    for target in TARGETS:
        key = target_key(target)
        row[f"to_roc_auc_{key}_seconds"] = ledger.targets.get(key)
    row |= {key: ledger.figures.get(key) for key in figures}
    row |= {f"{stage}_seconds": ledger.stage(stage).seconds for stage in STAGES}
    return row | {"warning": visible(study.warning)}


def _price(standing: Standing, seconds: float) -> float | None:
    ledger = standing.study.ledger
    return ledger.price(seconds) if ledger.dollars_per_hour else None


_STEP_COLUMNS = (
    *("family", "from", "to", "accuracy_gain", "accuracy_gain_low_95", "accuracy_gain_high_95"),
    *("roc_auc_gain", "roc_auc_gain_low_95", "roc_auc_gain_high_95", "only_from_right"),
    *("only_to_right", "mcnemar_p", "adjusted_p", "more_accurate", "extra_cold_seconds"),
    *("seconds_per_point", "dollars_per_point", "tests"),
)


def _step_row(family: str, step: Step) -> Mapping[str, Any]:
    values = (
        *(family, step.lower.label, step.upper.label, *_gain(step.accuracy)),
        *(*_gain(step.roc_auc), step.test.only_first, step.test.only_second, step.test.p),
        *(step.adjusted_p, step.verdict, step.extra_seconds),
        *(step.seconds_per_point, step.dollars_per_point, step.tests),
    )
    return dict(zip(_STEP_COLUMNS, values, strict=True))


def _gain(gain: Estimate) -> tuple[float, float, float]:
    return gain.value, gain.low, gain.high

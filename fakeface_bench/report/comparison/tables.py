"""The tables of a comparison in full precision, for CSV."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.evaluation.paired import RESAMPLED
from fakeface_bench.records.ledger import STAGES, TARGETS, target_key
from fakeface_bench.report.comparison.comparison import Comparison
from fakeface_bench.report.comparison.standing import Standing
from fakeface_bench.report.comparison.steps import Gain, Step
from fakeface_bench.visible import visible

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
        row |= {key: figure.value, f"{key}_low_95": figure.interval.low}
        row |= {f"{key}_high_95": figure.interval.high, f"{key}_std": figure.std}
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


def _gain(gain: Gain) -> tuple[float, float, float]:
    return gain.value, gain.interval.low, gain.interval.high

"""Every cell, effect and hold-out of a matrix: as text, and in full precision as CSV."""

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
import pandas as pd

from fakeface_bench.analysis.transfer import home_of, threshold_fails
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import TIER_PART, ShortcutFloor
from fakeface_bench.records.transfer import (
    FIGURES,
    Generalisation,
    HoldOut,
    MixtureEffect,
    SetScores,
)
from fakeface_bench.report.format import (
    UNKNOWN,
    class_counts,
    floor_with_interval,
    images_told,
    named,
    part_counts,
    with_interval,
)
from fakeface_bench.report.transfer_text import effect_verdict, hold_out_effect, ordered_cells
from fakeface_bench.support.text import visible

Rows = list[tuple[str, ...]]
Table = tuple[tuple[str, ...], Rows]


def matrix_rows(record: Generalisation) -> Table:
    """Return a row a cell; the model is named where there are several."""
    header: tuple[str, ...] = (
        "trained on",
        "tested on",
        "ROC AUC",
        "metadata alone",
        "recall of fakes",
    )
    header += ("false alarms", "images", "left out")
    cells = ordered_cells(record)
    rows = [
        (named(cell.model.data), _tested_on(cell), *_transfer_cells(cell, cells)) for cell in cells
    ]
    if len(record.models) == 1:
        return header, rows
    models = [named(cell.model.label) for cell in cells]
    return ("model", *header), [(m, *row) for m, row in zip(models, rows, strict=True)]


def square_rows(record: Generalisation) -> Table:
    """Return a row a training set and a column a test set: ROC AUC, or what there is of it."""
    several = len(record.models) > 1
    rows: Rows = []
    for model in record.models:
        for trained in record.trained:
            name = f"{model}, {trained}" if several else trained
            cells = (record.cell(model, trained, tested) for tested in record.tested)
            rows.append((named(name), *map(_square, cells)))
    return ("trained on ↓, tested on →", *map(named, record.tested)), rows


def _square(cell: SetScores | None) -> str:
    if cell is None:
        return "not scored"
    names = {"roc_auc": "", "recall_fake": "recall ", "false_alarm_rate": "false alarms "}
    key = next(key for key in names if key in cell.figures)
    return names[key] + with_interval(cell.figures[key])


def _transfer_cells(cell: SetScores, cells: Sequence[SetScores]) -> tuple[str, ...]:
    recall = with_interval(cell.figures.get("recall_fake"))
    return (
        with_interval(cell.figures.get("roc_auc")),
        floor_with_interval(cell.floor),
        f"{recall}, threshold off" if threshold_fails(cell, home_of(cell, cells)) else recall,
        with_interval(cell.figures.get("false_alarm_rate")),
        images_told(cell).removeprefix("n = "),
        f"{cell.overlap.images:,}",
    )


def threshold_rows(cells: Sequence[SetScores]) -> Table:
    """Return the figures of calls at the model's own threshold."""
    keys: tuple[str, ...] = (
        "accuracy",
        "balanced_accuracy",
        "recall_fake",
        "false_alarm_rate",
        "precision_fake",
    )
    keys += ("f1_fake", "f1_real")
    heads: tuple[str, ...] = (
        "accuracy",
        "balanced accuracy",
        "recall of fakes",
        "false alarms",
        "precision",
    )
    heads += ("F1 of fake", "F1 of real")
    return _of_sets(cells, heads, keys)


def ranking_rows(cells: Sequence[SetScores]) -> Table:
    """Return the figures that no threshold moves, the shortcut floor beside ROC AUC."""
    keys: tuple[str, ...] = ("average_precision", "recall_at_1pct_fpr", "recall_at_5pct_fpr")
    header: tuple[str, ...] = (
        "tested on",
        "images",
        "ROC AUC",
        "metadata alone",
        "average precision",
    )
    header += ("found at 1 % false alarms", "found at 5 % false alarms")
    rows = [
        (
            _tested_on(cell),
            images_told(cell).removeprefix("n = "),
            with_interval(cell.figures.get("roc_auc")),
            floor_with_interval(cell.floor),
            *(with_interval(cell.figures.get(key)) for key in keys),
        )
        for cell in cells
    ]
    return header, rows


def calibration_rows(cells: Sequence[SetScores]) -> Table:
    """Return how far probabilities are from labels; lower is better."""
    heads: tuple[str, ...] = ("calibration error", "Brier score", "log loss")
    return _of_sets(cells, heads, ("ece", "brier", "log_loss"))


def parts_rows(cells: Sequence[SetScores]) -> Table:
    """Return the figures of each source and tier of each set."""
    header: tuple[str, ...] = (
        "tested on",
        "part",
        "images",
        "ROC AUC",
        "metadata alone",
        "recall of fakes",
    )
    header += ("false alarms",)
    rows: Rows = [
        (named(cell.data), _part_name(part), *_part_cells(cell, part))
        for cell in cells
        for part in cell.parts
    ]
    return header, rows


def _part_name(part: str) -> str:
    is_tier = part.startswith(TIER_PART)
    return f"tier {named(part.removeprefix(TIER_PART))}" if is_tier else named(part)


def _part_cells(cell: SetScores, part: str) -> tuple[str, ...]:
    figures = cell.parts[part]
    reals, fakes = part_counts(cell, part)
    return (
        f"{reals:,} real, {fakes:,} fake",
        with_interval(figures.get("roc_auc")),
        floor_with_interval(cell.source_floors.get(part)),
        with_interval(figures.get("recall_fake")),
        with_interval(figures.get("false_alarm_rate")),
    )


def _of_sets(cells: Sequence[SetScores], heads: tuple[str, ...], keys: tuple[str, ...]) -> Table:
    rows = [
        (_tested_on(cell), *(with_interval(cell.figures.get(key)) for key in keys))
        for cell in cells
    ]
    return ("tested on", *heads), rows


def _tested_on(cell: SetScores) -> str:
    return f"{named(cell.data)} (its own)" if cell.is_own else named(cell.data)


def overlap_rows(cells: Sequence[SetScores]) -> Table:
    """Return the sets of which images were left out, and how many."""
    header: tuple[str, ...] = (
        "model",
        "trained on",
        "tested on",
        "identical",
        "look the same",
        "still scored",
    )
    rows: Rows = [
        (
            named(cell.model.label),
            named(cell.model.data),
            named(cell.data),
            f"{cell.overlap.identical:,}",
            f"{cell.overlap.similar:,}",
            f"{cell.images:,}",
        )
        for cell in cells
        if cell.overlap.images
    ]
    return header, rows


def mixture_rows(effects: Sequence[MixtureEffect]) -> Table:
    """Return what each mixture changed, with a verdict on each figure."""
    header: tuple[str, ...] = ("model", "trained on", "in place of", "tested on", "images")
    header += ("ROC AUC", "recall of fakes", "accuracy")
    rows: Rows = [
        (
            named(effect.model),
            named(effect.mixture),
            named(effect.alone),
            named(effect.data),
            f"{effect.images:,}",
            *(_change(getattr(effect, key)) for key in ("roc_auc", "recall_fake", "accuracy")),
        )
        for effect in effects
    ]
    return header, rows


def hold_out_rows(hold_outs: Sequence[HoldOut]) -> Table:
    """Return each hold-out: left out of training, and in it."""
    header: tuple[str, ...] = (
        "model",
        "dataset",
        "left out",
        "images",
        "ROC AUC without it",
        "with it",
    )
    header += ("difference", "recall without it", "recall with it")
    return header, [_hold_out_cells(out) for out in hold_outs]


def _hold_out_cells(out: HoldOut) -> tuple[str, ...]:
    without, seen = out.without.figures, out.seen.figures
    effect = hold_out_effect(out)
    return (
        named(out.model),
        named(out.data),
        f"{out.column} {named(out.value)}",
        images_told(out.without).removeprefix("n = "),
        with_interval(without.get("roc_auc")),
        with_interval(seen.get("roc_auc")),
        UNKNOWN if effect is None else with_interval(effect),
        with_interval(without.get("recall_fake")),
        with_interval(seen.get("recall_fake")),
    )


def _change(estimate: Estimate) -> str:
    if isnan(estimate.value):
        return UNKNOWN
    return f"{effect_verdict(estimate)}: {with_interval(estimate)}"


def matrix_table(record: Generalisation) -> pd.DataFrame:
    """Return a row a cell, and below it one for each of its sources and tiers."""
    return sets_table(ordered_cells(record))


def sets_table(cells: Sequence[SetScores]) -> pd.DataFrame:
    """Return a row a set, and below it one for each of its sources and tiers (`part`)."""
    rows = [row for cell in cells for row in _rows(cell, home_of(cell, cells))]
    return pd.DataFrame(rows)


def mixtures_table(effects: Iterable[MixtureEffect]) -> pd.DataFrame:
    """Return a row an effect: of each figure the difference, its interval and the verdict."""
    rows = []
    for effect in effects:
        row: dict[str, Any] = {
            "model": visible(effect.model),
            "mixture": visible(effect.mixture),
            "alone": visible(effect.alone),
            "tested_on": visible(effect.data),
            "images": effect.images,
        }
        for key in ("roc_auc", "recall_fake", "accuracy"):
            estimate: Estimate = getattr(effect, key)
            row |= _columns(f"{key}_difference", estimate)
            row[f"{key}_verdict"] = "" if np.isnan(estimate.value) else effect_verdict(estimate)
        rows.append(row)
    return pd.DataFrame(rows)


def hold_outs_table(hold_outs: Iterable[HoldOut]) -> pd.DataFrame:
    """Return a row a hold-out: figures without it and with it in training."""
    return pd.DataFrame([_hold_out_row(out) for out in hold_outs])


def _hold_out_row(out: HoldOut) -> dict[str, Any]:
    row: dict[str, Any] = {
        "model": visible(out.model),
        "data": visible(out.data),
        "column": out.column,
        "value": visible(out.value),
        **_counts(*class_counts(out.without)),
    }
    for key in ("roc_auc", "recall_fake", "false_alarm_rate"):
        for name, cell in (("without", out.without), ("seen", out.seen)):
            row |= _columns(f"{key}_{name}", cell.figures.get(key))
    return row | _columns("difference", hold_out_effect(out))


def _rows(cell: SetScores, home: SetScores | None) -> Iterable[dict[str, Any]]:
    fails = threshold_fails(cell, home)
    whole = {"threshold_fails": fails, **_figures(cell.figures), **_floor(cell.floor)}
    yield {**_identity(cell, ""), **_counts(*class_counts(cell)), **whole}
    for part, figures in cell.parts.items():
        floor = _floor(cell.source_floors.get(part))
        counts = _counts(*part_counts(cell, part))
        yield {**_identity(cell, part), **counts, **_figures(figures), **floor}


def _identity(cell: SetScores, part: str) -> dict[str, Any]:
    """Say which cell it is; images left out are of the whole set."""
    return {
        "model": visible(cell.model.label),
        "trained_on": visible(cell.model.data),
        "tested_on": visible(cell.data),
        "part": visible(part),
        "chosen": visible(cell.chosen),
        "is_own": cell.is_own,
        "threshold": cell.scored.threshold,
        "left_out_identical": None if part else cell.overlap.identical,
        "left_out_similar": None if part else cell.overlap.similar,
        "trained_on_kinds": _kinds(cell.model.kinds),
        "tested_on_kinds": _kinds(cell.kinds),
        "run_id": visible(cell.model.run_id),
    }


def _counts(reals: int, fakes: int) -> dict[str, int]:
    return {"n_real": reals, "n_fake": fakes}


def _figures(figures: Mapping[str, Estimate]) -> dict[str, float | None]:
    return {name: v for key in FIGURES for name, v in _columns(key, figures.get(key)).items()}


def _floor(floor: ShortcutFloor | None) -> dict[str, float | None]:
    return _columns("shortcut_floor", None if floor is None else floor.estimate)


def _columns(key: str, estimate: Estimate | None) -> dict[str, float | None]:
    values = (None,) * 3 if estimate is None else (estimate.value, estimate.low, estimate.high)
    return dict(zip((key, f"{key}_low_95", f"{key}_high_95"), values, strict=True))


def _kinds(kinds: Mapping[str, str]) -> str:
    return "; ".join(
        f"{visible(name)}: {visible(kind) or 'not known'}" for name, kind in kinds.items()
    )

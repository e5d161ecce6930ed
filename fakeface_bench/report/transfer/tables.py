"""Every cell, effect and hold-out in full precision, as CSV."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fakeface_bench.records import (
    FIGURES,
    Estimate,
    Generalisation,
    HoldOut,
    MixtureEffect,
    SetScores,
    ShortcutFloor,
)
from fakeface_bench.report.transfer.rules import home_of, threshold_fails
from fakeface_bench.report.transfer.sentences import effect_verdict, hold_out_effect, ordered_cells
from fakeface_bench.report.transfer.told import class_counts, floor_estimate, part_counts
from fakeface_bench.visible import visible


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
    return _columns("shortcut_floor", None if floor is None else floor_estimate(floor))


def _columns(key: str, estimate: Estimate | None) -> dict[str, float | None]:
    values = (None,) * 3 if estimate is None else (estimate.value, estimate.low, estimate.high)
    return dict(zip((key, f"{key}_low_95", f"{key}_high_95"), values, strict=True))


def _kinds(kinds: Mapping[str, str]) -> str:
    return "; ".join(
        f"{visible(name)}: {visible(kind) or 'not known'}" for name, kind in kinds.items()
    )

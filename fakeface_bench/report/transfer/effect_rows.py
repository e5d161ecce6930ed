"""Tables of what was left out, of mixtures and of hold-outs as text, for pages."""

from collections.abc import Sequence
from math import isnan

from fakeface_bench.records import Estimate, HoldOut, MixtureEffect, SetScores
from fakeface_bench.report.comparison.units import UNKNOWN
from fakeface_bench.report.transfer.rows import Rows, Table
from fakeface_bench.report.transfer.sentences import effect_verdict, hold_out_effect
from fakeface_bench.report.transfer.told import change_told, images_told, named, told


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
    return header, [_hold_out_row(out) for out in hold_outs]


def _hold_out_row(out: HoldOut) -> tuple[str, ...]:
    without, seen = out.without.figures, out.seen.figures
    effect = hold_out_effect(out)
    return (
        named(out.model),
        named(out.data),
        f"{out.column} {named(out.value)}",
        images_told(out.without).removeprefix("n = "),
        told(without.get("roc_auc")),
        told(seen.get("roc_auc")),
        UNKNOWN if effect is None else change_told(effect),
        told(without.get("recall_fake")),
        told(seen.get("recall_fake")),
    )


def _change(estimate: Estimate) -> str:
    if isnan(estimate.value):
        return UNKNOWN
    return f"{effect_verdict(estimate)}: {change_told(estimate)}"

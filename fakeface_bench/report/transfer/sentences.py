"""A matrix in sentences: each transfer, mixtures, hold-outs, and what it all comes to."""

from collections.abc import Iterable, Sequence
from math import isnan

from fakeface_bench.evaluation.effect import paired_effect
from fakeface_bench.records import (
    Estimate,
    Generalisation,
    HoldOut,
    LeftOut,
    MixtureEffect,
    SeedScores,
    SetScores,
)
from fakeface_bench.report.comparison.units import sentence_end
from fakeface_bench.report.transfer.cell_sentences import cell_sentence, overlap_sentence
from fakeface_bench.report.transfer.rules import home_of
from fakeface_bench.report.transfer.told import change_told, images_told, named, told
from fakeface_bench.report.wording import prose

_LONGEST_REASON = 300
_EFFECTS = {"roc_auc": "ROC AUC", "recall_fake": "recall of fakes", "accuracy": "accuracy"}


def transfer_sentences(record: Generalisation) -> list[str]:
    """Return one sentence or more on each cell off the diagonal, in the order asked for."""
    return [
        cell_sentence(cell, home_of(cell, record.cells), len(record.models) > 1)
        for cell in ordered_cells(record)
        if not cell.is_own
    ]


def home_sentences(record: Generalisation) -> list[str]:
    """Return one sentence on each model on its own test split."""
    return [
        cell_sentence(cell, None, len(record.models) > 1)
        for cell in ordered_cells(record)
        if cell.is_own
    ]


def ordered_cells(record: Generalisation) -> list[SetScores]:
    """Return the cells by model, training set and test set, each in the order asked for."""
    found = (
        record.cell(model, trained, tested)
        for model in record.models
        for trained in record.trained
        for tested in record.tested
    )
    return [cell for cell in found if cell is not None]


def overlap_sentences(cells: Iterable[SetScores]) -> list[str]:
    """Return what was left out because a model saw it."""
    return [sentence for cell in cells if (sentence := overlap_sentence(cell))]


def failed_sentences(left_out: Sequence[LeftOut]) -> list[str]:
    """Return which studies failed, and why."""
    return [
        f"{named(out.name)} failed, its cells are blank: "
        f"{sentence_end(prose(out.reason, _LONGEST_REASON))}"
        for out in left_out
    ]


def unscored_sentences(unscored: Sequence[LeftOut]) -> list[str]:
    """Return which cells of finished studies are blank, and why."""
    return [
        f"{named(out.name)} is not scored: {sentence_end(prose(out.reason, _LONGEST_REASON))}"
        for out in unscored
    ]


def mixture_sentence(effect: MixtureEffect, with_model: bool = False) -> str:
    """Say what training on several datasets gained and lost on one, against one of them alone."""
    model = f"{named(effect.model)}: training" if with_model else "Training"
    estimates = {key: getattr(effect, key) for key in _EFFECTS}
    told_each = [
        f"{_EFFECTS[key]} {_effect_told(estimate)}"
        for key, estimate in estimates.items()
        if not isnan(estimate.value)
    ]
    return (
        f"{model} on {named(effect.mixture)} in place of {named(effect.alone)} alone, tested on "
        f"{named(effect.data)} (n = {effect.images:,}): {', '.join(told_each)}."
    )


def effect_verdict(estimate: Estimate) -> str:
    """Say whether a difference is shown: `gained`, `lost` or `not shown to change`."""
    if estimate.low > 0:
        return "gained"
    return "lost" if estimate.high < 0 else "not shown to change"


def hold_out_sentences(hold_outs: Sequence[HoldOut]) -> list[str]:
    """Return the worst hold-out of each model, dataset and column."""
    groups: dict[tuple[str, str, str], list[HoldOut]] = {}
    for out in hold_outs:
        groups.setdefault((out.model, out.data, out.column), []).append(out)
    several = len({out.model for out in hold_outs}) > 1
    return [_worst_told(group, several) for group in groups.values()]


def worst_hold_out(group: Sequence[HoldOut]) -> HoldOut:
    """Return the hold-out with the lowest ROC AUC, or recall where one class is there."""
    return min(group, key=lambda out: _main_figure(out.without)[1].value)


def hold_out_effect(out: HoldOut) -> Estimate | None:
    """Return ROC AUC (or recall) left out of training less that in it, paired.

    None where the two were not scored on the same images, or the figure is not defined.
    """
    first, second = out.without, out.seen
    if first.digests != second.digests:
        return None
    one, other = (SeedScores(0, c.scored.y_score, c.scored.threshold) for c in (first, second))
    return paired_effect(first.scored.y_true, one, other).get(_main_figure(first)[0])


def _worst_told(group: Sequence[HoldOut], with_model: bool) -> str:
    worst = worst_hold_out(group)
    key, figure = _main_figure(worst.without)
    name = {"roc_auc": "ROC AUC", "recall_fake": "recall of fakes"}.get(key, "false alarms")
    of_model = f"{named(worst.model)}, " if with_model else ""
    which = f"worst of {len(group)}: " if len(group) > 1 else ""
    which = which if with_model else which.capitalize()
    effect = hold_out_effect(worst)
    changed = f": {_effect_told(effect)}" if effect is not None else ""
    return (
        f"{of_model}{which}{worst.column} {named(worst.value)} of {named(worst.data)} "
        f"({images_told(worst.without)}): {name} {told(figure, first=True)} when it was left out "
        f"of training, {told(worst.seen.figures.get(key))} when it was in it{changed}."
    )


def _main_figure(cell: SetScores) -> tuple[str, Estimate]:
    keys = ("roc_auc", "recall_fake", "false_alarm_rate")
    return next((key, cell.figures[key]) for key in keys if key in cell.figures)


def _effect_told(estimate: Estimate) -> str:
    verdict = effect_verdict(estimate)
    if verdict == "lost":
        estimate = Estimate(-estimate.value, -estimate.high, -estimate.low)
    return f"{verdict} {change_told(estimate)}"


def generalisation_sentences(record: Generalisation) -> list[str]:
    """Return everything that a matrix tells, in sentences: transfers first."""
    several = len(record.models) > 1
    return [
        *transfer_sentences(record),
        *home_sentences(record),
        *(mixture_sentence(effect, several) for effect in record.mixtures),
        *hold_out_sentences(record.hold_outs),
        *overlap_sentences(record.cells),
        *failed_sentences(record.left_out),
        *unscored_sentences(record.unscored),
    ]


def spread_told(cells: Sequence[SetScores]) -> str:
    """Say between which ROC AUC cells of both classes lie, and which these are."""
    ranked = sorted(cells, key=lambda cell: cell.figures["roc_auc"].value)
    ends = [ranked[0]] if len(ranked) == 1 else [ranked[0], ranked[-1]]
    return " to ".join(f"{cell.figures['roc_auc'].value:.3f} ({_path(cell)})" for cell in ends)


def _path(cell: SetScores) -> str:
    if cell.is_own:
        return f"trained and tested on {named(cell.data)}"
    return f"trained on {named(cell.model.data)}, tested on {named(cell.data)}"

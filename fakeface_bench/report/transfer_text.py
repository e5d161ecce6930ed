"""What finished models do elsewhere, in sentences that follow from the numbers by rule.

What is not shown is never called equal, and a kind of manipulation is context, not a cause.
"""

from collections.abc import Callable, Iterable, Sequence
from math import isnan

from fakeface_bench.analysis.transfer import (
    home_of,
    is_above_chance,
    is_reversed,
    is_shown_higher,
    is_shown_lower_than_home,
    is_within_floor,
    threshold_fails,
)
from fakeface_bench.evaluation.paired import paired_effect
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import LeftOut, SeedScores
from fakeface_bench.records.transfer import Generalisation, HoldOut, MixtureEffect, SetScores
from fakeface_bench.report.comparison_text import Verdict
from fakeface_bench.report.format import (
    counted,
    floor_with_interval,
    format_images,
    listed,
    named,
    prose,
    sentence_end,
    with_interval,
)


def kinds_clause(cell: SetScores) -> str:
    """Say how the set's fakes are related to those of training; empty where that is not known.

    A kind is what stands before the bracket: `GAN (StyleGAN)` and `GAN (StyleGAN2)` are one kind
    of two sources. It is context, not proof of a cause.
    """
    if cell.is_own:
        return ""
    if cell.is_part:
        return "held-out images of what it was trained on, a part of them"
    tested, trained = set(cell.kinds.values()), set(cell.model.kinds.values())
    if not _are_known(tested):
        return ""
    seen = {_kind(text) for text in trained if text.strip()}
    shared = [text for text in tested if _kind(text) in seen]
    if len(shared) == len(tested):
        return f"its fakes are of the same kind from another source: {_told(tested)}"
    others = _told(tested - set(shared))
    if not _are_known(trained):
        return f"its fakes are {others}; how those it was trained on were made is not known"
    if shared:
        return f"some of its fakes are of another kind of manipulation: {others}"
    return f"its fakes are {others}, another kind of manipulation than {_told(trained)}"


def _kind(text: str) -> str:
    """Return what stands before the bracket."""
    return (text.partition("(")[0].strip() or text.strip()).casefold()


def _are_known(kinds: set[str]) -> bool:
    return bool(kinds) and all(text.strip() for text in kinds)


def _told(kinds: Iterable[str]) -> str:
    return listed(sorted(map(named, kinds)))


_HOME = "on its own test split"


def cell_sentence(cell: SetScores, home: SetScores | None, with_model: bool = False) -> str:
    """Say what one model does on one set.

    Args:
        cell: The model on the set.
        home: The same model on the held-out split of what it was trained on, where that is known.
        with_model: Name the model too, where there are several.
    """
    model = f"{named(cell.model.label)} trained" if with_model else "Trained"
    where = f"its own test split ({format_images(cell)})"
    if not cell.is_own:
        where = f"tested on {named(cell.data)} ({named(cell.chosen)}, {format_images(cell)})"
    start = f"{model} on {named(cell.model.data)}, {where}"
    if len(cell.classes) == 1:
        return f"{start}: {_of_one_class(cell)}"
    facts = [_figures(cell), *_against_home(cell, home), _against_chance(cell)]
    kinds = kinds_clause(cell)
    sentence = f"{start}: {', '.join(facts)}{f'; {kinds}' if kinds else ''}."
    return " ".join([sentence, *_threshold(cell, home), *_floor(cell)])


def overlap_sentence(cell: SetScores) -> str:
    """Say which images were left out because the model saw them; empty where none was."""
    out = cell.overlap
    if not out.images:
        return ""
    were = "was" if out.images == 1 else "were"
    return (
        f"{counted(out.images, 'image')} of {named(cell.data)} {were} left out for "
        f"{named(cell.model.label)} trained on {named(cell.model.data)}: it had seen them or "
        f"copies of them in training ({out.identical:,} identical, {out.similar:,} similar)."
    )


def _figures(cell: SetScores) -> str:
    of = cell.estimates
    return (
        f"recall of fakes {with_interval(of['recall_fake'], first=True)}, false alarms "
        f"{with_interval(of['false_alarm_rate'])}, ROC AUC {with_interval(of['roc_auc'])}"
    )


def _of_one_class(cell: SetScores) -> str:
    if "recall_fake" in cell.estimates:
        figure, missing = (
            f"recall of fakes {with_interval(cell.estimates['recall_fake'], first=True)}",
            "real",
        )
        unknown = "false alarms and ranking"
    else:
        rate = with_interval(cell.estimates["false_alarm_rate"], first=True)
        figure, missing, unknown = f"false alarms {rate}", "fake", "recall and ranking"
    kinds = kinds_clause(cell) if missing == "real" else ""
    context = f"; {kinds}" if kinds else ""
    return f"{figure}{context}. It holds no {missing} image, so nothing is known of {unknown}."


def _against_home(cell: SetScores, home: SetScores | None) -> list[str]:
    """Compare ROC AUC with that on the model's own test split, both told."""
    if cell.is_own or home is None or "roc_auc" not in home.estimates:
        return []
    there, here = home.estimates["roc_auc"], cell.estimates["roc_auc"]
    if not is_above_chance(home):
        return [
            f"where it is not shown to be better than chance {_HOME} either, {with_interval(there)}"
        ]
    if is_shown_lower_than_home(cell, home):
        return [f"down from {with_interval(there)} {_HOME}"]
    change = "up from" if is_shown_higher(here, there) else "not shown to differ from"
    return [f"{change} {with_interval(there)} {_HOME}"]


def _against_chance(cell: SetScores) -> str:
    if is_reversed(cell):
        return "below 0.5: it ranks the classes the wrong way round"
    return f"{'' if is_above_chance(cell) else 'not shown to be '}better than chance"


def _threshold(cell: SetScores, home: SetScores | None) -> list[str]:
    if not threshold_fails(cell, home):
        return []
    recall, false_alarms = (
        cell.estimates[key].value for key in ("recall_fake", "false_alarm_rate")
    )
    at = f"{cell.scored.threshold:.3f}"
    there = ""
    if (
        home is not None
        and not cell.is_own
        and {"recall_fake", "false_alarm_rate"} <= set(home.estimates)
    ):
        own = (home.estimates[key].value for key in ("recall_fake", "false_alarm_rate"))
        there = "; {} they are {:.3f} and {:.3f}".format(_HOME, *own)
    return [
        f"Its threshold {'does not carry over' if not cell.is_own else 'does not suit the set'}: "
        f"at {at} it calls {recall:.3f} of the fakes and {false_alarms:.3f} of the real images "
        f"fake{there}."
    ]


def _floor(cell: SetScores) -> list[str]:
    if cell.floor is None or not is_within_floor(cell):
        return []
    return [
        f"It is not shown to be above the shortcut floor: metadata alone would score "
        f"{floor_with_interval(cell.floor)} here."
    ]


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
        f"{_EFFECTS[key]} {_format_effect(estimate)}"
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
    return [_format_worst(group, several) for group in groups.values()]


def worst_hold_out(group: Sequence[HoldOut]) -> HoldOut:
    """Return the hold-out with the lowest ROC AUC, or recall where one class is there."""
    return min(group, key=lambda out: _main_metric(out.without)[1].value)


def hold_out_effect(out: HoldOut) -> Estimate | None:
    """Return ROC AUC (or recall) left out of training less that in it, paired.

    None where the two were not scored on the same images, or the figure is not defined.
    """
    first, second = out.without, out.seen
    if first.digests != second.digests:
        return None
    one, other = (SeedScores(0, c.scored.y_score, c.scored.threshold) for c in (first, second))
    return paired_effect(first.scored.y_true, one, other).get(_main_metric(first)[0])


def _format_worst(group: Sequence[HoldOut], with_model: bool) -> str:
    worst = worst_hold_out(group)
    key, figure = _main_metric(worst.without)
    name = {"roc_auc": "ROC AUC", "recall_fake": "recall of fakes"}.get(key, "false alarms")
    of_model = f"{named(worst.model)}, " if with_model else ""
    which = f"worst of {len(group)}: " if len(group) > 1 else ""
    which = which if with_model else which.capitalize()
    effect = hold_out_effect(worst)
    changed = f": {_format_effect(effect)}" if effect is not None else ""
    return (
        f"{of_model}{which}{worst.column} {named(worst.value)} of {named(worst.data)} "
        f"({format_images(worst.without)}): {name} {with_interval(figure, first=True)} when it "
        f"was left out of training, {with_interval(worst.seen.estimates.get(key))} when it was in "
        f"it{changed}."
    )


def _main_metric(cell: SetScores) -> tuple[str, Estimate]:
    keys = ("roc_auc", "recall_fake", "false_alarm_rate")
    return next((key, cell.estimates[key]) for key in keys if key in cell.estimates)


def _format_effect(estimate: Estimate) -> str:
    verdict = effect_verdict(estimate)
    if verdict == "lost":
        estimate = Estimate(-estimate.value, -estimate.high, -estimate.low)
    return f"{verdict} {with_interval(estimate)}"


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


def format_spread(cells: Sequence[SetScores]) -> str:
    """Say between which ROC AUC cells of both classes lie, and which these are."""
    ranked = sorted(cells, key=lambda cell: cell.estimates["roc_auc"].value)
    ends = [ranked[0]] if len(ranked) == 1 else [ranked[0], ranked[-1]]
    return " to ".join(f"{cell.estimates['roc_auc'].value:.3f} ({_path(cell)})" for cell in ends)


def _path(cell: SetScores) -> str:
    if cell.is_own:
        return f"trained and tested on {named(cell.data)}"
    return f"trained on {named(cell.model.data)}, tested on {named(cell.data)}"


_CAUTION = (
    "Intervals cover the draw of test images alone: another training run, and another dataset, "
    "can lie outside them."
)


def matrix_verdict(record: Generalisation) -> Verdict:
    """Say whether models carry over to datasets that they were not trained on."""
    return set_verdict(ordered_cells(record), len(record.left_out))


def set_verdict(cells: Sequence[SetScores], failed: int = 0) -> Verdict:
    """Say whether the models of these cells carry over to sets they were not trained on.

    Args:
        cells: In the order that they were asked for.
        failed: Number of studies whose cells are blank.
    """
    away = [cell for cell in elsewhere(cells) if "roc_auc" in cell.estimates]
    homes = [cell for cell in cells if cell.is_own and "roc_auc" in cell.estimates]
    sentences = []
    if homes:
        sentences.append(f"ROC AUC on held-out images of its own dataset: {format_spread(homes)}.")
    if away:
        sentences.append(f"On other datasets: {format_spread(away)}.")
    sentences += _counts(away, cells)
    seen = sum(cell.overlap.images for cell in cells)
    if seen:
        sentences.append(
            f"Beware: {counted(seen, 'test image')} {_were(seen)} left out, because the model had "
            "seen them or copies of them in training."
        )
    if failed:
        studies = "1 study" if failed == 1 else f"{failed:,} studies"
        sentences.append(f"Beware: {studies} failed and left cells blank.")
    weight = _weight(away, cells)
    weight = "care" if failed and weight in ("good", "note") else weight
    return Verdict(_headline(away, cells), " ".join([*sentences, _CAUTION]), weight)


def elsewhere(cells: Sequence[SetScores]) -> list[SetScores]:
    """Return the cells whose test set holds a source that the model was not trained on."""
    return [cell for cell in cells if not cell.is_own and not cell.is_part]


def _headline(away: Sequence[SetScores], cells: Sequence[SetScores]) -> str:
    if not away:
        one_class = " that holds both classes" if elsewhere(cells) else ""
        return f"Nothing was tested on another dataset{one_class}"
    near = sum(not is_above_chance(cell) for cell in away)
    lower = sum(is_shown_lower_than_home(cell, home_of(cell, cells)) for cell in away)
    if near == len(away):
        return f"{_of(near, away)} shown to be better than chance on another dataset"
    if near:
        return f"{near} of {_transfers(away)} {_be(near)} not shown to be better than chance"
    if lower:
        return (
            f"Better than chance on every other dataset, and worse than at home in {lower} of "
            f"{_transfers(away)}"
        )
    homes = [home_of(cell, cells) for cell in away]
    known = ", and not shown to be worse than at home" if all(homes) else ""
    return f"Better than chance on every other dataset{known}"


def _of(count: int, away: Sequence[SetScores]) -> str:
    return "Not" if count == 1 and len(away) == 1 else f"None of {_transfers(away)} is"


def _transfers(away: Sequence[SetScores]) -> str:
    return counted(len(away), "transfer")


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _counts(away: Sequence[SetScores], cells: Sequence[SetScores]) -> list[str]:
    """Count the transfers that each rule names; rules that name none are left out."""
    rules: dict[str, Callable[[SetScores], bool]] = {
        "not shown to be better than chance": lambda cell: not is_above_chance(cell),
        "ranking the classes the wrong way round": is_reversed,
        "shown to be worse than on the model's own test split": lambda cell: (
            is_shown_lower_than_home(cell, home_of(cell, cells))
        ),
        "with a threshold that does not carry over": lambda cell: threshold_fails(
            cell, home_of(cell, cells)
        ),
        "not shown to be above what metadata alone score": is_within_floor,
    }
    counts = {words: sum(map(rule, away)) for words, rule in rules.items()}
    description = [f"{count} {words}" for words, count in counts.items() if count]
    return [f"Of {_transfers(away)}: {', '.join(description)}."] if description else []


def _weight(away: Sequence[SetScores], cells: Sequence[SetScores]) -> str:
    if not away:
        return "note"
    near = sum(not is_above_chance(cell) for cell in away)
    if near == len(away):
        return "bad"
    is_lower = any(is_shown_lower_than_home(cell, home_of(cell, cells)) for cell in away)
    return "care" if near or is_lower or any(map(is_within_floor, away)) else "good"

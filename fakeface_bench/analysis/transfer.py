"""What a model does on other datasets, by rules that a reader can check."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from fakeface_bench.analysis.curves import roc_curve
from fakeface_bench.evaluation.paired import paired_effect
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import SeedScores
from fakeface_bench.records.transfer import (
    CHANCE,
    EqualisedCell,
    Generalisation,
    HoldOut,
    SetScores,
)

#: A metric is far from that on the model's own test split from this difference on.
_FAR = 0.1
_RATES = ("recall_fake", "false_alarm_rate")

REVERSED = "reversed"
AT_CHANCE = "at chance"
THRESHOLD_OFF = "threshold off"
WITHIN_METADATA = "within metadata"


def ordered_cells(record: Generalisation) -> list[SetScores]:
    """Return the cells by model, training set and test set, each in the order asked for."""
    found = (
        record.cell(model, trained, tested)
        for model in record.models
        for trained in record.trained
        for tested in record.tested
    )
    return [cell for cell in found if cell is not None]


def elsewhere(cells: Iterable[SetScores]) -> list[SetScores]:
    """Return the cells whose test set holds a source that the model was not trained on."""
    return [cell for cell in cells if not cell.is_own and not cell.is_part]


def home_of(cell: SetScores, cells: Iterable[SetScores]) -> SetScores | None:
    """Return the same model on the held-out split of what it was trained on."""
    wanted = (cell.model.label, cell.model.data)
    own = (other for other in cells if other.is_own)
    return next((o for o in own if (o.model.label, o.model.data) == wanted), None)


def is_above_chance(cell: SetScores) -> bool:
    """Whether the interval of ROC AUC lies above 0.5."""
    auc = cell.estimates.get("roc_auc")
    return auc is not None and auc.low > CHANCE


def is_reversed(cell: SetScores) -> bool:
    """Whether the interval of ROC AUC lies below 0.5: real images rank above fakes."""
    return ranking_remark(cell.estimates) == REVERSED


def ranking_remark(estimates: Mapping[str, Estimate]) -> str:
    """Return whether images are ranked the wrong way round, or not shown above chance; or empty."""
    auc = estimates.get("roc_auc")
    if auc is None or auc.low > CHANCE:
        return ""
    return REVERSED if auc.high < CHANCE else AT_CHANCE


def reversed_parts(cell: SetScores) -> list[str]:
    """Return the sources, generators and tiers of a set that are ranked the wrong way round."""
    return [part for part, found in cell.parts.items() if ranking_remark(found) == REVERSED]


def is_shown_lower_than_home(cell: SetScores, home: SetScores | None) -> bool:
    """Whether ROC AUC is lower than on the model's own test split."""
    if home is None or not {"roc_auc"} <= cell.estimates.keys() & home.estimates.keys():
        return False
    return home.estimates["roc_auc"].is_shown_above(cell.estimates["roc_auc"])


def is_within_floor(cell: SetScores) -> bool:
    """Whether ROC AUC is not shown to be above what the set's metadata alone score.

    Only where the interval of these lies above 0.5.
    """
    auc, floor = cell.estimates.get("roc_auc"), cell.floor
    if auc is None or floor is None:
        return False
    return floor.low_95 > CHANCE and auc.low <= floor.high_95


def threshold_fails(cell: SetScores, home: SetScores | None) -> bool:
    """Whether the ranking is better than chance and the model's threshold does not suit it.

    Either its predictions are not shown to beat chance, or recall or false alarms are far from
    those on its own test split (shown, and by 0.1 or more), while another threshold would separate
    the classes better by 0.1 or more (in recall less false alarms). That last condition alone is
    too easy: the other threshold is found on the very images.
    """
    if not is_above_chance(cell):
        return False
    recall, false_alarms = (cell.estimates[key] for key in _RATES)
    curve = roc_curve(cell.scored.y_true, cell.scored.y_score)
    spare = float((curve.y - curve.x).max()) - (recall.value - false_alarms.value)
    is_useless = cell.estimates["balanced_accuracy"].low <= CHANCE
    return spare >= _FAR and (is_useless or _is_far(cell, home))


def _is_far(cell: SetScores, home: SetScores | None) -> bool:
    """Whether recall or false alarms are far from those at home, and shown to be."""
    if home is None or cell.is_own:
        return False
    for key in _RATES:
        if key in home.estimates:
            ends = (cell.estimates[key], home.estimates[key])
            low, high = sorted(ends, key=lambda estimate: estimate.value)
            if high.value - low.value >= _FAR and high.is_shown_above(low):
                return True
    return False


#: What a reader must not miss of a cell, and when; given the same model at home too.
_REMARKS: dict[str, Callable[[SetScores, SetScores | None], bool]] = {
    "one class only": lambda cell, home: len(cell.classes) == 1,
    REVERSED: lambda cell, home: is_reversed(cell),
    AT_CHANCE: lambda cell, home: ranking_remark(cell.estimates) == AT_CHANCE,
    THRESHOLD_OFF: threshold_fails,
    WITHIN_METADATA: lambda cell, home: is_within_floor(cell),
    "below home": is_shown_lower_than_home,
    "above home": lambda cell, home: home is not None and is_shown_lower_than_home(home, cell),
}


def remarks(cell: SetScores, home: SetScores | None) -> tuple[str, ...]:
    """Return what stands out, in a fixed word or two each."""
    return tuple(words for words, holds in _REMARKS.items() if holds(cell, home))


def kind_relation(cell: SetScores) -> str:
    """Return `same kind`, `partly another kind` or `another kind` of fakes than in training.

    Empty on images of the training sources, and where it is not known. A kind is what stands before
    the bracket: `GAN (StyleGAN)` and `GAN (StyleGAN2)` are one kind of two sources.
    """
    tested, trained = (
        {_kind(kind) for kind in of.values()} for of in (cell.kinds, cell.model.kinds)
    )
    if cell.is_own or cell.is_part or not tested or "" in tested:
        return ""
    if tested <= trained:
        return "same kind"
    if not trained or "" in trained:
        return ""
    return "partly another kind" if tested & trained else "another kind"


def _kind(text: str) -> str:
    return (text.partition("(")[0].strip() or text.strip()).casefold()


def effect_verdict(estimate: Estimate) -> str:
    """Return whether a difference is shown: `gained`, `lost` or `not shown to change`."""
    if estimate.low > 0:
        return "gained"
    return "lost" if estimate.high < 0 else "not shown to change"


def residual_floor(cell: SetScores, equalised: bool) -> Estimate | None:
    """Return what residual statistics alone score, of pictures as they are or equalised."""
    if cell.residual is None:
        return None
    return cell.residual.equalised if equalised else cell.residual.untouched


def history_verdict(pair: EqualisedCell) -> str:
    """Return whether a model is shown to have read what equalising wipes out."""
    if pair.delta_auc.low > 0:
        return "falls when equalised"
    return "better equalised" if pair.delta_auc.high < 0 else "not shown to fall"


def hold_out_effect(out: HoldOut) -> Estimate | None:
    """Return ROC AUC (of one class its rate) left out of training less that in it, paired.

    On the images that both were scored on; None where there are none, or the metric is not defined.
    """
    if out.seen is None:
        return None
    _, effect = effect_on_shared(out.without, out.seen)
    return effect.get(_main_metric(out.without))


def effect_on_shared(first: SetScores, second: SetScores) -> tuple[int, dict[str, Estimate]]:
    """Compare two models on the images that both were scored on.

    Returns:
        How many these are, and what `paired_effect` finds on them: nothing where there are none.
    """
    places = {digest: place for place, digest in enumerate(second.digests)}
    ours = [place for place, digest in enumerate(first.digests) if digest in places]
    if not ours:
        return 0, {}
    theirs = [places[first.digests[place]] for place in ours]
    one, other = (
        SeedScores(0, cell.scored.y_score[rows], cell.scored.threshold)
        for cell, rows in ((first, ours), (second, theirs))
    )
    return len(ours), paired_effect(first.scored.y_true[ours], one, other)


def worst_hold_outs(hold_outs: Sequence[HoldOut]) -> list[HoldOut]:
    """Return the worst hold-out, by ROC AUC or the one rate, of each model, dataset and column."""
    groups: dict[tuple[str, str, str], list[HoldOut]] = {}
    for out in hold_outs:
        groups.setdefault((out.model, out.data, out.column), []).append(out)
    return [min(group, key=_main_value) for group in groups.values()]


def _main_value(out: HoldOut) -> float:
    key = _main_metric(out.without)
    value = out.without.estimates[key].value
    return -value if key == "false_alarm_rate" else value


def _main_metric(cell: SetScores) -> str:
    """Return the key of ROC AUC, or of the rate that one class has."""
    return next(key for key in ("roc_auc", *_RATES) if key in cell.estimates)

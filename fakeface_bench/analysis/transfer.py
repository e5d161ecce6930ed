"""What a model does elsewhere, by rules that a reader can check."""

from collections.abc import Iterable
from math import hypot

from fakeface_bench.analysis.curves import roc_curve
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.transfer import SetScores

CHANCE = 0.5
#: From how large a difference on a figure is far from that on the model's own test split.
_FAR = 0.1


def home_of(cell: SetScores, cells: Iterable[SetScores]) -> SetScores | None:
    """Return the same model on the held-out split of what it was trained on."""
    asked = (cell.model.label, cell.model.data)
    own = (other for other in cells if other.is_own)
    return next((o for o in own if (o.model.label, o.model.data) == asked), None)


def is_above_chance(cell: SetScores) -> bool:
    """Whether the interval of ROC AUC lies above 0.5."""
    auc = cell.estimates.get("roc_auc")
    return auc is not None and auc.low > CHANCE


def is_reversed(cell: SetScores) -> bool:
    """Whether the interval of ROC AUC lies below 0.5: real images rank above fakes."""
    auc = cell.estimates.get("roc_auc")
    return auc is not None and auc.high < CHANCE


def is_shown_higher(high: Estimate, low: Estimate) -> bool:
    """Whether one figure is higher than another on other images, at 95 %.

    The interval of the difference is put together of both, by the distances of their ends that
    face each other. Source: Zou & Donner (2008), "Construction of confidence limits about effect
    measures" (of shares: Newcombe 1998).
    """
    apart = high.value - low.value
    return apart > hypot(high.value - high.low, low.high - low.value)


def is_shown_lower_than_home(cell: SetScores, home: SetScores | None) -> bool:
    """Whether ROC AUC is lower than on the model's own test split."""
    if home is None or not {"roc_auc"} <= cell.estimates.keys() & home.estimates.keys():
        return False
    return is_shown_higher(home.estimates["roc_auc"], cell.estimates["roc_auc"])


def is_within_floor(cell: SetScores) -> bool:
    """Whether ROC AUC is not shown to be above what the set's metadata alone score.

    Only where these tell anything, with an interval above 0.5.
    """
    auc, floor = cell.estimates.get("roc_auc"), cell.floor
    if auc is None or floor is None:
        return False
    return floor.low_95 > CHANCE and auc.low <= floor.high_95


def threshold_fails(cell: SetScores, home: SetScores | None) -> bool:
    """Whether the ranking is better than chance and the model's threshold does not suit it.

    Either its calls are not shown to beat chance, or recall or false alarms are far from those on
    its own test split (shown, and by 0.1 or more), while another threshold would tell the classes
    apart better by 0.1 or more (in recall less false alarms). The last alone flatters: it is
    found on the very images.
    """
    if not is_above_chance(cell):
        return False
    recall, false_alarms = (cell.estimates[key] for key in ("recall_fake", "false_alarm_rate"))
    curve = roc_curve(cell.scored.y_true, cell.scored.y_score)
    spare = float((curve.y - curve.x).max()) - (recall.value - false_alarms.value)
    is_useless = cell.estimates["balanced_accuracy"].low <= CHANCE
    return spare >= _FAR and (is_useless or _is_far(cell, home))


def _is_far(cell: SetScores, home: SetScores | None) -> bool:
    if home is None or cell.is_own:
        return False
    keys = ("recall_fake", "false_alarm_rate")
    pairs = [(cell.estimates[k], home.estimates[k]) for k in keys if k in home.estimates]
    return any(_differ_far(one, other) for one, other in pairs)


def _differ_far(one: Estimate, other: Estimate) -> bool:
    high, low = (one, other) if one.value > other.value else (other, one)
    return high.value - low.value >= _FAR and is_shown_higher(high, low)

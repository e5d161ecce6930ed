"""What a test of robustness comes to; every sentence follows from the numbers by a rule."""

from dataclasses import dataclass

from fakeface_bench.records.transfer import CHANCE, CurvePoint, ModelRobustness, Robustness
from fakeface_bench.report.format import (
    counted,
    format_test_images,
    label_of,
    listed,
    with_interval,
)

#: Corrupted pictures named in one sentence; the rest is counted.
_NAMED = 6
#: How titles begin that are names or acronyms.
_CAPITALS = ("JPEG", "WebP", "Gaussian")


@dataclass(frozen=True, slots=True)
class RobustnessVerdict:
    """What it comes to.

    Attributes:
        headline: In a few words.
        paragraphs: What was scored, the best model or the only one, and what lies behind it.
        others: A paragraph on each other model, in the order asked for.
        weight: `note`, `care` or `bad`: how a page colours it.
    """

    headline: str
    paragraphs: tuple[str, ...]
    others: tuple[str, ...]
    weight: str


def robustness_verdict(robustness: Robustness) -> RobustnessVerdict:
    """Say how far ROC AUC falls, what costs most, and where a model is no better than chance."""
    scored = f"Scored are {format_test_images(robustness)}, the same for every corruption."
    best = robustness.best
    order = [" ".join(_order(robustness))] if len(robustness.models) > 1 else []
    return RobustnessVerdict(
        headline=_headline(robustness),
        paragraphs=(scored, _paragraph(robustness, best), *order),
        others=tuple(
            _paragraph(robustness, model) for model in robustness.models if model is not best
        ),
        weight=_weight(best),
    )


def named(title: str) -> str:
    """Return a corruption's title within a sentence: names and acronyms keep their capitals."""
    return title if title.startswith(_CAPITALS) else title.lower()


def at_chance(model: ModelRobustness) -> list[CurvePoint]:
    """Return the corrupted pictures on which a model is not shown to beat chance."""
    return [point for point in model.points if point.is_at_chance]


def _headline(robustness: Robustness) -> str:
    best, models = robustness.best, robustness.models
    if all(map(_is_lost, models)):
        which = f"{label_of(best)} is not" if len(models) == 1 else "No model is"
        return f"{which} shown to beat chance on untouched pictures"
    kinds = counted(len(best.curves), "corruption")
    mean = f"{best.mean_roc_auc.value:.3f} over {kinds}"
    near = [label_of(model) for model in models if _may_equal(model)]
    if near:
        return (
            f"{label_of(best)} has the highest mean ROC AUC, {mean}, and is not shown to beat "
            f"{listed(near)}"
        )
    if len(models) > 1:
        return f"{label_of(best)} holds up best: mean ROC AUC {mean}"
    return f"Mean ROC AUC {mean}, {best.roc_auc.value:.3f} on untouched pictures"


def _weight(best: ModelRobustness) -> str:
    if _is_lost(best):
        return "bad"
    return "care" if at_chance(best) else "note"


def _is_lost(model: ModelRobustness) -> bool:
    return model.roc_auc.low <= CHANCE


def _paragraph(robustness: Robustness, model: ModelRobustness) -> str:
    accuracy = _accuracy(model, robustness.larger_class)
    return " ".join([_means(model), _costs(model), *_chance(model), accuracy])


def _may_equal(model: ModelRobustness) -> bool:
    """Return whether a model is not the best, and not shown to be behind it."""
    return model.behind is not None and model.behind.low <= 0


def _means(model: ModelRobustness) -> str:
    return (
        f"{label_of(model)} has a ROC AUC of {with_interval(model.roc_auc, first=True)} on "
        f"untouched pictures and of {with_interval(model.mean_roc_auc, first=True)} on average "
        f"over {counted(len(model.curves), 'corruption')}."
    )


def _costs(model: ModelRobustness) -> str:
    curve = model.costliest
    if curve.cost.low <= 0:
        return (
            "No corruption is shown to cost it any: the costliest, "
            f"{named(curve.title)}, takes {with_interval(curve.cost, first=True)}."
        )
    worst = min(curve.corrupted, key=lambda point: point.roc_auc.value)
    severities = len(curve.corrupted)
    over = "" if severities == 1 else f" on the mean of its {severities} severities"
    return (
        f"What costs it most is {named(curve.title)}: "
        f"{with_interval(curve.cost, first=True)}{over}; "
        f"{worst.description} leaves {with_interval(worst.roc_auc, first=True)}."
    )


def _chance(model: ModelRobustness) -> list[str]:
    if _is_lost(model):
        return ["It is not shown to beat chance even there, so its curves say nothing."]
    fallen = at_chance(model)
    if not fallen:
        return ["Nowhere does an interval reach down to chance (0.5)."]
    where = listed([point.description for point in fallen], _NAMED)
    return [f"It falls to chance (an interval down to 0.5) with {where}."]


def _accuracy(model: ModelRobustness, larger_class: float) -> str:
    worst = min(model.points, key=lambda point: point.accuracy.value)
    if worst.accuracy.value >= model.accuracy.value:
        return "No corruption lowers its accuracy."
    text = (
        f"At its own threshold, accuracy falls from {model.accuracy.value:.3f} to at worst "
        f"{with_interval(worst.accuracy, first=True)}, with {worst.description}, where ROC AUC is "
        f"{worst.roc_auc.value:.3f}"
    )
    if worst.accuracy.low <= larger_class and not worst.is_at_chance:
        return (
            f"{text}: no better than calling every image alike. The order holds, the threshold "
            "does not."
        )
    return f"{text}."


def _order(robustness: Robustness) -> list[str]:
    """Tell how far each other model lies behind the best, and whether that is shown."""
    best = label_of(robustness.best)
    description = []
    for model in robustness.models:
        if model.behind is None:
            continue
        shown = "is not shown to be" if _may_equal(model) else "is"
        description.append(
            f"{label_of(model)} {shown} behind {best}: the means differ by "
            f"{with_interval(model.behind, first=True)}, paired by image."
        )
    return description

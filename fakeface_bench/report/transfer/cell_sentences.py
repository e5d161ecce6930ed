"""One finished model on one test set, in sentences that follow from the figures by rule.

What is not shown is never called equal, and a kind of manipulation is context, not a cause.
"""

from fakeface_bench.records import SetScores
from fakeface_bench.report.transfer.kinds import kinds_clause
from fakeface_bench.report.transfer.rules import (
    is_above_chance,
    is_reversed,
    is_shown_higher,
    is_shown_lower_than_home,
    is_within_floor,
    threshold_fails,
)
from fakeface_bench.report.transfer.told import floor_told, images_told, named, told
from fakeface_bench.report.wording import counted

_HOME = "on its own test split"


def cell_sentence(cell: SetScores, home: SetScores | None, with_model: bool = False) -> str:
    """Say what one model does on one set.

    Args:
        cell: The model on the set.
        home: The same model on the held-out split of what it was trained on, where that is known.
        with_model: Name the model too, where there are several.
    """
    model = f"{named(cell.model.label)} trained" if with_model else "Trained"
    where = f"its own test split ({images_told(cell)})"
    if not cell.is_own:
        where = f"tested on {named(cell.data)} ({named(cell.chosen)}, {images_told(cell)})"
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
    figures = cell.figures
    return (
        f"recall of fakes {told(figures['recall_fake'], first=True)}, false alarms "
        f"{told(figures['false_alarm_rate'])}, ROC AUC {told(figures['roc_auc'])}"
    )


def _of_one_class(cell: SetScores) -> str:
    if "recall_fake" in cell.figures:
        figure, missing = f"recall of fakes {told(cell.figures['recall_fake'], first=True)}", "real"
        unknown = "false alarms and ranking"
    else:
        rate = told(cell.figures["false_alarm_rate"], first=True)
        figure, missing, unknown = f"false alarms {rate}", "fake", "recall and ranking"
    kinds = kinds_clause(cell) if missing == "real" else ""
    context = f"; {kinds}" if kinds else ""
    return f"{figure}{context}. It holds no {missing} image, so nothing is known of {unknown}."


def _against_home(cell: SetScores, home: SetScores | None) -> list[str]:
    """Compare ROC AUC with that on the model's own test split, both told."""
    if cell.is_own or home is None or "roc_auc" not in home.figures:
        return []
    there, here = home.figures["roc_auc"], cell.figures["roc_auc"]
    if not is_above_chance(home):
        return [f"where it is not shown to be better than chance {_HOME} either, {told(there)}"]
    if is_shown_lower_than_home(cell, home):
        return [f"down from {told(there)} {_HOME}"]
    change = "up from" if is_shown_higher(here, there) else "not shown to differ from"
    return [f"{change} {told(there)} {_HOME}"]


def _against_chance(cell: SetScores) -> str:
    if is_reversed(cell):
        return "below 0.5: it ranks the classes the wrong way round"
    return f"{'' if is_above_chance(cell) else 'not shown to be '}better than chance"


def _threshold(cell: SetScores, home: SetScores | None) -> list[str]:
    if not threshold_fails(cell, home):
        return []
    recall, false_alarms = (cell.figures[key].value for key in ("recall_fake", "false_alarm_rate"))
    at = f"{cell.scored.threshold:.3f}"
    there = ""
    if (
        home is not None
        and not cell.is_own
        and {"recall_fake", "false_alarm_rate"} <= set(home.figures)
    ):
        own = (home.figures[key].value for key in ("recall_fake", "false_alarm_rate"))
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
        f"{floor_told(cell.floor)} here."
    ]

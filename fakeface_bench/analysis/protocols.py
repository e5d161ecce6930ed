"""What leaving generators out of training shows, by rules that a reader can check."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fakeface_bench.evaluation.intervals import share_estimate
from fakeface_bench.evaluation.macro import mean_roc_auc
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.transfer import Generalisation, HoldOut, SetScores, TimeStep


@dataclass(frozen=True, slots=True)
class Unseen:
    """How one network does on generators that it was not trained on.

    Attributes:
        outs: Each generator left out in turn, the lowest ROC AUC first.
        mean: Of their ROC AUCs, each counting the same.
        cold_seconds: What the study that saw all generators took from a cold start; None where it
            failed.
    """

    model: str
    data: str
    outs: tuple[HoldOut, ...]
    mean: Estimate
    cold_seconds: float | None

    @property
    def equalised(self) -> bool:
        """Whether it sees equalised pictures."""
        return self.worst.without.model.equalised

    @property
    def worst(self) -> HoldOut:
        """The generator with the lowest ROC AUC."""
        return self.outs[0]


@dataclass(frozen=True, slots=True)
class InTime:
    """How one network does on what was released next.

    Attributes:
        steps: Each date up to which it was trained, on the generators of the date after it.
        later: The same on the dates after that.
        mean: Of the ROC AUCs of `steps`, each counting the same.
    """

    model: str
    data: str
    steps: tuple[TimeStep, ...]
    later: tuple[TimeStep, ...]
    mean: Estimate

    @property
    def equalised(self) -> bool:
        """Whether it sees equalised pictures."""
        return self.steps[0].cell.model.equalised


T = TypeVar("T", Unseen, InTime)


def unseen_generators(record: Generalisation) -> list[Unseen]:
    """Return each network and training set of which generators were left out in turn."""
    found: dict[tuple[str, str], list[HoldOut]] = {}
    models = [cell.model for cell in record.cells]
    costs = {(of.label, of.data): of.cold_seconds for of in models}
    for out in record.hold_outs:
        if out.column == "generator" and "roc_auc" in out.without.estimates:
            found.setdefault((out.model, out.data), []).append(out)
    return [
        Unseen(
            model,
            data,
            tuple(sorted(outs, key=lambda out: out.without.estimates["roc_auc"].value)),
            mean_of([out.without for out in outs]),
            costs.get((model, data)),
        )
        for (model, data), outs in found.items()
    ]


def improvability(of: Unseen, found: Sequence[Unseen]) -> float | None:
    """Return the share of a network's error that the best network does without, from 0 to 1.

    Of each generator 1 − best error ÷ error, where an error is 1 − ROC AUC, then the mean over
    those generators on which all networks of the same training set were tested; 0 where it is the
    best on each. None where there are no others. Source: Erickson et al. (2025), "TabArena: A
    Living Benchmark for Machine Learning on Tabular Data".
    """
    alike = [one for one in found if (one.data, one.equalised) == (of.data, of.equalised)]
    errors = [
        {out.value: 1 - out.without.estimates["roc_auc"].value for out in one.outs} for one in alike
    ]
    own = errors[alike.index(of)]
    shared = [name for name in own if all(name in one for one in errors)]
    if len(alike) < 2 or not shared:
        return None
    best = {name: min(one[name] for one in errors) for name in shared}
    gains = [1 - best[name] / own[name] if own[name] else 0.0 for name in shared]
    return sum(gains) / len(gains)


def untouched(found: Sequence[T]) -> list[T]:
    """Return those that see pictures as they are; all where none does."""
    return [of for of in found if not of.equalised] or list(found)


def in_order_of_time(record: Generalisation) -> list[InTime]:
    """Return each network and training set that was tried on what was released next."""
    found: dict[tuple[str, str], list[TimeStep]] = {}
    for step in record.time_steps:
        found.setdefault((step.model, step.data), []).append(step)
    made = [_in_time(model, data, steps) for (model, data), steps in found.items()]
    return [of for of in made if of is not None]


def _in_time(model: str, data: str, steps: Sequence[TimeStep]) -> InTime | None:
    following: dict[str, str] = {}
    for step in steps:
        known = following.get(step.until, step.released)
        following[step.until] = min(known, step.released)
    ranked = [step for step in steps if "roc_auc" in step.cell.estimates]
    ordered = sorted(ranked, key=lambda step: (step.until, step.released))
    first = tuple(step for step in ordered if step.released == following[step.until])
    later = tuple(step for step in ordered if step.released != following[step.until])
    if not first:
        return None
    return InTime(model, data, first, later, mean_of([step.cell for step in first]))


def mean_of(cells: Iterable[SetScores]) -> Estimate:
    """Return the mean of ROC AUC over cells of both classes, with its interval over images."""
    return mean_roc_auc([(c.scored.y_true, c.scored.y_score, c.digests) for c in cells])


def unsure_share(cell: SetScores) -> Estimate | None:
    """Return the share of images that the model is unsure of; None where it never is."""
    band = cell.scored.unsure
    return None if band is None else share_estimate(band.holds(cell.scored.y_score))

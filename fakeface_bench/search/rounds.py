"""Trials drawn together: some at once, each from what all earlier rounds found.

So what a study tries depends on how many are drawn together, and neither on how many processes or
machines run them, nor on which is done first. A trial's position says which draw it is: position p
is drawn in round p // K, from the trials of the rounds before, and the options, not the results, of
the trials before it in its own. A killed trial is repeated at its position, from the same draw.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import optuna
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from fakeface_bench.search.storage import (
    POSITION,
    USEFUL,
    Study,
    ended_by_itself,
    given_up,
    has_options,
)

_UNDER_WAY = (TrialState.RUNNING, TrialState.WAITING)


@dataclass(frozen=True, slots=True)
class Draw:
    """One trial's place among those that are drawn together.

    Attributes:
        position: Among all draws of the study, from 0.
        earlier: Trials of the rounds before, in order of their positions.
        beside: Those of its own round that come before it, as they were when they began, whatever
            has become of them meanwhile: samplers take trials under way for bad ones, so that
            those of a round differ.
    """

    position: int
    earlier: Sequence[FrozenTrial]
    beside: Sequence[FrozenTrial]

    def ask(
        self,
        name: str,
        pruner: optuna.pruners.BasePruner,
        sampler: optuna.samplers.BaseSampler | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> optuna.Trial:
        """Begin it in a study in memory that knows what this draw may know, and nothing else.

        Args:
            params: Of its options, those that are not for the sampler to draw.
        """
        storage = InMemoryStorage()
        study = optuna.create_study(
            study_name=name, storage=storage, direction="maximize", sampler=sampler, pruner=pruner
        )
        number = storage.get_study_id_from_name(name)
        # Not by `add_trials`, which looks at every option once more.
        for trial in [*map(_without_notes, self.earlier), *self.beside]:
            storage.create_new_trial(number, trial)
        if params is not None:
            study.enqueue_trial(dict(params))
        return study.ask()

    def knowing(self, begun: Mapping[int, FrozenTrial]) -> "Draw":
        """Return it with trials beside it that were begun meanwhile, by position."""
        first = self.position - len(self.beside)
        beside = [begun.get(first + n, trial) for n, trial in enumerate(self.beside)]
        return replace(self, beside=beside)


class Judged:
    """A draw's trial as its pruner sees it: with those of earlier rounds, from its first report."""

    def __init__(self, draw: Draw, name: str, pruner: optuna.pruners.BasePruner) -> None:
        self._draw, self._name, self._pruner = draw, name, pruner

    @cached_property
    def _trial(self) -> optuna.Trial:
        return self._draw.ask(self._name, self._pruner)

    def report(self, value: float, step: int) -> None:
        """As of Optuna's trial."""
        self._trial.report(value, step)

    def should_prune(self) -> bool:
        """As of Optuna's trial."""
        return self._trial.should_prune()


def next_draws(
    study: Study, trials: Sequence[FrozenTrial], together: int, wanted: int
) -> list[Draw]:
    """Return the trials of a round to draw; none where those that run now have to end first.

    Args:
        trials: Of the study, at one moment: other processes end theirs meanwhile.
        together: Trials a round.
        wanted: Useful trials that the study shall hold in the end.
    """
    placed = _by_position(trials, given_up(study))
    position = next(p for p in range(len(placed) + 1) if p not in placed)
    begin = position - position % together
    earlier = [placed[p] for p in range(begin)]
    if any(trial.state in _UNDER_WAY for trial in earlier):
        return []
    missing = wanted - sum(trial.state in USEFUL for trial in earlier)
    draws = []
    for position in range(begin, begin + together):
        before = [placed.get(p, _BLANK) for p in range(begin, position)]
        if sum(trial.state != TrialState.FAIL for trial in before) >= missing:
            break
        if position not in placed:
            draws.append(_draw_at(position, placed, together))
    return draws


def draw_of(
    study: Study, trials: Sequence[FrozenTrial], trial: optuna.Trial, together: int
) -> Draw:
    """Return the draw that a started trial repeats.

    What is missing beside it was cut off and is drawn again later; its place is kept.
    """
    placed = _by_position(trials, given_up(study))
    return _draw_at(int(trial.user_attrs[POSITION]), placed, together)


def _draw_at(position: int, placed: Mapping[int, FrozenTrial], together: int) -> Draw:
    begin = position - position % together
    beside = [under_way(placed.get(p, _BLANK)) for p in range(begin, position)]
    return Draw(position, [placed[p] for p in range(begin)], beside)


def _by_position(trials: Sequence[FrozenTrial], left: Sequence[int]) -> dict[int, FrozenTrial]:
    """Return the trials by position: of one that was killed, the one that repeats it, if any."""
    return {
        int(trial.user_attrs[POSITION]): trial
        for trial in trials
        if POSITION in trial.user_attrs
        and (trial.state in _UNDER_WAY or ended_by_itself(trial, left))
    }


#: A trial under way of which nothing is known.
_BLANK = create_trial(state=TrialState.RUNNING)


class _Ended(FrozenTrial):
    """A trial that nothing changes any more: a study takes it without copying what it holds."""

    def __deepcopy__(self, memo: object) -> "FrozenTrial":
        return copy.copy(self)


def _without_notes(trial: FrozenTrial) -> FrozenTrial:
    """Return an ended trial without what this project notes of it, which no sampler reads."""
    bare = copy.copy(trial)
    bare.user_attrs = {}
    bare.__class__ = _Ended
    return bare


def under_way(trial: FrozenTrial) -> FrozenTrial:
    """Return a trial as it was while it ran."""
    return as_begun(trial) if has_options(trial) else _BLANK


def as_begun(trial: FrozenTrial | optuna.Trial) -> FrozenTrial:
    """Return a trial whose options are known, and nothing else of it."""
    return create_trial(
        state=TrialState.RUNNING, params=trial.params, distributions=trial.distributions
    )

"""Trials drawn together: some at once, each from what all earlier rounds found.

So what a study tries depends on how many are drawn together, and neither on how many processes or
machines run them, nor on which is done first. A trial's position says which draw it is: position p
is drawn in round p // K, from the trials of the rounds before, and the options, not the results, of
the trials before it in its own. A killed trial is repeated at its position, from the same draw.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
        beside: Those of its own round that were drawn before it.
    """

    position: int
    earlier: Sequence[FrozenTrial]
    beside: Sequence[FrozenTrial]

    def view(
        self, name: str, sampler: optuna.samplers.BaseSampler, pruner: optuna.pruners.BasePruner
    ) -> optuna.Study:
        """Return a study in memory that knows what this draw may know, and nothing else.

        The trials beside it count as under way, whatever has become of them meanwhile: samplers
        take such for bad ones, so that those of a round differ.
        """
        storage = InMemoryStorage()
        study = optuna.create_study(
            study_name=name, storage=storage, direction="maximize", sampler=sampler, pruner=pruner
        )
        number = storage.get_study_id_from_name(name)
        for trial in self.earlier:  # not by `add_trials`, which looks at every option once more
            storage.create_new_trial(number, _without_notes(trial))
        for trial in self.beside:
            storage.create_new_trial(number, _under_way(trial))
        return study


def next_draw(
    study: Study, trials: Sequence[FrozenTrial], together: int, wanted: int
) -> Draw | None:
    """Return the next trial to draw; None where those that run now have to end first.

    Args:
        trials: Of the study, at one moment: other processes end theirs meanwhile.
        together: Trials a round.
        wanted: Useful trials that the study shall hold in the end.
    """
    placed = _by_position(trials, given_up(study))
    position = next(p for p in range(len(placed) + 1) if p not in placed)
    draw = _draw_at(position, placed, together)
    if any(trial.state in _UNDER_WAY for trial in draw.earlier):
        return None
    missing = wanted - sum(trial.state in USEFUL for trial in draw.earlier)
    if sum(trial.state != TrialState.FAIL for trial in draw.beside) >= missing:
        return None
    return draw


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
    beside = [placed.get(p, _BLANK) for p in range(begin, position)]
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


def _under_way(trial: FrozenTrial) -> FrozenTrial:
    """Return a trial as it was while it ran."""
    if not has_options(trial):
        return _BLANK
    return create_trial(
        state=TrialState.RUNNING, params=trial.params, distributions=trial.distributions
    )

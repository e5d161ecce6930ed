"""Who hears of trials and epochs while a study runs, and may stop them."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fakeface_bench.support.errors import ListenerError, StopSearch, StopTrial, UsageError

if TYPE_CHECKING:
    from fakeface_bench.search.trial import TrialListener


class Callback:
    """Hears of a study's trials; a subclass overrides what it wants to hear of.

    Any method may raise `StopTrial`, which ends the trial as pruned, or `StopSearch`, after which
    no trial begins: the study goes on with those that it has, of which one must be complete.

    Example:
        >>> class GoodEnough(Callback):
        ...     def on_trial_end(self, number, trial):
        ...         if (trial["value"] or 0) > 0.95:
        ...             raise StopSearch
        >>> run_study(model="residual", callbacks=[GoodEnough()])  # doctest: +SKIP
    """

    def on_trial_begin(self, number: int, options: Mapping[str, Any]) -> None:
        """A trial begins.

        Args:
            number: From 0, in the order in which trials begin.
            options: What it tries, as columns of `Study.trials`.
        """

    def on_epoch_end(self, number: int, epoch: Mapping[str, Any]) -> None:
        """An epoch of a trial has ended; of several folds none is told.

        Args:
            epoch: As a row of `Study.history`.
        """

    def on_trial_end(self, number: int, trial: Mapping[str, Any]) -> None:
        """A trial has ended.

        Args:
            trial: `state` (`complete`, `pruned` or `failed`), `value` (validation ROC AUC; None
                where there is none), `seconds` and `reason`.
        """


def as_listener(callback: Callback) -> "TrialListener":
    """Return what the search tells of its trials.

    Raises:
        UsageError: If it is no callback.
    """
    from fakeface_bench.search.trial import TrialListener

    if not isinstance(callback, Callback):
        raise UsageError(
            f"callbacks holds {type(callback).__name__}, which is no fakeface_bench.Callback."
        )

    class Listener(TrialListener):
        """Hands on what a callback hears of; nothing once it has failed, or stopped the search."""

        def __init__(self) -> None:
            self._numbers: dict[str, int] = {}
            self._is_over = False

        def started(self, uid: str, number: int, config: Any) -> None:
            self._numbers[uid] = number
            self._tell(callback.on_trial_begin, number, config.as_params())

        def epoch(self, uid: str, record: Any) -> None:
            self._tell(callback.on_epoch_end, self._numbers[uid], asdict(record))

        def ended(self, trial: Any) -> None:
            told = {name: getattr(trial, name) for name in _OF_TRIALS}
            with suppress(StopTrial):  # it has ended
                self._tell(callback.on_trial_end, trial.number, told)

        def _tell(self, method: Callable[..., None], *what: Any) -> None:
            if self._is_over:
                return
            try:
                method(*what)
            except StopTrial:
                raise
            except StopSearch:
                self._is_over = True
                raise
            except Exception as error:
                self._is_over = True
                raise ListenerError(error) from error

    return Listener()


_OF_TRIALS = ("state", "value", "seconds", "reason")

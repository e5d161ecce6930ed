"""A study goes on after failures, kills and interruptions as if they had not been."""

from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from optuna.trial import FrozenTrial, TrialState

from fakeface_bench.config import LOGISTIC_REGRESSION, TrialConfig, logistic_regression
from fakeface_bench.features.samples import Samples
from fakeface_bench.records.study import EpochRecord, FitRecord, SearchRecord, TrialRecord
from fakeface_bench.search import optimise as module
from fakeface_bench.search.optimise import SearchTask, TrialListener, optimise
from fakeface_bench.search.options import Candidates, Range
from fakeface_bench.search.space import Space
from fakeface_bench.search.storage import Study, ask, claim, keep_config, open_study
from fakeface_bench.support import processes
from fakeface_bench.support.errors import StudyError
from fakeface_bench.training.networks import FitTask, FrozenNetwork
from tests.conftest import RecordedProgress


class Poolings(FrozenNetwork):
    """Offers poolings without a backbone: no fit of this module looks at pixels."""

    poolings = ("avg", "avg+std")


class Listener(TrialListener):
    def __init__(self) -> None:
        self.ended_trials: list[TrialRecord] = []

    def ended(self, trial: TrialRecord) -> None:
        self.ended_trials.append(trial)


def planted_fit(task: FitTask, config: TrialConfig, on_epoch: object = None) -> FitRecord:
    """An objective known in closed form, in place of a network."""
    head = config.head
    value = 0.9 - 0.2 * head.dropout + 0.01 * np.log10(head.learning_rate)
    value -= 0.1 * (head.classifier == LOGISTIC_REGRESSION)
    epoch = EpochRecord(0, 0.5, 0.7, 0.5, 0.7, float(value), 1.5, 0.5)
    assert callable(on_epoch)
    on_epoch(epoch)
    return FitRecord((epoch,), 0)


class Search:
    """One study file; each `run` stands for a process of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file = f"sqlite:///{folder / 'studies.db'}"
        self._patch = monkeypatch
        self.asked: dict[str, Candidates] = {}
        self.how: dict[str, str] = {}
        self.epochs = 1
        self.listener = Listener()

    def run(self, trials: int, fit: object = planted_fit, timeout: float = 0.0) -> SearchRecord:
        self._patch.setattr(module, "fit_record", fit)
        return optimise(
            self.opened(), self.task(trials, timeout), self.listener, RecordedProgress()
        )

    def opened(self) -> Study:
        return open_study(self._file, "a", {"model": "b"})

    def task(self, trials: int, timeout: float = 0.0) -> SearchTask:
        nothing = Samples({}, np.zeros(0, np.uint8))
        task = FitTask(Poolings(None), nothing, nothing, self.epochs, 0, lambda y, m: 0.5)
        return SearchTask(
            task, trials, 0, Space(task.network, 0, "search", self.asked), timeout, **self.how
        )


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Search:
    return Search(tmp_path, monkeypatch)


@pytest.fixture
def undisturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[TrialConfig]:
    (tmp_path / "undisturbed").mkdir()
    record = Search(tmp_path / "undisturbed", monkeypatch).run(8)
    return [trial.config for trial in record.trials]


def usual(record: SearchRecord) -> bool:
    """Whether logistic regression and the plain head were the first trials."""
    first = [trial.config for trial in record.trials[:2]]
    return first == [TrialConfig(logistic_regression()), TrialConfig()]


def finished(record: SearchRecord) -> list[TrialConfig]:
    return [trial.config for trial in record.trials if trial.state != "failed"]


def test_the_best_trial_is_the_highest_and_what_is_usual_comes_first(search: Search) -> None:
    record = search.run(10)
    values = [trial.value for trial in record.trials if trial.state == "complete"]
    assert record.best.value == max(values)
    assert usual(record)
    assert sum(record.importances.values()) == pytest.approx(1)


def test_topping_up_draws_what_one_go_would(search: Search, undisturbed: list[TrialConfig]) -> None:
    search.run(3)
    assert finished(search.run(8)) == undisturbed


def test_a_failure_by_the_options_is_not_drawn_again(search: Search) -> None:
    def failing_on_smoothing(task: FitTask, config: TrialConfig, on_epoch: object = None) -> object:
        if config.head.loss == "binary_crossentropy_smoothed":
            raise ValueError("too wide")
        return planted_fit(task, config, on_epoch)

    record = search.run(8, failing_on_smoothing)
    failed = [trial for trial in record.trials if trial.state == "failed"]
    assert failed, "no trial drew the failing option"
    assert len({trial.config for trial in record.trials}) == len(record.trials)
    assert len(finished(record)) == 8
    assert failed[0].reason == "ValueError: too wide"
    assert usual(record)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemError])
@pytest.mark.parametrize("number", [0, 2])
def test_an_interrupted_trial_is_told_and_run_again(
    search: Search,
    undisturbed: list[TrialConfig],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    raised: type[BaseException],
) -> None:
    """Whether the library that was interrupted says so or makes an error of its own of it."""
    asked = Event()
    monkeypatch.setattr(processes, "_ASKED", asked)
    calls = iter(range(100))

    def interrupted(task: FitTask, config: TrialConfig, on_epoch: object = None) -> object:
        result = planted_fit(task, config, on_epoch)
        if next(calls) == number:
            asked.set()
            raise raised
        return result

    with pytest.raises(KeyboardInterrupt):
        search.run(8, interrupted)
    asked.clear()
    stopped = search.listener.ended_trials[-1]
    assert (stopped.number, stopped.state) == (number, "failed")
    assert 0 < stopped.seconds < 1, "a killed trial costs what it ran, not the time it lay dead"
    assert finished(search.run(8)) == undisturbed


def test_a_trial_that_goes_on_costs_what_it_ran_itself(search: Search) -> None:
    """Epochs that its killed forerunner had run are told again, and not paid again."""

    def replaying(task: FitTask, config: TrialConfig, on_epoch: object = None) -> object:
        long_ago = EpochRecord(0, 0.5, 0.7, 0.5, 0.7, 0.6, 500.0, 50.0)
        assert callable(on_epoch)
        on_epoch(long_ago)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search.run(8, replaying)
    killed_again = search.listener.ended_trials[-1]
    assert killed_again.epochs[0].seconds == 500.0
    assert killed_again.seconds < 1


def test_a_trial_that_ends_while_trials_are_counted_is_counted_once(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ran in another process, and was all that was asked for."""
    search.run(1)
    study = search.opened()
    elsewhere = ask(study)
    claim(elsewhere)
    keep_config(elsewhere, TrialConfig())
    read = study.get_trials

    def ending(*args: Any, states: Any = None, **kwargs: Any) -> list[FrozenTrial]:
        found = read(*args, states=states, **kwargs)
        if states is None or TrialState.COMPLETE in states:
            monkeypatch.setattr(study, "get_trials", read)
            study.tell(elsewhere, 0.5)
        return found

    monkeypatch.setattr(study, "get_trials", ending)
    assert module._begin_trial(study, search.task(2), []) is None


def test_three_failures_in_a_row_end_the_study(search: Search) -> None:
    def failing(*args: object, **kwargs: object) -> object:
        raise ValueError("no")

    with pytest.raises(StudyError, match=r"3 trials in a row failed, the last: ValueError: no"):
        search.run(8, failing)


def test_time_up_keeps_what_was_run_and_at_least_one_trial(search: Search) -> None:
    assert len(search.run(8, timeout=1e-6).trials) == 1


#: All but dropout and loss fixed, as one command of README does.
FEW: dict[str, Candidates] = {
    "classifier": ("head",),
    "pooling": ("avg",),
    "features": ("last",),
    "batch_norm": (False,),
    "units": (0,),
    "activation": ("relu",),
    "learning_rate": (1e-3,),
    "weight_decay": (1e-2,),
}


def test_what_is_fixed_or_narrowed_is_never_drawn_otherwise(search: Search) -> None:
    search.asked = {**FEW, "dropout": Range(0.1, 0.5), "loss": ("focal", "hinge")}
    heads = [trial.config.head for trial in search.run(12).trials]
    assert {(head.pooling, head.features, head.units, head.learning_rate) for head in heads} == {
        ("avg", "last", 0, 1e-3)
    }
    assert all(0.1 <= head.dropout <= 0.5 for head in heads)
    assert {head.loss for head in heads} == {"focal", "hinge"}
    assert (heads[0].dropout, heads[0].loss) == (0.2, "focal"), "the nearest to the plain head"


def test_a_space_that_is_one_point_takes_one_trial(search: Search) -> None:
    search.asked = {**FEW, "dropout": (0.3,), "loss": ("focal",)}
    search.asked["batch_size"] = ()
    task = replace(search.task(20), space=replace(search.task(20).space, batch_size=64))
    search._patch.setattr(module, "fit_record", planted_fit)
    progress = RecordedProgress()
    record = optimise(search.opened(), task, search.listener, progress)
    assert [trial.config.head.dropout for trial in record.trials] == [0.3]
    assert "what is asked for leaves 1 different trial" in " ".join(progress.lines)


def test_a_grid_tries_each_point_once_also_after_a_kill(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    search.asked = {
        **FEW,
        "classifier": ("head", "logistic_regression"),
        "pooling": ("avg", "max2x2"),
        "features": ("last", "all_blocks"),
        "dropout": (0.0, 0.3),
        "loss": ("focal",),
        "C": (0.01, 1.0),
    }
    search.how = {"sampler": "grid"}
    monkeypatch.setattr(Poolings, "poolings", ("avg", "max2x2"))
    search.run(5)
    record = search.run(1000)
    configs = [trial.config for trial in record.trials]
    assert len(configs) == len(set(configs))
    kinds = [config.head.classifier for config in configs]
    # Three of (pooling, features), since the flattened map is of the last one.
    assert (kinds.count("head"), kinds.count("logistic_regression")) == (3 * 2 * 4, 3 * 2)


@pytest.mark.parametrize("sampler", ["random", "cmaes"])
def test_another_sampler_goes_on_as_if_it_had_not_been_interrupted(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    (tmp_path / "whole").mkdir()
    whole = Search(tmp_path / "whole", monkeypatch)
    for one in (search, whole):
        one.asked, one.how = {"classifier": ("head",)}, {"sampler": sampler}
    search.run(4)
    assert finished(search.run(9)) == finished(whole.run(9))
    assert len(set(finished(search.run(9)))) == 9
    tpe = Search(tmp_path, monkeypatch)
    tpe.asked = {"classifier": ("head",)}
    assert finished(tpe.run(9)) == finished(search.run(9)), "the same study"


@pytest.mark.parametrize(("pruner", "pruned"), [("median", True), ("none", False)])
def test_the_pruner_is_the_one_asked_for(search: Search, pruner: str, pruned: bool) -> None:
    epochs = [EpochRecord(n, 0.5, 0.7, 0.5, 0.7, 0.0, 1.5, 0.5) for n in range(4)]

    def worse_and_worse(task: FitTask, config: TrialConfig, on_epoch: Any = None) -> FitRecord:
        value = 0.9 - 0.02 * len(search.listener.ended_trials)
        fitted = [replace(epoch, val_roc_auc=value, stage="head") for epoch in epochs]
        for epoch in fitted:
            on_epoch(epoch)
        return FitRecord(tuple(fitted), 0)

    search.how, search.asked = {"pruner": pruner}, {"classifier": ("head",)}
    record = search.run(8, worse_and_worse)
    assert any(trial.state == "pruned" for trial in record.trials) == pruned


def test_hyperband_stops_some_trials_early(search: Search) -> None:
    def falling(task: FitTask, config: TrialConfig, on_epoch: Any = None) -> FitRecord:
        rank = 0.9 - 0.02 * len(search.listener.ended_trials)
        fitted = []
        for number in range(9):
            fitted.append(EpochRecord(number, 0.5, 0.7, 0.5, 0.7, rank, 1.5, 0.5, "head"))
            on_epoch(fitted[-1])
        return FitRecord(tuple(fitted), 0)

    search.how, search.asked = {"pruner": "hyperband"}, {"classifier": ("head",)}
    search.epochs = 9
    states = [trial.state for trial in search.run(12, falling).trials]
    assert states.count("pruned") > 0
    assert states.count("complete") > 0

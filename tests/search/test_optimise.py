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
from fakeface_bench.search import trial as one_trial
from fakeface_bench.search.optimise import SearchTask, optimise
from fakeface_bench.search.options import Candidates, Range
from fakeface_bench.search.space import Space
from fakeface_bench.search.storage import Study, ask, claim, keep_config, open_study
from fakeface_bench.search.trial import TrialListener
from fakeface_bench.support import processes
from fakeface_bench.support.errors import DiskError, StudyError
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
        self._patch.setattr(one_trial, "fit_record", fit)
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


@pytest.mark.parametrize(("raised", "number"), [(KeyboardInterrupt, 2), (SystemError, 0)])
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
    assert module._begin_trials(study, search.task(2), [], room=1) == []


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
    search._patch.setattr(one_trial, "fit_record", planted_fit)
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


class Folds:
    """Three folds whose scores are planted, in place of fits."""

    def __init__(self, search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fitted: list[str] = []
        self.fail: Any = None
        self._search = search
        task = search.task
        folds = ("0", "1", "2")

        def folded(trials: int, timeout: float = 0.0) -> SearchTask:
            asked = task(trials, timeout)
            parts = tuple(replace(asked.fit, part=part) for part in folds)
            return replace(asked, fit=replace(asked.fit, folds=parts))

        monkeypatch.setattr(search, "task", folded)
        monkeypatch.setattr("fakeface_bench.evaluation.cross_validation.fit_record", self._fit)

    def _fit(self, task: FitTask, config: TrialConfig) -> FitRecord:
        if self.fail:
            self.fail(len(self.fitted))
        self.fitted.append(task.part)
        return planted_fit(task, config, lambda epoch: None)


@pytest.fixture
def folds(search: Search, monkeypatch: pytest.MonkeyPatch) -> Folds:
    return Folds(search, monkeypatch)


def test_each_trial_fits_every_fold_and_says_so(search: Search, folds: Folds) -> None:
    search.how = {"pruner": "none"}
    record = search.run(2)
    assert folds.fitted == ["0", "1", "2"] * 2
    assert [trial.folds for trial in record.trials] == [3] * 2
    assert all(len(trial.epochs) == 1 for trial in record.trials)
    assert all(trial.epochs[0].seconds == 4.5 for trial in record.trials)


def test_a_trial_is_pruned_between_two_folds_and_never_after_the_last(
    search: Search, folds: Folds, monkeypatch: pytest.MonkeyPatch
) -> None:
    search.asked = {"classifier": ("head",)}
    asked: list[int] = []

    def always(trial: Any) -> bool:
        asked.append(len(folds.fitted))
        return len(folds.fitted) == 5  # in the second trial, after its second fold

    monkeypatch.setattr("optuna.Trial.should_prune", always)
    record = search.run(3)
    assert [trial.state for trial in record.trials] == ["complete", "pruned", "complete"]
    assert [trial.folds for trial in record.trials] == [3, 2, 3]
    assert asked == [1, 2, 4, 5, 6, 7]


def test_logistic_regression_is_not_pruned_between_folds(
    search: Search, folds: Folds, monkeypatch: pytest.MonkeyPatch
) -> None:
    search.asked = {"classifier": ("logistic_regression",)}
    monkeypatch.setattr(
        one_trial,
        "cross_validate",
        lambda task, config, on_fold: on_fold(of_logistic_regression()) or of_logistic_regression(),
    )
    monkeypatch.setattr("optuna.Trial.should_prune", lambda trial: True)
    assert [trial.state for trial in search.run(2).trials] == ["complete", "complete"]


def of_logistic_regression() -> FitRecord:
    epoch = EpochRecord(0, 0.5, 0.7, 0.5, 0.7, 0.8, 1.5, 0.5, LOGISTIC_REGRESSION)
    return FitRecord((epoch,), 0)


def test_folds_that_a_kill_cut_off_are_charged_and_the_trial_is_run_again(
    search: Search, folds: Folds, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(one_trial.time, "monotonic", lambda: float(next(clock)))

    def interrupted(fitted: int) -> None:
        if fitted == 2:
            folds.fail = None
            raise KeyboardInterrupt

    folds.fail = interrupted
    with pytest.raises(KeyboardInterrupt):
        search.run(2)
    record = search.run(2)
    killed, repeated = record.trials[:2]
    assert killed.state == "failed"
    assert killed.folds == 2
    assert killed.seconds > 0
    assert len(killed.epochs) == 1
    assert repeated.config == killed.config
    assert [trial.state for trial in record.trials] == ["failed", "complete", "complete"]


class Full(Listener):
    """Finds no room for the first trial that it is told of."""

    def __init__(self) -> None:
        super().__init__()
        self.full = True

    def started(self, uid: str, number: int, config: TrialConfig) -> None:
        if self.full:
            raise DiskError("no room for it")


def test_a_trial_that_could_not_be_written_down_has_no_end_to_be_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Search(tmp_path, monkeypatch)
    search.listener = full = Full()
    with pytest.raises(DiskError, match="no room for it"):
        search.run(2)
    assert full.ended_trials == []
    full.full = False
    record = search.run(2)
    assert [trial.state for trial in record.trials] == ["failed", "complete", "complete"]

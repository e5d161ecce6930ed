"""Trials that are drawn together: what they are depends on how many, and on nothing else."""

import platform
import random
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from fakeface_bench.config import LOGISTIC_REGRESSION, SearchConfig, StudyConfig, TrialConfig
from fakeface_bench.records.study import EpochRecord, FitRecord, TrialRecord
from fakeface_bench.resolve import checked
from fakeface_bench.search import optimise as module
from fakeface_bench.search import trial as one_trial
from fakeface_bench.search.optimise import SearchTask, optimise, search_record
from fakeface_bench.search.options import Range
from fakeface_bench.search.storage import POSITION, Study, ask
from fakeface_bench.support.errors import StopSearch, StudyError, UsageError
from fakeface_bench.support.executor import (
    Ended,
    Executor,
    Hear,
    Result,
    ThisProcess,
    Unit,
    hear_nothing,
)
from fakeface_bench.training.networks import FitTask
from tests.command import Command
from tests.conftest import RecordedProgress
from tests.search.test_optimise import Listener, Search, planted_fit, usual

TRIALS = 14


def learning(task: FitTask, config: TrialConfig, on_epoch: object = None) -> FitRecord:
    """A fit of three epochs, each better than the one before, which the pruner may end."""
    (end,) = planted_fit(task, config, lambda record: None).epochs
    epochs = [
        replace(end, epoch=number, val_roc_auc=end.val_roc_auc - 0.1 / (number + 1))
        for number in range(3)
    ]
    assert callable(on_epoch)
    for epoch in epochs:
        on_epoch(epoch)
    return FitRecord(tuple(epochs), 2)


def failing(task: FitTask, config: TrialConfig, on_epoch: object = None) -> FitRecord:
    if 0.2 < config.head.dropout < 0.32:
        raise ValueError("too wide")
    return learning(task, config, on_epoch)


Found = list[tuple[int, str, TrialConfig, float | None]]


def found(study: Study) -> Found:
    """Return position, state, options and value of each trial that ended by itself."""
    return [
        (trial.position, trial.state, trial.config, trial.value)
        for trial in search_record(study).trials
        if trial.state != "failed" or trial.reason == "ValueError: too wide"
    ]


class Together(Search):
    """A study whose trials are drawn so many at once."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, parallel: int) -> None:
        folder.mkdir()
        super().__init__(folder, patch)
        self.epochs = 3
        self.parallel = parallel

    def task(self, trials: int, timeout: float = 0.0) -> SearchTask:
        return replace(super().task(trials, timeout), parallel=self.parallel)

    def run_by(self, executor: Executor, trials: int, fit: object) -> Found:
        self._patch.setattr(one_trial, "fit_record", fit)
        study = self.opened()
        optimise(study, self.task(trials), self.listener, RecordedProgress(), executor)
        return found(study)


class Shuffled(ThisProcess):
    """Takes all units that there are, and ends them in some other order.

    It says that it has room for three, or for two, or one, so that trials start in such lots.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.free = 3 - seed % 3  # type: ignore[misc]  # of this one
        self.most = 0

    def results(
        self, units: Iterable[Unit[Result]], hear: Hear = hear_nothing
    ) -> Generator[Ended[Result], None, None]:
        taken = list(enumerate(units))
        self.most = max(self.most, len(taken))
        self._chance.shuffle(taken)
        for number, unit in taken:
            (ended,) = super().results([unit], partial(self._hear_as, number, hear))
            yield replace(ended, number=number)

    @staticmethod
    def _hear_as(number: int, hear: Hear, _: int, told: object) -> None:
        hear(number, told)


@pytest.fixture(scope="module", params=[2, 4])
def parallel(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory: pytest.TempPathFactory, parallel: int) -> Found:
    with pytest.MonkeyPatch.context() as patch:
        search = Together(tmp_path_factory.mktemp("rounds") / "one", patch, parallel)
        search.run(TRIALS, failing)
        return found(search.opened())


@pytest.mark.parametrize("seed", range(2))
def test_in_whatever_order_they_end_they_are_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    parallel: int,
    one_by_one: Found,
    seed: int,
) -> None:
    states = {state for _, state, _, _ in one_by_one}
    assert states == {"complete", "pruned", "failed"}
    search = Together(tmp_path / "other", monkeypatch, parallel)
    executor = Shuffled(seed)
    assert search.run_by(executor, TRIALS, failing) == one_by_one
    assert executor.most == parallel


def heads_alone(task: FitTask, config: TrialConfig, on_epoch: object = None) -> FitRecord:
    if config.head.classifier == LOGISTIC_REGRESSION:
        raise ValueError("too wide")
    return learning(task, config, on_epoch)


def test_how_many_start_at_once_is_nothing_to_the_sampler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What TPE notes of a trial that it draws is not for those that are drawn beside it."""
    monkeypatch.setattr(module, "MAX_FAILURES_IN_A_ROW", 100)
    tried = []
    for name, executor in (("one", ThisProcess()), ("three", Shuffled(0))):
        search = Together(tmp_path / name, monkeypatch, 4)
        tried.append(search.run_by(executor, 32, heads_alone))
    assert tried[0] == tried[1]


def test_topping_up_draws_what_one_go_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallel: int, one_by_one: Found
) -> None:
    search = Together(tmp_path / "other", monkeypatch, parallel)
    for trials in (3, 7, TRIALS):
        search.run(trials, failing)
    assert found(search.opened()) == one_by_one


@pytest.mark.parametrize("knew", ["its options", "nothing"])
def test_what_a_dead_process_ran_is_repeated_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallel: int, one_by_one: Found, knew: str
) -> None:
    search = Together(tmp_path / "other", monkeypatch, parallel)
    search.run(5, failing)
    study, task = search.opened(), search.task(TRIALS)
    if knew == "its options":
        (begun,) = module._begin_trials(study, task, module._first_trials(task).params, room=1)
        trial = begun.trial
    else:  # it was killed while it drew them
        study.enqueue_trial({}, user_attrs={POSITION: 5})
        trial = ask(study)
    dead = {"host": platform.node(), "pid": 2**22 + 1, "started": 0.0}
    trial.set_user_attr("process", dead)
    search.run(TRIALS, failing)
    assert found(search.opened()) == one_by_one
    killed = [t for t in search.opened().get_trials() if t.number == trial.number]
    assert [t.state for t in killed] == [TrialState.FAIL]


def spoiling(number: int) -> Callable[..., FitRecord]:
    """Fits of which one is better than any."""
    calls = iter(range(100))

    def fit(task: FitTask, config: TrialConfig, on_epoch: object = None) -> FitRecord:
        record = planted_fit(task, config, lambda record: None)
        (epoch,) = record.epochs
        best = replace(epoch, val_roc_auc=0.999)
        return FitRecord((best if next(calls) == number else epoch,), 0)

    return fit


def test_a_round_is_drawn_from_the_rounds_before_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its own trials find changes nothing of it, and something of the next."""
    drawn = {}
    for name, spoiled in (("one", -1), ("other", 9)):
        search = Together(tmp_path / name, monkeypatch, 4)
        search.run(24, spoiling(spoiled))
        drawn[name] = [config for _, _, config, _ in found(search.opened())]
    assert drawn["one"][:12] == drawn["other"][:12]
    assert drawn["one"][12:] != drawn["other"][12:]


def test_those_of_a_round_differ_and_the_usual_ones_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Together(tmp_path / "a", monkeypatch, 8)
    record = search.run(24)
    assert usual(record)
    assert len({trial.config for trial in record.trials}) == 24


@pytest.mark.parametrize(("option", "value"), [("sampler", "cmaes"), ("pruner", "hyperband")])
def test_what_needs_one_trial_after_another_is_refused(option: str, value: str) -> None:
    numbers = {"classifier": "head", "loss": "hinge"}
    asked = StudyConfig(search=SearchConfig(**numbers, parallel=2, **{option: value}))
    with pytest.raises(UsageError, match=f"{option} '{value}' needs one trial after another"):
        checked(asked)


def test_what_was_cut_off_and_what_died_leave_no_hole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallel: int, one_by_one: Found
) -> None:
    """One process was interrupted, the other killed: what waits comes after what is missing."""
    search = Together(tmp_path / "other", monkeypatch, parallel)
    search.run(4, failing)
    study, task = search.opened(), search.task(TRIALS)
    first = module._first_trials(task).params
    interrupted, killed = module._begin_trials(study, task, first, room=2)
    module._tell_cut_off(study, interrupted.trial, search.listener)
    dead = {"host": platform.node(), "pid": 2**22 + 1, "started": 0.0}
    killed.trial.set_user_attr("process", dead)
    search.run(TRIALS, failing)
    assert found(search.opened()) == one_by_one


def test_of_equally_good_ones_the_first_drawn_is_taken_whoever_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alike(task: FitTask, config: TrialConfig, on_epoch: object = None) -> FitRecord:
        (epoch,) = planted_fit(task, config, lambda record: None).epochs
        return FitRecord((replace(epoch, val_roc_auc=1.0),), 0)

    search = Together(tmp_path / "ties", monkeypatch, 2)
    study, task = search.opened(), search.task(4)
    (begun,) = module._begin_trials(study, task, module._first_trials(task).params, room=1)
    dead = {"host": platform.node(), "pid": 2**22 + 1, "started": 0.0}
    begun.trial.set_user_attr("process", dead)
    record = search.run(4, alike)
    assert record.best.position == 0
    assert record.best.number > 0
    assert [trial.position for trial in record.trials] == [0, 0, 1, 2, 3]


def test_how_many_are_drawn_together_is_what_they_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    for parallel in (1, 2, 4):
        search = Together(tmp_path / str(parallel), monkeypatch, parallel)
        tried.append([trial.config for trial in search.run(14).trials])
    assert tried[0] != tried[1] != tried[2]
    assert tried[0][:2] == tried[1][:2] == tried[2][:2]


def test_a_grid_is_tried_out_whatever_is_drawn_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Together(tmp_path / "grid", monkeypatch, 3)
    search.asked = {"classifier": ("logistic_regression",), "C": (0.1, 1.0, 10.0)}
    record = search.run(20)
    points = search.task(20).space.points()
    assert points is not None
    assert len(record.trials) == len({t.config for t in record.trials}) == len(points) > 3


@pytest.mark.slow
def test_several_processes_find_what_one_does(tmp_path: Path, tiny_faces: Path) -> None:
    options = ("--model", "mobilenetv3_small", "--data", str(tiny_faces), "--weights", "random")
    small = ("--image-size", "64", "--trials", "8", "--epochs", "3", "--parallel", "2")
    told = []
    for processes in (1, 2):
        (tmp_path / str(processes)).mkdir()
        command = Command(tmp_path / str(processes))
        with ThreadPoolExecutor(processes) as pool:
            ended = [
                pool.submit(command, "run", *options, *small, tensorflow=True)
                for _ in range(processes)
            ]
        assert [each.result().returncode for each in ended] == [0] * processes
        (name,) = optuna.get_all_study_names(storage_of(command))
        trials = optuna.load_study(study_name=name, storage=storage_of(command)).trials
        assert len({str(trial.user_attrs["process"]) for trial in trials}) == processes
        rows = [(t.user_attrs[POSITION], t.state, t.params, t.value) for t in trials]
        told.append(sorted(rows, key=lambda row: row[0]))
    assert told[0] == told[1]


def storage_of(command: Command) -> str:
    return f"sqlite:///{command.folder.parent / 'fakeface_studies.db'}"


class DyingOnce(ThisProcess):
    """Cuts each unit off after its first epoch, as a worker that dies does, and runs it again."""

    def results(
        self, units: Iterable[Unit[Result]], hear: Hear = hear_nothing
    ) -> Generator[Ended[Result], None, None]:
        for number, unit in enumerate(units):
            told: list[object] = []

            def tell(each: object, number: int = number, told: list[object] = told) -> None:
                told.append(each)
                if len(told) > 2:
                    raise SystemExit("the worker is gone")
                hear(number, each)

            with suppress(SystemExit):
                unit.run(tell)
            (ended,) = super().results([unit], partial(Shuffled._hear_as, number, hear))
            yield replace(ended, number=number)


class Epochs(Listener):
    """Counts what it is told of each trial."""

    def __init__(self) -> None:
        super().__init__()
        self.started_trials: list[str] = []
        self.told: list[tuple[str, int]] = []

    def started(self, uid: str, number: int, config: TrialConfig) -> None:
        self.started_trials.append(uid)

    def epoch(self, uid: str, record: EpochRecord) -> None:
        self.told.append((uid, record.epoch))


def test_a_trial_whose_worker_died_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallel: int, one_by_one: Found
) -> None:
    search = Together(tmp_path / "other", monkeypatch, parallel)
    search.listener = epochs = Epochs()
    assert search.run_by(DyingOnce(), TRIALS, failing) == one_by_one
    assert len(set(epochs.started_trials)) == len(epochs.started_trials)
    assert len(set(epochs.told)) == len(epochs.told) > TRIALS


class Crowded(ThisProcess):
    """Takes all units that there are, and has a worker for the first alone."""

    def results(
        self, units: Iterable[Unit[Result]], hear: Hear = hear_nothing
    ) -> Generator[Ended[Result], None, None]:
        first, *_ = list(units)
        yield from super().results([first], hear)


class Stopping(Epochs):
    def ended(self, trial: TrialRecord) -> None:
        super().ended(trial)
        raise StopSearch


def test_who_hears_of_trials_hears_of_none_that_only_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_trial, "fit_record", learning)
    search = Together(tmp_path / "stopped", monkeypatch, 4)
    listener = Stopping()
    study = search.opened()
    record = optimise(study, search.task(8), listener, RecordedProgress(), Crowded())
    assert record.stopped
    assert [trial.uid for trial in listener.ended_trials] == listener.started_trials
    states = [trial.state for trial in study.get_trials()]
    assert states == [TrialState.COMPLETE] + [TrialState.FAIL] * 3


@pytest.mark.parametrize("seed", range(3))
def test_failures_in_a_row_are_those_of_neighbours_whichever_ended_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whether a study gives up depends on the order in which its trials were drawn."""
    begun = iter(range(1000))

    def fit(task: FitTask, config: TrialConfig, on_epoch: object = None) -> FitRecord:
        if config.head.dropout < 0.3:
            raise ValueError("too narrow")
        return learning(task, config, on_epoch)

    ends = set()
    for name, executor in (("one", ThisProcess()), ("other", Shuffled(seed))):
        search = Together(tmp_path / f"{name}{next(begun)}", monkeypatch, 4)
        search.asked = {"classifier": ("head",), "dropout": Range(0.0, 0.5)}
        try:
            search.run_by(executor, TRIALS, fit)
            ends.add("ended")
        except StudyError as error:
            ends.add(str(error))
    assert len(ends) == 1

"""Studies as units: what travels to who runs them, and what comes back."""

import pickle
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import FrozenInstanceError
from typing import cast

import pytest

from fakeface_bench.config import StudyConfig
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.records.study import LeftOut
from fakeface_bench.study import find_or_run
from fakeface_bench.study.find_or_run import NeededStudy, StudyEnd, StudyUnit, find_or_run_studies
from fakeface_bench.support.errors import INTERRUPTED
from fakeface_bench.support.executor import (
    Ended,
    Hear,
    Here,
    Result,
    Shared,
    Unit,
    Value,
    hear_nothing,
)
from fakeface_bench.tracking.runs import TrackedRun
from tests.conftest import RecordedProgress
from tests.support.elsewhere import run_elsewhere


def test_a_study_is_run_by_another_process_and_its_end_comes_back() -> None:
    study = StudyConfig(model="no_such_network", storage="sqlite:///a.db")
    unit = StudyUnit(study, "abc", {"MLFLOW_TRACKING_URI": "sqlite:///a.db"})
    assert pickle.loads(pickle.dumps(unit)) == unit
    assert run_elsewhere(unit) == StudyEnd(
        "no_such_network", "abc", obstacle="its process ended with code 2."
    )
    with pytest.raises(FrozenInstanceError):
        unit.run_id = "another"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("ends", "obstacle", "interrupted"),
    [
        (0, "", False),
        (INTERRUPTED, f"its process ended with code {INTERRUPTED}.", True),
        (OSError("no memory"), "no memory", False),
    ],
)
def test_how_a_study_ended_is_told_by_its_process(
    ends: int | OSError, obstacle: str, interrupted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []

    def wait_for(command: list[str], variables: dict[str, str]) -> int:
        started.append((command, variables))
        if isinstance(ends, OSError):
            raise ends
        return ends

    monkeypatch.setattr("fakeface_bench.study.find_or_run.wait_for", wait_for)
    study = StudyConfig(storage="postgresql://user:secret@host/db")
    ended = StudyUnit(study, "abc", {"MLFLOW_RUN_ID": "abc"}).run(untold)
    assert ended == StudyEnd(study.model, "abc", obstacle, interrupted)
    ((command, variables),) = started
    assert not any("secret" in word for word in command), "a command line is shown to everybody"
    assert variables["MLFLOW_RUN_ID"] == "abc"
    assert "secret" in "".join(variables.values())


class Ahead:
    """An executor that takes two units before the first is done, as one on two machines would."""

    detail, free = "", 2

    def shared(self, value: Value) -> AbstractContextManager[Shared[Value]]:
        return nullcontext(Here(value))

    def results(
        self, units: Iterable[Unit[Result]], hear: Hear = hear_nothing
    ) -> Generator[Ended[Result], None, None]:
        first, second = units
        yield Ended(0, first.run(untold))
        yield Ended(1, second.run(untold))


def untold(told: object) -> None:
    raise AssertionError(f"a study tells nothing on the way: {told}")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """MLflow, of which two studies ask for runs `0` and `1`; what the runs were closed with."""
    opened: list[str] = []
    settled: list[tuple[str, str]] = []

    def open_run(run: object, model: str, dataset: str) -> str:
        opened.append(model)
        return str(len(opened) - 1)

    def settle(run_id: str, obstacle: str) -> str:
        settled.append((run_id, obstacle))
        return obstacle

    monkeypatch.setattr(find_or_run, "finished_studies", lambda *asked: iter(()))
    monkeypatch.setattr(find_or_run, "open_study_run", open_run)
    monkeypatch.setattr(find_or_run, "environment_of", lambda *of: {})
    monkeypatch.setattr(find_or_run, "settle_study_run", settle)
    return settled


class Job:
    """What a study's unit is made of, besides the request: the job's run, and a dataset's name."""

    run_id = "job"
    experiment_id = "0"
    name = "faces"


def two_studies(progress: RecordedProgress) -> Generator[object, None, None]:
    index = cast(ImageIndex, Job())
    wanted = [NeededStudy(StudyConfig(model=key), index, key) for key in ("vgg16", "vgg19")]
    found = find_or_run_studies(cast(TrackedRun, Job()), wanted, progress, Ahead())
    return cast(Generator[object, None, None], found)


def test_each_study_is_settled_as_it_ended_and_the_next_goes_on(
    settled: list[tuple[str, str]], progress: RecordedProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_or_run, "wait_for", lambda command, variables: 1)
    reasons = "it failed: its process ended with code 1."
    assert list(two_studies(progress)) == [
        LeftOut("vgg16", "0", reasons),
        LeftOut("vgg19", "1", reasons),
    ]
    assert [run_id for run_id, _ in settled] == ["0", "1"]
    assert progress.lines == ["study 1 of 2: vgg16", "study 2 of 2: vgg19"]


@pytest.mark.parametrize("code", [INTERRUPTED, None])
def test_an_interruption_closes_the_run_of_every_study_that_was_begun(
    code: int | None,
    settled: list[tuple[str, str]],
    progress: RecordedProgress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wait_for(command: list[str], variables: dict[str, str]) -> int:
        if code is None:
            raise KeyboardInterrupt
        return code

    monkeypatch.setattr(find_or_run, "wait_for", wait_for)
    with pytest.raises(KeyboardInterrupt):
        list(two_studies(progress))
    assert dict(settled)["1"] == "interrupted"
    assert {run_id for run_id, _ in settled} == {"0", "1"}


def test_a_job_that_stops_closes_the_runs_of_studies_that_are_under_way(
    settled: list[tuple[str, str]], progress: RecordedProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_or_run, "wait_for", lambda command, variables: 1)
    found = two_studies(progress)
    next(found)
    found.close()
    assert settled == [("0", "its process ended with code 1."), ("1", "interrupted")]

"""A study that is killed, again and again, ends as one that nothing happened to."""

import random
import signal
import time
from pathlib import Path

import pytest

from tests.command import SECONDS_TO_STOP
from tests.reliability.commands import Launcher, Place, assert_same_study
from tests.reliability.conftest import TRIALS, Count

#: By phase: what the process says when it begins, and how long it lasts, in seconds, at most.
PHASES = {
    "data preparation": ("", 1.5),
    "extraction": ("BEGINS extracting features", 1.5),
    "a trial": ("BEGINS searching", 1.5),
    "refit": ("refitting trial", 1.0),
    "logging": ("recording results", 1.5),
}


def kill_in_each_phase(
    launcher: Launcher, study: list[str], place: Place, seed: int
) -> dict[str, int]:
    """Start a study and kill it, at a random moment of each phase; return how often in each."""
    chance = random.Random(seed)
    hit = dict.fromkeys(PHASES, 0)
    for phase, (marker, seconds) in PHASES.items():
        running = launcher.start(place, *study)
        if marker:
            running.until(lambda r=running, m=marker: m in r.printed or r.ended.is_set(), marker)
        time.sleep(chance.uniform(0, seconds))
        running.kill()
        hit[phase] += running.code == -signal.SIGKILL
    return hit


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_killed_study_ends_as_if_it_had_not_been(
    launcher: Launcher,
    study: list[str],
    undisturbed: Place,
    tmp_path: Path,
    seed: int,
    record_property: Count,
) -> None:
    place = Place(tmp_path / "killed")
    hit = kill_in_each_phase(launcher, study, place, seed)
    record_property("processes killed", sum(hit.values()))
    assert all(hit.values()), f"no kill in some phase: {hit}"
    last = launcher.start(place, *study)
    assert last.finish() == 0, last.printed
    assert_same_study(place, undisturbed, TRIALS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("marker", ["BEGINS extracting", "ADVANCES searching", "recording"])
def test_an_interrupted_study_stops_at_once_and_says_how_to_go_on(
    launcher: Launcher,
    study: list[str],
    tmp_path: Path,
    marker: str,
    number: signal.Signals,
    record_property: Count,
) -> None:
    if (marker == "ADVANCES searching") != (number == signal.SIGTERM):
        pytest.skip("the signals alternate, for time's sake")
    place = Place(tmp_path / "interrupted")
    running = launcher.start(place, *study)
    running.wait_for(marker)
    asked = time.monotonic()
    record_property("processes interrupted", 1)
    running.signal(number)
    assert running.finish() == 130, running.printed
    assert time.monotonic() - asked < SECONDS_TO_STOP
    assert "The same command goes on where this one stopped." in running.printed
    assert "Traceback" not in running.printed
    assert place.parent().info.status == "KILLED"
    assert place.parent().data.tags["fakeface.failure"] == "interrupted"
    assert "RUNNING" not in {run.info.status for run in place.runs("trial")}

"""What the reliability tests share: one launcher, and one study that nothing disturbed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import made_once
from tests.reliability.commands import Launcher, Place

#: pytest's `record_property`: what a test did, and how often, for benchmarks/reliability.py.
Count = Callable[[str, object], None]
#: A small study through every phase.
TRIALS = 4
STUDY = (
    "run --model mobilenetv3_small --weights random --image-size 64 --batch-size 8 "
    f"--trials {TRIALS} --epochs 2"
).split()


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    started = Launcher()
    yield started
    started.close()


@pytest.fixture(scope="session")
def study(tiny_faces: Path) -> list[str]:
    """The command of the small study."""
    return [*STUDY, "--data", str(tiny_faces)]


@pytest.fixture(scope="session")
def undisturbed(launcher: Launcher, study: list[str], of_all_processes: Path) -> Place:
    """The study as it ends where nothing happens to it."""
    place = Place(of_all_processes / "undisturbed")

    def run_study() -> None:
        running = launcher.start(place, *study)
        assert running.finish() == 0, running.printed

    made_once(place.folder, run_study)
    return place

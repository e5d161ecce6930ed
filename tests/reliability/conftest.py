"""What the reliability tests share: one launcher, and one study that nothing disturbed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
def undisturbed(
    launcher: Launcher, study: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Place:
    """The study as it ends where nothing happens to it."""
    place = Place(tmp_path_factory.mktemp("undisturbed"))
    running = launcher.start(place, *study)
    assert running.finish() == 0, running.printed
    return place

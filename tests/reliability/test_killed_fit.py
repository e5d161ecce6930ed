"""A study whose process is killed while layers train goes on, and ends as if it had not been."""

from pathlib import Path

import numpy as np
import pytest

from tests.reliability.commands import Launcher, Place, assert_same_study
from tests.reliability.conftest import Count

TRIALS = 2
ARGUMENTS = (
    "run --model mobilenetv3_small --weights random --image-size 64 --fine-tune last_block "
    "--augment light --precision float32 --batch-size 8"
).split()


def fits_of(place: Place) -> list[Path]:
    return sorted((place.folder / "cache" / "fits").glob("*/*.npz"), key=lambda file: file.name)


def kept_epochs(place: Place) -> int:
    """Return how many epochs of its layers a fit has kept."""
    for file in fits_of(place):
        with np.load(file) as kept:
            return str(kept["facts"]).count('"fine_tune"')
    return 0


@pytest.mark.slow
def test_a_fit_killed_in_its_second_stage_ends_with_the_same_figures(
    launcher: Launcher,
    tmp_path: Path,
    tiny_faces: Path,
    record_property: Count,
) -> None:
    study = [*ARGUMENTS, "--trials", str(TRIALS), "--epochs", "8", "--data", str(tiny_faces)]
    undisturbed, killed = Place(tmp_path / "undisturbed"), Place(tmp_path / "killed")
    whole = launcher.start(undisturbed, *study)
    assert whole.finish() == 0, whole.printed

    running = launcher.start(killed, *study)
    running.until(lambda: kept_epochs(killed) >= 2, "two epochs of layers")
    record_property("processes killed", 1)
    running.kill()
    assert running.code == -9, "it ended before it could be killed"
    again = launcher.start(killed, *study)
    assert again.finish() == 0, again.printed

    assert_same_study(killed, undisturbed, TRIALS)
    dead, repeated = killed.trials()[:2]
    assert dead.data.tags["fakeface.failure"] == "its process ended before it did"
    assert repeated.data.params == dead.data.params
    kept = fits_of(undisturbed)
    assert len(kept) in (1, 2), "only the winner's fit is kept, and the first trial's"
    assert [fit.name for fit in fits_of(killed)] == [fit.name for fit in kept]

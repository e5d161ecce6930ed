"""A study that is killed while images pass the network goes on with the images that did not."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fakeface_bench.data.array_store import FACTS_FILE, JOURNAL_FILE, SHARD_ROWS
from fakeface_bench.data.synthetic.dataset import write_synthetic
from tests.command import Command
from tests.reliability.conftest import Count

#: Of training: some whole shards and a part of one.
TRAINING = 1_050
ARGUMENTS = (
    "run --model mobilenetv3_small --weights random --image-size 160 --trials 2 --epochs 2"
).split()


def run(command: Command, faces: Path) -> None:
    process = command(*ARGUMENTS, "--data", str(faces), tensorflow=True)
    assert process.returncode == 0, process.stderr


def kill_in_extraction(command: Command, faces: Path) -> Path:
    """Kill it without a warning once a shard is in its journal; return the draft."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fakeface_bench", *ARGUMENTS, "--data", str(faces)],
        cwd=command.folder,
        env=command.environment(tensorflow=True),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None:
            journals = (command.cache / "features").glob(f"*/.part-*/{JOURNAL_FILE}")
            found = [file for file in journals if file.stat().st_size]  # its line follows the file
            if found:
                break
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    return found[0].parent


def arrays_of(command: Command) -> dict[str, bytes]:
    root = command.cache / "features"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.npy")}


@pytest.mark.slow
def test_a_study_killed_while_extracting_ends_as_if_it_had_not_been(
    tmp_path: Path, record_property: Count
) -> None:
    record_property("processes killed", 1)
    faces = tmp_path / "faces"
    faces.mkdir()
    write_synthetic(faces, images=TRAINING * 10 // 7, seed=3)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole, killed = Command(tmp_path / "whole"), Command(tmp_path / "killed")
    run(whole, faces)
    draft = kill_in_extraction(killed, faces)
    folder = draft.with_name(draft.name.removeprefix(".part-"))
    assert not folder.exists()
    run(killed, faces)
    facts = json.loads((folder / FACTS_FILE).read_text())
    found = facts["images"] - facts["images_extracted"]
    assert found >= SHARD_ROWS
    assert found % SHARD_ROWS == 0
    assert facts["images_extracted"] > 0
    assert facts["known_seconds"] > 0
    assert arrays_of(killed) == arrays_of(whole)
    assert not draft.exists()
    assert np.load(folder / "pooled.npy", mmap_mode="r").any(axis=1).all()

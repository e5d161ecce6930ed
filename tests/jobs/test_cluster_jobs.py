"""A suite, a matrix and a robustness test on a cluster of which a node dies are those of none."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import mlflow
import numpy as np
import pytest
from PIL import Image

from tests.command import Command
from tests.support.clusters import started_nodes

SHARED = (
    *("--weights", "random", "--image-size", "64", "--trials", "4", "--epochs", "3"),
    *("--parallel", "2", "--trial-cores", "1"),
)
#: By the job, its options.
JOBS = {
    "suite": (
        *("--models", "residual,mobilenetv3_small,simple_cnn", "--precision", "float32"),
        *SHARED,
    ),
    "generalise": ("--models", "residual", "--hold-out", "generator", "--refits", "2", *SHARED[2:]),
}
#: What is no figure of a job, but of the machine and the moment.
PASSING = ("cost/", "seconds", "system/")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth pictures of nothing, of which two generators made the fakes; the first is grainier."""
    root, rng = tmp_path_factory.mktemp("jobs") / "faces", np.random.default_rng(0)
    kinds = {"real": (60, 5.0), "fake/grainy": (45, 8.0), "fake/smooth": (45, 3.0)}
    for folder, (images, grain) in kinds.items():
        (root / folder).mkdir(parents=True)
        for number in range(images):
            blots = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
            smooth = np.asarray(blots.resize((64, 64), Image.Resampling.BICUBIC), float)
            noisy = smooth + rng.normal(0, grain, smooth.shape)
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(
                root / folder / f"{number}.png"
            )
    return root


class Job:
    """A command with a store of its own."""

    def __init__(self, folder: Path, faces: Path, name: str) -> None:
        folder.mkdir()
        self._command = Command(folder)
        data = ("--train" if name == "generalise" else "--data", str(faces))
        self._options = (name, *data, *JOBS[name])

    def run(self, *options: str) -> CompletedProcess[str]:
        """Run it to its end."""
        return self._command(*self._options, *options, tensorflow=True, mlflow=True)

    def also(self, *arguments: str) -> CompletedProcess[str]:
        """Run another command on what it left."""
        return self._command(*arguments, tensorflow=True, mlflow=True)

    def studies(self, status: str) -> int:
        """Count its studies."""
        return sum(run.info.status == status for run in self.runs("study"))

    def figures(self, kind: str) -> list[dict[str, float]]:
        """Return the figures of all its runs of a kind that are done, the same in every run."""
        return sorted(
            (
                {
                    key: value
                    for key, value in run.data.metrics.items()
                    if not any(part in key for part in PASSING)
                }
                for run in self.runs(kind)
                if run.info.status == "FINISHED"
            ),
            key=lambda figures: sorted(figures.items()),
        )

    def runs(self, kind: str) -> list[mlflow.entities.Run]:
        """Return all its runs of a kind."""
        mlflow.set_tracking_uri(self._command.store)
        return mlflow.search_runs(
            filter_string=f"tags.`fakeface.kind` = '{kind}'",
            output_format="list",
            search_all_experiments=True,
        )


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 200
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "at_once", "share"),
    [("suite", "comparison", "2", "auto"), ("generalise", "generalisation", "1", "bytes")],
)
def test_a_job_on_three_nodes_of_which_one_dies_is_that_of_one_process(
    tmp_path: Path,
    faces: Path,
    beside: ThreadPoolExecutor,
    name: str,
    kind: str,
    at_once: str,
    share: str,
) -> None:
    alone = Job(tmp_path / "alone", faces, name)
    ended = alone.run()
    assert ended.returncode == 0, ended.stderr
    job = Job(tmp_path / "cluster", faces, name)
    how = ("--at-once", at_once, "--share", share)
    with started_nodes(1, 1, 1) as nodes:
        running = beside.submit(job.run, "--cluster", nodes.address, *how)
        until(lambda: job.studies("FINISHED") >= 1 or running.done())
        nodes.kill(1)
        ended = running.result()
    assert ended.returncode == 0, ended.stderr
    noticed = ("the cluster has lost", "a cluster of 2 nodes")  # by a study, or by one after it
    assert any(words in ended.stderr for words in noticed), ended.stderr
    assert job.figures("study") == alone.figures("study")
    assert len(job.figures("study")) == 3
    assert all("test/roc_auc" in figures for figures in job.figures("study"))
    assert job.figures(kind) == alone.figures(kind)
    assert len(job.figures(kind)) == 1


@pytest.mark.slow
def test_scores_of_a_cluster_are_those_of_one_process(tmp_path: Path, faces: Path) -> None:
    job = Job(tmp_path / "jobs", faces, "suite")
    ended = job.run("--models", "mobilenetv3_small,simple_cnn", "--trials", "2")
    assert ended.returncode == 0, ended.stderr
    (study, *_) = job.runs("study")
    found = {}
    for cluster in ("none", "local"):
        how = ("--cluster", cluster, "--trial-cores", "1", "--output", "")
        runs = ",".join(run.info.run_id for run in job.runs("study"))
        for command in (
            ("robustness", "--models", runs, "--limit", "4", *how),
            ("evaluate", "--model", study.info.run_id, "--data", str(faces), *how),
        ):
            ended = job.also(*command)
            assert ended.returncode == 0, ended.stderr
    for kind in ("robustness", "evaluation"):
        found[kind] = job.figures(kind)
        assert len(found[kind]) == 2
        assert found[kind][0] == found[kind][1]
        assert any("roc_auc" in name for name in found[kind][0])

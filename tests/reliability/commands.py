"""Real commands that a test starts, watches and kills, and what they leave in MLflow."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.entities import Run, ViewType

from tests.command import ROOT

WITHIN_SECONDS = 240.0


class Running:
    """A command in a process of its own."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.pid = 0
        self.code: int | None = None
        self.ended = threading.Event()
        self.began = threading.Event()

    @property
    def printed(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def wait_for(self, marker: str, times: int = 1) -> None:
        """Wait until it has printed something so many times."""
        self.until(lambda: self.printed.count(marker) >= times, marker)

    def until(self, reached: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WITHIN_SECONDS
        while not reached():
            if self.ended.is_set():
                pytest.fail(f"it ended ({self.code}) before {what!r}:\n{self.printed}")
            if time.monotonic() > deadline:
                pytest.fail(f"no {what!r} within {WITHIN_SECONDS:.0f} s:\n{self.printed}")
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill it without a warning, unless it has ended."""
        self.signal(signal.SIGKILL)
        self.finish()

    def signal(self, number: signal.Signals) -> None:
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            assert self.ended.wait(5), "it ended a moment before"

    def finish(self) -> int:
        """Wait for its end and return its exit code."""
        if not self.ended.wait(WITHIN_SECONDS):
            os.kill(self.pid, signal.SIGKILL)
            pytest.fail(f"no end within {WITHIN_SECONDS:.0f} s:\n{self.printed}")
        assert self.code is not None
        return self.code


class Launcher:
    """Starts commands in a process that has imported what they need."""

    def __init__(self) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.reliability.launcher"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._commands: dict[str, Running] = {}
        self._ready: Queue[bool] = Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._ready.get(timeout=120)

    def start(self, place: "Place", *arguments: str, **how: Any) -> Running:
        """Start a command.

        `how` holds `host`, `heartbeat`, `patience`, data-loading `threads`, further `environment`.
        """
        name = f"{len(self._commands):03}"
        running = Running(place.folder / f"{name}.log")
        self._commands[name] = running
        command = {
            "name": name,
            "arguments": arguments,
            "folder": str(place.folder),
            "log": str(running.log),
            "environment": place.environment | how.get("environment", {}),
            "host": how.get("host", ""),
            "patience": how.get("patience", 0),
            "threads": how.get("threads", 0),
            "heartbeat": how.get("heartbeat", (30, 120)),
        }
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        assert running.began.wait(60)
        return running

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()  # it ends at the end of its input
        self._process.wait()
        self._listener.join()
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("READY"):
                self._ready.put(True)
            elif line.startswith("{"):
                description = json.loads(line)
                running = self._commands[description["name"]]
                if "pid" in description:
                    running.pid = description["pid"]
                    running.began.set()
                else:
                    running.code = description["code"]
                    running.ended.set()


@dataclass
class Place:
    """A folder with a store, a study file and a cache of its own."""

    folder: Path
    tracking: str = ""
    further: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)

    @property
    def store(self) -> str:
        return self.tracking or f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "COV"))}
        return {
            **kept,
            "MLFLOW_TRACKING_URI": self.store,
            "FAKEFACE_CACHE": str(self.folder / "cache"),
            "FAKEFACE_STUDIES": str(self.folder / "studies"),
            "PYTHONPATH": str(ROOT),
            **self.further,
        }

    @property
    def client(self) -> mlflow.MlflowClient:
        return mlflow.MlflowClient(self.store)

    def runs(self, kind: str, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
        query = f"tags.`fakeface.kind` = '{kind}'"
        return list(self.client.search_runs(["0"], query, view))

    def parent(self) -> Run:
        """Return the one parent that the UI shows."""
        (run,) = self.runs("study")
        return run

    def trials(self) -> list[Run]:
        """Return the runs of the trials, all under the parent."""
        runs = self.runs("trial")
        parents = {run.data.tags["mlflow.parentRunId"] for run in runs}
        assert parents == {self.parent().info.run_id}
        return sorted(runs, key=lambda run: int(run.data.tags["fakeface.trial"]))

    def finished_trials_of_newest(self) -> list[Run]:
        """Return the trials under the parent that no other has superseded."""
        (parent,) = (r for r in self.runs("study") if "fakeface.superseded_by" not in r.data.tags)
        runs = [run for run in self.runs("trial") if run.data.tags["fakeface.state"] != "failed"]
        assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}
        return runs

    def finished_trials(self) -> list[Run]:
        return [run for run in self.trials() if run.data.tags["fakeface.state"] != "failed"]

    def predictions(self, split: str = "test") -> pd.DataFrame:
        run_id = self.parent().info.run_id
        path = self.client.download_artifacts(run_id, f"{split}/predictions.parquet")
        return pd.read_parquet(path)

    def artifacts(self, folder: str = "") -> list[str]:
        """Return the paths of all artifacts of the parent."""
        paths = []
        for entry in self.client.list_artifacts(self.parent().info.run_id, folder):
            paths += self.artifacts(entry.path) if entry.is_dir else [entry.path]
        return sorted(paths)


def metrics_of(run: Run, prefixes: Sequence[str] = ("test/", "val/", "train/")) -> dict[str, float]:
    return {k: v for k, v in run.data.metrics.items() if k.startswith(tuple(prefixes))}


def assert_same_study(found: Place, expected: Place, trials: int) -> None:
    """A study that was disturbed ended as the other did: one parent, its trials, no leftovers."""
    assert found.parent().info.status == "FINISHED"
    assert len(metrics_of(expected.parent())) > 20
    assert metrics_of(found.parent()) == metrics_of(expected.parent())
    pd.testing.assert_frame_equal(found.predictions(), expected.predictions(), check_exact=True)
    assert found.artifacts() == expected.artifacts()
    mine, others = found.finished_trials(), expected.finished_trials()
    assert len(mine) == len(others) == trials
    assert [run.data.params for run in mine] == [run.data.params for run in others]
    assert [run.data.metrics["objective"] for run in mine if "objective" in run.data.metrics] == [
        run.data.metrics["objective"] for run in others if "objective" in run.data.metrics
    ]
    everything = found.client.search_runs(["0"])
    assert {run.info.status for run in everything} <= {"FINISHED", "FAILED"}
    numbers = [run.data.tags["fakeface.trial"] for run in found.trials()]
    assert len(numbers) == len(set(numbers)), "no trial stands there twice"
    models = found.client.search_logged_models(["0"])
    assert len(models) == 1, "and no model"
